/** The login with the token of a service account. */
import {
  type Call,
  checkTokenPeer,
  endpoint,
  Failure,
  login,
  refuse,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { readConfig } from './config.ts'
import { canonicalName, findRole, type Role } from './role.ts'
import { readToken, type ServiceAccount } from './service-account.ts'
import { reviewToken } from './token-review.ts'

export const loginEndpoint = endpoint('login', {
  help: 'A token for the token of a service account.',
  access: 'login',
  fields: {
    role: t.string({ help: 'Name of the role.', default: '' }),
    jwt: t.string({ help: 'The token of the service account.', sensitive: true, default: '' }),
  },
  write: logIn,
  example: { role: 'web', jwt: 'eyJhbGciOi…' },
})

async function logIn(call: Call<{ role: string; jwt: string }>) {
  const { data, store, now } = call
  const token = data.jwt.trim()
  if (data.role === '') refuse('missing role')
  if (token === '') refuse('missing jwt')
  const role = await findRole(store, data.role)
  if (!role) return refuse(`invalid role name ${JSON.stringify(data.role)}`)
  checkTokenPeer(role, call.remoteAddress)
  const config = await readConfig(store)
  if (!config) throw new Failure('internal', 'could not load backend configuration')
  const account = await readToken(token, { config, role, now })
  await call.once(['token review', config, role], () =>
    reviewToken(config, { token, audience: role.audience, account }),
  )
  const about = {
    service_account_name: account.name,
    service_account_namespace: account.namespace,
    service_account_secret_name: account.secretName,
    service_account_uid: account.uid,
  }
  const name = canonicalName(data.role)
  return login({
    alias: aliasOf(role, account),
    aliasMetadata: about,
    displayName: `${account.namespace}-${account.name}`,
    metadata: { ...about, role: name },
    token: tokenParams(role),
    internal: { role: name },
  })
}

function aliasOf(role: Role, { namespace, name, uid }: ServiceAccount): string {
  return role.alias_name_source === 'serviceaccount_name' ? `${namespace}/${name}` : uid
}

/** The role's settings as they are now; undefined when it is gone. */
export async function renewLogin(
  { store }: Pick<Call<unknown>, 'store'>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const role = await findRole(store, String(internal['role']))
  return role && tokenParams(role)
}
