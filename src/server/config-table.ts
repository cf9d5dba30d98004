/**
 * Configuration keys as data. One table says what a block may hold; the reader, the suggestions
 * for mistyped keys and the reference page all derive from it.
 */
import { type HclItem, type HclObject, type HclValue, isHclObject } from '../lib/hcl.ts'
import { BadValue, type Kind, typeName } from './config-kinds.ts'
import { nearest } from '../lib/nearest.ts'
import { type Place, quoted, type Report } from './config-report.ts'

/** A key with a value. An empty text and `null` count as not given, as templates leave them. */
export type ReadKey<T> = {
  readonly use: 'read'
  readonly kind: Kind<T>
  readonly help: string
  readonly fallback?: T
  /** What to add when the key is absent. */
  readonly required?: string
  /** Never shown by anything that shows a configuration. */
  readonly secret?: boolean
  /** Variables that win over the files, the strongest first. */
  readonly env?: readonly string[]
}
/** A block, with `form` as what one looks like. Its inside is for another table. */
export type BlockKey = {
  readonly use: 'block'
  readonly help: string
  readonly form: string
  readonly labels: number
}
/** Known to Vault or OpenBao, and safe to leave out: the server warns and goes on. */
export type IgnoredKey = { readonly use: 'ignored'; readonly why: string }
/**
 * Known to Vault or OpenBao, and leaving it out would make the server less safe than the file says.
 * `harmless` is the value that asks for what this server does anyway.
 */
export type RefusedKey = {
  readonly use: 'refused'
  readonly why: string
  readonly instead: string
  readonly harmless?: boolean
}
export type Key = ReadKey<unknown> | BlockKey | IgnoredKey | RefusedKey
export type Table = Readonly<Record<string, Key>>

export function read<T>(
  kind: Kind<T>,
  help: string,
  more: { required?: string; secret?: boolean; env?: readonly string[] } = {},
): ReadKey<T> {
  return { use: 'read', kind, help, ...more }
}
export function readOr<T>(
  kind: Kind<T>,
  fallback: T,
  help: string,
  more: { env?: readonly string[] } = {},
): ReadKey<T> & { readonly fallback: T } {
  return { use: 'read', kind, fallback, help, ...more }
}
export const block = (form: string, labels: number, help: string): BlockKey => ({
  use: 'block',
  form,
  labels,
  help,
})
export const ignored = (why: string): IgnoredKey => ({ use: 'ignored', why })
export const refused = (why: string, instead: string, harmless?: boolean): RefusedKey => ({
  use: 'refused',
  why,
  instead,
  ...(harmless !== undefined && { harmless }),
})

/** Of every read key its value, else its fallback; undefined when absent, or a problem was told. */
export type Values<T extends Table> = {
  [K in keyof T as T[K] extends ReadKey<unknown> ? K : never]: T[K] extends { fallback: infer V }
    ? V
    : T[K] extends ReadKey<infer V>
      ? V | undefined
      : never
}

/** One item and the file it stands in. */
export type Placed = { readonly item: HclItem; readonly file: string }

export const placeOf = ({ item, file }: Placed): Place => ({ file, line: item.line })

/** The items inside a block; a list with one object is how some tools write a block in JSON. */
export function inside({ item, file }: Placed): Placed[] | undefined {
  const only = Array.isArray(item.value) && item.value.length === 1 ? item.value[0] : item.value
  const body: HclObject | undefined = only !== undefined && isHclObject(only) ? only : undefined
  return body?.items.map((inner) => ({ item: inner, file }))
}

export type Found<T extends Table> = {
  readonly values: Values<T>
  /** Whether the key has a value in a file, be it one that was refused. */
  readonly given: (key: keyof T & string) => boolean
  /** Where the key stands, or else where its block does. */
  readonly place: (key: keyof T & string) => Place
  readonly blocks: (key: keyof T & string) => Placed[]
}

export type Scope = {
  readonly report: Report
  /** How errors call this block: `listener "tcp"`. Empty for the top of the file. */
  readonly name: string
  /** Where the block stands: for what is missing in it. */
  readonly place: Place
}

/** Reads items by a table. Of a key in several files the last counts; twice in one is a mistake. */
export function readTable<T extends Table>(
  table: T,
  items: readonly Placed[],
  scope: Scope,
): Found<T> {
  const values: Record<string, unknown> = {}
  const blocks = new Map<string, Placed[]>()
  const seen = new Map<string, Placed>()
  for (const placed of items) {
    const name = placed.item.key
    const key = Object.hasOwn(table, name) ? table[name] : undefined
    if (key === undefined) {
      tellUnknown(table, placed, scope)
      continue
    }
    const before = seen.get(name)
    if (key.use === 'block' && key.labels > 0) {
      blocks.set(name, [...(blocks.get(name) ?? []), placed])
    } else if (before && before.file === placed.file) {
      const told = `${nameOf(name, scope)} is given twice, first on line ${before.item.line}`
      scope.report.problem(placeOf(placed), told, 'it once')
      continue
    }
    seen.set(name, placed)
    if (key.use === 'block' && key.labels === 0) blocks.set(name, [placed])
    else if (key.use === 'read') values[name] = readValue(key, placed, scope)
    else if (key.use !== 'block') tellUnsupported(key, placed, scope)
  }
  for (const [name, key] of Object.entries(table)) {
    if (key.use !== 'read' || values[name] !== undefined) continue
    values[name] = key.fallback
    const silent = seen.has(name) && !isBlank(seen.get(name)!.item.value)
    if (key.required === undefined || silent) continue
    scope.report.problem(scope.place, `${nameOf(name, scope)} is missing`, key.required)
  }
  const place = (name: string) => (seen.has(name) ? placeOf(seen.get(name)!) : scope.place)
  return {
    values: values as Values<T>,
    given: (name) => seen.has(name) && !isBlank(seen.get(name)!.item.value),
    place,
    blocks: (name) => blocks.get(name) ?? [],
  }
}

export function nameOf(key: string, scope: Pick<Scope, 'name'>): string {
  return scope.name === '' ? quoted(key) : `${quoted(key)} in ${scope.name}`
}

const isBlank = (value: HclValue) => value === null || value === ''

function readValue<T>(key: ReadKey<T>, placed: Placed, scope: Scope): T | undefined {
  const { item } = placed
  if (isBlank(item.value)) return undefined
  const name = nameOf(item.key, scope)
  if (item.labels.length > 0) {
    scope.report.problem(placeOf(placed), `${name} is a block with a label`, key.kind.expected)
    return undefined
  }
  return parseValue(key.kind, item.value, (wrong, expected) => {
    scope.report.problem(placeOf(placed), `${name} ${wrong}`, expected)
  })
}

/** Parses, or tells what is wrong with the type of what was given; the value stays untold. */
export function parseValue<T>(
  kind: Kind<T>,
  value: HclValue,
  tell: (wrong: string, expected: string) => void,
): T | undefined {
  try {
    return kind.parse(value)
  } catch (error) {
    const { wrong, expected } = error instanceof BadValue ? error : new BadValue()
    tell(wrong ?? `has a wrong value (${typeName(value)})`, expected ?? kind.expected)
    return undefined
  }
}

function tellUnknown(table: Table, placed: Placed, scope: Scope): void {
  const known = Object.keys(table).filter((name) => {
    return table[name]?.use === 'read' || table[name]?.use === 'block'
  })
  const close = nearest(placed.item.key.toLowerCase(), known)
  const all = known.sort().join(', ')
  const expected =
    known.length === 0 ? 'an empty block' : close === undefined ? `one of ${all}` : `"${close}"`
  scope.report.problem(placeOf(placed), `unknown key ${nameOf(placed.item.key, scope)}`, expected)
}

function tellUnsupported(key: IgnoredKey | RefusedKey, placed: Placed, scope: Scope): void {
  const { item } = placed
  const name = nameOf(item.key, scope)
  if (key.use === 'ignored') {
    scope.report.warning(placeOf(placed), `${name} is ignored: ${key.why}`)
    return
  }
  if (isBlank(item.value) || asBool(item.value) === key.harmless) return
  scope.report.problem(placeOf(placed), `${name} is not supported: ${key.why}`, key.instead)
}

/** Null for what is no truth value, so that it equals no `harmless`, not even an absent one. */
function asBool(value: HclValue): boolean | null {
  if (typeof value === 'object') return null
  const word = String(value).toLowerCase()
  if (word === 'true' || word === '1') return true
  return word === 'false' || word === '0' ? false : null
}
