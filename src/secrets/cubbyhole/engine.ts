/**
 * Every token's own hole: what it keeps there nobody else can read, not even root, and it goes when
 * the token goes. All keys of a token are under `<its uid>/`, so core can remove them by prefix.
 */
import {
  type Call,
  defineEngine,
  endpoint,
  Failure,
  JsonText,
  type Parsed,
  scanNames,
  t,
} from '../../kit/kit.ts'

/** `<token uid>/<path>`: the object as its JSON text, in which every number keeps its digits. */
type Entry = { readonly data: string }

const fields = { path: t.rest({ help: 'Where in the hole it is kept.' }) }
type HoleCall = Call<Parsed<typeof fields>>

export const cubbyhole = defineEngine({
  type: 'cubbyhole',
  help: 'Keeps secrets for one token alone, as long as it lives.',
  endpoints: [
    endpoint(':path*', {
      help: 'A secret of the calling token: any JSON object. A write replaces it.',
      fields,
      anyBody: true,
      exists: async (call) => (await getEntry(call)) !== undefined,
      read: readEntry,
      list: listEntries,
      scan: scanEntries,
      write: writeEntry,
      delete: deleteEntry,
      example: { note: 'for this token only' },
    }),
  ],
})

/** A call without a token has no hole; the root of the hole and its folders hold no entry. */
function holeOf({ caller }: HoleCall): string {
  if (!caller || caller.tokenUid === '') throw new Failure('permission_denied')
  return `${caller.tokenUid}/`
}

const isEntryPath = (path: string) => path !== '' && !path.endsWith('/')

async function getEntry(call: HoleCall): Promise<Entry | undefined> {
  const key = holeOf(call) + call.data.path
  return isEntryPath(call.data.path) ? call.store.get<Entry>(key) : undefined
}

/** Replies by the entry they show, which keeps its identity while it is unchanged. */
const replies = new WeakMap<Entry, JsonText>()

async function readEntry(call: HoleCall) {
  if (call.data.path === '') trouble('missing path')
  const entry = await getEntry(call)
  if (!entry) return undefined
  let text = replies.get(entry)
  if (!text) replies.set(entry, (text = new JsonText(entry.data)))
  return text
}

async function writeEntry(call: HoleCall) {
  const hole = holeOf(call)
  if (Object.keys(call.body).length === 0) trouble('missing data fields')
  if (!isEntryPath(call.data.path)) trouble('missing path')
  call.store.put(hole + call.data.path, { data: JSON.stringify(call.body) } satisfies Entry)
  return undefined
}

async function deleteEntry(call: HoleCall) {
  const hole = holeOf(call)
  if (isEntryPath(call.data.path)) call.store.remove(hole + call.data.path)
  return undefined
}

function folderOf(call: HoleCall): string {
  const { path } = call.data
  return holeOf(call) + (path === '' || path.endsWith('/') ? path : `${path}/`)
}

async function listEntries(call: HoleCall) {
  const keys = await call.store.list(folderOf(call), call.page)
  return keys.length === 0 ? undefined : { keys }
}

async function scanEntries(call: HoleCall) {
  const keys = await scanNames(call.store, folderOf(call), call.page)
  return keys.length === 0 ? undefined : { keys }
}

/** Mistakes of the caller, yet Vault answers 500 here, in Go's form; clients know it so. */
function trouble(what: string): never {
  throw new Failure('internal', what, { wrapped: true })
}
