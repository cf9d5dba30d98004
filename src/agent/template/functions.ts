/** The functions of templates: Go's own, and the common ones of consul-template's language. */
import { createHash } from 'node:crypto'
import { stringifyJson, parseJson } from '../../client/json.ts'
import { FunctionError, type Functions } from './render.ts'
import { isMap, isTrue, printed, type Value } from './value.ts'
import { format } from './format.ts'

function text(value: Value): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  throw new FunctionError('expected a text')
}

function number(value: Value): number {
  if (typeof value === 'number') return value
  throw new FunctionError('expected a number')
}

function whole(value: Value): number {
  const size = number(value)
  if (Number.isSafeInteger(size)) return size
  throw new FunctionError('expected a whole number')
}

function list(value: Value): Value[] {
  if (Array.isArray(value)) return value
  throw new FunctionError('expected a list')
}

function sized(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (isMap(value)) return Object.keys(value).length
  throw new FunctionError('expected a text, a list or a map')
}

/** Texts are compared with texts and numbers with numbers; anything else is a mistake to be told. */
function compared(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  const numbers = [a, b].every((each) => typeof each === 'number' || typeof each === 'bigint')
  if (numbers) return a! < b! ? -1 : a! > b! ? 1 : 0
  throw new FunctionError('expected two numbers or two texts')
}

function equals(a: Value, b: Value): boolean {
  if (a === null || b === null || a === undefined || b === undefined)
    return (a ?? null) === (b ?? null)
  if (typeof a === 'boolean' && typeof b === 'boolean') return a === b
  return compared(a, b) === 0
}

function index(of: Value, ...keys: Value[]): Value {
  return keys.reduce((value: Value, key) => {
    if (Array.isArray(value)) {
      const at = whole(key)
      if (at < 0 || at >= value.length) throw new FunctionError(`there is no index ${at}`)
      return value[at]
    }
    if (isMap(value)) return Object.hasOwn(value, text(key)) ? value[text(key)] : undefined
    throw new FunctionError('expected a list or a map')
  }, of)
}

function slice(of: Value, from: Value = 0, to?: Value): Value {
  if (typeof of !== 'string' && !Array.isArray(of))
    throw new FunctionError('expected a text or a list')
  const [begin, end] = [whole(from), to === undefined ? of.length : whole(to)]
  if (begin < 0 || end > of.length || begin > end)
    throw new FunctionError('the places are out of range')
  return of.slice(begin, end)
}

function json(value: Value): Value {
  try {
    return parseJson(text(value)) as Value
  } catch {
    throw new FunctionError('the text is not JSON')
  }
}

/** Go's encoder makes these three safe for HTML, and the order of keys does not depend on the server. */
function toJson(value: Value, indent?: number): string {
  const flat = stringifyJson(sorted(value))
  const wide = indent === undefined ? flat : JSON.stringify(JSON.parse(flat), undefined, indent)
  return wide.replaceAll(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`)
}

function sorted(value: Value): Value {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isMap(value)) return value ?? null
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}

function decoded(value: Value, encoding: 'base64' | 'base64url' | 'hex'): string {
  const given = text(value).replaceAll(/[\r\n]/g, '')
  const bytes = Buffer.from(given, encoding)
  const bare = (word: string) => word.replaceAll('=', '').toLowerCase()
  if (bare(bytes.toString(encoding)) !== bare(given))
    throw new FunctionError(`the text is not ${encoding}`)
  return bytes.toString('utf8')
}

function pattern(value: Value): RegExp {
  try {
    return new RegExp(text(value), 'gu')
  } catch {
    throw new FunctionError('the pattern cannot be read')
  }
}

function parsedNumber(value: Value, form: RegExp): number {
  if (!form.test(text(value))) throw new FunctionError('the text is no such number')
  return Number(text(value))
}

function trimmed(value: Value, signs: Value): string {
  const cut = new Set(text(signs))
  const letters = Array.from(text(value))
  while (letters.length > 0 && cut.has(letters[0]!)) letters.shift()
  while (letters.length > 0 && cut.has(letters.at(-1)!)) letters.pop()
  return letters.join('')
}

const hash = (name: string) => (value: Value) => createHash(name).update(text(value)).digest('hex')
const onNumbers = (run: (a: number, b: number) => number) => (b: Value, a: Value) => {
  const value = run(number(a), number(b))
  if (Number.isFinite(value)) return value
  throw new FunctionError('there is no such number')
}
const defaultOf = (fallback: Value, value?: Value) => (isTrue(value) ? value : fallback)
const contains = (what: Value, of: Value) =>
  list(of).some((each) => typeof each === typeof what && equals(each, what))

// oxfmt-ignore
/** Everything that needs neither a server nor the machine. `and` and `or` belong to the language. */
export const PURE: Functions = {
  and: () => undefined, or: () => undefined,
  not: (value) => !isTrue(value),
  eq: (a, ...others) => others.some((b) => equals(a, b)), ne: (a, b) => !equals(a, b),
  lt: (a, b) => compared(a, b) < 0, le: (a, b) => compared(a, b) <= 0,
  gt: (a, b) => compared(a, b) > 0, ge: (a, b) => compared(a, b) >= 0,
  len: sized, index, slice,
  print: (...values) => values.map(printed).join(' '),
  println: (...values) => `${values.map(printed).join(' ')}\n`,
  printf: (form, ...values) => format(text(form), values),
  urlquery: (value) => encodeURIComponent(text(value)).replaceAll('%20', '+'),
  toJSON: (value) => toJson(value), toJSONPretty: (value) => toJson(value, 2), parseJSON: json,
  toUnescapedJSON: (value) => stringifyJson(sorted(value)),
  base64Encode: (value) => Buffer.from(text(value)).toString('base64'),
  base64Decode: (value) => decoded(value, 'base64'),
  base64URLEncode: (value) => Buffer.from(text(value)).toString('base64url'),
  base64URLDecode: (value) => decoded(value, 'base64url'),
  hexEncode: (value) => Buffer.from(text(value)).toString('hex'), hexDecode: (value) => decoded(value, 'hex'),
  toUpper: (value) => text(value).toUpperCase(), toLower: (value) => text(value).toLowerCase(),
  toTitle: (value) => text(value).replaceAll(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, (letter) => letter.toUpperCase()),
  trimSpace: (value) => text(value).trim(), trim: (signs, value) => trimmed(value, signs),
  trimPrefix: (prefix, value) => text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : value,
  trimSuffix: (suffix, value) => text(value).endsWith(text(suffix)) ? text(value).slice(0, text(value).length - text(suffix).length) : value,
  join: (sep, values) => list(values).map(printed).join(text(sep)),
  split: (sep, value) => text(value) === '' ? [] : text(value).split(text(sep)),
  indent: (size, value) => text(value).replaceAll(/^/gm, ' '.repeat(Math.min(1000, Math.max(0, whole(size))))),
  replaceAll: (from, to, value) => text(value).replaceAll(text(from), () => text(to)),
  regexMatch: (form, value) => pattern(form).test(text(value)),
  regexReplaceAll: (form, to, value) => text(value).replaceAll(pattern(form), text(to).replaceAll(/\$\{(\w+)\}/g, '$$$1')),
  contains, in: (values, what) => contains(what, values),
  containsAny: (what, of) => list(what).some((each) => contains(each, of)),
  containsAll: (what, of) => list(what).every((each) => contains(each, of)),
  default: defaultOf, sprig_default: defaultOf,
  loop: (...ends) => { const [from, to] = ends.length > 1 ? ends : [0, ends[0]]; return Array.from({ length: Math.min(100_000, Math.max(0, whole(to) - whole(from))) }, (_n, i) => whole(from) + i) },
  parseBool: (value) => { const t = text(value); if (/^(1|t|T|true|TRUE|True)$/.test(t)) return true; if (/^(0|f|F|false|FALSE|False)$/.test(t)) return false; throw new FunctionError('the text is no truth value') },
  parseInt: (value) => parsedNumber(value, /^[+-]?\d{1,15}$/), parseUint: (value) => parsedNumber(value, /^\d{1,15}$/),
  parseFloat: (value) => parsedNumber(value, /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/),
  add: onNumbers((a, b) => a + b), subtract: onNumbers((a, b) => a - b),
  multiply: onNumbers((a, b) => a * b), divide: onNumbers((a, b) => Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b),
  modulo: onNumbers((a, b) => a % b), minimum: onNumbers(Math.min), maximum: onNumbers(Math.max),
  md5sum: hash('md5'), sha256Hex: hash('sha256'),
}
