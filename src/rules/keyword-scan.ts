/**
 * Finds all keywords of all rules in one pass: an Aho-Corasick automaton over bytes, as flat tables,
 * with the folding of ASCII case in the table of byte classes, so nothing is lower-cased.
 *
 * One state depends on the one before, so a single walk waits for memory most of the time. Three
 * walks over three parts of a chunk, in step, use that time: measured, about twice as fast as one.
 * The tables take ten milliseconds to make: `keywords.ts` does without them at first.
 */

/** Units that are looked at together: the copy and the hot part of the table stay in cache. */
const CHUNK = 48 * 1024
const WALKS = 3

/** Called for each keyword that ends before `end`; its number is that in the list of keywords. */
export type OnHit = (keyword: number, end: number) => void

export type KeywordScan = (text: string, onHit: OnHit) => void

export function automatonOf(keywords: readonly string[]): KeywordScan {
  const automaton = buildAutomaton(keywords)
  const overlap = Math.max(0, ...keywords.map((word) => word.length - 1))
  const bytes = Buffer.alloc(CHUNK + overlap)
  // A keyword ends at most once at each unit and state: a third of the chunk is room enough.
  const room = Math.ceil(CHUNK / WALKS) + 1
  const ends = new Int32Array(WALKS * room)
  const states = new Uint16Array(WALKS * room)
  const counts = new Int32Array(WALKS)
  return (text, onHit) => {
    for (let from = 0; from < text.length; from += CHUNK) {
      // Each part begins a keyword's length early, to see those that cross its border.
      const lead = Math.min(overlap, from)
      const to = Math.min(text.length, from + CHUNK)
      const piece = lead === 0 && to === text.length ? text : text.slice(from - lead, to)
      // The low byte of each unit: what is not Latin makes false hits, which patterns refuse.
      bytes.write(piece, 0, to - from + lead, 'latin1')
      walk(automaton, { bytes, lead, length: to - from, overlap, ends, states, counts, room })
      for (let w = 0; w < WALKS; w++) {
        for (let k = w * room, last = k + counts[w]!; k < last; k++) {
          const end = from - lead + ends[k]! + 1
          for (const keyword of automaton.found[states[k]! - automaton.accepting]!)
            onHit(keyword, end)
        }
      }
    }
  }
}

type Automaton = {
  readonly classes: Uint8Array
  /** `table[(state << bits) | class]` is the next state. */
  readonly table: Uint16Array
  readonly bits: number
  /** States from here on end a keyword. */
  readonly accepting: number
  readonly found: readonly (readonly number[])[]
}

type Walk = {
  readonly bytes: Buffer
  readonly lead: number
  readonly length: number
  readonly overlap: number
  readonly ends: Int32Array
  readonly states: Uint16Array
  readonly counts: Int32Array
  readonly room: number
}

/** Three walks in step; each reports only what ends in its own part. */
function walk(automaton: Automaton, work: Walk): void {
  const { classes, table, bits, accepting } = automaton
  const { bytes, lead, length, overlap, ends, states, counts, room } = work
  const part = Math.floor(length / WALKS)
  const [startB, startC] = [lead + part, lead + 2 * part]
  let [a, b, c] = [0, 0, 0]
  for (let i = Math.max(0, lead - overlap); i < lead; i++)
    a = table[(a << bits) | classes[bytes[i]!]!]!
  for (let i = Math.max(0, startB - overlap); i < startB; i++)
    b = table[(b << bits) | classes[bytes[i]!]!]!
  for (let i = Math.max(0, startC - overlap); i < startC; i++)
    c = table[(c << bits) | classes[bytes[i]!]!]!
  let [countA, countB, countC] = [0, room, 2 * room]
  for (let i = lead, last = lead + part, j = startB, k = startC; i < last; i++, j++, k++) {
    a = table[(a << bits) | classes[bytes[i]!]!]!
    b = table[(b << bits) | classes[bytes[j]!]!]!
    c = table[(c << bits) | classes[bytes[k]!]!]!
    if (a >= accepting) {
      ends[countA] = i
      states[countA++] = a
    }
    if (b >= accepting) {
      ends[countB] = j
      states[countB++] = b
    }
    if (c >= accepting) {
      ends[countC] = k
      states[countC++] = c
    }
  }
  for (let i = startC + part; i < lead + length; i++) {
    c = table[(c << bits) | classes[bytes[i]!]!]!
    if (c >= accepting) {
      ends[countC] = i
      states[countC++] = c
    }
  }
  counts[0] = countA
  counts[1] = countB - room
  counts[2] = countC - 2 * room
}

/** The trie of the keywords: `next[(node << bits) | class]`, zero where there is no edge. */
type Trie = {
  readonly next: Int32Array
  readonly bits: number
  readonly nodes: number
  /** The keywords that end at a node. */
  readonly found: number[][]
}

function buildAutomaton(keywords: readonly string[]): Automaton {
  const { classes, count } = classesOf(keywords)
  const trie = trieOf(keywords, classes, Math.ceil(Math.log2(count)))
  if (trie.nodes > 0xffff) throw new Error('too many keywords for one automaton')
  const order = complete(trie, count)
  const { next, bits, nodes, found } = trie
  // States that end a keyword come last, so that one comparison finds them; else breadth first,
  // so that the states that are met most lie together.
  const quiet = order.filter((node) => found[node]!.length === 0)
  const sorted = [...quiet, ...order.filter((node) => found[node]!.length > 0)]
  const state = new Uint16Array(nodes)
  for (let number = 0; number < nodes; number++) state[sorted[number]!] = number
  const table = new Uint16Array(nodes << bits)
  for (let node = 0; node < nodes; node++) {
    const row = state[node]! << bits
    for (let symbol = 0; symbol < count; symbol++)
      table[row | symbol] = state[next[(node << bits) | symbol]!]!
  }
  const ending = sorted.slice(quiet.length).map((node) => found[node]!)
  return { classes, table, bits, accepting: quiet.length, found: ending }
}

/** Bytes that no keyword has share class 0; a letter has one class in both cases. */
function classesOf(keywords: readonly string[]): { classes: Uint8Array; count: number } {
  const classes = new Uint8Array(256)
  let count = 1
  for (const word of keywords) {
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i)
      if (classes[code] === 0) classes[code] = count++
    }
  }
  for (let code = 97; code <= 122; code++) classes[code - 32] = classes[code]!
  return { classes, count: Math.max(2, count) }
}

function trieOf(keywords: readonly string[], classes: Uint8Array, bits: number): Trie {
  const most = keywords.reduce((sum, word) => sum + word.length, 1)
  const next = new Int32Array(most << bits)
  const found: number[][] = [[]]
  for (const [number, word] of keywords.entries()) {
    let node = 0
    for (let i = 0; i < word.length; i++) {
      const edge = (node << bits) | classes[word.charCodeAt(i)]!
      if (next[edge] === 0) next[edge] = found.push([]) - 1
      node = next[edge]!
    }
    found[node]!.push(number)
  }
  return { next, bits, nodes: found.length, found }
}

/** Adds the edges of every node for every class, breadth first, and returns that order. */
function complete({ next, bits, nodes, found }: Trie, count: number): number[] {
  const order = [0]
  const back = new Int32Array(nodes)
  for (let head = 0; head < order.length; head++) {
    const node = order[head]!
    for (let symbol = 0; symbol < count; symbol++) {
      const edge = (node << bits) | symbol
      // Where a node falls back to is nearer to the root, so its edges are complete already.
      const other = node === 0 ? 0 : next[(back[node]! << bits) | symbol]!
      const to = next[edge]!
      if (to === 0) {
        next[edge] = other
      } else {
        back[to] = other
        found[to]!.push(...found[other]!)
        order.push(to)
      }
    }
  }
  return order
}
