/** `delete/…`, `undelete/…` and `destroy/…`: what can be done to versions by their numbers. */
import { type Call, endpoint, type Endpoint, type Parsed, refuse, t } from '../../kit/kit.ts'
import { type Config, getConfig } from './config.ts'
import { deletionTime, isDeleted, type Key, putKey, removeSecret, type Version } from './key.ts'
import { takeKey } from './find-key.ts'
import { belowRoot } from './wrong-path.ts'

const fields = {
  path: t.rest({ help: 'Where the secret is kept.' }),
  versions: t.ints({ help: 'The numbers of the versions; unknown ones are ignored.', clear: true }),
}
type VersionsCall = Call<Parsed<typeof fields>>

type Deed = {
  help: string
  /** What those who watch are told of each version. */
  event: string
  /** What is said when no number is given. */
  missing: string
  /** The version as it will be; the same object when there is nothing to do. */
  change(version: Version, at: { key: Key; config: Config; now: number }): Version
}

const MISSING = 'No version number provided'

export const deleteEndpoint = versionsEndpoint('delete', {
  event: 'kv.delete',
  help: 'Marks versions as deleted; undelete/ brings them back.',
  missing: MISSING,
  change: (version, { now }) => (isDeleted(version, now) ? version : { ...version, deletion: now }),
})

export const undeleteEndpoint = versionsEndpoint('undelete', {
  event: 'kv.undelete',
  help: 'Brings deleted versions back. Where versions delete themselves, their time starts anew.',
  missing: MISSING,
  change: (version, { key, config, now }) => {
    const deletion = deletionTime(now, config, key)
    return version.deletion === deletion ? version : { ...version, deletion }
  },
})

export const destroyEndpoint = versionsEndpoint('destroy', {
  event: 'kv.destroy',
  help: 'Removes the data of versions for good. Their metadata stays.',
  missing: 'no version number provided',
  change: (version) => ({ ...version, destroyed: true }),
})

function versionsEndpoint(name: string, deed: Deed): Endpoint {
  return endpoint(`${name}/:path*`, {
    help: deed.help,
    fields,
    write: belowRoot((call: VersionsCall) => apply(call, deed)),
    example: { versions: [1, 2] },
  })
}

async function apply(call: VersionsCall, deed: Deed) {
  const { data, store, now } = call
  if (!data.versions || data.versions.length === 0) refuse(deed.missing)
  const key = await takeKey(call, data.path)
  if (!key) return undefined
  const config = await getConfig(store)
  const changed: Record<string, Version> = {}
  let updated = key.updated
  for (const number of new Set(data.versions)) {
    const version = key.versions[number]
    if (!version || version.destroyed) continue
    const after = deed.change(version, { key, config, now })
    if (after === version) continue
    changed[number] = after
    if (after.destroyed) {
      removeSecret(store, key, number)
      updated = now
    }
  }
  if (Object.keys(changed).length === 0) return undefined
  putKey(store, data.path, { ...key, updated, versions: { ...key.versions, ...changed } })
  for (const number of Object.keys(changed)) {
    call.emit({ type: deed.event, path: data.path, version: Number(number) })
  }
  return undefined
}
