/**
 * What HCL and its JSON form are read into, the one error both readers throw, and the cursor
 * they share. Items stay in a list: a repeated key is legal and means something to the caller.
 */

export type HclValue = string | number | boolean | null | HclValue[] | HclObject
export type HclObject = { items: HclItem[] }
/** `path "a" { }` has key `path` and labels `['a']`; `ttl = 1` has no labels. */
export type HclItem = { key: string; labels: string[]; value: HclValue; line: number }

/** Says the line and what was expected, never what stood there: it may be a secret. */
export class HclError extends Error {
  override readonly name = 'HclError'
  readonly line: number

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`)
    this.line = line
  }
}

export function isHclObject(value: HclValue): value is HclObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const TEXT_CHARS_MAX = 1024 * 1024
const DEPTH_MAX = 64

/** A place in the text. `line` is counted lazily: `counted` is how far newlines have been seen. */
export type Cursor = {
  readonly text: string
  at: number
  line: number
  counted: number
  depth: number
}

export function cursor(text: string): Cursor {
  if (text.length > TEXT_CHARS_MAX) {
    throw new HclError(1, `text is too long, at most ${TEXT_CHARS_MAX} characters are read`)
  }
  return { text, at: text.startsWith('\ufeff') ? 1 : 0, line: 1, counted: 0, depth: 0 }
}

/** The line of the cursor. It only moves forward, so all calls together read the text once. */
export function lineOf(c: Cursor): number {
  for (;;) {
    const next = c.text.indexOf('\n', c.counted)
    if (next === -1 || next >= c.at) break
    c.line++
    c.counted = next + 1
  }
  return c.line
}

export function fail(c: Cursor, problem: string): never {
  throw new HclError(lineOf(c), problem)
}

/** Moves past what the sticky pattern matches here, and returns it. */
export function take(c: Cursor, sticky: RegExp): string | undefined {
  sticky.lastIndex = c.at
  const found = sticky.exec(c.text)?.[0]
  if (found !== undefined) c.at += found.length
  return found
}

/** Reads something nested; a bottomless text must not exhaust the stack. */
export function nested<T>(c: Cursor, read: () => T): T {
  if (++c.depth > DEPTH_MAX) fail(c, `nested too deep, at most ${DEPTH_MAX} levels are read`)
  const value = read()
  c.depth--
  return value
}
