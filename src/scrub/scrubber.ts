/**
 * Takes secrets out of what is about to be printed. Known values first, in every form and the longest
 * first; then what looks like a secret by the rules. A value that overlaps another leaves nothing of
 * either.
 */
import { randomBytes } from 'node:crypto'
import { type IndexMatcher, nameOf } from '../rules/fingerprints.ts'
import { type KnownOptions, type KnownValue, knownValues, printable } from './known-values.ts'

/** What finds secrets by their looks; positions in characters, in the order of their beginning. */
export type Rules = {
  find(text: string): readonly { start: number; end: number; rule: { id: string } }[]
}

export type ScrubberOptions = KnownOptions & {
  readonly values?: Iterable<KnownValue>
  readonly rules?: Rules
  /** Secrets that are known by their fingerprints only. */
  readonly index?: Pick<IndexMatcher, 'find'>
}

/** Bytes from `start` on are replaced up to `end`. */
export type Cut = { start: number; end: number; label: Buffer; known: boolean }

export type Scrubber = {
  /** From now on this is not printed either; false when it is too short or plain to be looked for. */
  add(known: KnownValue): boolean
  text(text: string): string
  bytes(bytes: Uint8Array): Uint8Array
  /** What is to be cut out of this; `rulesFrom` and `rulesTo` bound what rules look at. */
  cuts(bytes: Uint8Array, bounds?: { rulesFrom: number; rulesTo: number }): Cut[]
  /** The first place from which the rest may grow into a known value. */
  mayBegin(bytes: Uint8Array, from: number): number
  /** The values as they were added, for a guard in another thread. */
  known(): Iterable<KnownValue>
  /** Told of every value that is added from now on, until what is returned is called. */
  onAdd(told: (known: KnownValue) => void): () => void
  /** Whether lines must be whole before all is found that can be. */
  readonly byLines: boolean
  /** Known values, and those that were too short or plain to become one. */
  readonly size: number
  readonly leftOut: number
}

export function createScrubber(options: ScrubberOptions = {}): Scrubber {
  const { rules, index } = options
  const known = knownValues({ ...options, random: randomBytes })
  for (const value of options.values ?? []) known.add(value)
  const listeners = new Set<(known: KnownValue) => void>()

  function ruleCuts(bytes: Uint8Array, from: number, to: number): Cut[] {
    if (!rules || to <= from) return []
    // One character a byte: positions are the same, and what rules look for is ASCII.
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
    return rules.find(text).map(({ start, end, rule }) => {
      const label = Buffer.from(`[secret ${rule.id}]`)
      return { start: start + from, end: end + from, label, known: false }
    })
  }

  function cuts(bytes: Uint8Array, bounds = { rulesFrom: 0, rulesTo: bytes.length }): Cut[] {
    const found: Cut[] = known.size === 0 ? [] : knownCuts(bytes)
    const byRule = ruleCuts(bytes, bounds.rulesFrom, bounds.rulesTo)
    const byIndex = indexCuts(bytes, bounds.rulesFrom, bounds.rulesTo)
    if (byRule.length + byIndex.length === 0) return found
    return merge([...found, ...byIndex, ...byRule])
  }

  function indexCuts(bytes: Uint8Array, from: number, to: number): Cut[] {
    if (!index || to <= from) return []
    return index.find(bytes.subarray(from, to)).map(({ start, end, ref }) => {
      const label = Buffer.from(`[secret ${printable(nameOf(ref))}]`)
      return { start: start + from, end: end + from, label, known: true }
    })
  }

  function knownCuts(bytes: Uint8Array): Cut[] {
    const hits = known.matcher.find(bytes)
    if (hits.length === 0) return []
    return merge(
      hits.map(({ start, end, pattern }) => {
        return { start, end, label: known.label(pattern), known: true }
      }),
    )
  }

  function scrub(bytes: Uint8Array): Uint8Array {
    const found = cuts(bytes)
    return found.length === 0
      ? bytes
      : replaced(bytes, found, { from: 0, to: bytes.length, covered: false })
  }

  return {
    add(value) {
      const before = known.size
      const taken = known.add(value)
      if (known.size > before) for (const told of listeners) told(value)
      return taken
    },
    known: () => known.values(),
    onAdd(told) {
      listeners.add(told)
      return () => void listeners.delete(told)
    },
    text: (text) => {
      const bytes = Buffer.from(text)
      const clean = scrub(bytes)
      return clean === bytes ? text : Buffer.from(clean).toString()
    },
    bytes: scrub,
    cuts,
    mayBegin: (bytes, from) =>
      known.size === 0 ? bytes.length : known.matcher.mayBegin(bytes, from),
    byLines: rules !== undefined || index !== undefined,
    get size() {
      return known.size
    },
    get leftOut() {
      return known.leftOut
    },
  }
}

/**
 * Cuts that do not overlap, in order. Of those that begin together the longest gives its label, and a
 * known value before a rule: its name says more. One that begins inside another makes it longer.
 */
function merge(cuts: readonly Cut[]): Cut[] {
  const sorted = cuts.toSorted((a, b) => a.start - b.start || b.end - a.end)
  const merged: Cut[] = []
  for (const cut of sorted) {
    const last = merged.at(-1)
    if (!last || cut.start >= last.end) {
      merged.push({ ...cut })
      continue
    }
    last.end = Math.max(last.end, cut.end)
    if (cut.known && !last.known) {
      last.label = cut.label
      last.known = true
    }
  }
  return merged
}

/**
 * The bytes from `from` to `to`, without what is cut. A cut that began before still ends inside; when
 * what is before `from` was `covered` by a label, it is part of that one and gets no second.
 */
export function replaced(
  bytes: Uint8Array,
  cuts: readonly Cut[],
  { from, to, covered }: { from: number; to: number; covered: boolean },
): Uint8Array {
  const parts: Uint8Array[] = []
  let at = from
  for (const { start, end, label } of cuts) {
    if (end <= at || start >= to) continue
    if (start > at) parts.push(bytes.subarray(at, start))
    if (start >= from || !covered) parts.push(label)
    at = Math.max(at, end)
  }
  if (at < to) parts.push(bytes.subarray(at, to))
  return Buffer.concat(parts)
}
