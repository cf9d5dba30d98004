/**
 * One field of an endpoint: how a loose wire value becomes a typed one, what it means, and how it
 * is described. Parser, OpenAPI, help, CLI and audit masking all read the same declaration.
 *
 * The wire is loose on purpose: a client may send `true`, "true" or 1, a list or "a,b", 60 or "1m".
 */
import { isObject, isRawJson } from '../lib/json.ts'
import { parseDurationSeconds } from '../lib/duration.ts'

export type JsonSchema = Record<string, unknown>

export type FieldOptions = {
  help: string
  /** Never read back, masked in prompts. */
  sensitive?: boolean
  /** May stand in clear in the audit log; everything else is hashed there. */
  clear?: boolean
  /** The text of the 400 when the field is absent. */
  required?: string
  deprecated?: boolean
}

export type Field<T> = FieldOptions & {
  readonly schema: JsonSchema
  readonly fallback: T | undefined
  /** Throws a TypeError that says what was expected, and never what was sent. */
  parse(input: unknown): T
}

/** What a handler sees: fields with a default are always there, the others may be undefined. */
export type Parsed<F> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never }

type Options<T> = FieldOptions & { default?: T }

function field<T>(options: Options<T>, schema: JsonSchema, parse: (input: unknown) => T): Field<T> {
  const { default: fallback, ...rest } = options
  return { ...rest, schema, fallback, parse }
}

/** `T` when the declaration brings a default, else `T | undefined`. */
type Maybe<T, O> = O extends { default: T } | { required: string } ? T : T | undefined

function expected(what: string): never {
  throw new TypeError(`expected ${what}`)
}

function text(input: unknown): string {
  if (typeof input === 'string') return input
  if (typeof input === 'number' || typeof input === 'boolean') return String(input)
  if (isRawJson(input)) return input.rawJSON
  return expected('a string')
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

/** Go's ParseBool, or a JSON boolean, 0 or 1. */
export function parseBool(input: unknown): boolean {
  if (typeof input === 'boolean') return input
  const word = typeof input === 'number' ? String(input) : input
  if (typeof word === 'string' && TRUE.has(word)) return true
  if (typeof word === 'string' && FALSE.has(word)) return false
  if (input === '' || input === null) return false
  return expected('true or false')
}

function parseInteger(input: unknown): number {
  if (typeof input === 'number' && Number.isSafeInteger(input)) return input
  const word = isRawJson(input) ? input.rawJSON : input
  if (typeof word === 'string' && /^[+-]?\d{1,16}$/.test(word.trim())) {
    const value = Number(word)
    if (Number.isSafeInteger(value)) return value
  }
  if (input === '' || input === null) return 0
  return expected('a whole number')
}

function parseDuration(input: unknown, signed = false): number {
  const word = isRawJson(input) ? input.rawJSON : input
  return word === null ? 0 : parseDurationSeconds(word, { signed })
}

/** A JSON array, or one string with commas; trimmed, empty items dropped. */
function parseList(input: unknown): string[] {
  if (input === null || input === '') return []
  const items = Array.isArray(input) ? input.map(text) : text(input).split(',')
  return items.map((item) => item.trim()).filter((item) => item !== '')
}

function parsePairs(input: unknown): Record<string, string> {
  const pairs: Record<string, string> = Object.create(null)
  if (input === null || input === '') return pairs
  if (isObject(input)) {
    for (const [key, value] of Object.entries(input)) pairs[key] = text(value)
    return pairs
  }
  if (typeof input === 'string' && input.trimStart().startsWith('{')) {
    let parsed: unknown
    try {
      parsed = JSON.parse(input)
    } catch {
      return expected('an object of strings')
    }
    return parsePairs(parsed)
  }
  for (const item of parseList(input)) {
    const at = item.indexOf('=')
    if (at < 1) return expected('an object of strings, or "key=value"')
    pairs[item.slice(0, at).trim()] = item.slice(at + 1).trim()
  }
  return pairs
}

function parseMap(input: unknown): Record<string, unknown> {
  if (input === null) return {}
  return isObject(input) ? input : expected('an object')
}

/** Vault's names: word characters, with `-` and `.` inside. */
const NAME = /^\w(?:[\w.-]*\w)?$/

const STRING = { type: 'string' }
const LIST = { type: 'array', items: STRING }

/**
 * The field types. Each takes its help and options; `name` and `rest` are for path captures, where
 * a value outside the pattern means that the path does not exist.
 */
export const t = {
  string: <const O extends Options<string>>(o: O) =>
    field<string>(o, STRING, text) as Field<Maybe<string, O>>,
  bool: <const O extends Options<boolean>>(o: O) =>
    field<boolean>(o, { type: 'boolean' }, parseBool) as Field<Maybe<boolean, O>>,
  int: <const O extends Options<number>>(o: O) =>
    field<number>(o, { type: 'integer' }, parseInteger) as Field<Maybe<number, O>>,
  /** Whole seconds. */
  duration: <const O extends Options<number>>(o: O) =>
    field<number>(o, { type: 'string', format: 'duration' }, (input) =>
      parseDuration(input),
    ) as Field<Maybe<number, O>>,
  /** Whole seconds, which may be negative where that means "off". */
  signedDuration: <const O extends Options<number>>(o: O) =>
    field<number>(o, { type: 'string', format: 'duration' }, (input) =>
      parseDuration(input, true),
    ) as Field<Maybe<number, O>>,
  list: <const O extends Options<string[]>>(o: O) =>
    field<string[]>(o, LIST, parseList) as Field<Maybe<string[], O>>,
  /** As `list`, of texts with commas in them: one text alone is a list of one. */
  texts: <const O extends Options<string[]>>(o: O) =>
    field<string[]>(o, LIST, (input) =>
      typeof input === 'string' ? (input === '' ? [] : [input]) : parseList(input),
    ) as Field<Maybe<string[], O>>,
  ints: <const O extends Options<number[]>>(o: O) =>
    field<number[]>(o, { type: 'array', items: { type: 'integer' } }, (input) =>
      Array.isArray(input) ? input.map(parseInteger) : parseList(input).map(parseInteger),
    ) as Field<Maybe<number[], O>>,
  pairs: <const O extends Options<Record<string, string>>>(o: O) =>
    field<Record<string, string>>(o, { type: 'object' }, parsePairs) as Field<
      Maybe<Record<string, string>, O>
    >,
  map: <const O extends Options<Record<string, unknown>>>(o: O) =>
    field<Record<string, unknown>>(o, { type: 'object' }, parseMap) as Field<
      Maybe<Record<string, unknown>, O>
    >,
  any: (o: Options<unknown>) => field<unknown>(o, {}, (input) => input),
  oneOf: <const V extends string, const O extends Options<V>>(values: readonly V[], o: O) =>
    field<V>(o, { type: 'string', enum: values }, (input) => {
      const word = text(input)
      return values.find((value) => value === word) ?? expected(`one of ${values.join(', ')}`)
    }) as Field<Maybe<V, O>>,
  /** One path segment that is a name. */
  name: (o: FieldOptions) => field<string>(o, { ...STRING, pattern: NAME.source }, segment(NAME)),
  /** One path segment, any characters. */
  segment: (o: FieldOptions) => field<string>(o, STRING, text),
  /** The rest of the path, slashes included; may be empty. */
  rest: (o: FieldOptions) => field<string>(o, STRING, text),
}

function segment(pattern: RegExp): (input: unknown) => string {
  return (input) => {
    const word = text(input)
    return pattern.test(word) ? word : expected('a name')
  }
}
