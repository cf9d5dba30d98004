/** `metadata/…`: what is known of a key besides its secrets, its settings, and the list of keys. */
import { type Call, endpoint, Failure, type Parsed, t, warn } from '../../kit/kit.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { formatGoDuration } from '../../lib/duration.ts'
import { checkMaxVersions, getConfig } from './config.ts'
import { parseNotes, patchNotes } from './custom-metadata.ts'
import { writablePath } from './data.ts'
import { getKey, type Key, METADATA, newKey, putKey, removeKey, versionTimes } from './key.ts'
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
  after: t.string({ help: 'List only names that sort after this one.' }),
  limit: t.int({ help: 'List at most so many names; 0 = all.', clear: true }),
}
type MetadataCall = Call<Parsed<typeof fields>>

const SETTINGS = ['max_versions', 'cas_required', 'delete_version_after', 'custom_metadata']

export const metadataEndpoint = endpoint('metadata/:path*', {
  help: 'The settings and the history of a key, and the list of keys.',
  description: 'A delete removes the key with all its versions; that cannot be taken back.',
  fields,
  exists: async ({ data, store }) => (await getKey(store, data.path)) !== undefined,
  read: belowRoot(readMetadata),
  list: listKeys,
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
    current_version: key.current,
    custom_metadata: key.custom,
    delete_version_after: formatGoDuration(key.deleteAfterSeconds),
    max_versions: key.maxVersions,
    oldest_version: key.oldest,
    updated_time: rfc3339(key.updated),
    versions: Object.fromEntries(versions.map(([number, about]) => [number, versionTimes(about)])),
  }
}

async function listKeys({ data, store }: MetadataCall) {
  const folder = data.path === '' || data.path.endsWith('/') ? data.path : `${data.path}/`
  const keys = await store.list(METADATA + folder, {
    ...(data.after && { after: data.after }),
    ...(data.limit && data.limit > 0 && { limit: data.limit }),
  })
  return keys.length === 0 ? undefined : { keys }
}

/** Makes the key when there is none, with no version yet. A write that says nothing does nothing. */
async function writeMetadata(call: MetadataCall) {
  const { data, store, now, random } = call
  const path = writablePath(data.path)
  if (!SETTINGS.some((name) => call.given.has(name))) return undefined
  const key = (await getKey(store, path)) ?? newKey(now, random)
  const custom = data.custom_metadata ? parseNotes(data.custom_metadata) : key.custom
  putKey(store, path, { ...changed(key, call), custom })
  return casWarning(call)
}

async function patchMetadata(call: MetadataCall) {
  const { data, store, body } = call
  const path = writablePath(data.path)
  const key = await getKey(store, path)
  if (!key) throw new Failure('not_found')
  const patch = body['custom_metadata'] === null ? null : (data.custom_metadata ?? {})
  putKey(store, path, { ...changed(key, call), custom: patchNotes(key.custom, patch) })
  return casWarning(call)
}

async function deleteMetadata({ data, store }: MetadataCall) {
  const key = await getKey(store, data.path)
  if (key) removeKey(store, data.path, key)
  return undefined
}

function changed(key: Key, { data, now }: MetadataCall): Key {
  checkMaxVersions(data.max_versions)
  return {
    ...key,
    updated: now,
    maxVersions: data.max_versions ?? key.maxVersions,
    casRequired: data.cas_required ?? key.casRequired,
    deleteAfterSeconds: data.delete_version_after ?? key.deleteAfterSeconds,
  }
}

async function casWarning({ data, store }: MetadataCall) {
  if (data.cas_required !== false || !(await getConfig(store)).casRequired) return undefined
  return warn([
    '"cas_required" set to false, but is mandated by backend config. This value will be ignored.',
  ])
}
