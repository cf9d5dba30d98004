/**
 * JSON whose whole numbers survive: an integer that a double would round comes as a bigint, and a
 * bigint goes out as its digits. Runs on Node 20, which has no source text access in JSON.parse.
 */
import { randomUUID } from 'node:crypto'
import { Secret } from '../lib/secret.ts'

type SourceText = { source?: string } | undefined
type Revive = (key: string, value: unknown, at: SourceText) => unknown
const parse = JSON.parse as unknown as (text: string, revive: Revive) => unknown

const HAS_SOURCE_TEXT = (() => {
  let source: string | undefined
  parse('1', (_key, value, at) => {
    source = at?.source
    return value
  })
  return source === '1'
})()

/** A fast look: only a text with 16 digits in a row can hold an integer that is not safe. */
const LONG = /\d{16}/
/** Strings are matched only to be stepped over. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const INTEGER = /^-?\d{16,}$/

/**
 * Parses JSON. Integers beyond ±(2^53 - 1) come as bigint; all else as JSON.parse has it. Throws
 * SyntaxError, whose text quotes the input: never pass it on.
 */
export function parseJson(text: string, sourceText = HAS_SOURCE_TEXT): unknown {
  if (!LONG.test(text)) return JSON.parse(text)
  if (sourceText) {
    return parse(text, (_key, value, at) =>
      typeof value === 'number' && at?.source !== undefined ? exact(at.source, value) : value,
    )
  }
  // Once for its errors: a quoted number may stand where a bare one may not.
  JSON.parse(text)
  const mark = unusedMark(text)
  const marked = text.replace(TOKEN, (token) =>
    INTEGER.test(token) && !Number.isSafeInteger(Number(token)) ? `"${mark}${token}"` : token,
  )
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value,
  )
}

function exact(source: string, value: number): number | bigint {
  return INTEGER.test(source) && !Number.isSafeInteger(value) ? BigInt(source) : value
}

/** Text that stands nowhere in `text`, so that a marked number is never taken for a string. */
function unusedMark(text: string): string {
  let mark = '#bigint:'
  while (text.includes(mark)) mark = `#${mark}`
  return mark
}

/**
 * Prints JSON: a bigint as its digits, a Secret as the value it holds. Only for what goes to the
 * server; anything a person may read must print a Secret as `[secret]`.
 */
export function stringifyJson(value: unknown): string {
  const mark = `#bigint-${randomUUID()}:`
  // JSON.stringify calls toJSON before the replacer; `this[key]` is what stood there before that.
  function open(this: Record<string, unknown>, key: string, shown: unknown): unknown {
    const raw = this[key]
    const value = raw instanceof Secret ? raw.reveal() : shown
    return typeof value === 'bigint' ? `${mark}${value}` : value
  }
  const text = JSON.stringify(value, open)
  return text.replaceAll(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1')
}
