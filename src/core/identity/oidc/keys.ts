/** `oidc/key`: named keys, and their rotation before the time. */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { t } from '../../../schema/field.ts'
import { scopeOf } from '../../turn.ts'
import { clientsOfKey } from './client.ts'
import {
  DEFAULT_KEY,
  findKey,
  keyForUse,
  keyNames,
  keySettings,
  type KeySettings,
  type NamedKey,
  NEW_KEY,
  removeKey,
  rotatedKey,
  saveKey,
  withNewPairs,
} from './key.ts'
import { rolesOfKey } from './role.ts'
import { type Algorithm, ALGORITHMS } from './signing.ts'

const name = t.name({ help: 'Name of the key.' })
const PERIOD_SECONDS_MIN = 60

const fields = {
  name,
  rotation_period: t.duration({
    help: 'How often it is rotated.',
    default: NEW_KEY.rotation_period,
    clear: true,
  }),
  verification_ttl: t.duration({
    help: 'How long it can be verified with after it was rotated.',
    default: NEW_KEY.verification_ttl,
    clear: true,
  }),
  allowed_client_ids: t.list({
    help: 'Client ids of the roles and clients that may use it; * = all of them.',
    default: [],
    clear: true,
  }),
  algorithm: t.string({
    help: `One of ${ALGORITHMS.join(', ')}.`,
    default: NEW_KEY.algorithm,
    clear: true,
  }),
}

type KeyCall = Call<{
  name: string
  rotation_period: number
  verification_ttl: number
  allowed_client_ids: string[]
  algorithm: string
}>

export function keyEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/key', {
      help: 'The names of all keys.',
      fields: {},
      list: async (call) => ({ keys: await keyNames(scopeOf(call as never)) }),
    }),
    endpoint('oidc/key/:name', {
      help: 'A key that signs tokens.',
      fields,
      async exists(call) {
        return (await keySettings(scopeOf(call as never), call.data.name)) !== undefined
      },
      async read(call) {
        const key = await keySettings(scopeOf(call as never), call.data.name)
        return key && shown(key)
      },
      write: writeKey,
      delete: deleteKey,
      example: { rotation_period: '12h', verification_ttl: '24h', algorithm: 'ES256' },
    }),
    endpoint('oidc/key/:name/rotate', {
      help: 'Lets the next key pair sign from now on.',
      fields: {
        name,
        verification_ttl: t.duration({
          help: 'How long the pair of until now can be verified with; its setting unless given.',
          clear: true,
        }),
      },
      async write(call) {
        const scope = scopeOf(call as never)
        const { name: keyName, verification_ttl } = call.data
        const settings = await keySettings(scope, keyName)
        if (!settings) refuse(`no named key found at ${JSON.stringify(keyName)}`)
        const key = (await findKey(scope, keyName)) ?? (await keyForUse(scope, keyName, call))!
        saveKey(scope, keyName, await rotatedKey(key, call, verification_ttl))
        return undefined
      },
      example: { verification_ttl: '1h' },
    }),
  ]
}

/** The settings alone; the pairs are nobody's. */
function shown(key: KeySettings): Record<string, unknown> {
  return {
    algorithm: key.algorithm,
    allowed_client_ids: key.allowed_client_ids,
    rotation_period: key.rotation_period,
    verification_ttl: key.verification_ttl,
  }
}

async function writeKey(call: KeyCall) {
  const scope = scopeOf(call as never)
  const { name: keyName } = call.data
  const stored = await findKey(scope, keyName)
  const settings = changed((await keySettings(scope, keyName)) ?? NEW_KEY, call)
  await checkReferences(call, settings)
  saveKey(scope, keyName, await keyWith(settings, stored, call))
  return undefined
}

function changed(before: KeySettings, { data, given }: KeyCall): KeySettings {
  const pick = <K extends keyof KeySettings>(field: K, value: KeySettings[K]) =>
    given.has(field) ? value : before[field]
  const settings = {
    algorithm: pick('algorithm', data.algorithm as Algorithm),
    allowed_client_ids: pick('allowed_client_ids', data.allowed_client_ids),
    rotation_period: pick('rotation_period', data.rotation_period),
    verification_ttl: pick('verification_ttl', data.verification_ttl),
  }
  if (settings.rotation_period < PERIOD_SECONDS_MIN) {
    refuse('rotation_period must be at least one minute')
  }
  if (settings.verification_ttl > 10 * settings.rotation_period) {
    refuse('verification_ttl cannot be longer than 10x rotation_period')
  }
  if (!ALGORITHMS.includes(settings.algorithm)) {
    refuse(`unknown signing algorithm ${JSON.stringify(settings.algorithm)}`)
  }
  return settings
}

/** No token may outlive the key that verifies it. */
async function checkReferences(call: KeyCall, { verification_ttl }: KeySettings): Promise<void> {
  const scope = scopeOf(call as never)
  const { name: keyName } = call.data
  const unable = `unable to update key ${JSON.stringify(keyName)} because it is currently referenced`
  const roles = await rolesOfKey(scope, keyName)
  if (roles.some(({ role }) => role.ttl > verification_ttl)) {
    refuse(
      `${unable} by one or more roles with a token ttl greater than ${verification_ttl} seconds`,
    )
  }
  const clients = await clientsOfKey(scope, keyName)
  if (clients.some(({ client }) => client.id_token_ttl > verification_ttl)) {
    refuse(
      `${unable} by one or more clients with an id_token_ttl greater than ${verification_ttl} seconds`,
    )
  }
}

/** Another algorithm needs other pairs; anything else keeps them, and rotates no later than it did. */
async function keyWith(
  settings: KeySettings,
  stored: NamedKey | undefined,
  call: KeyCall,
): Promise<NamedKey> {
  if (stored?.algorithm !== settings.algorithm) return withNewPairs(settings, stored, call)
  const nextRotation = call.now + settings.rotation_period * 1000
  return { ...stored, ...settings, next_rotation: Math.min(stored.next_rotation, nextRotation) }
}

async function deleteKey(call: Call<{ name: string }>) {
  const scope = scopeOf(call as never)
  const { name: keyName } = call.data
  const quoted = JSON.stringify(keyName)
  if (keyName === DEFAULT_KEY) refuse(`deletion of key ${quoted} not allowed`)
  const unable = `unable to delete key ${quoted} because it is currently referenced by these`
  const roles = (await rolesOfKey(scope, keyName)).map((role) => role.name)
  if (roles.length > 0) refuse(`${unable} roles: ${roles.join(', ')}`)
  const clients = (await clientsOfKey(scope, keyName)).map((client) => client.name)
  if (clients.length > 0) refuse(`${unable} clients: ${clients.join(', ')}`)
  removeKey(scope, keyName)
  return undefined
}
