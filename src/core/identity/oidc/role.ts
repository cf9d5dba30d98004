/** Roles of identity tokens: whose audience a token is for, which key signs it, what it claims. */
import { type Scope } from '../../../barrier/space.ts'
import { collection } from '../../../kit/call.ts'

/** Entry `identity-oidc/role/<name>`. */
export type Role = {
  readonly key: string
  readonly template: string
  /** Seconds. */
  readonly ttl: number
  /** The `aud` of its tokens. */
  readonly client_id: string
}

export const roles = collection<Role>('identity-oidc/role/')

export async function allRoles(scope: Scope): Promise<{ name: string; role: Role }[]> {
  const all: { name: string; role: Role }[] = []
  for (const name of await roles.names(scope)) {
    const role = await roles.get(scope, name)
    if (role) all.push({ name, role })
  }
  return all
}

export async function rolesOfKey(scope: Scope, key: string) {
  return (await allRoles(scope)).filter(({ role }) => role.key === key)
}
