/** The versioned store as a tree: what is moved and copied is a key with all its versions. */
import { type EntryStore, type Leaf, refuse, type Right, type Tree } from '../../kit/kit.ts'
import { parseJson } from '../../lib/json.ts'
import { type Random } from '../../lib/random.ts'
import { getConfig } from './config.ts'
import { getKey, listKeys, takeKey } from './find-key.ts'
import {
  getSecret,
  isDeleted,
  type Key,
  newKey,
  newUid,
  putKey,
  putSecret,
  removeKey,
  type Version,
} from './key.ts'

/** What of a key is neither its place nor its versions. */
type Settings = Omit<Key, 'uid' | 'oldPath' | 'versions' | 'current' | 'custom' | 'rotation'> & {
  kv: 2
}

const isOurs = (settings: object | undefined): settings is Settings =>
  settings !== undefined && 'kv' in settings && settings.kv === 2

export const v2Tree: Tree = {
  versioned: true,
  rights,
  list: listKeys,
  exists: async (store, path) => (await getKey(store, path)) !== undefined,
  async newest(store, path, now) {
    const key = await getKey(store, path)
    if (!key) return undefined
    const about = key.versions[key.current]
    const there = about && !about.destroyed && !isDeleted(about, now)
    const text = there ? (await getSecret(store, key, key.current)).data : undefined
    return { notes: key.custom, text }
  },
  async changed(store, path) {
    const key = await getKey(store, path)
    const about = key?.versions[key.current]
    return key && about && { at: about.created, notes: key.custom }
  },
  export: exportKey,
  import: importKey,
  async remove(parts, path) {
    const key = await takeKey(parts, path)
    if (key) removeKey(parts.store, path, key)
  },
}

function rights(use: Parameters<Tree['rights']>[0], path: string, leaf?: Leaf): Right[] {
  const [data, metadata] = [`data/${path}`, `metadata/${path}`]
  switch (use) {
    case 'list':
      return [{ operation: 'list', path: metadata }]
    case 'read':
      return [{ operation: 'read', path: data }]
    case 'describe':
      return [{ operation: 'read', path: metadata }]
    case 'take':
      return [
        { operation: 'read', path: data },
        { operation: 'read', path: metadata },
      ]
    case 'remove':
      return [
        { operation: 'delete', path: data },
        { operation: 'delete', path: metadata },
      ]
    case 'create':
    case 'replace':
      break
  }
  const operation = use === 'create' ? 'create' : 'update'
  const writes: Right[] = [
    { operation, path: data, data: { data: newestData(leaf) } },
    { operation, path: metadata, data: { custom_metadata: leaf?.notes ?? {} } },
  ]
  // What was there goes with all its versions.
  return use === 'create' ? writes : [...writes, { operation: 'delete', path: metadata }]
}

function newestData(leaf: Leaf | undefined): unknown {
  const text = leaf?.versions[leaf.current]?.text
  return text === undefined ? {} : parseJson(text)
}

async function exportKey(store: EntryStore, path: string): Promise<Leaf | undefined> {
  const key = await getKey(store, path)
  if (!key) return undefined
  const { uid: _, oldPath: __, rotation: ___, versions, current, custom, ...settings } = key
  const taken: Record<number, Leaf['versions'][number]> = {}
  for (const [number, about] of Object.entries(versions)) {
    const n = Number(number)
    taken[n] = about.destroyed ? about : { ...about, text: (await getSecret(store, key, n)).data }
  }
  return { versions: taken, current, notes: custom, settings: { ...settings, kv: 2 } }
}

async function importKey(
  parts: { store: EntryStore; now: number; random: Random; cas?: number },
  path: string,
  leaf: Leaf,
): Promise<void> {
  const { store, now, random, cas } = parts
  const before = await takeKey(parts, path)
  await checkCas(store, before, cas)
  if (before) removeKey(store, path, before)
  const fresh = newKey(now, newUid(random))
  const settings = isOurs(leaf.settings) ? withoutMark(leaf.settings) : {}
  const versions: Record<string, Version> = {}
  const key: Key = { ...fresh, ...settings, current: leaf.current, custom: leaf.notes, versions }
  for (const [number, { text, ...about }] of Object.entries(leaf.versions)) {
    versions[number] = about
    if (text !== undefined) putSecret(store, key, { version: Number(number), text })
  }
  putKey(store, path, key)
}

function withoutMark(settings: Settings): Omit<Settings, 'kv'> {
  const { kv: _, ...rest } = settings
  return rest
}

/** As for any write; what is not there yet needs no word from the caller. */
async function checkCas(
  store: EntryStore,
  before: Key | undefined,
  cas: number | undefined,
): Promise<void> {
  const current = before?.current ?? 0
  if (cas !== undefined) {
    if (cas !== current) refuse('check-and-set parameter did not match the current version')
    return
  }
  if (before && (before.casRequired || (await getConfig(store)).casRequired)) {
    refuse('check-and-set parameter required for this call')
  }
}
