/** The address at the provider where a person logs in, made for one login. */
import { createHash } from 'node:crypto'
import { type Call, endpoint, refuse, t } from '../../kit/kit.ts'
import { OutboundError } from '../../lib/outbound.ts'
import { type Config, requireConfig } from './config.ts'
import { discover, type Discovery } from './discovery.ts'
import { roleNameOf } from './login.ts'
import { digest, newState, type Pending, randomText, saveState, sweepStates } from './oidc-state.ts'
import { isAllowedRedirect } from './redirect-uri.ts'
import { findRole, type Role } from './role.ts'

type Asked = {
  role: string | undefined
  redirect_uri: string | undefined
  client_nonce: string | undefined
}

export const authUrlEndpoint = endpoint('oidc/auth_url', {
  help: 'Where to send a browser so that its user logs in.',
  access: 'public',
  fields: {
    role: t.string({ help: 'Name of the role.', clear: true }),
    redirect_uri: t.string({ help: 'Where the browser is to come back to.' }),
    client_nonce: t.string({
      help: 'A secret of the program that asks; it must be shown again at the end.',
      sensitive: true,
    }),
  },
  write: authUrl,
  example: { role: 'people', redirect_uri: 'http://localhost:8250/oidc/callback' },
})

/** The configuration of a mount that can ask a provider. Refuses for any other. */
export async function requireProvider(call: Pick<Call<unknown>, 'store' | 'now'>) {
  const config = await requireConfig(call.store)
  if (config.oidc_client_id === '') refuse('OIDC login is not configured for this mount')
  try {
    return { config, discovery: await discover(config, call.now) }
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    return refuse(`error getting provider for login operation: it ${error.message}`)
  }
}

async function authUrl(call: Call<Asked>) {
  const { data, store, now } = call
  const name = roleNameOf(data.role, await requireConfig(store))
  const redirectUri = data.redirect_uri ?? ''
  if (redirectUri === '') refuse('missing redirect_uri')
  const found = await findRole(store, name)
  if (!found) return refuse(`role ${JSON.stringify(name)} could not be found`)
  const { config, discovery } = await requireProvider(call)
  const allowed = found.role.allowed_redirect_uris ?? []
  // Clients take the empty address for "not allowed".
  if (found.role.role_type !== 'oidc' || !isAllowedRedirect(redirectUri, allowed)) {
    return { auth_url: '' }
  }
  const state = newState(call)
  const pending: Pending = {
    role: name,
    redirect_uri: redirectUri,
    nonce: randomText(call),
    verifier: call.random(32).toString('base64url'),
    created_at: now,
    client_nonce: data.client_nonce ? digest(data.client_nonce) : '',
  }
  await sweepStates(call)
  saveState(store, state, pending)
  return { auth_url: address({ config, discovery, role: found.role }, state, pending) }
}

function address(
  { config, discovery, role }: { config: Config; discovery: Discovery; role: Role },
  state: string,
  pending: Pending,
): string {
  const implicit = config.oidc_response_types.join() === 'id_token'
  const parameters: Record<string, string> = {
    client_id: config.oidc_client_id,
    nonce: pending.nonce,
    redirect_uri: pending.redirect_uri,
    response_type: implicit ? 'id_token' : 'code',
    scope: [...new Set(['openid', ...(role.oidc_scopes ?? [])])].join(' '),
    state,
    ...(!implicit && {
      code_challenge: createHash('sha256').update(pending.verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }),
    ...(config.oidc_response_mode === 'form_post' && { response_mode: 'form_post' }),
    ...(role.max_age > 0 && { max_age: String(role.max_age) }),
  }
  const query = new URLSearchParams(parameters)
  query.sort()
  // A provider without the endpoint, as identity tokens have one: clients look at the query alone.
  if (discovery.authorizationUrl === '') return `?${query.toString()}`
  const url = new URL(discovery.authorizationUrl)
  const ours = query.toString()
  url.search = url.search === '' ? ours : `${url.search}&${ours}`
  return url.href
}
