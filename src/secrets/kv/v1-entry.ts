/** A secret of the plain store, as it is kept. */
import { parseDurationSeconds } from '../../lib/duration.ts'

/** `data/<path>`: the object as its JSON text, in which every number keeps its digits. */
export type Entry = { readonly data: string; readonly ttlSeconds?: number }

export const ENTRIES = 'data/'

export function entryOf(data: Readonly<Record<string, unknown>>): Entry {
  const ttlSeconds = ttlOf(data)
  return { data: JSON.stringify(data), ...(ttlSeconds !== undefined && { ttlSeconds }) }
}

/** A hint that cannot be read is no reason to refuse a secret: then the mount's own one stands. */
function ttlOf(body: Readonly<Record<string, unknown>>): number | undefined {
  const hint = Object.hasOwn(body, 'ttl') ? body['ttl'] : body['lease']
  if (hint === undefined || hint === null) return undefined
  try {
    return parseDurationSeconds(hint)
  } catch {
    return undefined
  }
}
