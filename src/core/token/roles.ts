/** `roles`: the token roles, listed, read, written and removed. */
import { endpoint } from '../../kit/engine.ts'
import { type Role, changedRole, roleFields, roles } from './role.ts'

export const roleEndpoints = [
  endpoint('roles', {
    help: 'The names of all token roles.',
    fields: {},
    list: async ({ store }) => ({ keys: await roles.names(store) }),
  }),
  endpoint('roles/:role_name', {
    help: 'A role: what tokens made through it are like.',
    fields: roleFields,
    exists: async ({ data, store }) => (await roles.get(store, data.role_name)) !== undefined,
    async read({ data, store }) {
      const role = await roles.get(store, data.role_name)
      return role && shown(role)
    },
    async write(call) {
      const { data, store, mount } = call
      const role = changedRole(await roles.get(store, data.role_name), call)
      if (role.token_explicit_max_ttl > mount.maxTtlSeconds) {
        call.warn(
          `Given explicit max TTL of ${role.token_explicit_max_ttl} is greater than system/mount ` +
            `allowed value of ${mount.maxTtlSeconds} seconds; tokens end at the lesser of the two`,
        )
      }
      roles.put(store, role.name, role)
      return undefined
    },
    delete({ data, store }) {
      roles.remove(store, data.role_name)
      return undefined
    },
    example: { allowed_policies: ['web'], orphan: true, token_period: '24h' },
  }),
]

/** Three fields are there only when they are set. */
function shown(role: Role): Record<string, unknown> {
  const { token_bound_cidrs, bound_cidrs, token_num_uses, ...always } = role
  return {
    ...always,
    ...(token_bound_cidrs.length > 0 && { token_bound_cidrs }),
    ...(bound_cidrs.length > 0 && { bound_cidrs }),
    ...(token_num_uses > 0 && { token_num_uses }),
  }
}
