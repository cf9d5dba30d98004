/**
 * `oidc/provider/:name/token`: a client gives the code that a person has brought, and gets an ID
 * token and an access token (OpenID Connect Core, section 3.1.3; errors in Vault's words).
 */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { bare, type Reply } from '../../../kit/reply.ts'
import { t } from '../../../schema/field.ts'
import { type Core } from '../../core.ts'
import { scopeOf } from '../../turn.ts'
import { newAccessToken } from './access-token.ts'
import { isAssigned } from './assignment.ts'
import { scopeClaims, ScopeConflict } from './claim-scope.ts'
import { withClaims } from './claims.ts'
import { type Client, clientById, isAuthentic } from './client.ts'
import { type Grant, spendCode } from './code.ts'
import { namespaceId } from './issuer.ts'
import { keyForUse, mayUse, type NamedKey } from './key.ts'
import { OauthError } from './oauth-error.ts'
import { provesIt } from './pkce.ts'
import { findProvider, isFor, type Provider } from './provider.ts'
import { providerIssuer } from './providers.ts'
import { halfHash, signJwt } from './signing.ts'
import { subjectOf } from './subject.ts'
import { type Claims, type TemplateSubject } from './template.ts'

const secret = (help: string) => t.string({ help, default: '', sensitive: true })

const fields = {
  name: t.name({ help: 'Name of the provider.' }),
  grant_type: t.string({ help: '"authorization_code".', default: '', clear: true }),
  code: secret('The code.'),
  redirect_uri: t.string({ help: 'The one that was asked with.', default: '' }),
  code_verifier: secret('The verifier of PKCE.'),
  client_id: t.string({
    help: 'Id of the client, unless it stands in the Authorization header.',
    default: '',
    clear: true,
  }),
  client_secret: secret('Its secret, unless that stands in the Authorization header.'),
}

type ExchangeCall = Call<{
  name: string
  grant_type: string
  code: string
  redirect_uri: string
  code_verifier: string
  client_id: string
  client_secret: string
}>

export function exchangeEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('oidc/provider/:name/token', {
      help: 'ID token and access token for a code.',
      access: 'public',
      fields,
      write: (call) => answer(core, call),
      example: {
        grant_type: 'authorization_code',
        code: 'n0t-a-re4l-code',
        redirect_uri: 'https://wiki.example.com/callback',
        client_id: 'w0X4…',
        client_secret: 'hvo_secret_…',
      },
    }),
  ]
}

async function answer(core: Core, call: ExchangeCall): Promise<Reply> {
  try {
    const reply = bare(await exchange(core, call))
    reply.headers = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }
    return reply
  } catch (error) {
    if (!(error instanceof OauthError)) throw error
    const unknown = error.code === 'invalid_client'
    const reply = bare(error.body, unknown ? 401 : 400)
    reply.headers = {
      'Cache-Control': 'no-store',
      Pragma: 'no-cache',
      ...(unknown && { 'WWW-Authenticate': 'Basic' }),
    }
    return reply
  }
}

/** In Vault's order. A refusal is an answer and not a failure: a code that was tried is spent. */
async function exchange(core: Core, call: ExchangeCall): Promise<Record<string, unknown>> {
  const { data } = call
  const scope = scopeOf(call as never)
  const provider = await findProvider(scope, data.name)
  if (!provider) throw new OauthError('invalid_request', 'provider not found')
  const client = await authenticate(call, provider)
  const key = await keyOf(call, client)
  checkGrantType(data.grant_type)
  const grant = await redeem(call, client)
  const subject = await subjectOf(scope, grant.entity_id, call.now)
  if (!subject || subject.entity.disabled) {
    throw new OauthError('invalid_request', 'identity entity associated with the request not found')
  }
  if (!(await isAssigned(scope, client.assignments, subject))) {
    throw new OauthError('invalid_request', 'identity entity not authorized by client assignment')
  }
  checkProof(grant, client, data.code_verifier)
  const claims = await claimsOf(call, grant, subject)
  const accessToken = newAccessToken(core, call as never, { client, grant })
  const idToken = withClaims(claims, {
    ...idClaims(call, { client, grant }),
    sub: subject.entity.id,
    iss: providerIssuer(core, call as never, { name: data.name, issuer: provider.issuer }),
    at_hash: halfHash(key.algorithm, accessToken),
    c_hash: halfHash(key.algorithm, data.code),
  })
  return {
    token_type: 'Bearer',
    access_token: accessToken,
    id_token: await signJwt(key.signing, idToken),
    expires_in: client.access_token_ttl,
  }
}

async function authenticate(call: ExchangeCall, provider: Provider): Promise<Client> {
  const { id, secret: given } = basicAuth(call.header('authorization')) ?? {
    id: call.data.client_id,
    secret: call.data.client_secret,
  }
  if (id === '') throw new OauthError('invalid_request', 'client_id parameter is required')
  const client = await clientById(scopeOf(call as never), id)
  if (!client || !isAuthentic(client, given)) {
    throw new OauthError('invalid_client', 'client failed to authenticate')
  }
  if (!isFor(provider, id)) {
    throw new OauthError('invalid_client', 'client is not authorized to use the provider')
  }
  return client
}

/** RFC 6749, section 2.3.1: both parts are form-encoded before they are put together. */
function basicAuth(header: string | undefined): { id: string; secret: string } | undefined {
  const [, encoded] = /^basic +([\w+/=-]+)$/i.exec(header ?? '') ?? []
  if (encoded === undefined) return undefined
  const both = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = both.indexOf(':')
  if (colon < 0) return undefined
  return { id: formDecoded(both.slice(0, colon)), secret: formDecoded(both.slice(colon + 1)) }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

async function keyOf(call: ExchangeCall, client: Client): Promise<NamedKey> {
  const key = await keyForUse(scopeOf(call as never), client.key, call)
  if (!key || !mayUse(key, client.client_id)) {
    throw new OauthError('invalid_client', 'client is not authorized to use the key')
  }
  return key
}

function checkGrantType(grantType: string): void {
  if (grantType === '') {
    throw new OauthError('invalid_request', 'grant_type parameter is required')
  }
  if (grantType !== 'authorization_code') {
    throw new OauthError('unsupported_grant_type', 'unsupported grant_type value')
  }
}

/** What the code was given out for, if it was given out for this. */
async function redeem(call: ExchangeCall, client: Client): Promise<Grant> {
  const { code, redirect_uri, name } = call.data
  if (code === '') throw new OauthError('invalid_request', 'code parameter is required')
  const grant = await spendCode(call as never, code)
  if (!grant) {
    throw new OauthError('invalid_grant', 'authorization grant is invalid or expired')
  }
  if (grant.client_id !== client.client_id) {
    throw new OauthError('invalid_grant', 'authorization code was not issued to the client')
  }
  if (grant.provider !== name) {
    throw new OauthError('invalid_grant', 'authorization code was not issued by the provider')
  }
  if (redirect_uri === '') {
    throw new OauthError('invalid_request', 'redirect_uri parameter is required')
  }
  if (grant.redirect_uri !== redirect_uri) {
    throw new OauthError(
      'invalid_grant',
      'redirect_uri does not match the redirect_uri used in the authorization request',
    )
  }
  return grant
}

function checkProof({ pkce }: Grant, client: Client, verifier: string): void {
  if (!pkce && client.client_type === 'public') {
    throw new OauthError('invalid_request', 'PKCE is required for public clients')
  }
  if (!pkce && verifier !== '') {
    throw new OauthError('invalid_request', 'unexpected code_verifier for token exchange')
  }
  if (!pkce) return
  if (verifier === '') {
    throw new OauthError('invalid_request', 'expected code_verifier for token exchange')
  }
  if (!provesIt(pkce, verifier)) {
    throw new OauthError('invalid_grant', 'invalid code_verifier for token exchange')
  }
}

async function claimsOf(
  call: ExchangeCall,
  grant: Grant,
  subject: TemplateSubject,
): Promise<Claims> {
  try {
    return await scopeClaims(scopeOf(call as never), grant.scopes, subject)
  } catch (error) {
    if (!(error instanceof ScopeConflict)) throw error
    throw new OauthError('invalid_request', 'conflicting claims in the scopes asked for')
  }
}

function idClaims(call: ExchangeCall, { client, grant }: { client: Client; grant: Grant }): Claims {
  const issuedAt = Math.floor(call.now / 1000)
  return {
    aud: client.client_id,
    iat: issuedAt,
    exp: issuedAt + client.id_token_ttl,
    namespace: namespaceId(call as never),
    ...(grant.nonce !== '' && { nonce: grant.nonce }),
    ...(grant.auth_time !== undefined && { auth_time: grant.auth_time }),
  }
}
