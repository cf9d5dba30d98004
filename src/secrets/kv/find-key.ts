/**
 * Finds keys of the versioned store, those too that a mount still holds as it did without versions.
 *
 *   upgrade       { at }             there while some are left; when the mount got its versions
 *   data/<path>   { data: "{…}" }    one that is left: its only version, made at that moment
 *
 * A key is converted by the first change of it, in the transaction of that change, or by the work
 * in the background. To a reader it is the same before and after: this answers as if all had been
 * converted at once.
 */
import { type Engine, type EntryStore, type Page, scanNames } from '../../kit/kit.ts'
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'
import { compareBytes } from '../../lib/bytewise.ts'
import { type Random } from '../../lib/random.ts'
import { type Key, METADATA, newKey, newUid, OLD, putKey, putSecret, type Secret } from './key.ts'

type Marker = { readonly at: number }
const MARKER = 'upgrade'

/** A folder (`a/`) or the root is no key, and never holds one. To be read, not to be changed. */
export function getKey(store: Pick<EntryStore, 'get'>, path: string): Awaitable<Key | undefined> {
  if (path === '' || path.endsWith('/')) return undefined
  return whenReady(store.get<Key>(METADATA + path), (key) => key ?? oldKey(store, path))
}

/** The key as it may be changed: converted, if it was not yet. */
export async function takeKey(
  { store, random }: { store: EntryStore; random: Random },
  path: string,
): Promise<Key | undefined> {
  const key = await getKey(store, path)
  return key?.oldPath === undefined ? key : convert(store, path, { key, random })
}

async function oldKey(store: Pick<EntryStore, 'get'>, path: string): Promise<Key | undefined> {
  const marker = await store.get<Marker>(MARKER)
  if (!marker || !(await store.get<Secret>(OLD + path))) return undefined
  const { at } = marker
  return {
    ...newKey(at, ''),
    oldPath: path,
    current: 1,
    versions: { 1: { created: at, deletion: 0, destroyed: false } },
  }
}

async function convert(
  store: EntryStore,
  path: string,
  { key, random }: { key: Key; random: Random },
): Promise<Key> {
  const secret = await store.get<Secret>(OLD + path)
  const { oldPath: _, ...rest } = key
  const own: Key = { ...rest, uid: newUid(random) }
  if (secret) putSecret(store, own, { version: 1, text: secret.data })
  putKey(store, path, own)
  store.remove(OLD + path)
  return own
}

/** Names of keys and folders directly below a folder. */
export function listKeys(store: EntryStore, folder: string, page?: Page): Promise<string[]> {
  return namesOf(store).list(METADATA + folder, page)
}

/** All keys below a folder, as paths. */
export function scanKeys(
  store: EntryStore,
  folder: string,
  page?: Page & { most?: number },
): Promise<string[]> {
  return scanNames(namesOf(store), METADATA + folder, page)
}

/** A store in which keys that are left stand among the others. */
function namesOf(store: EntryStore): EntryStore {
  return {
    ...store,
    async list(prefix, page) {
      if (!(await store.get(MARKER))) return store.list(prefix, page)
      const names = await store.list(prefix)
      const left = await store.list(OLD + prefix.slice(METADATA.length))
      const all = [...new Set([...names, ...left])].sort(compareBytes)
      const { after, limit } = page ?? {}
      const rest = after === undefined ? all : all.filter((name) => compareBytes(name, after) > 0)
      return limit ? rest.slice(0, limit) : rest
    },
  }
}

export const upgrade: NonNullable<Engine['upgrade']> = {
  from: '1',
  start: (store, now) => store.put(MARKER, { at: now } satisfies Marker),
  left: (store, limit) => scanNames(store, OLD, { limit }),
  async convert(store, paths, random) {
    for (const path of paths) await takeKey({ store, random }, path)
  },
  finish: (store) => store.remove(MARKER),
}
