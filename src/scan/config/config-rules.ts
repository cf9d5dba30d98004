/**
 * A configuration at work. This module is what `ScannerOptions.rules` names: each thread imports it and
 * makes of the data what it needs.
 */
import { relative, resolve } from 'node:path'
import { ALL_RULES } from '../../rules/all.ts'
import type { Rule } from '../../rules/rule.ts'
import { entropy } from '../../rules/value.ts'
import type { MadeRules } from '../scan-batch.ts'
import type { Match, Place } from '../scan-text.ts'
import { type Facts, readExpr, type Test } from './expr.ts'
import { guarded, TooSlow } from './guard.ts'
import { fromRe2 } from './re2.ts'
import type { AllowList, ConfigRule, ScanConfig } from './read-config.ts'

const ALLOWED = 'allowed by the configuration'
const FILTERED = 'filtered by the configuration'
/** Of a line, what patterns are tried on. */
const LINE_MAX = 4096

/** What a finding needs to say which rule it was. */
const asRule = ({ id, title, path }: ConfigRule): Rule => {
  return {
    id,
    title,
    provider: 'configuration',
    keywords: [],
    pattern: /(?!)/,
    severity: 'high',
    samples: { yes: [], no: [] },
    ...(path !== undefined && { path: fromRe2(path, '') }),
  }
}

type Live = {
  readonly rule: Rule
  readonly regex: RegExp | undefined
  readonly keywords: readonly string[]
  readonly config: ConfigRule
}

export default function make(options: unknown): MadeRules {
  const config = options as ScanConfig
  const disabled = new Set(config.disabled)
  // Ours of the same name yields; one that only has lists is about ours.
  const replaced = new Set(
    config.rules.flatMap(({ id, regex, path }) => ((regex ?? path) === undefined ? [] : [id])),
  )
  const rules = config.builtin
    ? ALL_RULES.filter(({ id }) => !disabled.has(id) && !replaced.has(id))
    : []
  const live = config.rules
    .filter(({ id }) => replaced.has(id) && !disabled.has(id))
    .map((one): Live => {
      const regex = one.regex === undefined ? undefined : fromRe2(one.regex, 'dg')
      return { rule: asRule(one), regex, keywords: one.keywords, config: one }
    })
  const inText = live.filter(({ regex }) => regex !== undefined)
  const lists = [
    ...config.allow,
    ...config.rules.flatMap(({ id, allow }) => allow.map((one) => ({ ...one, rules: [id] }))),
  ]
  const allow = lists.map(allowTest)
  const filters = [
    ...config.filters.map(readExpr),
    ...config.rules.flatMap(({ id, filters: own }) =>
      own.map((text): Test => {
        const test = readExpr(text)
        return (facts) => facts.rule === id && test(facts)
      }),
    ),
  ]
  // Patterns of paths are written for the folder that the file is in.
  const within = (place: Place): Place => {
    const path = relative(config.root, resolve(place.path))
    return place.commit !== undefined || path.startsWith('..') ? place : { ...place, path }
  }
  return {
    rules,
    also: (text, place) => findAll(inText, text, within(place)),
    leaveOut(found, text, where) {
      const place = within(where)
      const facts = factsOf(found, text, place)
      if (allow.some((test) => test(facts))) return ALLOWED
      return filters.some((test) => test(facts)) ? FILTERED : undefined
    },
    byPath(where) {
      const { path } = within({ path: where })
      return live
        .filter(({ regex, rule }) => regex === undefined && rule.path?.test(path))
        .map(({ rule: { id, title, severity } }) => ({ rule: id, title, severity }))
    },
  }
}

type Also = ReturnType<NonNullable<MadeRules['also']>>

function findAll(rules: readonly Live[], text: string, { path }: Place): Also {
  const [found, leftOut]: [Match[], string[]] = [[], []]
  let lower: string | undefined
  for (const one of rules) {
    if (one.rule.path && !one.rule.path.test(path)) continue
    if (one.keywords.length > 0) {
      const folded = (lower ??= text.toLowerCase())
      if (!one.keywords.some((word) => folded.includes(word))) continue
    }
    try {
      found.push(...guarded(text.length, () => matches(one, text)))
    } catch (error) {
      if (!(error instanceof TooSlow)) throw error
      leftOut.push(`rule ${one.rule.id} took too long and was given up`)
    }
  }
  return { found, leftOut }
}

function matches({ rule, regex, config }: Live, text: string): Match[] {
  const found: Match[] = []
  regex!.lastIndex = 0
  for (let match = regex!.exec(text); match !== null; match = regex!.exec(text)) {
    if (match[0] === '') regex!.lastIndex++
    const group = groupOf(match, config.group)
    const [start, end] = match.indices![group]!
    const secret = text.slice(start, end)
    if (end === start || (config.entropy > 0 && entropy(secret) <= config.entropy)) continue
    found.push({ rule, start, end, secret, match: match[0] })
  }
  return found
}

/** The group that is named, or the first that is there, or all of it. */
function groupOf(match: RegExpExecArray, wanted: number): number {
  if (wanted > 0) return match[wanted] === undefined ? 0 : wanted
  for (let i = 1; i < match.length; i++) if (match[i]) return i
  return 0
}

function factsOf({ rule, start, end, secret, match }: Match, text: string, place: Place): Facts {
  const from = Math.max(text.lastIndexOf('\n', start - 1) + 1, start - LINE_MAX)
  const stop = text.indexOf('\n', end)
  const to = Math.min(stop < 0 ? text.length : stop, end + LINE_MAX)
  const line = text.slice(from, to)
  // What a rule of ours matches around a secret is not known: the line is the nearest to it.
  const { path, commit = '' } = place
  return { rule: rule.id, secret, line, match: match ?? line, path, commit }
}

/** With AND all kinds that the list has must say so, with OR one. */
function allowTest(list: AllowList): Test {
  const [paths, regexes] = [list.paths, list.regexes].map((all) =>
    all.map((one) => fromRe2(one, '')),
  )
  const fits = (all: readonly RegExp[], text: string) =>
    all.some((one) => guarded(text.length, () => one.test(text)))
  const tests: Test[] = []
  if (list.commits.length > 0) tests.push(({ commit }) => list.commits.includes(commit))
  if (paths!.length > 0) tests.push(({ path }) => fits(paths!, path))
  if (regexes!.length > 0) tests.push((facts) => fits(regexes!, facts[list.target]))
  if (list.stopwords.length > 0) {
    tests.push(({ secret }) => {
      const lower = secret.toLowerCase()
      return list.stopwords.some((word) => lower.includes(word))
    })
  }
  const about = (facts: Facts) => list.rules.length === 0 || list.rules.includes(facts.rule)
  if (tests.length === 0) return () => false
  return list.all
    ? (facts) => about(facts) && tests.every((test) => test(facts))
    : (facts) => about(facts) && tests.some((test) => test(facts))
}
