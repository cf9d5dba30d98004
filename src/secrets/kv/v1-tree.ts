/** The plain store as a tree. It knows no times: what it hands out was made when it is asked. */
import { type EntryStore, type Leaf, refuse, type Right, type Tree } from '../../kit/kit.ts'
import { parseJson } from '../../lib/json.ts'
import { ENTRIES, type Entry, entryOf } from './v1-entry.ts'

const get = async (store: EntryStore, path: string) =>
  path === '' || path.endsWith('/') ? undefined : store.get<Entry>(ENTRIES + path)

export const v1Tree: Tree = {
  versioned: false,
  rights,
  list: (store, folder, page) => store.list(ENTRIES + folder, page),
  exists: async (store, path) => (await get(store, path)) !== undefined,
  async newest(store, path) {
    const entry = await get(store, path)
    return entry && { notes: null, text: entry.data }
  },
  async export(store, path, now) {
    const entry = await get(store, path)
    if (!entry) return undefined
    const version = { created: now, deletion: 0, destroyed: false, text: entry.data }
    return { versions: { 1: version }, current: 1, notes: null }
  },
  async import({ store, cas, now }, path, leaf) {
    if (cas !== undefined) refuse('check-and-set needs version 2 of the engine')
    const { text, deletion = 0 } = leaf.versions[leaf.current] ?? {}
    const deleted = deletion !== 0 && deletion <= now
    if (text === undefined || deleted)
      refuse('its newest version is deleted, so there is nothing to keep')
    if (Object.keys(dataOf(text)).length === 0) refuse('missing data fields')
    store.put(ENTRIES + path, entryOf(dataOf(text)))
  },
  async remove({ store }, path) {
    store.remove(ENTRIES + path)
  },
}

const dataOf = (text: string) => parseJson(text) as Record<string, unknown>

function rights(use: Parameters<Tree['rights']>[0], path: string, leaf?: Leaf): Right[] {
  const text = leaf?.versions[leaf.current]?.text
  switch (use) {
    case 'list':
      return [{ operation: 'list', path }]
    case 'read':
    case 'describe':
    case 'take':
      return [{ operation: 'read', path }]
    case 'remove':
      return [{ operation: 'delete', path }]
    case 'create':
    case 'replace':
      break
  }
  const data = text === undefined ? {} : dataOf(text)
  return [{ operation: use === 'create' ? 'create' : 'update', path, data }]
}
