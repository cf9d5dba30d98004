/**
 * The JSON form of HCL, read into the same shape. Own reader, because JSON.parse keeps only the
 * last of repeated keys (a `deny` would get lost), knows no lines, and quotes the text in errors.
 */
import {
  type Cursor,
  cursor,
  fail,
  HclError,
  type HclItem,
  type HclObject,
  type HclValue,
  isHclObject,
  lineOf,
  nested,
  take,
} from './hcl-value.ts'

/**
 * `blocks` says how many labels a top-level key takes: with `{ path: 1 }` the text
 * `{"path":{"a":{…}}}` means `path "a" {…}`. A list of objects repeats the block.
 * Throws HclError, and nothing else.
 */
export function parseHclJson(
  text: string,
  options: { blocks: Readonly<Record<string, number>> },
): HclObject {
  const c = cursor(text)
  skipBlank(c)
  if (c.text[c.at] !== '{') fail(c, "expected '{'")
  const { items } = readObject(c)
  skipBlank(c)
  if (c.at < c.text.length) fail(c, 'expected the end of the text')
  return {
    items: items.flatMap((item) => {
      const labels = Object.hasOwn(options.blocks, item.key) ? options.blocks[item.key] : undefined
      return labels === undefined ? [item] : unfold(item, labels)
    }),
  }
}

/** Turns the next `count` levels of objects into labels. */
function unfold(item: HclItem, count: number): HclItem[] {
  const objects = Array.isArray(item.value) ? item.value : [item.value]
  return objects.flatMap((object) => {
    if (!isHclObject(object)) throw new HclError(item.line, 'expected an object, or a list of them')
    if (count === 0) return [{ ...item, value: object }]
    return object.items.flatMap((inner) =>
      unfold({ ...inner, key: item.key, labels: [...item.labels, inner.key] }, count - 1),
    )
  })
}

const BLANK = /[ \t\r\n]+/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])/y
const WORD = /true|false|null/y

function skipBlank(c: Cursor): void {
  take(c, BLANK)
}

function readValue(c: Cursor): HclValue {
  skipBlank(c)
  const sign = c.text[c.at]
  if (sign === '"') return readString(c)
  if (sign === '{') return readObject(c)
  if (sign === '[') return readList(c)
  const number = take(c, NUMBER)
  if (number !== undefined) {
    const value = Number(number)
    const exact = Number.isSafeInteger(value) || /[.eE]/.test(number)
    return exact && Number.isFinite(value) ? value : fail(c, 'number is too large')
  }
  const word = take(c, WORD)
  if (word !== undefined) return word === 'null' ? null : word === 'true'
  return fail(c, 'expected a JSON value')
}

function readObject(c: Cursor): HclObject {
  c.at++
  return nested(c, () => {
    const items: HclItem[] = []
    skipBlank(c)
    if (c.text[c.at] === '}') {
      c.at++
      return { items }
    }
    for (;;) {
      skipBlank(c)
      const line = lineOf(c)
      if (c.text[c.at] !== '"') fail(c, 'expected a quoted key')
      const key = readString(c)
      skipBlank(c)
      if (c.text[c.at] !== ':') fail(c, "expected ':' after the key")
      c.at++
      items.push({ key, labels: [], value: readValue(c), line })
      if (endOf(c, '}')) return { items }
    }
  })
}

function readList(c: Cursor): HclValue[] {
  c.at++
  return nested(c, () => {
    const values: HclValue[] = []
    skipBlank(c)
    if (c.text[c.at] === ']') {
      c.at++
      return values
    }
    for (;;) {
      values.push(readValue(c))
      if (endOf(c, ']')) return values
    }
  })
}

/** Moves past `,` (false) or past the closing sign (true). */
function endOf(c: Cursor, closing: '}' | ']'): boolean {
  skipBlank(c)
  const sign = c.text[c.at]
  if (sign !== ',' && sign !== closing) fail(c, `expected ',' or '${closing}'`)
  c.at++
  return sign === closing
}

function readString(c: Cursor): string {
  const start = c.at
  let at = start + 1
  // A pattern with alternatives under a star backtracks on long strings; a loop does not.
  while (at < c.text.length && c.text[at] !== '"') at += c.text[at] === '\\' ? 2 : 1
  if (at >= c.text.length) fail(c, "expected '\"' to close the string")
  c.at = at + 1
  try {
    return JSON.parse(c.text.slice(start, c.at)) as string
  } catch {
    return fail(c, 'expected a valid JSON string')
  }
}
