/**
 * A configuration of gitleaks or betterleaks as data. Every key is known here or named as a problem:
 * a rule that is understood by half would find less than its author believes.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'smol-toml'
import { isObject } from '../../lib/json.ts'
import { readExpr } from './expr.ts'
import { fromRe2, PatternRefused } from './re2.ts'

export type AllowList = {
  readonly all: boolean
  readonly commits: readonly string[]
  readonly paths: readonly string[]
  readonly regexes: readonly string[]
  readonly stopwords: readonly string[]
  readonly target: 'secret' | 'match' | 'line'
  /** Only findings of these; empty: of all. */
  readonly rules: readonly string[]
}

export type ConfigRule = {
  readonly id: string
  readonly title: string
  readonly regex: string | undefined
  readonly path: string | undefined
  readonly keywords: readonly string[]
  readonly entropy: number
  readonly group: number
  readonly allow: readonly AllowList[]
  readonly filters: readonly string[]
}

export type ScanConfig = {
  /** Whether the rules of this program count, too. */
  readonly builtin: boolean
  readonly disabled: readonly string[]
  readonly rules: readonly ConfigRule[]
  readonly allow: readonly AllowList[]
  readonly filters: readonly string[]
  /** The folder that paths in it are relative to. */
  readonly root: string
}

/** What is wrong with a configuration: each problem names its rule or key. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.problems = problems
  }
}

const EMPTY: ScanConfig = {
  builtin: false,
  disabled: [],
  rules: [],
  allow: [],
  filters: [],
  root: '.',
}
const EXTENDS_MAX = 4

/**
 * Throws a ConfigRefused. With `problems` what is wrong is put there instead, and the rest counts:
 * for whoever has said that it should.
 */
export function readConfig(file: string, problems?: string[]): ScanConfig {
  const found: string[] = problems ?? []
  const config = { ...configIn(file, found, 0), root: dirname(resolve(file)) }
  if (problems === undefined && found.length > 0) throw new ConfigRefused(found)
  // Nobody means to look for nothing: what has no rules is about those that there are.
  return config.rules.length === 0 ? { ...config, builtin: true } : config
}

function configIn(file: string, problems: string[], depth: number): ScanConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    problems.push(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
    return EMPTY
  }
  return parseConfig(text, {
    problems,
    extend(path) {
      if (depth < EXTENDS_MAX) return configIn(resolve(dirname(file), path), problems, depth + 1)
      problems.push('extend: more than four files extend each other')
      return EMPTY
    },
  })
}

type Reading = { readonly problems: string[]; readonly extend: (path: string) => ScanConfig }
type Table = Record<string, unknown>

const KNOWN = {
  top: 'title description minVersion betterleaksMinVersion extend rules allowlist allowlists filter prefilter',
  extend: 'useDefault path disabledRules',
  rule: 'id description regex secretGroup entropy path keywords tags allowlist allowlists filter prefilter confidence provider links',
  allow: 'description condition commits paths regexes regexTarget stopwords targetRules',
}

export function parseConfig(text: string, { problems, extend }: Reading): ScanConfig {
  let root: Table
  try {
    root = parse(text)
  } catch (error) {
    // The message of the parser quotes the file; of it only the place is told.
    const { line } = error as { line?: number }
    problems.push(`it is no TOML${line === undefined ? '' : `: line ${line}`}`)
    return EMPTY
  }
  const say = (where: string) => (what: string) => void problems.push(`${where}: ${what}`)
  unknownKeys(root, KNOWN.top, say('configuration'))
  const extension = isObject(root['extend']) ? root['extend'] : {}
  unknownKeys(extension, KNOWN.extend, say('extend'))
  const base = typeof extension['path'] === 'string' ? extend(extension['path']) : EMPTY
  const top = say('configuration')
  const own = tablesOf(root['rules'], top).flatMap((table, i) => {
    const rule = ruleOf(table, problems, i)
    return rule ? [rule] : []
  })
  return {
    builtin: extension['useDefault'] === true || base.builtin,
    disabled: [...base.disabled, ...textsOf(extension, 'disabledRules', say('extend'))],
    rules: merged(base.rules, own),
    allow: [...base.allow, ...allowListsOf(root, top)],
    filters: [...base.filters, ...filtersOf(root, top)],
    root: '.',
  }
}

type Say = (what: string) => void

function unknownKeys(table: object, known: string, say: Say): void {
  const names = new Set(known.split(' '))
  for (const key of Object.keys(table)) {
    if (!names.has(key)) say(`${JSON.stringify(key.slice(0, 60))} is not understood`)
  }
}

/** A rule of the same name changes the one that it extends; lists are added. */
function merged(base: readonly ConfigRule[], own: readonly ConfigRule[]): ConfigRule[] {
  const rules = new Map(base.map((rule) => [rule.id, rule]))
  for (const rule of own) {
    const old = rules.get(rule.id)
    rules.set(rule.id, old === undefined ? rule : over(old, rule))
  }
  return [...rules.values()]
}

function over(old: ConfigRule, rule: ConfigRule): ConfigRule {
  return {
    id: rule.id,
    title: rule.title === rule.id ? old.title : rule.title,
    regex: rule.regex ?? old.regex,
    path: rule.path ?? old.path,
    keywords: rule.keywords.length > 0 ? rule.keywords : old.keywords,
    entropy: rule.entropy || old.entropy,
    group: rule.group || old.group,
    allow: [...old.allow, ...rule.allow],
    filters: [...old.filters, ...rule.filters],
  }
}

function ruleOf(table: Table, problems: string[], i: number): ConfigRule | undefined {
  const before = problems.length
  const id = typeof table['id'] === 'string' ? table['id'].slice(0, 200) : ''
  const say: Say = (what) => void problems.push(`rule ${id || `number ${i + 1}`}: ${what}`)
  // Parts of rules that need others near them would be told alone, as more than they are.
  if (table['required'] !== undefined) say('"required" is not understood')
  const { validate: _, skipReport, required: __, ...rest } = table
  unknownKeys(rest, KNOWN.rule, say)
  if (id === '') say('it has no id')
  const rule: ConfigRule = {
    id,
    title: typeof table['description'] === 'string' ? table['description'].slice(0, 300) : id,
    regex: patternOf(table, 'regex', say),
    path: patternOf(table, 'path', say),
    keywords: textsOf(table, 'keywords', say).map((word) => word.toLowerCase()),
    entropy: numberOf(table, 'entropy', say),
    group: numberOf(table, 'secretGroup', say),
    allow: allowListsOf(table, say),
    filters: filtersOf(table, say),
  }
  // What is wrong with it was told: it does not count by half. And a part of others is nothing alone.
  return problems.length > before || skipReport === true ? undefined : rule
}

/** A filter leaves out what it is true of; so does a prefilter, which only comes sooner. */
function filtersOf(table: Table, say: Say): string[] {
  return ['prefilter', 'filter'].flatMap((key) => {
    const text = table[key]
    if (text === undefined || text === '') return []
    if (typeof text !== 'string') {
      say(`${key} must be a text`)
      return []
    }
    return checked(() => readExpr(text), `${key}: `, say) ? [text] : []
  })
}

function allowListsOf(table: Table, say: Say): AllowList[] {
  return ['allowlist', 'allowlists'].flatMap((key) => {
    const value = table[key]
    if (value === undefined) return []
    return tablesOf(isObject(value) ? [value] : value, say).map((one) => allowListOf(one, say))
  })
}

const TARGETS = ['secret', 'match', 'line'] as const
const CONDITIONS: Readonly<Record<string, boolean>> = {
  OR: false,
  '||': false,
  AND: true,
  '&&': true,
}

function allowListOf(table: Table, say: Say): AllowList {
  const tell: Say = (what) => say(`allowlist: ${what}`)
  unknownKeys(table, KNOWN.allow, tell)
  const { condition = 'OR', regexTarget = 'secret' } = table
  const target = TARGETS.find((one) => one === (regexTarget === '' ? 'secret' : regexTarget))
  if (target === undefined) tell('regexTarget must be secret, match or line')
  const name = typeof condition === 'string' ? condition.toUpperCase() : ''
  if (!Object.hasOwn(CONDITIONS, name)) tell('condition must be OR or AND')
  const patterns = (key: string) =>
    textsOf(table, key, tell).filter((text) => checked(() => fromRe2(text), `${key}: `, tell))
  return {
    all: CONDITIONS[name] ?? true,
    commits: textsOf(table, 'commits', tell).map((id) => id.toLowerCase()),
    paths: patterns('paths'),
    regexes: patterns('regexes'),
    stopwords: textsOf(table, 'stopwords', tell).map((word) => word.toLowerCase()),
    target: target ?? 'secret',
    rules: textsOf(table, 'targetRules', tell),
  }
}

function patternOf(table: Table, key: string, say: Say): string | undefined {
  const text = table[key]
  if (text === undefined || text === '') return undefined
  if (typeof text !== 'string') say(`${key} must be a text`)
  else if (checked(() => fromRe2(text), `${key}: `, say)) return text
  return undefined
}

function checked(read: () => unknown, before: string, say: Say): boolean {
  try {
    read()
    return true
  } catch (error) {
    if (!(error instanceof PatternRefused)) throw error
    say(before + error.message)
    return false
  }
}

function numberOf(table: Table, key: string, say: Say): number {
  const value = table[key] ?? 0
  if ((typeof value === 'number' || typeof value === 'bigint') && value >= 0) return Number(value)
  say(`${key} must be a number`)
  return 0
}

function textsOf(table: Table, key: string, say: Say): string[] {
  const value = table[key] ?? []
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  say(`${key} must be a list of texts`)
  return []
}

function tablesOf(value: unknown, say: Say): Table[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((one) => isObject(one))) return value
  say('a list of tables is something else')
  return []
}
