/**
 * The login: a role id says who, a secret id proves it. An unknown role, a wrong secret id and one
 * that has expired are one failure with one text, reached by the same work.
 */
import { type Call, endpoint, Failure, login, refuse, t, tokenParams } from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { isNested, withinCidrs } from './bound-cidrs.ts'
import { findByRoleId, findRole, type Role } from './role.ts'
import { findSecretId, type SecretId, useOnce } from './secret-id.ts'

/** Given back at renewal. */
type Internal = { role_name: string; token_bound_cidrs?: string[] }

export const loginEndpoint = endpoint('login', {
  help: 'A token for a role id and a secret id.',
  access: 'login',
  fields: {
    role_id: t.string({ help: 'The id of the role.' }),
    secret_id: t.string({ help: 'A secret id of the role.', sensitive: true }),
  },
  // Without a secret id nothing is guessed; a role that needs none has nothing to guess.
  userOf: ({ data: { role_id, secret_id } }) => secret_id?.trim() && role_id?.trim(),
  roleOf: async ({ data, store }) =>
    data.role_id === undefined ? undefined : (await findByRoleId(store, data.role_id))?.name,
  write: logIn,
  example: { role_id: 'web-frontend', secret_id: 'f6a1c0de-long-and-random' },
})

async function logIn(call: Call<{ role_id: string | undefined; secret_id: string | undefined }>) {
  const roleId = (call.data.role_id ?? '').trim()
  if (roleId === '') refuse('missing role_id')
  const secretId = (call.data.secret_id ?? '').trim()
  const known = await findByRoleId(call.store, roleId)
  const found = await findSecretId(call, known?.role.uid, secretId)
  // A role that needs no secret id is the only one that says more than "no" without one.
  const bound = known?.role.bind_secret_id ?? true
  if (bound && secretId === '') refuse('missing secret_id')
  if (!known || (bound && !found)) return unknown(secretId)

  const { name, role } = known
  const proven = bound ? found : undefined
  checkPeer(role, proven?.entry, call.remoteAddress)
  if (proven) useOnce(call, proven)
  const narrower = proven?.entry.token_bound_cidrs ?? []
  const internal: Internal = {
    role_name: name,
    ...(narrower.length > 0 && { token_bound_cidrs: narrower }),
  }
  return login({
    alias: role.role_id,
    displayName: '',
    // The role's name comes last: whoever makes secret ids must not choose it.
    metadata: { ...proven?.entry.metadata, role_name: name },
    token: tokenOf(role, narrower),
    internal,
    renewable: true,
  })
}

const GENERATED = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Nobody guesses a secret id of the form that is generated, with its 122 random bits: it was right
 * once, and has been used up or has expired. Ten apps that come too late must not lock out the
 * eleventh.
 */
function unknown(secretId: string): never {
  const guessed = !GENERATED.test(secretId)
  throw new Failure('bad_request', 'invalid role or secret ID', { guessed })
}

/** Blocks are judged now: a role may have been narrowed since the secret id was made. */
function checkPeer(role: Role, entry: SecretId | undefined, address: string): void {
  const source = `source address ${JSON.stringify(address)} unauthorized`
  if (!withinCidrs(entry?.cidr_list ?? [], address)) {
    refuse(`${source} through CIDR restrictions on the secret ID`)
  }
  if (!withinCidrs(role.secret_id_bound_cidrs ?? [], address)) {
    refuse(`${source} by CIDR restrictions on the role`)
  }
  // A token that could not be used from here, or could be used elsewhere, is not given out.
  const ofTokens = entry?.token_bound_cidrs ?? []
  const usable = [role.token_bound_cidrs, ofTokens].every((cidrs) => withinCidrs(cidrs, address))
  if (!usable || !isNested(ofTokens, role.token_bound_cidrs)) {
    throw new Failure('permission_denied')
  }
}

/** The blocks of a secret id lie inside the role's, so they replace them. */
function tokenOf(role: Role, narrower: readonly string[]): TokenParams {
  const params = tokenParams(role)
  return narrower.length > 0 ? { ...params, boundCidrs: narrower } : params
}

/** The role's settings as they are now; undefined when it is gone. */
export async function renewLogin(
  { store }: Pick<Call<unknown>, 'store'>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { role_name, token_bound_cidrs } = internal as Internal
  const role = await findRole(store, role_name)
  return role && tokenOf(role, token_bound_cidrs ?? [])
}
