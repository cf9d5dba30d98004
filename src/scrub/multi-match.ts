/**
 * Finds many byte strings in one pass, without looking at most bytes: the algorithm of Wu and Manber
 * ("A fast algorithm for multi-pattern searching", 1994). The last bytes of a window tell how far it
 * may be moved; only where they end some pattern is anything compared. Short patterns would make all
 * windows short, so they have a table of their own.
 */

/** The first `length` bytes from `start` are pattern number `pattern`. */
export type Hit = { start: number; end: number; pattern: number }

export type MultiMatch = {
  /** Every occurrence that begins at or after `from`, in the order of where they begin. */
  find(text: Uint8Array, from?: number): Hit[]
  /** The first place at or after `from` from which the rest of the text may grow into a pattern. */
  mayBegin(text: Uint8Array, from: number): number
}

const LONG = 12
const HASH_BITS = 19
const HASH_SHIFT = 32 - HASH_BITS
/** 2^32 divided by the golden ratio: spreads neighbours over the table. */
const HASH_FACTOR = 0x9e3779b1

export function multiMatch(patterns: readonly Uint8Array[]): MultiMatch {
  const numbered = patterns.map((bytes, number) => ({ bytes, number }))
  const tables = [
    table(
      numbered.filter(({ bytes }) => bytes.length < LONG),
      3,
    ),
    table(
      numbered.filter(({ bytes }) => bytes.length >= LONG),
      4,
    ),
  ].filter((one) => one !== undefined)
  const beginnings = prefixes(patterns)
  return {
    find(text, from = 0) {
      const hits: Hit[] = []
      for (const find of tables) find(text, from, hits)
      return hits.sort((a, b) => a.start - b.start || b.end - a.end)
    },
    mayBegin: (text, from) => beginnings(text, from),
  }
}

type Numbered = { bytes: Uint8Array; number: number }
type Find = (text: Uint8Array, from: number, hits: Hit[]) => void

/** `block` = how many bytes at the end of a window are looked up: three or four. */
function table(patterns: readonly Numbered[], block: 3 | 4): Find | undefined {
  if (patterns.length === 0) return undefined
  const window = Math.min(...patterns.map(({ bytes }) => bytes.length))
  const far = window - block + 1
  const shift = new Uint8Array(1 << HASH_BITS).fill(Math.min(far, 255))
  // Patterns whose window ends alike are in one chain, by their index + 1.
  const head = new Int32Array(1 << HASH_BITS)
  const next = new Int32Array(patterns.length)
  for (const [index, { bytes }] of patterns.entries()) {
    for (let end = block - 1; end < window; end++) {
      const hash = hashOf(bytes, end, block)
      shift[hash] = Math.min(shift[hash]!, window - 1 - end)
    }
    const last = hashOf(bytes, window - 1, block)
    next[index] = head[last]!
    head[last] = index + 1
  }

  return (text, from, hits) => {
    const { length } = text
    let at = from + window - 1
    while (at < length) {
      let last = text[at]! | (text[at - 1]! << 8) | (text[at - 2]! << 16)
      if (block === 4) last |= text[at - 3]! << 24
      const hash = Math.imul(last, HASH_FACTOR) >>> HASH_SHIFT
      const move = shift[hash]!
      if (move > 0) {
        at += move
        continue
      }
      const start = at - window + 1
      for (let one = head[hash]!; one > 0; one = next[one - 1]!) {
        const { bytes, number } = patterns[one - 1]!
        if (startsWith(text, start, bytes)) {
          hits.push({ start, end: start + bytes.length, pattern: number })
        }
      }
      at++
    }
  }
}

/** As in the loop above, where it is written out: V8 does not always inline it there. */
function hashOf(bytes: Uint8Array, end: number, block: 3 | 4): number {
  let last = bytes[end]! | (bytes[end - 1]! << 8) | (bytes[end - 2]! << 16)
  if (block === 4) last |= bytes[end - 3]! << 24
  return Math.imul(last, HASH_FACTOR) >>> HASH_SHIFT
}

function startsWith(text: Uint8Array, start: number, bytes: Uint8Array): boolean {
  if (start + bytes.length > text.length) return false
  for (let i = 0; i < bytes.length; i++) if (text[start + i] !== bytes[i]) return false
  return true
}

/** Patterns by their first byte, and by their first four where so many are there to be compared. */
function prefixes(patterns: readonly Uint8Array[]): MultiMatch['mayBegin'] {
  const longest = Math.max(0, ...patterns.map(({ length }) => length))
  const first = new Uint8Array(256)
  const byFour = new Map<number, Uint8Array[]>()
  const byShort = new Set<number>()
  for (const bytes of patterns) {
    first[bytes[0]!] = 1
    for (let n = 1; n < 4; n++) byShort.add(keyOf(bytes, 0, n))
    const key = keyOf(bytes, 0, 4)
    const alike = byFour.get(key)
    if (alike) alike.push(bytes)
    else byFour.set(key, [bytes])
  }
  return (text, from) => {
    const { length } = text
    for (let at = Math.max(from, length - longest + 1); at < length; at++) {
      if (first[text[at]!] === 0) continue
      const left = length - at
      if (left < 4) {
        if (byShort.has(keyOf(text, at, left))) return at
        continue
      }
      const alike = byFour.get(keyOf(text, at, 4))
      if (alike?.some((bytes) => bytes.length > left && endsIn(text, at, bytes))) return at
    }
    return length
  }
}

/** Up to four bytes and how many they are, as one number. */
function keyOf(bytes: Uint8Array, at: number, count: number): number {
  let key = count
  for (let i = 0; i < count; i++) key = key * 256 + bytes[at + i]!
  return key
}

/** Whether all of the text from `at` on is how `bytes` begins. */
function endsIn(text: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = at; i < text.length; i++) if (text[i] !== bytes[i - at]) return false
  return true
}
