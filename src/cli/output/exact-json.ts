/** JSON as Vault's CLI prints it: two spaces, the keys of data in byte order, numbers as they came. */
import { isObject } from '../../lib/json.ts'
import { sortedKeys } from '../go-text.ts'

export function stringifyExact(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}

/** The same value with every map's keys in byte order, as Go prints maps. */
export function inByteOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inByteOrder)
  if (!isObject(value)) return value
  // Entries and not assignment: a key named __proto__ is data like any other.
  return Object.fromEntries(sortedKeys(value).map((key) => [key, inByteOrder(value[key])]))
}
