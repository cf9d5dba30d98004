/**
 * Runs rules over a text. One pass finds the keywords of all rules; only around them are patterns
 * tried, each bound to a place, so that the work grows with the length of the text and no faster.
 * Of findings that overlap, the one that knows most stays.
 */
import { type Assigned, endOfName, isWord, valueAfter } from './assignment.ts'
import { ALL_RULES } from './all.ts'
import { compileKeywords } from './keyword-scan.ts'
import { type Rule } from './rule.ts'

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
}

export type Matcher = {
  readonly rules: readonly Rule[]
  /** All secrets, by their start, without overlaps. */
  find(text: string, hints?: Hints): Found[]
}

export function compileRules(rules: readonly Rule[] = ALL_RULES): Matcher {
  const compiled = rules.map(compileRule)
  const words = [...new Set(rules.flatMap((rule) => rule.keywords))]
  const plans = words.map((word) => planOf(word, compiled))
  const scan = compileKeywords(words)
  const always = compiled.filter(({ rule }) => rule.keywords.length === 0)
  return {
    rules,
    find(text) {
      const found: Found[] = []
      const whole = new Set(always)
      // Several keywords in one name ask for one value: it is read once.
      let [knownName, known] = [-1, undefined as Assigned | undefined]
      scan(text, (keyword, end) => {
        const plan = plans[keyword]!
        const start = end - plan.length
        if (plan.here.length > 0) findHere(text, start, plan, found)
        for (const one of plan.whole) whole.add(one)
        if (plan.value.length === 0) return
        const nameEnd = endOfName(text, end)
        if (nameEnd !== knownName) {
          knownName = nameEnd
          known = valueAfter(text, nameEnd, start)
        }
        if (known !== undefined) findValue(text, known, { plan, start, found })
      })
      for (const one of whole) findAnywhere(text, one, found)
      return settle(found)
    },
  }
}

type Compiled = { readonly rule: Rule; readonly pattern: RegExp }

/** What is to be tried where one keyword stands. */
type Plan = {
  readonly length: number
  readonly here: readonly Compiled[]
  readonly value: readonly Compiled[]
  readonly whole: readonly Compiled[]
}

function compileRule(rule: Rule): Compiled {
  const flags = rule.pattern.flags.replaceAll(/[gy]/g, '')
  const sticky = rule.place !== undefined && rule.place !== 'text'
  return { rule, pattern: new RegExp(rule.pattern.source, flags + (sticky ? 'y' : 'g')) }
}

function planOf(word: string, compiled: readonly Compiled[]): Plan {
  const mine = compiled.filter(({ rule }) => rule.keywords.includes(word))
  const at = (place: string) => mine.filter(({ rule }) => (rule.place ?? 'text') === place)
  return { length: word.length, here: at('keyword'), value: at('value'), whole: at('text') }
}

function findHere(text: string, start: number, plan: Plan, found: Found[]): void {
  const clean = beginsWord(text, start)
  for (const one of plan.here) {
    if (one.rule.back !== undefined) {
      const [least, most] = one.rule.back
      for (let back = most; back >= least; back--) tryAt(text, start - back, one, found)
    } else if (clean || one.rule.glued === true) {
      one.pattern.lastIndex = start
      take(one.pattern.exec(text), { one, text, found })
    }
  }
}

function tryAt(text: string, at: number, one: Compiled, found: Found[]): void {
  if (at < 0 || (one.rule.glued !== true && !beginsWord(text, at))) return
  one.pattern.lastIndex = at
  take(one.pattern.exec(text), { one, text, found })
}

function findValue(
  text: string,
  assigned: Assigned,
  { plan, start, found }: { plan: Plan; start: number; found: Found[] },
): void {
  const whole = beginsPart(text, start)
  for (const one of plan.value) {
    if (!whole && one.rule.inside !== true) continue
    one.pattern.lastIndex = assigned.start
    take(one.pattern.exec(text), { one, text, found, assigned })
  }
}

function findAnywhere(text: string, one: Compiled, found: Found[]): void {
  one.pattern.lastIndex = 0
  for (let match = one.pattern.exec(text); match !== null; match = one.pattern.exec(text)) {
    if (match[0].length === 0) one.pattern.lastIndex++
    take(match, { one, text, found })
  }
}

type Taking = { one: Compiled; text: string; found: Found[]; assigned?: Assigned }

function take(match: RegExpExecArray | null, { one, text, found, assigned }: Taking): void {
  if (match === null) return
  const secret = match[1] ?? match[0]
  const start = match.index + (match[1] === undefined ? 0 : match[0].lastIndexOf(secret))
  const end = start + secret.length
  const { rule } = one
  if (rule.place !== undefined && rule.place !== 'text') {
    if (rule.glued !== true && endsInWord(text, end)) return
    if (assigned !== undefined && end > assigned.end) return
  }
  if (rule.check !== undefined && !rule.check(secret, match, assigned)) return
  found.push({ rule, start, end, secret })
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
function rank({ rule }: Found): number {
  if (rule.generic === true) return rule.place === 'value' ? 0 : 1
  return rule.place === 'value' ? 2 : 3
}

/** By start; of those that overlap, the one that knows most, then the longest, then the first. */
function settle(found: Found[]): Found[] {
  const kept: Found[] = []
  for (const one of found.sort((a, b) => a.start - b.start || b.end - a.end)) {
    let last = kept.at(-1)
    while (last !== undefined && last.end > one.start && knowsMore(one, last)) {
      kept.pop()
      last = kept.at(-1)
    }
    if (last === undefined || last.end <= one.start) kept.push(one)
  }
  return kept
}

function knowsMore(one: Found, other: Found): boolean {
  const more = rank(one) - rank(other)
  return more > 0 || (more === 0 && one.end - one.start > other.end - other.start)
}
