/**
 * Reads the agent's configuration by tables that say what a block may hold. Every mistake of a file
 * is told at once, each with its file, its line and what was expected; never with a value.
 */
import { DurationError, parseDurationSeconds } from '../lib/duration.ts'
import { type HclItem, type HclValue, isHclObject } from '../lib/hcl.ts'
import { nearest } from '../lib/nearest.ts'

/** One line for each problem: `<file>:<line>: <wrong>; expected <what>`. */
export class AgentConfigError extends Error {
  override readonly name = 'AgentConfigError'
}

export type Problems = { readonly file: string; readonly lines: string[]; line: number }

export function tell(problems: Problems, line: number, wrong: string, expected: string): void {
  problems.lines.push(`${problems.file}:${line}: ${wrong}; expected ${expected}`)
}

export type Kind<T> = {
  readonly expected: string
  /** Undefined when the value does not fit. */
  readonly read: (value: HclValue) => T | undefined
}
/** Blocks are read by their own tables; the item is handed on as it is. */
export type BlockKey = { readonly blocks: string }
/** Known, and not there: what it would have done is said, so that nobody relies on it. */
export type RefusedKey = { readonly refused: string; readonly instead: string }
export type Table = Readonly<Record<string, Kind<unknown> | BlockKey | RefusedKey>>

export type Values<T extends Table> = {
  readonly [K in keyof T]: T[K] extends Kind<infer V>
    ? V | undefined
    : T[K] extends BlockKey
      ? readonly HclItem[]
      : undefined
}

export const text: Kind<string> = {
  expected: 'a string',
  read: (value) => (typeof value === 'string' && !value.includes('\0') ? value : undefined),
}
export const bool: Kind<boolean> = {
  expected: 'true or false',
  read(value) {
    const word = typeof value === 'object' ? '' : String(value).toLowerCase()
    return ['true', '1'].includes(word) ? true : ['false', '0'].includes(word) ? false : undefined
  },
}
export const seconds: Kind<number> = {
  expected: 'a duration: whole seconds, or a text such as "90s" or "5m"',
  read(value) {
    try {
      return parseDurationSeconds(value)
    } catch (error) {
      if (error instanceof DurationError) return undefined
      throw error
    }
  },
}
/** A file's mode; in a text it is octal, as a leading 0 makes it in HCL. */
export const mode: Kind<number> = {
  expected: 'a file mode such as "0600"',
  read(value) {
    const bits =
      typeof value === 'string' && /^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : value
    return typeof bits === 'number' && Number.isInteger(bits) && bits >= 0 && bits <= 0o777
      ? bits
      : undefined
  },
}
/** One text is a line for a shell; a list is a program and its arguments. */
export const command: Kind<readonly string[]> = {
  expected: 'a command: a string, or a list of strings',
  read(value) {
    if (typeof value === 'string') return value.trim() === '' ? undefined : ['sh', '-c', value]
    const words = Array.isArray(value) && value.every((word) => typeof word === 'string')
    return words && value.length > 0 ? value : undefined
  },
}
export function oneOf<const T extends string>(...words: T[]): Kind<T> {
  return {
    expected: `one of ${words.map((word) => `"${word}"`).join(', ')}`,
    read: (value) =>
      words.find((word) => typeof value !== 'object' && word === String(value).toLowerCase()),
  }
}
export const blocks = (form: string): BlockKey => ({ blocks: form })
export const refused = (why: string, instead: string): RefusedKey => ({ refused: why, instead })

/** Reads what is inside a block. `name` is what errors call it; empty for the top of the file. */
export function readTable<T extends Table>(
  table: T,
  items: readonly HclItem[],
  { problems, name }: { problems: Problems; name: string },
): Values<T> {
  const values: Record<string, unknown> = {}
  const called = (key: string) => (name === '' ? `"${key}"` : `"${key}" in ${name}`)
  for (const [key, kind] of Object.entries(table)) values[key] = 'blocks' in kind ? [] : undefined
  const seen = new Set<string>()
  for (const item of items) {
    const kind = Object.hasOwn(table, item.key) ? table[item.key] : undefined
    const { line } = item
    if (kind === undefined) {
      const close = nearest(item.key, Object.keys(table))
      const all = Object.keys(table).sort().join(', ')
      const expected = close === undefined ? `one of ${all}` : `"${close}"`
      tell(problems, line, `unknown key ${called(item.key)}`, expected)
    } else if ('refused' in kind) {
      tell(problems, line, `${called(item.key)} is not supported: ${kind.refused}`, kind.instead)
    } else if ('blocks' in kind) {
      for (const one of blockItems(item)) (values[item.key] as HclItem[]).push(one)
      if (blockItems(item).length === 0)
        tell(problems, line, `${called(item.key)} is no block`, kind.blocks)
    } else {
      if (seen.has(item.key)) tell(problems, line, `${called(item.key)} is given twice`, 'it once')
      seen.add(item.key)
      const value = item.labels.length > 0 ? undefined : kind.read(item.value)
      if (value === undefined)
        tell(problems, line, `${called(item.key)} has a wrong value`, kind.expected)
      else values[item.key] = value
    }
  }
  return values as Values<T>
}

/** A list of objects is several blocks, as JSON writes them. */
function blockItems(item: HclItem): HclItem[] {
  const values = Array.isArray(item.value) ? item.value : [item.value]
  return values.filter(isHclObject).map((value) => ({ ...item, value }))
}

export const insideOf = ({ value }: HclItem): readonly HclItem[] =>
  isHclObject(value) ? value.items : []

/** The value, or a problem that says it is missing; then an empty stand-in, as nothing will run. */
export function needed<T>(
  value: T | undefined,
  standIn: T,
  at: { problems: Problems; line: number; wrong: string; expected: string },
): T {
  if (value !== undefined) return value
  tell(at.problems, at.line, at.wrong, at.expected)
  return standIn
}
