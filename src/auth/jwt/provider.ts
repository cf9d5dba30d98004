/**
 * The questions to a provider: a code for tokens (RFC 6749, section 4.1.3), and who the bearer of an
 * access token is (OpenID Connect Core 1.0, section 5.3).
 */
import { isObject, type JsonObject } from '../../lib/json.ts'
import { jsonOf, outbound, OutboundError } from '../../lib/outbound.ts'
import { parseStrictObject } from '../../lib/strict-json.ts'
import { type Config } from './config.ts'
import { type Discovery } from './discovery.ts'

export type ProviderTokens = { idToken: string; accessToken: string | undefined }

/** Throws OutboundError. */
export async function exchangeCode(
  { config, discovery }: { config: Config; discovery: Discovery },
  given: { code: string; redirectUri: string; verifier: string },
): Promise<ProviderTokens> {
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    code: given.code,
    redirect_uri: given.redirectUri,
    code_verifier: given.verifier,
  })
  const told = await outbound({
    url: discovery.tokenUrl,
    method: 'POST',
    caPem: config.oidc_discovery_ca_pem,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...proveOurselves(config, discovery, form),
    },
    body: form.toString(),
  })
  const tokens = jsonOf(told)
  const { id_token: idToken, access_token: accessToken } = isObject(tokens) ? tokens : {}
  if (typeof idToken !== 'string') throw new OutboundError('did not answer with an ID token')
  return { idToken, accessToken: typeof accessToken === 'string' ? accessToken : undefined }
}

/** Headers that say who we are, or the same put into the form. */
function proveOurselves(
  config: Config,
  { tokenAuthMethods: methods }: Discovery,
  form: URLSearchParams,
): Record<string, string> {
  const { oidc_client_id: id, oidc_client_secret: secret } = config
  const basic = methods === undefined || methods.includes('client_secret_basic')
  if (!basic && methods.includes('client_secret_post')) {
    form.set('client_id', id)
    form.set('client_secret', secret)
    return {}
  }
  if (!basic) throw new OutboundError('takes no client secret')
  // Each is form-encoded first (RFC 6749, section 2.3.1).
  const encoded = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
  const pair = Buffer.from(`${encoded(id)}:${encoded(secret)}`).toString('base64')
  return { authorization: `Basic ${pair}` }
}

/** Undefined where the provider does not tell; throws OutboundError where it tells of another. */
export async function userinfo(
  { config, discovery }: { config: Config; discovery: Discovery },
  accessToken: string,
  subject: unknown,
): Promise<JsonObject | undefined> {
  if (discovery.userinfoUrl === '') return undefined
  let claims: JsonObject | undefined
  try {
    const told = await outbound({
      url: discovery.userinfoUrl,
      caPem: config.oidc_discovery_ca_pem,
      headers: { authorization: `Bearer ${accessToken}` },
    })
    claims = told.status === 200 ? parseStrictObject(Buffer.from(told.text)) : undefined
  } catch (error) {
    if (error instanceof OutboundError) return undefined
    throw error
  }
  if (claims && claims['sub'] !== subject) throw new OutboundError('told of another user')
  return claims
}
