/**
 * `oidc/provider/:name/authorize`: somebody with a token lets a client know who they are. The answer
 * is JSON; the page that asks sends the person back to the client (OpenID Connect Core, section
 * 3.1.2; errors in Vault's words).
 */
import { type Call } from '../../../kit/call.ts'
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { bare, type Reply } from '../../../kit/reply.ts'
import { t } from '../../../schema/field.ts'
import { type Core } from '../../core.ts'
import { scopeOf, turnOf, txOf } from '../../turn.ts'
import { isAssigned } from './assignment.ts'
import { OPENID } from './claim-scope.ts'
import { type Client, clientById } from './client.ts'
import { type Grant, newCode } from './code.ts'
import { OauthError } from './oauth-error.ts'
import { isMethod, isWellFormed } from './pkce.ts'
import { findProvider, isFor, type Provider } from './provider.ts'
import { isRegistered } from './redirect-uri.ts'
import { subjectOf } from './subject.ts'

const text = (help: string) => t.string({ help, default: '' })

const fields = {
  name: t.name({ help: 'Name of the provider.' }),
  client_id: t.string({ help: 'Id of the client.', default: '', clear: true }),
  scope: t.string({ help: 'Names of scopes, with spaces between.', default: '', clear: true }),
  redirect_uri: text('Where the person is sent back to.'),
  response_type: t.string({ help: '"code".', default: '', clear: true }),
  state: text('Given back as it is.'),
  nonce: text('Stands in the ID token as it is.'),
  max_age: t.int({ help: 'Seconds since the person logged in, at most.', clear: true }),
  code_challenge: text('The challenge of PKCE.'),
  code_challenge_method: t.string({ help: '"S256" or "plain".', default: 'plain', clear: true }),
}

type AuthorizeCall = Call<{
  name: string
  client_id: string
  scope: string
  redirect_uri: string
  response_type: string
  state: string
  nonce: string
  max_age: number | undefined
  code_challenge: string
  code_challenge_method: string
}>

/** It is stored with the code. Those of clients have twenty to a hundred. */
const NONCE_CHARS_MAX = 4096

export function authorizeEndpoints(core: Core): Endpoint[] {
  const authorize = (call: AuthorizeCall) => answer(core, call)
  return [
    endpoint('oidc/provider/:name/authorize', {
      help: 'A code with which a client learns who the caller is.',
      fields,
      read: authorize,
      write: authorize,
      example: {
        client_id: 'w0X4…',
        scope: 'openid groups',
        redirect_uri: 'https://wiki.example.com/callback',
        response_type: 'code',
      },
    }),
  ]
}

async function answer(core: Core, call: AuthorizeCall): Promise<Reply> {
  const { state } = call.data
  try {
    const grant = await grantOf(core, call)
    return bare({ code: newCode(call as never, grant), state })
  } catch (error) {
    if (!(error instanceof OauthError)) throw error
    return bare({ ...error.body, ...(state !== '' && { state }) }, 400)
  }
}

/** In Vault's order: what is wrong first is what is told. */
async function grantOf(core: Core, call: AuthorizeCall): Promise<Grant> {
  const { data } = call
  const provider = await findProvider(scopeOf(call as never), data.name)
  if (!provider) throw new OauthError('invalid_request', 'provider not found')
  const scopes = scopesOf(data.scope, provider)
  if (data.response_type === '') {
    throw new OauthError('invalid_request', 'response_type parameter is required')
  }
  if (data.response_type !== 'code') {
    throw new OauthError('unsupported_response_type', 'unsupported response_type value')
  }
  const client = await clientOf(call, provider)
  checkRequestObjects(call)
  if (data.nonce.length > NONCE_CHARS_MAX) {
    throw new OauthError('invalid_request', 'nonce is too long')
  }
  const entity_id = await entityOf(call, client)
  const pkce = pkceOf(call, client)
  const auth_time = await authTimeOf(core, call)
  return {
    provider: data.name,
    client_id: client.client_id,
    entity_id,
    redirect_uri: data.redirect_uri,
    nonce: data.nonce,
    scopes,
    ...(auth_time !== undefined && { auth_time }),
    ...(pkce && { pkce }),
  }
}

/** Scopes that a provider does not know are ignored (OpenID Connect Core, section 3.1.2.1). */
function scopesOf(asked: string, provider: Provider): string[] {
  const names = [...new Set(asked.split(' ').filter((name) => name !== ''))].sort()
  if (!names.includes(OPENID)) {
    throw new OauthError('invalid_request', `scope parameter must contain the "${OPENID}" value`)
  }
  return names.filter((name) => name !== OPENID && provider.scopes_supported.includes(name))
}

async function clientOf(call: AuthorizeCall, provider: Provider): Promise<Client> {
  const { client_id, redirect_uri } = call.data
  if (client_id === '') {
    throw new OauthError('invalid_client_id', 'client_id parameter is required')
  }
  const client = await clientById(scopeOf(call as never), client_id)
  if (!client) throw new OauthError('invalid_client_id', 'client with client_id not found')
  if (!isFor(provider, client_id)) {
    throw new OauthError('unauthorized_client', 'client is not authorized to use the provider')
  }
  if (redirect_uri === '') {
    throw new OauthError('invalid_request', 'redirect_uri parameter is required')
  }
  if (!isRegistered(redirect_uri, client.redirect_uris)) {
    throw new OauthError('invalid_redirect_uri', 'redirect_uri is not allowed for the client')
  }
  return client
}

/** What would bring parameters that are not checked here must be refused by name. */
function checkRequestObjects({ body }: AuthorizeCall): void {
  if (Object.hasOwn(body, 'request')) {
    throw new OauthError('request_not_supported', 'request parameter is not supported')
  }
  if (Object.hasOwn(body, 'request_uri')) {
    throw new OauthError('request_uri_not_supported', 'request_uri parameter is not supported')
  }
}

async function entityOf(call: AuthorizeCall, client: Client): Promise<string> {
  const entityId = call.caller?.entityId ?? ''
  if (entityId === '') {
    throw new OauthError('access_denied', 'identity entity must be associated with the request')
  }
  const scope = scopeOf(call as never)
  const subject = await subjectOf(scope, entityId, call.now)
  if (!subject || subject.entity.disabled) {
    throw new OauthError('access_denied', 'identity entity associated with the request not found')
  }
  if (!(await isAssigned(scope, client.assignments, subject))) {
    throw new OauthError('access_denied', 'identity entity not authorized by client assignment')
  }
  return subject.entity.id
}

function pkceOf({ data, given }: AuthorizeCall, client: Client): Grant['pkce'] {
  if (!given.has('code_challenge')) {
    if (client.client_type === 'confidential') return undefined
    throw new OauthError('invalid_request', 'PKCE is required for public clients')
  }
  const method = data.code_challenge_method || 'plain'
  if (!isMethod(method)) throw new OauthError('invalid_request', 'invalid code_challenge_method')
  if (!isWellFormed(data.code_challenge)) {
    throw new OauthError('invalid_request', 'invalid code_challenge')
  }
  return { challenge: data.code_challenge, method }
}

/** In seconds since the epoch; undefined when the client does not ask. */
async function authTimeOf(core: Core, call: AuthorizeCall): Promise<number | undefined> {
  const { max_age } = call.data
  if (max_age === undefined) return undefined
  if (max_age < 1) throw new OauthError('invalid_request', 'max_age must be greater than zero')
  const at = await loggedInAt(core, call as never)
  if (at === undefined) {
    throw new OauthError('access_denied', 'token associated with request not found')
  }
  if ((call.now - at) / 1000 > max_age) {
    throw new OauthError('max_age_violation', 'active re-authentication is required by max_age')
  }
  return Math.floor(at / 1000)
}

/**
 * A token is as old as the login it came from. One that was made by a token is no login: else anybody
 * could look as if they had just come.
 */
async function loggedInAt(core: Core, call: Call<never>): Promise<number | undefined> {
  let { token } = turnOf(call)
  while (token?.parent !== undefined) {
    const parent = await core.tokens.byAccessor(txOf(call), token.parent, call.now)
    if (parent?.entityId !== token.entityId) break
    token = parent
  }
  return token?.createdAt
}
