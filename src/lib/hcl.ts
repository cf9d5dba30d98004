/**
 * Reads HCL 1, the language of Vault's policies and server configuration. Nothing is evaluated:
 * `${…}` stays as it is written.
 */
import { parseHclJson } from './hcl-json.ts'
import {
  type Cursor,
  cursor,
  fail,
  type HclItem,
  type HclObject,
  type HclValue,
  lineOf,
  nested,
  take,
} from './hcl-value.ts'

export { parseHclJson } from './hcl-json.ts'
export { HclError, type HclItem, type HclObject, type HclValue, isHclObject } from './hcl-value.ts'

const BLANK = /[ \t\r\n]+/y
const LINE_COMMENT = /(?:#|\/\/)[^\n]*/y
const NAME = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy
const NUMBER = /-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\p{L}\p{Nd}_.-])/uy
const PLAIN = /[^"\\\n$]+/y
const HEREDOC = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy

/** Throws HclError, and nothing else. */
export function parseHcl(text: string): HclObject {
  const c = cursor(text)
  const items = readItems(c)
  if (c.at < c.text.length) fail(c, "found '}' that closes nothing")
  return { items }
}

/** JSON when the first character is `{`, HCL otherwise. `blocks` is what `parseHclJson` wants. */
export function parseHclOrJson(
  text: string,
  options: { blocks: Readonly<Record<string, number>> },
): HclObject {
  return /^\ufeff?\s*\{/.test(text) ? parseHclJson(text, options) : parseHcl(text)
}

/** Reads up to the end of the text, or up to a `}` that is left for the caller. */
function readItems(c: Cursor): HclItem[] {
  const items: HclItem[] = []
  for (;;) {
    skipBlank(c)
    if (c.at >= c.text.length || c.text[c.at] === '}') return items
    items.push(readItem(c))
    skipBlank(c)
    if (c.text[c.at] === ',') c.at++
  }
}

function readItem(c: Cursor): HclItem {
  const line = lineOf(c)
  const key = readKey(c) ?? fail(c, 'expected a key')
  const labels: string[] = []
  for (;;) {
    skipBlank(c)
    const sign = c.text[c.at]
    if (sign === '{') return { key, labels, value: readObject(c), line }
    if (sign === '=' && labels.length === 0) {
      c.at++
      skipBlank(c)
      return { key, labels, value: readValue(c), line }
    }
    const label = readKey(c)
    if (label === undefined) {
      fail(c, labels.length === 0 ? "expected '=' or '{' after the key" : "expected '{' or a label")
    }
    labels.push(label)
  }
}

function readKey(c: Cursor): string | undefined {
  return c.text[c.at] === '"' ? readString(c) : take(c, NAME)
}

function readObject(c: Cursor): HclObject {
  c.at++
  return nested(c, () => {
    const items = readItems(c)
    if (c.text[c.at] !== '}') fail(c, "expected '}' before the end of the text")
    c.at++
    return { items }
  })
}

function readValue(c: Cursor): HclValue {
  const sign = c.text[c.at]
  if (sign === '"') return readString(c)
  if (sign === '{') return readObject(c)
  if (sign === '[') return readList(c)
  if (sign === '<') return readHeredoc(c)
  const number = take(c, NUMBER)
  if (number !== undefined) return toNumber(c, number)
  const word = take(c, NAME)
  if (word === 'true' || word === 'false') return word === 'true'
  return fail(c, 'expected a value: a quoted string, number, true, false, list or object')
}

function readList(c: Cursor): HclValue[] {
  c.at++
  return nested(c, () => {
    const values: HclValue[] = []
    for (;;) {
      skipBlank(c)
      if (c.text[c.at] === ']') break
      values.push(readValue(c))
      skipBlank(c)
      if (c.text[c.at] === ',') c.at++
      else if (c.text[c.at] !== ']') fail(c, "expected ',' or ']' in a list")
    }
    c.at++
    return values
  })
}

function skipBlank(c: Cursor): void {
  for (;;) {
    if (take(c, BLANK) !== undefined || take(c, LINE_COMMENT) !== undefined) continue
    if (!c.text.startsWith('/*', c.at)) return
    const end = c.text.indexOf('*/', c.at + 2)
    if (end === -1) fail(c, "expected '*/' to close a comment")
    c.at = end + 2
  }
}

/** As Go reads them: a leading 0 makes an integer octal. */
function toNumber(c: Cursor, written: string): number {
  const sign = written.startsWith('-') ? -1 : 1
  const digits = sign === 1 ? written : written.slice(1)
  let number = Number(digits)
  if (/^0\d+$/.test(digits)) {
    if (!/^[0-7]+$/.test(digits)) fail(c, 'expected octal digits after a leading 0')
    number = Number(`0o${digits}`)
  }
  const integer = !/[.eE]/.test(digits) || /^0[xX]/.test(digits)
  // A silently rounded number would be another value than the one in the file.
  if (!Number.isFinite(number) || (integer && !Number.isSafeInteger(number))) {
    fail(c, 'number is too large')
  }
  return number === 0 ? 0 : sign * number
}

function readString(c: Cursor): string {
  const start = lineOf(c)
  let value = ''
  let bytes: number[] = []
  const flush = () => {
    if (bytes.length > 0) value += decode(c, bytes)
    bytes = []
  }
  c.at++
  for (;;) {
    const plain = take(c, PLAIN)
    const sign = c.text[c.at]
    if (sign === '\\' && plain === undefined) {
      const escaped = readEscape(c)
      if (typeof escaped === 'number') bytes.push(escaped)
      else {
        flush()
        value += escaped
      }
      continue
    }
    flush()
    value += plain ?? ''
    if (sign === '\\') continue
    if (sign === '"') break
    if (sign === '$') value += readInterpolation(c)
    else fail(c, `expected '"' to close the string opened on line ${start}`)
  }
  c.at++
  return value
}

/** `$` alone, or `${ … }` with balanced braces: quotes in there belong to the expression. */
function readInterpolation(c: Cursor): string {
  const start = c.at++
  if (c.text[c.at] !== '{') return '$'
  let depth = 0
  for (; c.at < c.text.length; c.at++) {
    const sign = c.text[c.at]
    if (sign === '\n') break
    if (sign === '{') depth++
    else if (sign === '}' && --depth === 0) {
      c.at++
      return c.text.slice(start, c.at)
    }
  }
  return fail(c, "expected '}' to close '${'")
}

const SIMPLE_ESCAPES: ReadonlyMap<string | undefined, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['"', '"'],
  ['\\', '\\'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
])
const OCTAL = /\\([0-3][0-7]{2})/y
const HEX = /\\x([0-9a-fA-F]{2})/y
const UNICODE = /\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/y

/** A string, or one byte of UTF-8 (octal and `\x` name bytes, not characters). */
function readEscape(c: Cursor): string | number {
  const simple = SIMPLE_ESCAPES.get(c.text[c.at + 1])
  if (simple !== undefined) {
    c.at += 2
    return simple
  }
  const octal = take(c, OCTAL)
  if (octal !== undefined) return Number.parseInt(octal.slice(1), 8)
  const hex = take(c, HEX)
  if (hex !== undefined) return Number.parseInt(hex.slice(2), 16)
  const unicode = take(c, UNICODE)
  if (unicode === undefined) fail(c, 'unknown escape in a string')
  const point = Number.parseInt(unicode.slice(2), 16)
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
    fail(c, 'escape in a string names no character')
  }
  return String.fromCodePoint(point)
}

function decode(c: Cursor, bytes: readonly number[]): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
  } catch {
    return fail(c, 'byte escapes in a string are not UTF-8')
  }
}

/** `<<EOF` keeps lines as they are; `<<-EOF` cuts the closing mark's indentation, when all have it. */
function readHeredoc(c: Cursor): string {
  const start = lineOf(c)
  HEREDOC.lastIndex = c.at
  const [opening, dash, mark] = HEREDOC.exec(c.text) ?? fail(c, 'expected a heredoc mark')
  c.at += opening.length
  const lines: string[] = []
  while (c.at < c.text.length) {
    const newline = c.text.indexOf('\n', c.at)
    const end = newline === -1 ? c.text.length : newline
    const line = c.text.slice(c.at, end)
    const bare = line.replace(/\r$/, '')
    c.at = end
    if ((dash ? bare.trimStart() : bare) === mark) {
      const indent = bare.slice(0, bare.length - mark.length)
      const aligned = lines.every((each) => each.startsWith(indent))
      return lines.map((each) => `${aligned ? each.slice(indent.length) : each}\n`).join('')
    }
    lines.push(line)
    c.at++
  }
  return fail(c, `expected the closing mark of the heredoc opened on line ${start}`)
}
