/** `metadata/…`: what is known of a key besides its secrets, its settings, and the list of keys. */
import {
  type Call,
  endpoint,
  Failure,
  type Parsed,
  refuse,
  reply,
  type Reply,
  t,
  warn,
} from '../../kit/kit.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { formatGoDuration } from '../../lib/duration.ts'
import { checkMaxVersions, getConfig } from './config.ts'
import { parseNotes, patchNotes } from './custom-metadata.ts'
import { writablePath } from './data.ts'
import { getKey, listKeys, scanKeys, takeKey } from './find-key.ts'
import { type Key, newKey, newUid, putKey, removeKey, versionTimes } from './key.ts'
import { belowRoot } from './wrong-path.ts'

const fields = {
  path: t.rest({ help: 'The key, or a folder to list.' }),
  max_versions: t.int({ help: 'How many versions to keep; 0 = as the mount says.', clear: true }),
  cas_required: t.bool({
    help: 'Writes to this key must name the version they follow.',
    clear: true,
  }),
  delete_version_after: t.duration({
    help: 'How long until a version of this key deletes itself; 0 = as the mount says.',
    clear: true,
  }),
  custom_metadata: t.map({
    help: 'Notes beside the key: at most 64 names of 128 bytes, with values of 512 bytes.',
  }),
  metadata_cas_required: t.bool({
    help: 'Changes of this metadata must name the version of the metadata they follow.',
    clear: true,
  }),
  metadata_cas: t.int({
    help: 'The version of the metadata this change follows; 0 = it was never written.',
    clear: true,
  }),
}
type MetadataCall = Call<Parsed<typeof fields>>
type FolderCall = Call<{ path: string }>

const SETTINGS = [
  'max_versions',
  'cas_required',
  'metadata_cas_required',
  'delete_version_after',
  'custom_metadata',
]

export const metadataEndpoint = endpoint('metadata/:path*', {
  help: 'The settings and the history of a key, and the list of keys.',
  description: 'A delete removes the key with all its versions; that cannot be taken back.',
  fields,
  exists: async ({ data, store }) => (await getKey(store, data.path)) !== undefined,
  read: belowRoot(readMetadata),
  list: async (call) => keysOrNone(await listKeys(call.store, folderOf(call), call.page)),
  scan: async (call) => keysOrNone(await scanKeys(call.store, folderOf(call), call.page)),
  write: belowRoot(writeMetadata),
  patch: belowRoot(patchMetadata),
  delete: belowRoot(deleteMetadata),
  example: { max_versions: 5, custom_metadata: { owner: 'payments' } },
})

async function readMetadata({ data, store }: MetadataCall) {
  const key = await getKey(store, data.path)
  return key && describe(key)
}

function describe(key: Key) {
  const versions = Object.entries(key.versions)
  return {
    cas_required: key.casRequired,
    created_time: rfc3339(key.created),
    current_metadata_version: key.metadataVersion ?? 0,
    current_version: key.current,
    custom_metadata: key.custom,
    delete_version_after: formatGoDuration(key.deleteAfterSeconds),
    max_versions: key.maxVersions,
    metadata_cas_required: key.metadataCasRequired ?? false,
    oldest_version: key.oldest,
    updated_time: rfc3339(key.updated),
    versions: Object.fromEntries(versions.map(([number, about]) => [number, versionTimes(about)])),
  }
}

function folderOf({ data: { path } }: FolderCall): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`
}

const keysOrNone = (keys: string[]) => (keys.length === 0 ? undefined : { keys })

/** So many whole descriptions in one answer; more are asked for in pages. */
const DETAILED_MAX = 10_000

export const detailedMetadataEndpoint = endpoint('detailed-metadata/:path*', {
  help: 'The list of keys, with the settings and the history of each.',
  fields: { path: t.rest({ help: 'The folder to list.' }) },
  list: async (call) => detailed(call, await listKeys(call.store, folderOf(call), call.page)),
  scan: async (call) => {
    const page = { ...call.page, most: DETAILED_MAX }
    return detailed(call, await scanKeys(call.store, folderOf(call), page))
  },
})

async function detailed(call: FolderCall, keys: string[]) {
  if (keys.length === 0) return undefined
  if (keys.length > DETAILED_MAX) {
    refuse(`more than ${DETAILED_MAX} names: ask for them in pages, with after and limit`)
  }
  const info: [string, unknown][] = []
  for (const name of keys) {
    const key = await getKey(call.store, folderOf(call) + name)
    if (key) info.push([name, describe(key)])
  }
  return { keys, key_info: Object.fromEntries(info) }
}

/** Makes the key when there is none, with no version yet. A write that says nothing does nothing. */
async function writeMetadata(call: MetadataCall) {
  const { data, store, now, random } = call
  const path = writablePath(data.path)
  if (!SETTINGS.some((name) => call.given.has(name))) return undefined
  const known = await takeKey(call, path)
  await checkMetadataCas(call, known)
  const key = known ?? newKey(now, newUid(random))
  const custom = data.custom_metadata ? parseNotes(data.custom_metadata) : key.custom
  putKey(store, path, { ...changed(key, call), custom })
  call.emit({ type: 'kv.metadata', path })
  return casWarning(call)
}

async function patchMetadata(call: MetadataCall) {
  const { data, store, body } = call
  const path = writablePath(data.path)
  const key = await takeKey(call, path)
  if (!key) throw new Failure('not_found')
  if (!SETTINGS.some((name) => call.given.has(name) || body[name] === null)) return undefined
  await checkMetadataCas(call, key)
  const patch = body['custom_metadata'] === null ? null : (data.custom_metadata ?? {})
  putKey(store, path, { ...changed(key, call), custom: patchNotes(key.custom, patch) })
  call.emit({ type: 'kv.metadata', path })
  return casWarning(call)
}

async function deleteMetadata(call: MetadataCall) {
  const { path } = call.data
  const key = await takeKey(call, path)
  if (!key) return undefined
  removeKey(call.store, path, key)
  // Without a version: all of them, and the key.
  call.emit({ type: 'kv.destroy', path })
  const kind = key.rotation?.kind
  return kind === undefined ? undefined : reply({ rotation: { act: 'retire', kind, name: path } })
}

function changed(key: Key, { data, now }: MetadataCall): Key {
  checkMaxVersions(data.max_versions)
  return {
    ...key,
    updated: now,
    maxVersions: data.max_versions ?? key.maxVersions,
    casRequired: data.cas_required ?? key.casRequired,
    metadataVersion: (key.metadataVersion ?? 0) + 1,
    metadataCasRequired: data.metadata_cas_required ?? key.metadataCasRequired ?? false,
    deleteAfterSeconds: data.delete_version_after ?? key.deleteAfterSeconds,
  }
}

/** Like check-and-set of the secret, but of what is known about it. */
async function checkMetadataCas(call: MetadataCall, key: Key | undefined): Promise<void> {
  const { data, given, store } = call
  if (!given.has('metadata_cas')) {
    const required = key?.metadataCasRequired || (await getConfig(store)).metadataCasRequired
    if (required) refuse('metadata check-and-set parameter required for this call')
    return
  }
  if (data.metadata_cas === (key?.metadataVersion ?? 0)) return
  refuse(
    key
      ? 'metadata check-and-set parameter does not match the current version'
      : 'metadata_cas must be 0 when creating new metadata',
  )
}

/** Said when a key is told not to ask for what the mount asks for anyway. */
async function casWarning({ data, store }: MetadataCall): Promise<Reply | undefined> {
  if (data.cas_required !== false && data.metadata_cas_required !== false) return undefined
  const config = await getConfig(store)
  const mandated = [
    ...(data.cas_required === false && config.casRequired ? ['cas_required'] : []),
    ...(data.metadata_cas_required === false && config.metadataCasRequired
      ? ['metadata_cas_required']
      : []),
  ]
  if (mandated.length === 0) return undefined
  return warn(
    mandated.map(
      (name) =>
        `"${name}" set to false, but is mandated by backend config. This value will be ignored.`,
    ),
  )
}
