/**
 * Username templates: the part of Go's text/template that makes names. Text, and in `{{ }}` calls with
 * pipes and parentheses, of `.DisplayName`, `.RoleName`, texts and whole numbers. No conditions, no
 * loops: what else Go's templates can do is refused when the template is written.
 */
import { createHash } from 'node:crypto'
import { base62 } from '../../lib/base62.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Random, uuid } from '../../lib/random.ts'

export type NameParts = {
  readonly displayName: string
  readonly roleName: string
  readonly now: number
  readonly random: Random
}

/** The template is wrong; the text says where, and quotes no more than a word of it. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

type Value = string | number
type Run = (parts: NameParts) => Value
type Token = { kind: 'word' | 'field' | 'text' | 'number' | 'mark'; text: string }
/** The arguments as Go gives them: what a pipe brings stands last. */
type Func = (args: readonly Value[], parts: NameParts) => Value

const LENGTH_MAX = 4096
const RANDOM_MAX = 1000

const fail = (problem: string): never => {
  throw new TemplateError(problem)
}

/** Reads a template, and gives what makes names of it. Throws TemplateError. */
export function usernameTemplate(template: string): (parts: NameParts) => string {
  if (template.length > LENGTH_MAX) fail('the template is too long')
  const pieces: Run[] = []
  let at = 0
  for (;;) {
    const open = template.indexOf('{{', at)
    const text = template.slice(at, open < 0 ? undefined : open)
    if (text !== '') pieces.push(() => text)
    if (open < 0) break
    const close = template.indexOf('}}', open)
    if (close < 0) fail('a "{{" is not closed')
    pieces.push(pipeline(tokensOf(template.slice(open + 2, close))))
    at = close + 2
  }
  return (parts) => pieces.map((piece) => String(piece(parts))).join('')
}

const TOKEN = /\s*(?:(\.[A-Za-z]\w*)|([A-Za-z_]\w*)|("(?:[^"\\]|\\.)*")|(`[^`]*`)|(-?\d+)|([()|]))/y

function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  const text = source.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const found = TOKEN.exec(text) ?? fail('expected a function, .DisplayName, .RoleName or a text')
    const [, field, word, quoted, raw, number, mark] = found
    if (field !== undefined) tokens.push({ kind: 'field', text: field })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word })
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: unquoted(quoted) })
    else if (raw !== undefined) tokens.push({ kind: 'text', text: raw.slice(1, -1) })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else tokens.push({ kind: 'mark', text: mark! })
  }
  return tokens
}

function unquoted(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    return fail('a text in quotes cannot be read')
  }
}

/** `call | call | …`, each given what came before as its last argument. */
function pipeline(tokens: Token[]): Run {
  const run = readPipeline(tokens)
  if (tokens.length > 0) fail('a ")" has no "("')
  return run
}

function readPipeline(tokens: Token[]): Run {
  let run = readCall(tokens, undefined)
  while (tokens[0]?.text === '|' && tokens[0].kind === 'mark') {
    tokens.shift()
    run = readCall(tokens, run)
  }
  return run
}

function readCall(tokens: Token[], piped: Run | undefined): Run {
  const first = tokens[0] ?? fail('something is missing in "{{ }}"')
  if (first.kind !== 'word') {
    const value = readValue(tokens)
    return piped ? fail('only a function can stand behind "|"') : value
  }
  tokens.shift()
  const { args, func } = functionNamed(first.text)
  const given: Run[] = []
  while (tokens.length > 0 && !isEnd(tokens[0]!)) given.push(readValue(tokens))
  if (piped) given.push(piped)
  if (args >= 0 ? given.length !== args : given.length === 0) {
    fail(`wrong number of arguments of ${first.text}`)
  }
  return (parts) => {
    const made = func(
      given.map((one) => one(parts)),
      parts,
    )
    // Replacements of replacements grow without end.
    if (typeof made === 'string' && made.length > LENGTH_MAX) fail('a text in it grows too long')
    return made
  }
}

const isEnd = ({ kind, text }: Token) => kind === 'mark' && text !== '('

function readValue(tokens: Token[]): Run {
  const { kind, text } = tokens.shift()!
  if (kind === 'text') return () => text
  if (kind === 'number') return () => Number(text)
  if (kind === 'field') return fieldNamed(text)
  if (kind === 'word') {
    const { args, func } = functionNamed(text)
    return args === 0 ? (parts) => func([], parts) : fail(`${text} must stand in parentheses`)
  }
  if (text !== '(') fail(`"${text}" stands in the wrong place`)
  const inner = readPipeline(tokens)
  if (tokens.shift()?.text !== ')') fail('a "(" is not closed')
  return inner
}

function fieldNamed(text: string): Run {
  if (text === '.DisplayName') return ({ displayName }) => displayName
  if (text === '.RoleName') return ({ roleName }) => roleName
  return fail('there are only .DisplayName and .RoleName')
}

const words = (value: Value) => (typeof value === 'string' ? value : fail('expected a text'))
function count(value: Value | undefined, max: number): number {
  const number = Number(value)
  if (typeof value !== 'number' || number < 1 || number > max)
    fail(`expected a number up to ${max}`)
  return number
}
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const cut = (text: string, chars: number) => Array.from(text).slice(0, chars).join('')

/** By name: how many arguments (-1 = one or more), and what it does. */
const FUNCTIONS: Readonly<Record<string, { args: number; func: Func }>> = {
  random: { args: 1, func: ([n], { random }) => base62(count(n, RANDOM_MAX), random) },
  truncate: { args: 2, func: ([n, text]) => cut(words(text!), count(n, LENGTH_MAX)) },
  truncate_sha256: {
    args: 2,
    func: ([n, given]) => {
      const text = words(given!)
      const max = count(n, LENGTH_MAX)
      if (max <= 8) fail('truncate_sha256 needs more than 8 characters')
      const long = Array.from(text).length > max
      return long
        ? cut(text, max - 8) +
            sha256(
              Array.from(text)
                .slice(max - 8)
                .join(''),
            ).slice(0, 8)
        : text
    },
  },
  uppercase: { args: 1, func: ([text]) => words(text!).toUpperCase() },
  lowercase: { args: 1, func: ([text]) => words(text!).toLowerCase() },
  replace: {
    args: 3,
    func: ([from, to, text]) => words(text!).replaceAll(words(from!), () => words(to!)),
  },
  sha256: { args: 1, func: ([text]) => sha256(words(text!)) },
  base64: { args: 1, func: ([text]) => Buffer.from(words(text!)).toString('base64') },
  unix_time: { args: 0, func: (_, { now }) => String(Math.floor(now / 1000)) },
  unix_time_millis: { args: 0, func: (_, { now }) => String(now) },
  timestamp: { args: 1, func: ([layout], { now }) => goTime(words(layout!), now) },
  uuid: { args: 0, func: (_, { random }) => uuid(random) },
  printf: { args: -1, func: ([format, ...rest]) => printf(words(format!), rest) },
}

function functionNamed(name: string): { args: number; func: Func } {
  return Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name]! : fail(`there is no function "${name}"`)
}

function printf(format: string, values: readonly Value[]): string {
  let next = 0
  const text = format.replace(/%(.?)/g, (_, verb: string) => {
    if (verb === '%') return '%'
    if (!['s', 'd', 'v'].includes(verb)) fail('printf knows %s, %d, %v and %%')
    const value = values[next++]
    return value === undefined ? fail('printf has too few values') : String(value)
  })
  return next === values.length ? text : fail('printf has too many values')
}

/** The parts of Go's reference time that a name can want. */
function goTime(layout: string, now: number): string {
  const [date = '', clock = ''] = rfc3339(now).split(/[TZ.]/)
  const [year = '', month = '', day = ''] = date.split('-')
  const [hour = '', minute = '', second = ''] = clock.split(':')
  const all: Record<string, string> = { '2006': year, '01': month, '02': day }
  Object.assign(all, { '15': hour, '04': minute, '05': second, '06': year.slice(2) })
  Object.assign(all, { MST: 'UTC' })
  return layout.replace(/2006|01|02|15|04|05|06|MST/g, (part) => all[part]!)
}
