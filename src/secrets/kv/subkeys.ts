/** `subkeys/…`: the shape of a secret without its values, for who may see names but no secrets. */
import { type Call, endpoint, type Parsed, t, withStatus } from '../../kit/kit.ts'
import { isObject, parseJson } from '../../lib/json.ts'
import { wantedVersion } from './data.ts'
import { getKey } from './find-key.ts'
import { getSecret, isDeleted, versionMetadata } from './key.ts'
import { belowRoot } from './wrong-path.ts'

const fields = {
  path: t.rest({ help: 'Where the secret is kept.' }),
  version: t.int({ help: 'The version to look at; 0 = the newest.', clear: true }),
  depth: t.int({ help: 'How many levels to show; 0 = all.', clear: true }),
}

export const subkeysEndpoint = endpoint('subkeys/:path*', {
  help: 'The names inside a secret, with null for every value.',
  fields,
  read: belowRoot(readSubkeys),
})

async function readSubkeys({ data, store, now }: Call<Parsed<typeof fields>>) {
  const key = await getKey(store, data.path)
  if (!key) return undefined
  const version = wantedVersion(key, data.version)
  const about = key.versions[version]
  if (!about) return undefined
  const metadata = versionMetadata(key, version)
  if (about.destroyed || isDeleted(about, now)) {
    return withStatus(404, { subkeys: null, metadata })
  }
  const secret = await getSecret(store, key, version)
  const whole = parseJson(secret.data) as Record<string, unknown>
  return { subkeys: shapeOf(whole, data.depth || Infinity), metadata }
}

/** Everything that is not an object with members in it becomes null, lists included. */
function shapeOf(value: Record<string, unknown>, depth: number): Record<string, unknown> {
  const members = Object.entries(value).map(([name, member]) => {
    const inner = isObject(member) && Object.keys(member).length > 0 && depth > 1
    return [name, inner ? shapeOf(member, depth - 1) : null]
  })
  return Object.fromEntries(members) as Record<string, unknown>
}
