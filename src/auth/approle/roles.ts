/** The endpoints of roles: list, create, read, change, delete, and the role id. */
import { type Call, endpoint, refuse, t, TOKEN_SETTINGS } from '../../kit/kit.ts'
import {
  changedRole,
  findRole,
  ID_BYTES_MAX,
  newRole,
  removeRole,
  requireRole,
  type Role,
  type RoleChange,
  roleFields,
  roleName,
  roles,
  saveRole,
} from './role.ts'
import { removeSecretIds } from './secret-id.ts'

const roleId = t.string({ help: 'What the role is called in a login; drawn when not given.' })

type Write = RoleChange & {
  role_name: string
  role_id?: string | undefined
  local_secret_ids?: boolean | undefined
}

export const roleEndpoints = [
  endpoint('role', {
    help: 'The names of all roles.',
    fields: {},
    list: async ({ store }) => ({ keys: await roles.names(store) }),
  }),
  endpoint('role/:role_name', {
    help: 'A role: who may log in with it, and what tokens it gives.',
    fields: {
      role_name: roleName,
      role_id: roleId,
      local_secret_ids: t.bool({ help: 'Accepted when a role is made; no effect.', clear: true }),
      ...roleFields,
    },
    exists: async ({ data, store }) => (await findRole(store, data.role_name)) !== undefined,
    async read({ data, store }) {
      const role = await findRole(store, data.role_name)
      return role && shown(role)
    },
    write: writeRole,
    async delete({ data, store }) {
      const role = await findRole(store, data.role_name)
      if (!role) return undefined
      await removeSecretIds(store, role.uid)
      await removeRole(store, data.role_name, role)
      return undefined
    },
    example: { token_policies: ['web'], token_ttl: '1h', secret_id_ttl: '10m' },
  }),
  endpoint('role/:role_name/role-id', {
    help: 'The id that a login names the role by.',
    fields: { role_name: roleName, role_id: roleId },
    async read({ data, store }) {
      const role = await findRole(store, data.role_name)
      return role && { role_id: role.role_id }
    },
    async write(call) {
      const role = await requireRole(call.store, call.data.role_name)
      await saveRole(call, { ...role, role_id: checkedRoleId(call.data.role_id) }, role)
      return undefined
    },
    example: { role_id: 'web-frontend' },
  }),
]

async function writeRole(call: Call<Write>) {
  const { data, store } = call
  if (data.role_name.length > ID_BYTES_MAX) {
    refuse(`role_name is longer than maximum of ${ID_BYTES_MAX} bytes`)
  }
  const before = await findRole(store, data.role_name)
  const role = changedRole(before ?? newRole(call), data, call)
  if (data.local_secret_ids !== undefined) {
    if (before && before.local_secret_ids !== data.local_secret_ids) {
      refuse('local_secret_ids can only be modified during role creation')
    }
    role.local_secret_ids = data.local_secret_ids
  }
  if (data.role_id !== undefined) role.role_id = checkedRoleId(data.role_id)
  await saveRole(call, role, before)
  return undefined
}

function checkedRoleId(given: string | undefined): string {
  if (given === undefined || given.trim() === '') return refuse('missing role_id')
  if (Buffer.byteLength(given) > ID_BYTES_MAX) {
    refuse(`role_id is longer than maximum of ${ID_BYTES_MAX} bytes`)
  }
  return given
}

/** The role id has an endpoint, and so a policy, of its own; the uid is nobody's business. */
function shown(role: Role): Record<string, unknown> {
  const tokenSettings = Object.keys(TOKEN_SETTINGS) as (keyof typeof TOKEN_SETTINGS)[]
  return {
    bind_secret_id: role.bind_secret_id,
    local_secret_ids: role.local_secret_ids,
    secret_id_bound_cidrs: role.secret_id_bound_cidrs,
    secret_id_num_uses: role.secret_id_num_uses,
    secret_id_ttl: role.secret_id_ttl,
    ...Object.fromEntries(tokenSettings.map((key) => [key, role[key]])),
    ...(role.policies.length > 0 && { policies: role.policies }),
    ...(role.period > 0 && { period: role.period }),
  }
}
