/**
 * Finds the one rule that speaks for a path. Three kinds of pattern: exact, prefix (`a/b*`), and
 * with `+` for a whole segment (`a/+/c`, `a/+/c*`). A star anywhere else is a star.
 *
 * This runs on every request: no pattern is compiled or split here twice, and a table without `+`
 * rules allocates nothing.
 */

/** What decides between two patterns that both match, in the order of the fields. */
type Rank = { wildcardAt: number; prefix: boolean; pluses: number; text: string }

export type Entry<T> = {
  readonly pattern: string
  readonly value: T
  /** Of a folded table: head, segments and rank are those of the folded pattern. */
  readonly folded: boolean
  readonly rank: Rank
  /** For comparing across tables. */
  readonly foldedRank: Rank
  /** The text before the first wildcard. */
  readonly head: string
  /** Of a `+` pattern: all its segments, without the closing star. */
  readonly segments: readonly string[] | undefined
}

/** Patterns of one table; `+` patterns stand in order, the best one first. */
export type PatternTable<T> = {
  readonly exact: ReadonlyMap<string, Entry<T>>
  readonly prefixes: ReadonlyMap<string, Entry<T>>
  /** Of the prefixes, without repeats, longest first. */
  readonly lengths: readonly number[]
  readonly plus: readonly Entry<T>[]
}

/** With `fold`, a table for folded paths: ask it with `foldPath(path)`. */
export function patternTable<T>(
  values: ReadonlyMap<string, T>,
  { fold = false } = {},
): PatternTable<T> {
  const exact = new Map<string, Entry<T>>()
  const prefixes = new Map<string, Entry<T>>()
  const plus: Entry<T>[] = []
  for (const [pattern, value] of values) {
    const entry = toEntry(pattern, value, fold)
    if (entry.segments) plus.push(entry)
    else (entry.rank.prefix ? prefixes : exact).set(entry.head, entry)
  }
  plus.sort((a, b) => compareRanks(b.rank, a.rank))
  const lengths = new Set([...prefixes.keys()].map((prefix) => prefix.length))
  return { exact, prefixes, lengths: [...lengths].sort((a, b) => b - a), plus }
}

function toEntry<T>(pattern: string, value: T, folded: boolean): Entry<T> {
  const prefix = pattern.endsWith('*')
  const literal = prefix ? pattern.slice(0, -1) : pattern
  const segments = literal.split('/')
  const pluses = segments.filter((segment) => segment === '+').length
  const head = pluses > 0 ? headOf(segments) : literal
  const rank = { prefix, pluses, wildcardAt: head.length, text: pattern }
  const foldedHead = foldPath(head)
  const foldedRank = { ...rank, wildcardAt: foldedHead.length, text: foldPath(pattern) }
  return {
    pattern,
    value,
    folded,
    rank: folded ? foldedRank : rank,
    foldedRank,
    head: folded ? foldedHead : head,
    segments: pluses > 0 ? segments.map(folded ? foldPath : String) : undefined,
  }
}

function headOf(segments: readonly string[]): string {
  return segments
    .slice(0, segments.indexOf('+'))
    .map((segment) => `${segment}/`)
    .join('')
}

/** Positive when `a` goes before `b`. */
export function compareRanks(a: Rank, b: Rank): number {
  if (a.wildcardAt !== b.wildcardAt) return a.wildcardAt - b.wildcardAt
  if (a.prefix !== b.prefix) return a.prefix ? -1 : 1
  if (a.pluses !== b.pluses) return b.pluses - a.pluses
  if (a.text.length !== b.text.length) return a.text.length - b.text.length
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1
}

/** The best of the prefix and `+` patterns that match. */
export function findWild<T>(table: PatternTable<T>, path: string): Entry<T> | undefined {
  let best: Entry<T> | undefined
  for (const length of table.lengths) {
    if (length > path.length) continue
    best = table.prefixes.get(path.slice(0, length))
    if (best) break
  }
  let parts: string[] | undefined
  for (const entry of table.plus) {
    if (best && compareRanks(entry.rank, best.rank) < 0) break
    if (!path.startsWith(entry.head)) continue
    parts ??= path.split('/')
    if (segmentsMatch(entry, parts)) return entry
  }
  return best
}

function segmentsMatch(entry: Entry<unknown>, parts: readonly string[]): boolean {
  const segments = entry.segments ?? []
  const { prefix } = entry.rank
  if (prefix ? parts.length < segments.length : parts.length !== segments.length) return false
  for (const [i, segment] of segments.entries()) {
    if (segment === '+' || segment === parts[i]) continue
    const last = prefix && i === segments.length - 1
    if (!last || !parts[i]?.startsWith(segment)) return false
  }
  return true
}

/** Whether this prefix or `+` pattern matches the path. */
export function wildMatches(entry: Entry<unknown>, path: string): boolean {
  const asked = entry.folded ? foldPath(path) : path
  if (!asked.startsWith(entry.head)) return false
  return entry.segments === undefined || segmentsMatch(entry, asked.split('/'))
}

/** Whether the pattern is about paths that begin with `under`; a prefix from above it is not. */
export function reaches(entry: Entry<unknown>, under: string): boolean {
  if (!entry.segments) return entry.head.startsWith(under)
  const wanted = under.split('/')
  const tail = wanted.pop() ?? ''
  const { segments } = entry
  for (const [i, part] of wanted.entries()) {
    const segment = segments[i]
    if (segment === undefined) return false
    if (segment === '+' || segment === part) continue
    return entry.rank.prefix && i === segments.length - 1 && part.startsWith(segment)
  }
  const next = segments[wanted.length]
  if (next === undefined) return tail === ''
  if (next === '+' || next.startsWith(tail)) return true
  return entry.rank.prefix && wanted.length === segments.length - 1 && tail.startsWith(next)
}

const ASCII = /^[\0-\x7f]*$/

/**
 * One form for all spellings that people would take for the same path: case, composed or combining
 * accents, full-width letters. Where it errs, it makes more paths equal.
 */
export function foldPath(path: string): string {
  if (ASCII.test(path)) return path.toLowerCase()
  // Down, up and down again meets the letters whose case is not one to one, such as the long s.
  const folded = path.normalize('NFKD').toLowerCase().toUpperCase().toLowerCase()
  // Which sigma stands at the end of a word would depend on where a prefix was cut.
  return folded.replaceAll('ς', 'σ')
}
