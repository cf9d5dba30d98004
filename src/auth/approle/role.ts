/**
 * A role as it is stored, and the rules it must keep whoever changes it: the role's own endpoint
 * or one of those for a single field.
 */
import {
  applyTokenFields,
  type Call,
  canonicalPolicies,
  collection,
  type EntryStore,
  Failure,
  refuse,
  t,
  TOKEN_SETTINGS,
  tokenFields,
  type TokenSettings,
} from '../../kit/kit.ts'
import { formatGoDuration } from '../../lib/duration.ts'
import { uuid } from '../../lib/random.ts'
import { checkCidrs } from './bound-cidrs.ts'
import { digestsForWrite, digestsOf } from './digests.ts'

/** Entry `role/<lower-cased name>`. */
export type Role = TokenSettings & {
  /**
   * What secret ids belong to. It is drawn anew for each role, so a role that is deleted and made
   * again under its old name honours none of the old ones.
   */
  uid: string
  role_id: string
  bind_secret_id: boolean
  local_secret_ids: boolean
  /** Null until it is set, which clients tell from empty. */
  secret_id_bound_cidrs: string[] | null
  secret_id_num_uses: number
  secret_id_ttl: number
  /** The deprecated spellings of token_policies and token_period; shown only when used. */
  policies: string[]
  period: number
}

export const roles = collection<Role>('role/')
/** Which role has a role id: entry `role-id/<digest>`. */
const roleIds = collection<{ name: string }>('role-id/')

export const ID_BYTES_MAX = 4096

export const roleName = t.name({ help: 'Name of the role; upper and lower case are the same.' })

export const roleFields = {
  bind_secret_id: t.bool({ help: 'A login needs a secret id; true unless set.', clear: true }),
  secret_id_bound_cidrs: t.list({ help: 'Addresses a login may come from.' }),
  secret_id_num_uses: t.int({ help: 'Logins per secret id; 0 = any number.', clear: true }),
  secret_id_ttl: t.duration({ help: 'How long a secret id is valid; 0 = for ever.', clear: true }),
  policies: t.list({ help: 'Use token_policies instead.', deprecated: true }),
  period: t.duration({ help: 'Use token_period instead.', deprecated: true, clear: true }),
  bound_cidr_list: t.list({ help: 'Use secret_id_bound_cidrs instead.', deprecated: true }),
  ...tokenFields,
}

/** What a request may bring to change a role; what is absent stays as it is. */
export type RoleChange = {
  [K in keyof typeof roleFields]?: ReturnType<(typeof roleFields)[K]['parse']> | undefined
}

/** The stored role of a name in any case. */
export async function findRole(store: EntryStore, name: string): Promise<Role | undefined> {
  return await roles.get(store, name.toLowerCase())
}

/** The same for writes that need the role. */
export async function requireRole(store: EntryStore, name: string): Promise<Role> {
  const role = await findRole(store, name)
  if (!role) throw new Failure('not_found', `role ${JSON.stringify(name)} does not exist`)
  return role
}

/**
 * Whose role id this is. A role is read in any case, so that a miss costs as much; no role can be
 * called `-`.
 */
export async function findByRoleId(
  store: EntryStore,
  roleId: string,
): Promise<{ name: string; role: Role } | undefined> {
  const index = await roleIds.get(store, (await digestsOf(store)).roleId(roleId))
  const role = await roles.get(store, index?.name ?? '-')
  return index && role && { name: index.name, role }
}

export function newRole(call: Pick<Call<unknown>, 'random'>): Role {
  return {
    ...TOKEN_SETTINGS,
    uid: uuid(call.random),
    role_id: uuid(call.random),
    bind_secret_id: true,
    local_secret_ids: false,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: 0,
    secret_id_ttl: 0,
    policies: [],
    period: 0,
  }
}

/** The role with what was given put in its place, and every rule about single values checked. */
export function changedRole(stored: Role, given: RoleChange, call: Call<unknown>): Role {
  const bound = given.secret_id_bound_cidrs ?? given.bound_cidr_list
  const next: Role = {
    ...stored,
    ...applyTokenFields(stored, {
      ...given,
      token_policies: given.token_policies ?? given.policies,
      token_period: given.token_period ?? given.period,
      token_type: usefulType(given.token_type, call),
    }),
    policies: deprecated(given.policies, given.token_policies && [], stored.policies),
    period: deprecated(
      given.period,
      given.token_period === undefined ? undefined : 0,
      stored.period,
    ),
    bind_secret_id: given.bind_secret_id ?? stored.bind_secret_id,
    secret_id_bound_cidrs: bound ?? stored.secret_id_bound_cidrs,
    secret_id_num_uses: given.secret_id_num_uses ?? stored.secret_id_num_uses,
    secret_id_ttl: given.secret_id_ttl ?? stored.secret_id_ttl,
  }
  next.policies = canonicalPolicies(next.policies)
  checkCidrs(next.secret_id_bound_cidrs ?? [])
  if (next.secret_id_num_uses < 0) refuse('secret_id_num_uses cannot be negative')
  checkLifetimes(next, call)
  return next
}

/** The old spelling shows what it was given, and nothing once only the new one is used. */
function deprecated<T>(given: T | undefined, replaced: T | undefined, stored: T): T {
  return given ?? replaced ?? stored
}

function usefulType(type: string | undefined, call: Call<unknown>): string | undefined {
  if (type !== 'default-service' && type !== 'default-batch') return type
  const useful = type.slice('default-'.length)
  call.warn(`${type} has no useful meaning; adjusting to ${useful}`)
  return useful
}

function checkLifetimes(role: Role, call: Call<unknown>): void {
  const max = call.mount.maxTtlSeconds
  if (role.token_period > max) {
    const [period, most] = [formatGoDuration(role.token_period), formatGoDuration(max)]
    refuse(`period of "${period}" is greater than the backend's maximum lease TTL of "${most}"`)
  }
  if (role.token_max_ttl > max) {
    call.warn(
      "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL" +
        ' value will be truncated',
    )
  }
}

/** Stores a role with its role id's index. `before` is the role as it was, when it existed. */
export async function saveRole(call: Call<{ role_name: string }>, role: Role, before?: Role) {
  const name = call.data.role_name.toLowerCase()
  const constrained =
    role.bind_secret_id ||
    (role.secret_id_bound_cidrs?.length ?? 0) > 0 ||
    role.token_bound_cidrs.length > 0
  if (!constrained) {
    throw new Failure('internal', 'at least one constraint should be enabled on the role', {
      wrapped: true,
    })
  }
  const digests = await digestsForWrite(call)
  const digest = digests.roleId(role.role_id)
  const index = await roleIds.get(call.store, digest)
  if (index && index.name !== name) {
    throw new Failure('internal', 'role_id already in use', { wrapped: true })
  }
  const old = before && digests.roleId(before.role_id)
  if (old !== undefined && old !== digest) roleIds.remove(call.store, old)
  if (!index) roleIds.put(call.store, digest, { name })
  roles.put(call.store, name, role)
}

/** Removes a role and its index; its secret ids are the caller's to remove. */
export async function removeRole(store: EntryStore, name: string, role: Role): Promise<void> {
  roleIds.remove(store, (await digestsOf(store)).roleId(role.role_id))
  roles.remove(store, name.toLowerCase())
}
