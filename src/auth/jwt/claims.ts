/**
 * What a verified token says, and whether that is what a role asks for: times, issuer, audience,
 * subject, bound claims; and what of it goes into the login.
 */
import { refuse } from '../../kit/kit.ts'
import { wildcardMatch } from '../../lib/glob.ts'
import { type JsonObject } from '../../lib/json.ts'
import { type Role } from './role.ts'

const START_LEEWAY_SECONDS = 150
const SKEW_SECONDS = 60

/** What is wrong with a token; its text never holds a value of it. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
}

/** A claim by its name, or by a JSON pointer (RFC 6901) where that begins with a slash. */
export function claimAt(claims: JsonObject, name: string): unknown {
  if (!name.startsWith('/')) return own(claims, name)
  let value: unknown = claims
  for (const part of name.slice(1).split('/')) {
    value = own(value, part.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  return value
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(name)) return undefined
  return Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined
}

/** A leeway as it is set: 0 stands for the usual one, and what is negative for none. */
const leeway = (set: number, usual: number) => (set === 0 ? usual : Math.max(set, 0))

/** Throws TokenError unless `now` (in ms) lies within the times of the token. */
export function checkTimes(
  claims: JsonObject,
  role: Pick<Role, 'expiration_leeway' | 'not_before_leeway' | 'clock_skew_leeway'>,
  now: number,
): void {
  const [iat, nbf, exp] = [time(claims, 'iat'), time(claims, 'nbf'), time(claims, 'exp')]
  if (iat === undefined && nbf === undefined && exp === undefined) {
    throw new TokenError(
      'no issued at (iat), not before (nbf), or expiration time (exp) claims in token',
    )
  }
  const seconds = now / 1000
  const skew = leeway(role.clock_skew_leeway, SKEW_SECONDS)
  const lasting = leeway(role.expiration_leeway, START_LEEWAY_SECONDS)
  const ends = exp ?? Math.max(iat ?? 0, nbf ?? 0) + lasting
  const starts = nbf ?? iat ?? ends - leeway(role.not_before_leeway, START_LEEWAY_SECONDS)
  if (starts > seconds + skew) {
    throw new TokenError('invalid not before (nbf) claim: token not yet valid')
  }
  if (ends <= seconds - skew) {
    throw new TokenError('invalid expiration time (exp) claim: token is expired')
  }
  if (iat !== undefined && iat > seconds + skew) {
    throw new TokenError('invalid issued at (iat) claim: token issued in the future')
  }
}

function time(claims: JsonObject, name: string): number | undefined {
  const value = own(claims, name)
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw new TokenError(`invalid ${name} claim: expected a time in seconds`)
}

/** The audience as a list; a string is a list of one. Throws TokenError for anything else. */
export function audienceOf(claims: JsonObject): string[] {
  const aud = own(claims, 'aud')
  if (aud === undefined || aud === null) return []
  const list: unknown[] = Array.isArray(aud) ? aud : [aud]
  if (list.every((item) => typeof item === 'string')) return list
  throw new TokenError('invalid audience (aud) claim: expected strings')
}

/** Throws TokenError unless issuer, subject and audience are those that are expected. */
export function checkExpected(
  claims: JsonObject,
  expected: { issuer: string; subject: string; audiences: readonly string[] },
): void {
  if (expected.issuer !== '' && own(claims, 'iss') !== expected.issuer) {
    throw new TokenError('invalid issuer (iss) claim')
  }
  if (expected.subject !== '' && own(claims, 'sub') !== expected.subject) {
    throw new TokenError('invalid subject (sub) claim')
  }
  const audience = audienceOf(claims)
  const { audiences } = expected
  if (audiences.length > 0 && !audience.some((name) => audiences.includes(name))) {
    throw new TokenError(
      'invalid audience (aud) claim: audience claim does not match any expected audience',
    )
  }
}

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value])

/** Refuses unless every bound claim has one of its values. */
export function checkBoundClaims(claims: JsonObject, role: Role): void {
  const glob = role.bound_claims_type === 'glob'
  for (const [name, wanted] of Object.entries(role.bound_claims ?? {})) {
    const actual = claimAt(claims, name)
    const claim = `error validating claims: claim ${JSON.stringify(name)}`
    if (actual === undefined || actual === null) refuse(`${claim} is missing`)
    const matches = (want: unknown) =>
      asList(actual).some((is) =>
        glob && typeof want === 'string' && typeof is === 'string'
          ? wildcardMatch(want, is)
          : isScalar(want) && want === is,
      )
    if (!asList(wanted).some(matches)) {
      refuse(`${claim} does not match any associated bound claim values`)
    }
  }
}

const isScalar = (value: unknown): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value)

/** Who this is: the alias, what is told of them, and the groups they are in. */
export function identityOf(claims: JsonObject, role: Role) {
  const { user_claim: name } = role
  const alias = role.user_claim_json_pointer ? claimAt(claims, name) : own(claims, name)
  if (alias === undefined || alias === '')
    refuse(`claim ${JSON.stringify(name)} not found in token`)
  if (typeof alias !== 'string') {
    return refuse(`claim ${JSON.stringify(name)} could not be converted to string`)
  }
  return { alias, metadata: mapped(claims, role), groups: groupsOf(claims, role.groups_claim) }
}

function mapped(claims: JsonObject, role: Role): Record<string, string> {
  const metadata: Record<string, string> = {}
  for (const [source, target] of Object.entries(role.claim_mappings ?? {})) {
    const value = claimAt(claims, source)
    if (value === undefined || value === null) continue
    if (!isScalar(value)) refuse(`error converting claim ${JSON.stringify(source)} to string`)
    metadata[target] = String(value)
  }
  return metadata
}

function groupsOf(claims: JsonObject, name: string): string[] {
  if (name === '') return []
  const groups = claimAt(claims, name)
  if (groups === undefined || groups === null) {
    refuse(`${JSON.stringify(name)} claim not found in token`)
  }
  const list = asList(groups)
  if (list.every((group) => typeof group === 'string')) {
    return [...new Set(list)].filter((group) => group !== '')
  }
  return refuse(`${JSON.stringify(name)} claim could not be converted to string list`)
}
