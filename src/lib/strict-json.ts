/**
 * JSON from others that decides about access: no name may come twice in an object, because readers
 * differ in which of the two they believe (RFC 7519, section 4).
 */
import { checkJsonBudget, isObject, type JsonObject } from './json.ts'

/** The object in the bytes, or undefined where they are not one, or not one that means one thing. */
export function parseStrictObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    checkJsonBudget(bytes)
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    return isObject(value) && !repeatsName(text) ? value : undefined
  } catch {
    return undefined
  }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g

/** Of valid JSON: whether an object has a name twice, however it is escaped. */
function repeatsName(text: string): boolean {
  /** The names so far of each open object; undefined for an open list. */
  const open: (Set<unknown> | undefined)[] = []
  let last = ''
  for (const [token] of text.matchAll(TOKEN)) {
    const names = open.at(-1)
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':' && names) {
      const name: unknown = JSON.parse(last)
      if (names.has(name)) return true
      names.add(name)
    }
    last = token
  }
  return false
}
