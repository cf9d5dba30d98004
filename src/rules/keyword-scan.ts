/**
 * Finds all keywords of all rules in one pass: an Aho-Corasick automaton over bytes, as flat tables,
 * with the folding of ASCII case in the table of byte classes, so nothing is lower-cased.
 *
 * One state depends on the one before, so a single walk waits for memory most of the time. Three
 * walks over three parts of a chunk, in step, use that time: measured, about twice as fast as one.
 */

/** Units that are looked at together: the copy and the hot part of the table stay in cache. */
const CHUNK = 48 * 1024
const WALKS = 3

/** Called for each keyword that ends before `end`; its number is that in the list of keywords. */
export type OnHit = (keyword: number, end: number) => void

export type KeywordScan = (text: string, onHit: OnHit) => void

export function compileKeywords(keywords: readonly string[]): KeywordScan {
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

type Node = { next: Map<number, number>; found: number[]; fail: number }

function buildAutomaton(keywords: readonly string[]): Automaton {
  const { classes, count } = classesOf(keywords)
  const bits = Math.ceil(Math.log2(count))
  const nodes = trieOf(keywords, classes)
  if (nodes.length > 0xffff) throw new Error('too many keywords for one automaton')
  const order = complete(nodes)
  // States that end a keyword come last, so that one comparison finds them.
  const sorted = [
    ...order.filter((at) => nodes[at]!.found.length === 0),
    ...order.filter((at) => nodes[at]!.found.length > 0),
  ]
  const state = new Uint16Array(nodes.length)
  for (const [number, at] of sorted.entries()) state[at] = number
  const table = new Uint16Array(nodes.length << bits)
  for (const at of order) {
    const node = nodes[at]!
    for (let symbol = 0; symbol < count; symbol++) {
      const to = node.next.get(symbol) ?? (at === 0 ? 0 : nodes[node.fail]!.next.get(symbol)!)
      // Filled in breadth-first order, so the state one falls back to is complete already.
      node.next.set(symbol, to)
      table[(state[at]! << bits) | symbol] = state[to]!
    }
  }
  const accepting = order.filter((at) => nodes[at]!.found.length === 0).length
  const found = sorted.slice(accepting).map((at) => nodes[at]!.found)
  return { classes, table, bits, accepting, found }
}

/** Bytes that no keyword has share class 0; a letter has one class in both cases. */
function classesOf(keywords: readonly string[]): { classes: Uint8Array; count: number } {
  const classes = new Uint8Array(256)
  let count = 1
  for (const word of keywords) {
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i)
      if (code > 127 || (code >= 65 && code <= 90))
        throw new Error(`a keyword must be lower case ASCII: ${word}`)
      if (classes[code] === 0) classes[code] = count++
    }
  }
  for (let code = 97; code <= 122; code++) classes[code - 32] = classes[code]!
  return { classes, count: Math.max(2, count) }
}

function trieOf(keywords: readonly string[], classes: Uint8Array): Node[] {
  const nodes: Node[] = [{ next: new Map(), found: [], fail: 0 }]
  for (const [number, word] of keywords.entries()) {
    let at = 0
    for (let i = 0; i < word.length; i++) {
      const symbol = classes[word.charCodeAt(i)]!
      let to = nodes[at]!.next.get(symbol)
      if (to === undefined) {
        to = nodes.push({ next: new Map(), found: [], fail: 0 }) - 1
        nodes[at]!.next.set(symbol, to)
      }
      at = to
    }
    nodes[at]!.found.push(number)
  }
  return nodes
}

/** Sets where each state falls back to, breadth first, and returns that order. */
function complete(nodes: Node[]): number[] {
  const order = [0]
  for (let head = 0; head < order.length; head++) {
    const at = order[head]!
    for (const [symbol, to] of nodes[at]!.next) {
      order.push(to)
      let back = nodes[at]!.fail
      while (back !== 0 && !nodes[back]!.next.has(symbol)) back = nodes[back]!.fail
      const fail = nodes[back]!.next.get(symbol)
      nodes[to]!.fail = at === 0 || fail === undefined ? 0 : fail
      nodes[to]!.found.push(...nodes[nodes[to]!.fail]!.found)
    }
  }
  return order
}
