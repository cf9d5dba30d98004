/**
 * The plain key-value engine: one JSON object per path, replaced as a whole. A `ttl` or `lease` in
 * the object is a hint to its readers when to look again; nothing expires.
 */
import {
  type Call,
  defineEngine,
  endpoint,
  JsonText,
  type Parsed,
  refuse,
  reply,
  scanNames,
  t,
} from '../../kit/kit.ts'
import { ENTRIES, type Entry, entryOf } from './v1-entry.ts'
import { v1Tree } from './v1-tree.ts'

const fields = { path: t.rest({ help: 'Where the secret is kept.' }) }
type PathCall = Call<Parsed<typeof fields>>

export const kvV1 = defineEngine({
  type: 'kv',
  version: '1',
  help: 'Keeps secrets under paths, without versions.',
  tree: v1Tree,
  endpoints: [
    endpoint(':path*', {
      help: 'A secret: any JSON object. A write replaces it.',
      fields,
      anyBody: true,
      exists: async ({ data, store }) => (await getEntry(store, data.path)) !== undefined,
      read: readEntry,
      list: listEntries,
      scan: scanEntries,
      write: writeEntry,
      delete: deleteEntry,
      example: { username: 'app', password: 'a-long-secret', ttl: '1h' },
    }),
  ],
})

/** A folder (`a/`) or the root is no entry, and never holds one. */
const isEntryPath = (path: string) => path !== '' && !path.endsWith('/')

const getEntry = async (store: PathCall['store'], path: string) =>
  isEntryPath(path) ? store.get<Entry>(ENTRIES + path) : undefined

/** Replies by the entry they show, which keeps its identity while it is unchanged. */
const replies = new WeakMap<Entry, JsonText>()

async function readEntry({ data, store, mount }: PathCall) {
  const entry = await getEntry(store, data.path)
  if (!entry) return undefined
  let text = replies.get(entry)
  if (!text) replies.set(entry, (text = new JsonText(entry.data)))
  return reply({ data: text, leaseSeconds: entry.ttlSeconds ?? mount.defaultTtlSeconds })
}

async function writeEntry(call: PathCall) {
  const { data, body, store } = call
  if (data.path === '') refuse('missing path')
  if (!isEntryPath(data.path)) refuse("cannot write to a path ending in '/'")
  if (Object.keys(body).length === 0) refuse('missing data fields')
  store.put(ENTRIES + data.path, entryOf(body))
  call.emit({ type: 'kv.write', path: data.path })
  return undefined
}

async function deleteEntry(call: PathCall) {
  const { data, store } = call
  if (!(await getEntry(store, data.path))) return undefined
  store.remove(ENTRIES + data.path)
  call.emit({ type: 'kv.delete', path: data.path })
  return undefined
}

const folderOf = (path: string) => (path === '' || path.endsWith('/') ? path : `${path}/`)

async function listEntries({ data, store, page }: PathCall) {
  const keys = await store.list(ENTRIES + folderOf(data.path), page)
  return keys.length === 0 ? undefined : { keys }
}

async function scanEntries({ data, store, page }: PathCall) {
  const keys = await scanNames(store, ENTRIES + folderOf(data.path), page)
  return keys.length === 0 ? undefined : { keys }
}
