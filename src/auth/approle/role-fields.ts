/**
 * The endpoints that read, change or reset one field of a role each: `role/:role_name/token-ttl`
 * and its siblings. They let a policy hand out one setting without the whole role, and all come
 * from the table below.
 */
import { type Call, endpoint, type Endpoint, Failure, refuse } from '../../kit/kit.ts'
import {
  changedRole,
  findRole,
  type Role,
  type RoleChange,
  roleFields,
  roleName,
  saveRole,
} from './role.ts'

type Name = keyof RoleChange

type Row = {
  path: string
  /** What a write takes; one of them must be there, and the first is named when none is. */
  takes: readonly Name[]
  read: (role: Role) => Record<string, unknown>
  /** What a delete puts in its place. */
  reset: Partial<Role>
}

const ROWS: readonly Row[] = [
  {
    path: 'policies',
    takes: ['token_policies', 'policies'],
    read: ({ token_policies, policies }) => ({
      token_policies,
      ...(policies.length > 0 && { policies }),
    }),
    reset: { token_policies: [], policies: [] },
  },
  {
    path: 'period',
    takes: ['token_period', 'period'],
    read: ({ token_period, period }) => ({ token_period, ...(period > 0 && { period }) }),
    reset: { token_period: 0, period: 0 },
  },
  {
    path: 'bound-cidr-list',
    takes: ['bound_cidr_list'],
    read: ({ secret_id_bound_cidrs }) => ({ bound_cidr_list: secret_id_bound_cidrs }),
    reset: { secret_id_bound_cidrs: null },
  },
  single('secret-id-bound-cidrs', 'secret_id_bound_cidrs', null),
  single('token-bound-cidrs', 'token_bound_cidrs', []),
  single('bind-secret-id', 'bind_secret_id', true),
  single('secret-id-num-uses', 'secret_id_num_uses', 0),
  single('secret-id-ttl', 'secret_id_ttl', 0),
  single('token-num-uses', 'token_num_uses', 0),
  single('token-ttl', 'token_ttl', 0),
  single('token-max-ttl', 'token_max_ttl', 0),
]

function single<K extends Name & keyof Role>(path: string, name: K, empty: Role[K]): Row {
  return {
    path,
    takes: [name],
    read: (role) => ({ [name]: role[name] }),
    reset: { [name]: empty },
  }
}

export const roleFieldEndpoints: readonly Endpoint[] = [
  ...ROWS.map(fieldEndpoint),
  endpoint('role/:role_name/local-secret-ids', {
    help: 'Whether the role was made with local secret ids.',
    fields: { role_name: roleName },
    async read({ data, store }) {
      const role = await findRole(store, data.role_name)
      return role && { local_secret_ids: role.local_secret_ids }
    },
  }),
]

function fieldEndpoint(row: Row): Endpoint {
  const fields = Object.fromEntries(row.takes.map((name) => [name, roleFields[name]]))
  return endpoint(`role/:role_name/${row.path}`, {
    help: `${row.takes[0]} of a role; a delete resets it.`,
    fields: { ...fields, role_name: roleName },
    async read({ data, store }) {
      const role = await findRole(store, data.role_name)
      return role && row.read(role)
    },
    async write(call) {
      const role = await roleToChange(call)
      const change = call.data as RoleChange & { role_name: string }
      if (row.takes.every((name) => isMissing(name, change[name])))
        refuse(`missing ${row.takes[0]}`)
      await saveRole(call, changedRole(role, change, call), role)
      return undefined
    },
    async delete(call) {
      const role = await findRole(call.store, call.data.role_name)
      if (role) await saveRole(call, { ...role, ...row.reset }, role)
      return undefined
    },
  })
}

async function roleToChange({ data, store }: Call<{ role_name: string }>): Promise<Role> {
  const role = await findRole(store, data.role_name)
  if (role) return role
  throw new Failure('not_found', `role name ${JSON.stringify(data.role_name)} doesn't exist`)
}

const BLOCK_LISTS = new Set<Name>(['bound_cidr_list', 'secret_id_bound_cidrs', 'token_bound_cidrs'])

/** An empty list of blocks is no way to say "anyone"; a delete is. */
function isMissing(name: Name, value: unknown): boolean {
  if (value === undefined) return true
  return BLOCK_LISTS.has(name) && Array.isArray(value) && value.length === 0
}
