/**
 * Runs rules over a text. One pass finds the keywords of all rules; only around them are patterns
 * tried, each bound to a place, so that the work grows with the length of the text and no faster.
 * Of findings that overlap, the one that knows most stays.
 */
import { type Assigned, endOfName, isWord, valueAfter } from './assignment.ts'
import { ALL_RULES } from './all.ts'
import { encodedRun } from './encoded.ts'
import { compileKeywords } from './keywords.ts'
import { whyLeftOut } from './left-out.ts'
import type { Rule } from './rule.ts'
import { isPlaceholder } from './value.ts'

/** A secret in the text; offsets in UTF-16 units. */
export type Found = {
  readonly rule: Rule
  readonly start: number
  readonly end: number
  readonly secret: string
}

export type Hints = {
  /** The name the text has: a few rules are about kinds of files. */
  readonly path?: string | undefined
  /** Told of each finding that is not returned because of where it is. See `left-out.ts`. */
  readonly leftOut?: (found: Found, why: string) => void
  /** Counts how often a pattern was tried: what a text costs beside reading it once. */
  readonly tally?: { tried: number }
}

export type Matcher = {
  readonly rules: readonly Rule[]
  /** All secrets, by their start, without overlaps. */
  find(text: string, hints?: Hints): Found[]
}

/** Secrets in base 64 in base 64 in base 64 are somebody's riddle. */
const DEPTH_MAX = 2

export function compileRules(rules: readonly Rule[] = ALL_RULES): Matcher {
  const all = rules.map((rule, order): Compiled => {
    return { rule, order, pattern: undefined, located: undefined }
  })
  const words = [...new Set(rules.flatMap((rule) => rule.keywords))]
  const plans = plansOf(words, all)
  const scan = compileKeywords(words)
  const always = all.filter(({ rule }) => rule.keywords.length === 0)

  function findAll(text: string, hints: Hints, depth: number): Found[] {
    const run: Run = { text, found: [], tally: hints.tally ?? { tried: 0 } }
    const whole = new Set(always)
    // Several keywords in one name ask for one value: it is read once.
    let [knownName, known] = [-1, undefined as Assigned | undefined]
    // Decoded only when the scan is done: it has one set of buffers, and what is inside needs them.
    const encoded: number[] = []
    scan(text, (keyword, end) => {
      const plan = plans[keyword]!
      const start = end - plan.length
      if (plan.here.length > 0) findHere(run, start, plan)
      for (const one of plan.whole) whole.add(one)
      if (plan.encoded && depth < DEPTH_MAX) encoded.push(start)
      if (plan.value.length === 0) return
      const nameEnd = endOfName(text, end)
      if (nameEnd !== knownName) {
        knownName = nameEnd
        known = valueAfter(text, nameEnd, start)
      }
      if (known !== undefined) findValue(run, known, { plan, start })
    })
    let decodedTo = -1
    for (const start of encoded) {
      if (start < decodedTo) continue
      decodedTo = findEncoded(run, start, (inner) =>
        findAll(inner, { ...hints, path: undefined }, depth + 1),
      )
    }
    for (const one of whole) {
      if (one.rule.path === undefined || one.rule.path.test(hints.path ?? ''))
        findAnywhere(run, one)
    }
    return settle(run.found)
  }

  return {
    rules,
    find(text, hints = {}) {
      const found = findAll(text, hints, 0)
      if (found.length === 0) return found
      return found.filter((one) => {
        const why = whyLeftOut(one, text, hints.path)
        if (why !== undefined) hints.leftOut?.(one, why)
        return why === undefined
      })
    },
  }
}

type Compiled = {
  readonly rule: Rule
  readonly order: number
  /** Compiled when they are first needed: most never are. */
  pattern: RegExp | undefined
  located: RegExp | undefined
}

function patternOf(one: Compiled): RegExp {
  const { place } = one.rule
  return (one.pattern ??= compiled(one.rule, place === undefined || place === 'text' ? 'g' : 'y'))
}

/** The same pattern, which tells where its group is; only run on what was found. */
const locatedOf = (one: Compiled) => (one.located ??= compiled(one.rule, 'dy'))

function compiled({ pattern: { source, flags } }: Rule, more: string): RegExp {
  return new RegExp(source, flags.replaceAll(/[dgy]/g, '') + more)
}

type Run = {
  readonly text: string
  readonly found: Ordered[]
  readonly tally: { tried: number }
}
type Ordered = Found & { readonly order: number }

/** What is to be tried where one keyword stands. */
type Plan = {
  readonly length: number
  readonly here: Compiled[]
  readonly value: Compiled[]
  readonly whole: Compiled[]
  encoded: boolean
}

function plansOf(words: readonly string[], compiled: readonly Compiled[]): Plan[] {
  const plans = new Map<string, Plan>(
    words.map((word) => [
      word,
      { length: word.length, here: [], value: [], whole: [], encoded: false },
    ]),
  )
  for (const one of compiled) {
    for (const word of one.rule.keywords) {
      const plan = plans.get(word)!
      if (one.rule.encoded === true) plan.encoded = true
      else if (one.rule.place === 'keyword') plan.here.push(one)
      else if (one.rule.place === 'value') plan.value.push(one)
      else plan.whole.push(one)
    }
  }
  return [...plans.values()]
}

function findHere(run: Run, start: number, plan: Plan): void {
  const clean = beginsWord(run.text, start)
  for (const one of plan.here) {
    if (one.rule.back !== undefined) {
      const [least, most] = one.rule.back
      for (let back = most; back >= least; back--) tryAt(run, start - back, one)
    } else if (clean || one.rule.glued === true) {
      run.tally.tried++
      take(run, one, execAt(patternOf(one), run.text, start))
    }
  }
}

function execAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

function tryAt(run: Run, at: number, one: Compiled): void {
  if (at < 0 || (one.rule.glued !== true && !beginsWord(run.text, at))) return
  run.tally.tried++
  take(run, one, execAt(patternOf(one), run.text, at))
}

function findValue(run: Run, at: Assigned, { plan, start }: { plan: Plan; start: number }): void {
  const clean = beginsPart(run.text, start)
  for (const one of plan.value) {
    if (!clean && one.rule.inside !== true) continue
    run.tally.tried++
    if (one.rule.whole === true) {
      const secret = run.text.slice(at.start, at.end)
      const match = execAt(patternOf(one), secret, 0)
      if (match !== null && one.rule.check?.(secret, match, at) !== false)
        push(run, one, [at.start, at.end])
    } else {
      take(run, one, execAt(patternOf(one), run.text, at.start), at)
    }
  }
}

function findAnywhere(run: Run, one: Compiled): void {
  run.tally.tried++
  const pattern = patternOf(one)
  pattern.lastIndex = 0
  for (let match = pattern.exec(run.text); match !== null; match = pattern.exec(run.text)) {
    if (match[0].length === 0) pattern.lastIndex++
    take(run, one, match)
  }
}

/** Reads the base 64 around `at`; returns where it ends, so that it is read once. */
function findEncoded(run: Run, at: number, find: (text: string) => Found[]): number {
  const { start, end, text } = encodedRun(run.text, at)
  // A text that calls itself an example at its beginning is one.
  if (text === undefined || isPlaceholder(text.slice(0, 200))) return end
  const [first] = find(text)
  if (first !== undefined) {
    run.found.push({ rule: first.rule, start, end, secret: run.text.slice(start, end), order: -1 })
  }
  return end
}

function take(run: Run, one: Compiled, match: RegExpExecArray | null, assigned?: Assigned): void {
  if (match === null) return
  const { rule } = one
  const secret = match.groups?.['secret'] ?? match[1] ?? match[0]
  const [start, end] = spanOf(one, match, secret)
  if (rule.place !== undefined && rule.place !== 'text') {
    if (rule.glued !== true && endsInWord(run.text, end)) return
    if (assigned !== undefined && end > assigned.end) return
  }
  if (rule.check !== undefined && !rule.check(secret, match, assigned)) return
  if (rule.locate === undefined) push(run, one, [start, end])
  else for (const span of rule.locate(run.text, match.index)) push(run, one, span)
}

/** Where the group is: the same letters may stand in the match more than once. */
function spanOf(one: Compiled, match: RegExpExecArray, secret: string): readonly [number, number] {
  if (secret.length === match[0].length) return [match.index, match.index + secret.length]
  const indices = execAt(locatedOf(one), match.input, match.index)?.indices
  const span = indices?.groups?.['secret'] ?? indices?.[1]
  return span ?? [match.index, match.index + match[0].length]
}

function push(run: Run, { rule, order }: Compiled, [start, end]: readonly [number, number]): void {
  run.found.push({ rule, start, end, secret: run.text.slice(start, end), order })
}

/** Whether a token may begin here: not inside a word, but after an escape such as `\n` or `%3D`. */
function beginsWord(text: string, at: number): boolean {
  if (at === 0) return true
  const before = text.charCodeAt(at - 1)
  if (!isWord(before)) return true
  const escape = text.charCodeAt(at - 2)
  if (escape === 92) return before === 110 || before === 114 || before === 116
  return text.charCodeAt(at - 3) === 37 && isHex(before) && isHex(escape)
}

const isHex = (c: number) => (c >= 48 && c <= 57) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102)

function endsInWord(text: string, end: number): boolean {
  return isWord(text.charCodeAt(end)) && isWord(text.charCodeAt(end - 1))
}

/** Whether a part of a name begins here: `box` in `boxToken` and `MY_BOX`, not in `checkbox`. */
function beginsPart(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1)
  if (at === 0 || !isLetter(before)) return true
  const upper = (c: number) => c >= 65 && c <= 90
  return upper(text.charCodeAt(at)) && !upper(before)
}

const isLetter = (c: number) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122)

/** How much a rule knows about what it finds. */
function rank({ rule, order }: Ordered): number {
  if (order < 0) return 1
  if (rule.generic === true) return rule.place === 'value' ? 0 : 1
  return rule.place === 'value' ? 2 : 3
}

/** By start; of those that overlap, the one that knows most, then the longest, then the first. */
function settle(found: Ordered[]): Found[] {
  const kept: Ordered[] = []
  for (const one of found.sort((a, b) => a.start - b.start || b.end - a.end)) {
    let last = kept.at(-1)
    while (last !== undefined && last.end > one.start && knowsMore(one, last)) {
      kept.pop()
      last = kept.at(-1)
    }
    if (last === undefined || last.end <= one.start) kept.push(one)
  }
  return kept.map(({ rule, start, end, secret }) => ({ rule, start, end, secret }))
}

function knowsMore(one: Ordered, other: Ordered): boolean {
  const more = rank(one) - rank(other) || one.end - one.start - (other.end - other.start)
  return more > 0 || (more === 0 && one.order < other.order)
}
