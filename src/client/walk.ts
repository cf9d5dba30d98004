/**
 * Copies a config and finds every text in it that holds a reference, with the place to put the
 * answer. Plain objects, arrays and the environment are copied; all else stays the same object.
 */
import { type ConfigProblem } from './errors.ts'
import { hasReference } from './reference.ts'

/** A text with a reference. `at` names it for people: `db.replicas[1].password`. */
export type Place = { at: string; text: string; set: (value: unknown) => void }
export type Walked = { copy: () => unknown; places: Place[] }

export function walk(input: unknown, problems: ConfigProblem[]): Walked {
  const places: Place[] = []
  const copies = new Map<object, unknown>()
  const root: { copy?: unknown } = {}

  const visit = (value: unknown, at: string, set: (value: unknown) => void): void => {
    if (typeof value === 'string') {
      set(value)
      if (hasReference(value)) places.push({ at, text: value, set })
      return
    }
    if (typeof value !== 'object' || value === null) return set(value)
    if (copies.has(value)) return set(copies.get(value))
    if (!isPlain(value)) {
      set(value)
      const inside = findInside(value, at, new Set(copies.keys()))
      if (inside !== undefined) problems.push(unreachable(inside))
      return
    }
    const copy = Array.isArray(value) ? [] : emptyLike(value)
    copies.set(value, copy)
    set(copy)
    for (const key of Reflect.ownKeys(value)) {
      if (!Object.prototype.propertyIsEnumerable.call(value, key)) continue
      // Defined, not assigned: a key named __proto__ must stay a key.
      const put = (entry: unknown) =>
        Object.defineProperty(copy, key, {
          value: entry,
          enumerable: true,
          configurable: true,
          writable: true,
        })
      visit((value as Record<PropertyKey, unknown>)[key], below(at, key, Array.isArray(value)), put)
    }
  }
  visit(input, '', (value) => (root.copy = value))
  return { copy: () => root.copy, places }
}

function isPlain(value: object): boolean {
  if (Array.isArray(value) || value === process.env) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  // An object of another realm (a worker, a vm) has that realm's Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function emptyLike(value: object): object {
  return Object.getPrototypeOf(value) === null ? (Object.create(null) as object) : {}
}

function below(at: string, key: PropertyKey, inArray: boolean): string {
  if (inArray) return `${at}[${String(key)}]`
  const name = String(key)
  if (!/^[\w$-]+$/.test(name)) return `${at}[${JSON.stringify(name)}]`
  return at === '' ? name : `${at}.${name}`
}

const unreachable = (at: string): ConfigProblem => ({
  at,
  reference: 'a vault:// reference',
  reason: 'stands inside an object that cannot be copied: use plain objects and arrays',
})

/**
 * Where a reference hides in an object that is not copied, so that it is refused and not passed on.
 * Getters are not run: they may do anything.
 */
function findInside(value: object, at: string, seen: Set<unknown>): string | undefined {
  if (seen.has(value) || ArrayBuffer.isView(value)) return undefined
  seen.add(value)
  if (value instanceof URL) return hasReference(value.href) ? at : undefined
  const entries: [string, unknown][] = Object.entries(Object.getOwnPropertyDescriptors(value)).map(
    ([key, { value }]) => [below(at, key, Array.isArray(value)), value],
  )
  if (value instanceof Map || value instanceof Set) {
    for (const entry of value) entries.push([at, entry])
  }
  for (const [place, entry] of entries) {
    if (typeof entry === 'string' && hasReference(entry)) return place
    const inside =
      typeof entry === 'object' && entry !== null ? findInside(entry, place, seen) : undefined
    if (inside !== undefined) return inside
  }
  return undefined
}
