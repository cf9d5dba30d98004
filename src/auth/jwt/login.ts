/** The login with a token that its bearer brings along. */
import {
  type Call,
  checkTokenPeer,
  endpoint,
  Failure,
  login,
  refuse,
  type RoleTokens,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type Reply, type TokenParams } from '../../kit/reply.ts'
import { type JsonObject } from '../../lib/json.ts'
import { OutboundError } from '../../lib/outbound.ts'
import {
  audienceOf,
  checkBoundClaims,
  checkExpected,
  checkTimes,
  identityOf,
  TokenError,
} from './claims.ts'
import { type Config, requireConfig } from './config.ts'
import { findRole, type Role } from './role.ts'
import { verifyToken } from './verify.ts'

type Internal = { role: string }

export const loginEndpoint = endpoint('login', {
  help: 'A token of ours for a token of an issuer.',
  access: 'login',
  fields: {
    role: t.string({ help: 'Name of the role.', clear: true }),
    jwt: t.string({ help: 'The signed token.', sensitive: true }),
  },
  write: logIn,
  example: { role: 'web', jwt: 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ3ZWIifQ.c2lnbmF0dXJl' },
})

/** The role that a login names, or the one of the mount. */
export function roleNameOf(given: string | undefined, config: Config): string {
  const name = (given || config.default_role).toLowerCase()
  return name === '' ? refuse('missing role') : name
}

async function logIn(call: Call<{ role: string | undefined; jwt: string | undefined }>) {
  const config = await requireConfig(call.store)
  const name = roleNameOf(call.data.role, config)
  const found = await findRole(call.store, name)
  if (!found) return refuse(`role ${JSON.stringify(name)} could not be found`)
  const { role, tokens } = found
  if (role.role_type === 'oidc') refuse('role with oidc role_type is not allowed')
  const token = (call.data.jwt ?? '').trim()
  if (token === '') refuse('missing token')
  checkTokenPeer(tokens, call.remoteAddress)
  const claims = await validated(token, { config, role, now: call.now })
  return grant(claims, { name, role, tokens })
}

async function validated(
  token: string,
  { config, role, now }: { config: Config; role: Role; now: number },
): Promise<JsonObject> {
  try {
    const { claims, issuer } = await verifyToken(token, config, { now })
    checkTimes(claims, role, now)
    checkExpected(claims, {
      issuer: config.bound_issuer || issuer,
      subject: role.bound_subject,
      audiences: role.bound_audiences ?? [],
    })
    // A token for somebody else is none for us, and only the role can say who we are.
    if (audienceOf(claims).length > 0 && !role.bound_audiences?.length) {
      refuse('audience claim found in JWT but no audiences bound to the role')
    }
    return claims
  } catch (error) {
    if (error instanceof TokenError) refuse(`error validating token: ${error.message}`)
    if (error instanceof OutboundError) {
      refuse(`error validating token: the server with the keys ${error.message}`)
    }
    throw error
  }
}

/** What a token that was found good is good for. */
export function grant(
  claims: JsonObject,
  { name, role, tokens }: { name: string; role: Role; tokens: RoleTokens },
): Reply {
  const { alias, metadata, groups } = identityOf(claims, role)
  checkBoundClaims(claims, role)
  const internal: Internal = { role: name }
  return login({
    alias,
    aliasMetadata: metadata,
    groups,
    displayName: alias,
    // The role comes last: no claim may say that it is another one.
    metadata: { ...metadata, role: name },
    token: tokenParams(tokens),
    internal,
    renewable: true,
  })
}

/** The role's settings as they are now. */
export async function renewLogin(
  { store }: Pick<Call<unknown>, 'store'>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { role: name } = internal as Internal
  const found = await findRole(store, name)
  if (found) return tokenParams(found.tokens)
  throw new Failure('bad_request', `role ${name} does not exist during renewal`, { wrapped: true })
}
