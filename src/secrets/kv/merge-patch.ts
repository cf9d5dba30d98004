/** JSON merge patch, RFC 7396: an object in the patch merges, null removes, all else replaces. */
import { isObject } from '../../lib/json.ts'

/** Neither argument is changed; the result may share parts with both. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: [string, unknown][] = []
  const names = new Set<string>()
  if (isObject(target)) {
    for (const [name, value] of Object.entries(target)) {
      if (!Object.hasOwn(patch, name)) merged.push([name, value])
      else if (patch[name] !== null) merged.push([name, mergePatch(value, patch[name])])
      names.add(name)
    }
  }
  for (const [name, value] of Object.entries(patch)) {
    // A null inside a part that is new has nothing to remove, but must not be stored either.
    if (value !== null && !names.has(name)) merged.push([name, mergePatch(undefined, value)])
  }
  // fromEntries defines properties, so a member called __proto__ is a member like any other.
  return Object.fromEntries(merged)
}
