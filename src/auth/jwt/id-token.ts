/**
 * Whether an ID token is the answer to our question (OpenID Connect Core 1.0, section 3.1.3.7), and
 * all that the provider says of who it is for.
 */
import { type JsonObject } from '../../lib/json.ts'
import { ALGORITHMS } from './algorithms.ts'
import { audienceOf, checkExpected, checkTimes, TokenError } from './claims.ts'
import { type Config } from './config.ts'
import { type Discovery } from './discovery.ts'
import { digest, isOfDigest } from './oidc-state.ts'
import { exchangeCode, userinfo } from './provider.ts'
import { type Role } from './role.ts'
import { verifyToken } from './verify.ts'

type Provider = { config: Config; discovery: Discovery }
type Answer = {
  arrived: { code: string; id_token: string }
  redirectUri: string
  verifier: string
  nonce: string
}

/** What userinfo must not change: it says what the token is, not who it is for. */
const OF_THE_TOKEN = ['iss', 'sub', 'aud', 'azp', 'exp', 'iat', 'nbf', 'nonce', 'auth_time']

/** The claims of who has logged in. Throws TokenError and OutboundError. */
export async function claimsOf(
  provider: Provider,
  answer: Answer,
  { role, now }: { role: Role; now: number },
): Promise<JsonObject> {
  const { arrived, redirectUri, verifier, nonce } = answer
  const tokens =
    arrived.code === ''
      ? { idToken: arrived.id_token, accessToken: undefined }
      : await exchangeCode(provider, { code: arrived.code, redirectUri, verifier })
  const claims = await checkedIdToken(tokens.idToken, provider, { role, now, nonce })
  if (tokens.accessToken === undefined) return claims
  const more = await userinfo(provider, tokens.accessToken, claims['sub'])
  const kept = Object.entries(claims).filter(([name]) => OF_THE_TOKEN.includes(name))
  const added = Object.entries(more ?? {}).filter(([name]) => !OF_THE_TOKEN.includes(name))
  return { ...claims, ...Object.fromEntries([...added, ...kept]) }
}

async function checkedIdToken(
  token: string,
  { config, discovery }: Provider,
  { role, now, nonce }: { role: Role; now: number; nonce: string },
): Promise<JsonObject> {
  const algorithms = discovery.algorithms?.filter((name) => ALGORITHMS.includes(name)) ?? ['RS256']
  const { claims } = await verifyToken(token, config, { now, algorithms })
  for (const name of ['exp', 'iat', 'sub', 'iss', 'aud']) {
    if (claims[name] === undefined) throw new TokenError(`no ${name} claim in ID token`)
  }
  checkTimes(claims, role, now)
  const ours = { issuer: config.bound_issuer || discovery.issuer, subject: role.bound_subject }
  checkExpected(claims, { ...ours, audiences: [config.oidc_client_id] })
  checkExpected(claims, { ...ours, audiences: role.bound_audiences ?? [] })
  const { azp } = claims
  if ((azp !== undefined || audienceOf(claims).length > 1) && azp !== config.oidc_client_id) {
    throw new TokenError('invalid authorized party (azp) claim')
  }
  const given = claims['nonce']
  if (typeof given !== 'string' || !isOfDigest(given, digest(nonce))) {
    throw new TokenError('invalid ID token nonce')
  }
  checkAge(claims, role, now)
  return claims
}

/** Whether the person has shown who they are recently enough. */
function checkAge(claims: JsonObject, role: Role, now: number): void {
  if (role.max_age === 0) return
  const at = claims['auth_time']
  const skew = role.clock_skew_leeway === 0 ? 60 : Math.max(role.clock_skew_leeway, 0)
  if (typeof at === 'number' && Number.isFinite(at) && at + role.max_age + skew > now / 1000) return
  throw new TokenError('the login at the provider is too old')
}
