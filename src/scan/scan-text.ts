/** Scans one text: rules and known secrets to spots, without those that a comment allows. */
import type { IndexMatcher } from '../rules/fingerprints.ts'
import type { Found, Matcher } from '../rules/matcher.ts'
import { allowed, type Lines } from './allow.ts'
import { masked, type Spot } from './finding.ts'
import type { Window } from './windows.ts'

export type Place = {
  readonly path: string
  /** From history: the commit that brought it. */
  readonly commit?: string | undefined
}

/** `match`: all that the rule's pattern took, where that is known. */
export type Match = Found & { readonly match?: string }

export type Scanner = {
  readonly matcher: Matcher
  /** Rules that are run in another way. What they find goes before what the matcher finds there. */
  readonly also?: (
    text: string,
    place: Place,
  ) => { readonly found: readonly Match[]; readonly leftOut: readonly string[] }
  readonly index?: IndexMatcher
  /** Comments that allow a secret count. Default: yes. */
  readonly comments?: boolean
  /** Why a configuration leaves a finding out, or undefined where it does not. */
  readonly leaveOut?: (found: Match, text: string, place: Place) => string | undefined
  /** What is found by the name of a file alone. */
  readonly byPath?: (path: string) => readonly Pick<Spot, 'rule' | 'title' | 'severity'>[]
}

export type Scanned = {
  readonly spots: readonly Spot[]
  readonly allowed: number
  /** A reason for each finding that was left out. */
  readonly leftOut: readonly string[]
}

/** What is shown of a line on either side of the secret. */
const CONTEXT_BEFORE = 40
const CONTEXT_AFTER = 60
/** A line is looked at so far on either side for what must not be shown. */
const CONTEXT_REACH = 4096
const SECRETS_MAX = 200
const NONE: Scanned = { spots: [], allowed: 0, leftOut: [] }

/** `window`: where the text is a part of a longer one. */
export function scanText(
  text: string,
  place: Place,
  scanner: Scanner,
  window?: Omit<Window, 'text'>,
): Scanned {
  const leftOut: string[] = []
  const hidden: Span[] = []
  const { from = 0, to = Infinity } = window ?? {}
  const inside = ({ start }: Span) => start >= from && start < to
  const also = scanner.also?.(text, place)
  leftOut.push(...(also?.leftOut ?? []))
  const ours = scanner.matcher.find(text, {
    path: place.path,
    leftOut(one, why) {
      hidden.push(one)
      if (inside(one)) leftOut.push(why)
    },
  })
  const found: readonly Match[] = also ? together(also.found, ours) : ours
  const known = scanner.index ? knownIn(text, scanner.index) : []
  if (found.length + known.length + leftOut.length === 0) return NONE
  // A secret that the vault knows is told as that, whatever rule finds it too.
  const rest = found.filter((one) => !known.some((k) => overlap(k, one)))
  const raw: Raw[] = [...known]
  for (const one of rest) {
    const why = scanner.leaveOut?.(one, text, place)
    if (why === undefined) raw.push(rawOf(one))
    else if (inside(one)) leftOut.push(why)
  }
  hidden.push(...known, ...found)
  const lines = linesOf(text)
  const mayBe = scanner.comments === false ? () => false : allowed(text)
  const secrets = [...new Set(hidden.map(({ start, end }) => text.slice(start, end)))]
  const view: View = { text, lines, hidden, secrets: secrets.slice(0, SECRETS_MAX) }
  const spots: Spot[] = []
  let count = 0
  for (const one of raw.filter(inside).sort((a, b) => a.start - b.start)) {
    if (mayBe(lines, one.start, one.end)) count++
    else spots.push(spotOf(one, view, window))
  }
  return { spots, allowed: count, leftOut }
}

/** Without overlaps: the first that begins, and of those that are alike the first in the list. */
function together(first: readonly Match[], then: readonly Match[]): Match[] {
  const kept: Match[] = []
  for (const one of first.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (kept.length === 0 || kept.at(-1)!.end <= one.start) kept.push(one)
  }
  return [...kept, ...then.filter((one) => !kept.some((k) => overlap(k, one)))]
}

const overlap = (a: Span, b: Span) => a.start < b.end && b.start < a.end

type Span = { readonly start: number; readonly end: number }
type Raw = Span & Pick<Spot, 'rule' | 'title' | 'severity' | 'secret' | 'known'>

const rawOf = ({ rule, start, end, secret }: Found): Raw => {
  return { rule: rule.id, title: rule.title, severity: rule.severity, start, end, secret }
}

/** The index speaks of bytes; where the text is not ASCII, they are counted once more. */
function knownIn(text: string, index: IndexMatcher): Raw[] {
  const bytes = Buffer.from(text)
  const hits = index.find(bytes)
  if (hits.length === 0) return []
  const ascii = bytes.length === text.length
  const at = (offset: number) => (ascii ? offset : bytes.toString('utf8', 0, offset).length)
  return hits.map(({ start, end, ref }) => {
    const [from, to] = [at(start), at(end)]
    return {
      rule: 'vault-secret',
      title: `${ref.live ? 'Live' : 'Past'} secret of the vault`,
      severity: ref.live ? 'high' : 'medium',
      start: from,
      end: to,
      secret: text.slice(from, to),
      known: ref,
    }
  })
}

type View = {
  readonly text: string
  readonly lines: Lines
  /** All that was found, told or not: none of it is shown beside another finding. */
  readonly hidden: readonly Span[]
  readonly secrets: readonly string[]
}

function spotOf(
  { start, end, ...about }: Raw,
  view: View,
  window: Omit<Window, 'text'> | undefined,
): Spot {
  const { lines } = view
  const { line: firstLine = 1, before = 0 } = window ?? {}
  const line = lines.lineAt(start)
  const endLine = lines.lineAt(Math.max(start, end - 1))
  const shift = (at: number) => (at === 1 ? before : 0)
  const lineStart = lines.startOf(line)
  const lineEnd = lineStart + lines.text(line).length
  return {
    ...about,
    line: line + firstLine - 1,
    column: start - lineStart + 1 + shift(line),
    endLine: endLine + firstLine - 1,
    endColumn: end - lines.startOf(endLine) + 1 + shift(endLine),
    context: {
      before: maskedBetween(view, Math.max(lineStart, start - CONTEXT_REACH), start).slice(
        -CONTEXT_BEFORE,
      ),
      after: maskedBetween(view, end, Math.min(lineEnd, end + CONTEXT_REACH)).slice(
        0,
        CONTEXT_AFTER,
      ),
    },
  }
}

/** This part of the text without any secret: neither where one was found nor where it is repeated. */
function maskedBetween({ text, hidden, secrets }: View, from: number, to: number): string {
  let shown = ''
  let at = from
  for (const { start, end } of hidden.toSorted((a, b) => a.start - b.start)) {
    if (end <= at || start >= to) continue
    shown += text.slice(at, Math.max(at, start)) + masked(text.slice(start, end))
    at = end
  }
  if (at < to) shown += text.slice(at, to)
  for (const secret of secrets) shown = shown.replaceAll(secret, masked(secret))
  return shown
}

/** Made when something was found: most texts are never cut into lines. */
export function linesOf(text: string): Lines {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineAt = (offset: number) => {
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
  return {
    lineAt,
    startOf: (line) => starts[line - 1] ?? text.length,
    text(line) {
      const end = line < starts.length ? starts[line]! - 1 : text.length
      const whole = text.slice(starts[line - 1], end)
      return whole.endsWith('\r') ? whole.slice(0, -1) : whole
    },
  }
}
