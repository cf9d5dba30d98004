/**
 * A token role: what tokens made through it are like, whoever asks. Stored under `roles/<name>` of
 * the token mount, and read back with the fields' own names.
 */
import { type Call, collection } from '../../kit/call.ts'
import { refuse } from '../../kit/failure.ts'
import { parseCidr } from '../../lib/cidr.ts'
import { t, type Parsed } from '../../schema/field.ts'
import { policyNames } from './policy-names.ts'

export const ROLE_TOKEN_TYPES = ['default-service', 'default-batch', 'service', 'batch'] as const

export type Role = {
  name: string
  allowed_policies: string[]
  allowed_policies_glob: string[]
  disallowed_policies: string[]
  disallowed_policies_glob: string[]
  /** Lower case; null until it is set. */
  allowed_entity_aliases: string[] | null
  orphan: boolean
  renewable: boolean
  path_suffix: string
  token_bound_cidrs: string[]
  token_explicit_max_ttl: number
  token_no_default_policy: boolean
  token_num_uses: number
  token_period: number
  token_type: (typeof ROLE_TOKEN_TYPES)[number]
  /** What was set under the old names, shown under them again; the token_* ones are what counts. */
  bound_cidrs: string[]
  explicit_max_ttl: number
  period: number
}

export const roles = collection<Role>('roles/')

const NEW_ROLE: Omit<Role, 'name'> = {
  allowed_policies: [],
  allowed_policies_glob: [],
  disallowed_policies: [],
  disallowed_policies_glob: [],
  allowed_entity_aliases: null,
  orphan: false,
  renewable: true,
  path_suffix: '',
  token_bound_cidrs: [],
  token_explicit_max_ttl: 0,
  token_no_default_policy: false,
  token_num_uses: 0,
  token_period: 0,
  token_type: 'default-service',
  bound_cidrs: [],
  explicit_max_ttl: 0,
  period: 0,
}

const clear = true
const old = { clear, deprecated: true } as const

/** None has a default: a field that is absent keeps what is stored. */
export const roleFields = {
  role_name: t.name({ help: 'Name of the role.' }),
  allowed_policies: t.list({ help: 'Policies that may be asked for.', clear }),
  allowed_policies_glob: t.list({ help: 'The same, with stars.', clear }),
  disallowed_policies: t.list({ help: 'Policies that must not be asked for.', clear }),
  disallowed_policies_glob: t.list({ help: 'The same, with stars.', clear }),
  allowed_entity_aliases: t.list({ help: 'Entity aliases that may be asked for, with stars.' }),
  orphan: t.bool({ help: 'Tokens have no parent.', clear }),
  renewable: t.bool({ help: 'Tokens can be renewed; true for a new role.', clear }),
  path_suffix: t.string({ help: "Added to the tokens' path, to tell them apart.", clear }),
  token_bound_cidrs: t.list({ help: 'Addresses tokens may be used from.', clear }),
  token_explicit_max_ttl: t.duration({ help: 'A lifetime no renewal goes past.', clear }),
  token_no_default_policy: t.bool({ help: 'Leave the default policy out.', clear }),
  token_num_uses: t.int({ help: 'How often a token may be used; 0 = always.', clear }),
  token_period: t.duration({ help: 'Renewable for ever, by this much.', clear }),
  token_type: t.string({ help: `One of ${ROLE_TOKEN_TYPES.join(', ')}.`, clear }),
  bound_cidrs: t.list({ help: 'Use token_bound_cidrs.', ...old }),
  explicit_max_ttl: t.duration({ help: 'Use token_explicit_max_ttl.', ...old }),
  period: t.duration({ help: 'Use token_period.', ...old }),
}

export type RoleCall = Call<Parsed<typeof roleFields>>

/** `stored`, or a new role, changed by what the call brings; checked as a whole. */
export function changedRole(stored: Role | undefined, call: RoleCall): Role {
  const { data } = call
  const role: Role = { ...NEW_ROLE, ...stored, name: data.role_name }
  role.allowed_policies = namesOr(data.allowed_policies, role.allowed_policies)
  role.allowed_policies_glob = namesOr(data.allowed_policies_glob, role.allowed_policies_glob)
  role.disallowed_policies = namesOr(data.disallowed_policies, role.disallowed_policies)
  role.disallowed_policies_glob = namesOr(
    data.disallowed_policies_glob,
    role.disallowed_policies_glob,
  )
  if (data.allowed_entity_aliases) {
    const aliases = data.allowed_entity_aliases.map((alias) => alias.toLowerCase())
    role.allowed_entity_aliases = [...new Set(aliases)].sort()
  }
  role.orphan = data.orphan ?? role.orphan
  role.renewable = data.renewable ?? role.renewable
  role.path_suffix = data.path_suffix ?? role.path_suffix
  role.token_no_default_policy = data.token_no_default_policy ?? role.token_no_default_policy
  role.token_num_uses = data.token_num_uses ?? role.token_num_uses
  role.token_type = tokenType(call) ?? role.token_type
  applyRenamed(role, call)
  checkRole(role)
  return role
}

const namesOr = (given: string[] | undefined, stored: string[]) =>
  given ? policyNames(given) : stored

function tokenType({ data, given }: RoleCall): Role['token_type'] | undefined {
  if (!given.has('token_type')) return undefined
  const known = ROLE_TOKEN_TYPES.find((type) => type === data.token_type)
  return known ?? refuse(`invalid 'token_type' value ${JSON.stringify(data.token_type)}`)
}

const RENAMED = ['period', 'explicit_max_ttl', 'bound_cidrs'] as const

/** The new name wins over the old one, and makes what was set under the old one forgotten. */
function applyRenamed(role: Role, call: RoleCall): void {
  const { data, given } = call
  const next: Record<string, unknown> = {}
  for (const name of RENAMED) {
    const token = `token_${name}` as const
    if (data[token] !== undefined) {
      if (given.has(name)) {
        call.warn(
          `Both '${token}' and deprecated '${name}' value supplied, ignoring the deprecated value`,
        )
      }
      next[token] = data[token]
      next[name] = NEW_ROLE[name]
    } else if (data[name] !== undefined) {
      next[token] = data[name]
      next[name] = data[name]
    }
  }
  Object.assign(role, next)
}

const PATH_SUFFIX = /^\w(?:[\w.-]*\w)?$/

function checkRole(role: Role): void {
  const { path_suffix: suffix } = role
  if (suffix !== '' && !PATH_SUFFIX.test(suffix)) {
    refuse('given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w')
  }
  if (suffix.includes('..')) {
    refuse('error registering path suffix: path cannot contain parent references')
  }
  for (const cidr of role.token_bound_cidrs) {
    try {
      parseCidr(cidr)
    } catch {
      refuse("error parsing 'token_bound_cidrs': expected addresses or CIDR blocks")
    }
  }
  if (role.token_num_uses < 0) refuse("'token_num_uses' cannot be negative")
  if (role.token_type === 'batch') checkBatchRole(role)
}

function checkBatchRole(role: Role): void {
  const no = (what: string) => refuse(`'token_type' cannot be 'batch' when role is set to ${what}`)
  if (!role.orphan) no('generate non-orphan tokens')
  if (role.token_period > 0) no('generate periodic tokens')
  if (role.renewable) no('generate renewable tokens')
  if (role.token_explicit_max_ttl > 0) no('generate tokens with an explicit max TTL')
  if (role.token_num_uses > 0) no('generate tokens with limited use count')
}
