/** The values of a template, and how Go prints and judges them. */

/** `undefined` is a key that was not there, `null` is nil. */
export type Value = string | number | bigint | boolean | null | undefined | Value[] | ValueMap
export type ValueMap = { readonly [name: string]: Value }

export function isMap(value: Value): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0
  return isMap(value) ? Object.keys(value).length > 0 : Boolean(value)
}

export function printed(value: Value): string {
  if (value === null || value === undefined) return '<no value>'
  if (Array.isArray(value)) return `[${value.map(printedInside).join(' ')}]`
  if (!isMap(value)) return String(value)
  const entries = Object.keys(value)
    .sort()
    .map((key) => `${key}:${printedInside(value[key])}`)
  return `map[${entries.join(' ')}]`
}

const printedInside = (value: Value) =>
  value === null || value === undefined ? '<nil>' : printed(value)
