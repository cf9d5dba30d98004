/**
 * The endpoints of secret ids: made, listed, looked up and destroyed under their role, by
 * themselves or by their accessor, which lets an operator manage them without knowing any.
 */
import { accepted, type Call, endpoint, Failure, refuse, t } from '../../kit/kit.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { uuid } from '../../lib/random.ts'
import { checkCidrs, checkNested } from './bound-cidrs.ts'
import { ID_BYTES_MAX, requireRole, type Role, roleName } from './role.ts'
import {
  accessorsOf,
  addSecretId,
  findByAccessor,
  findSecretId,
  removeExpired,
  removeSecretId,
  type SecretId,
} from './secret-id.ts'
import { parseMetadata } from './secret-id-metadata.ts'

const role_name = roleName
const secret_id = t.string({ help: 'The secret id.', sensitive: true })
const secret_id_accessor = t.string({ help: 'Stands for a secret id, and is no secret.' })

const settings = {
  metadata: t.string({ help: 'A JSON object of strings, for the metadata of the tokens.' }),
  cidr_list: t.list({ help: 'Addresses a login with it may come from.' }),
  token_bound_cidrs: t.list({ help: 'Addresses its tokens may be used from.' }),
  num_uses: t.int({ help: "Logins it is good for; the role's number when absent.", clear: true }),
  ttl: t.duration({ help: "How long it is valid; the role's time when absent.", clear: true }),
}

type Settings = {
  metadata: string | undefined
  cidr_list: string[] | undefined
  token_bound_cidrs: string[] | undefined
  num_uses: number | undefined
  ttl: number | undefined
}
type ById = Call<{ role_name: string; secret_id: string | undefined }>
type ByAccessor = Call<{ role_name: string; secret_id_accessor: string | undefined }>

export const secretIdEndpoints = [
  endpoint('role/:role_name/secret-id', {
    help: 'A new secret id; a list gives the accessors of those there are.',
    fields: { role_name, ...settings },
    async list({ data, store }) {
      const role = await requireRole(store, data.role_name)
      return { keys: await accessorsOf(store, role.uid) }
    },
    write: (call) => makeSecretId(call, uuid(call.random)),
    example: { metadata: '{"host":"web-1"}', ttl: '10m', num_uses: 1 },
  }),
  endpoint('role/:role_name/custom-secret-id', {
    help: 'A secret id that the caller chooses.',
    fields: { role_name, secret_id, ...settings },
    write: (call) => makeSecretId(call, needed(call.data, 'secret_id')),
    example: { secret_id: 'f6a1c0de-long-and-random', ttl: '10m' },
  }),
  endpoint('role/:role_name/secret-id/lookup', {
    help: 'What is known of a secret id.',
    fields: { role_name, secret_id },
    async write(call) {
      const found = await bySecretId(call)
      return found && shown(found.entry)
    },
  }),
  endpoint('role/:role_name/secret-id/destroy', {
    help: 'Ends a secret id.',
    fields: { role_name, secret_id },
    write: destroy,
    delete: destroy,
  }),
  endpoint('role/:role_name/secret-id-accessor/lookup', {
    help: 'What is known of the secret id an accessor stands for.',
    fields: { role_name, secret_id_accessor },
    async write(call) {
      const found = await byAccessor(call)
      if (found) return shown(found.entry)
      const accessor = JSON.stringify(call.data.secret_id_accessor)
      throw new Failure(
        'not_found',
        `failed to find accessor entry for secret_id_accessor: ${accessor}`,
      )
    },
  }),
  endpoint('role/:role_name/secret-id-accessor/destroy', {
    help: 'Ends the secret id an accessor stands for.',
    fields: { role_name, secret_id_accessor },
    write: destroyByAccessor,
    delete: destroyByAccessor,
  }),
  endpoint('tidy/secret-id', {
    help: 'Removes secret ids that have expired. They are refused with or without it.',
    fields: {},
    async write(call) {
      await removeExpired(call)
      return accepted(
        'Tidy operation successfully started. Any information from the operation will be printed' +
          " to Vault's server logs.",
      )
    },
  }),
]

async function makeSecretId(call: Call<Settings & { role_name: string }>, secretId: string) {
  const { data, store, now, mount } = call
  const role = await requireRole(store, data.role_name)
  if (!role.bind_secret_id) refuse('bind_secret_id is not set on the role')
  if (Buffer.byteLength(secretId) > ID_BYTES_MAX) {
    refuse(`secret_id is longer than maximum of ${ID_BYTES_MAX} bytes`)
  }
  const { cidr_list = [], token_bound_cidrs = [] } = data
  checkCidrs([...cidr_list, ...token_bound_cidrs])
  checkNested(cidr_list, role.secret_id_bound_cidrs ?? [])
  checkNested(token_bound_cidrs, role.token_bound_cidrs)
  const { numUses, ttlSeconds } = limits(data, role, mount.maxTtlSeconds)
  const entry = await addSecretId(
    call,
    { uid: role.uid, secretId },
    {
      num_uses: numUses,
      ttl_seconds: ttlSeconds,
      expires_at: ttlSeconds === 0 ? 0 : now + ttlSeconds * 1000,
      metadata: parseMetadata(data.metadata ?? ''),
      cidr_list,
      token_bound_cidrs,
    },
  )
  if (!entry) throw new Failure('internal', 'SecretID is already registered', { wrapped: true })
  return {
    secret_id: secretId,
    secret_id_accessor: entry.accessor,
    secret_id_ttl: entry.ttl_seconds,
    secret_id_num_uses: entry.num_uses,
  }
}

/** What was asked for may be narrower than the role's limits, never wider; 0 is the widest. */
function limits(asked: Settings, role: Role, ttlSecondsMax: number) {
  const wider = (value: number, limit: number) => limit > 0 && (value === 0 || value > limit)
  const { num_uses = role.secret_id_num_uses, ttl = role.secret_id_ttl } = asked
  if (num_uses < 0) refuse('num_uses cannot be negative')
  if (wider(num_uses, role.secret_id_num_uses)) {
    refuse("num_uses cannot be higher than the role's secret_id_num_uses")
  }
  if (wider(ttl, role.secret_id_ttl)) refuse("ttl cannot be longer than the role's secret_id_ttl")
  return { numUses: num_uses, ttlSeconds: Math.min(ttl, ttlSecondsMax) }
}

async function bySecretId(call: ById) {
  const secretId = needed(call.data, 'secret_id')
  const role = await requireRole(call.store, call.data.role_name)
  return findSecretId(call, role.uid, secretId)
}

async function byAccessor(call: ByAccessor) {
  const accessor = needed(call.data, 'secret_id_accessor')
  const role = await requireRole(call.store, call.data.role_name)
  return findByAccessor(call, role.uid, accessor)
}

async function destroy(call: ById) {
  const found = await bySecretId(call)
  if (found) removeSecretId(call.store, found)
  return undefined
}

/** An accessor of another role gets the answer of one that is not there at all. */
async function destroyByAccessor(call: ByAccessor) {
  const found = await byAccessor(call)
  if (!found) throw new Failure('permission_denied', 'invalid secret id accessor')
  removeSecretId(call.store, found)
  return undefined
}

function needed<K extends string>(
  data: { readonly [P in K]: string | undefined },
  name: K,
): string {
  const value = data[name]
  return value === undefined || value.trim() === '' ? refuse(`missing ${name}`) : value
}

function shown(entry: SecretId): Record<string, unknown> {
  return {
    cidr_list: entry.cidr_list,
    creation_time: rfc3339(entry.created_at),
    expiration_time: entry.expires_at === 0 ? NO_TIME : rfc3339(entry.expires_at),
    last_updated_time: rfc3339(entry.updated_at),
    metadata: entry.metadata,
    secret_id_accessor: entry.accessor,
    secret_id_num_uses: entry.num_uses,
    secret_id_ttl: entry.ttl_seconds,
    token_bound_cidrs: entry.token_bound_cidrs,
  }
}

/** Go's zero time. */
const NO_TIME = '0001-01-01T00:00:00Z'
