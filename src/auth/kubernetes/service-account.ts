/**
 * A token of a service account: what it says of itself, and what can be checked of that without the
 * API. Two shapes are known: the one that lay in secrets, and the one that is projected into pods.
 */
import { Failure } from '../../kit/kit.ts'
import { isObject, type JsonObject } from '../../lib/json.ts'
import { parseStrictObject } from '../../lib/strict-json.ts'
import { type Config, keysOf } from './config.ts'
import { isBound, type Role } from './role.ts'

export type ServiceAccount = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly secretName: string
}

const TOKEN_CHARS_MAX = 256 * 1024
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA'],
]
const LEGACY = 'kubernetes.io/serviceaccount/'
const DEFAULT_ISSUER = 'kubernetes/serviceaccount'
const LEEWAY_SECONDS = 60

const denied = () => new Failure('permission_denied')

/** Throws a Failure (403) for a token that is not, or not now, one of what the role lets in. */
export async function readToken(
  token: string,
  { config, role, now }: { config: Config; role: Role; now: number },
): Promise<ServiceAccount> {
  const [head = '', body = ''] = token.split('.')
  if (token.length > TOKEN_CHARS_MAX || !COMPACT.test(token)) throw denied()
  const header = parseStrictObject(Buffer.from(head, 'base64url'))
  const claims = parseStrictObject(Buffer.from(body, 'base64url'))
  const alg = header?.['alg']
  if (!claims || header?.['crit'] !== undefined) throw denied()
  if (typeof alg !== 'string' || !ALGORITHMS.includes(alg)) throw denied()
  if (config.pem_keys.length > 0 && !(await isSigned(token, alg, config.pem_keys))) throw denied()
  checkClaims(claims, { config, role, now })
  const account = accountOf(claims)
  if (!account) throw denied()
  if (!isBound(role.bound_service_account_namespaces, account.namespace)) {
    throw new Failure('permission_denied', 'namespace not authorized')
  }
  if (!isBound(role.bound_service_account_names, account.name)) {
    throw new Failure('permission_denied', 'service account name not authorized')
  }
  return account
}

async function isSigned(token: string, alg: string, pems: readonly string[]): Promise<boolean> {
  const { compactVerify } = await import('jose')
  for (const key of keysOf(pems)) {
    try {
      await compactVerify(token, key, { algorithms: [alg] })
      return true
    } catch {
      // The next key may be the one.
    }
  }
  return false
}

function checkClaims(
  claims: JsonObject,
  { config, role, now }: { config: Config; role: Role; now: number },
): void {
  const seconds = now / 1000
  const { exp, nbf, iat, iss, aud } = claims
  // A token from a secret has no end; what has one must be able to say it.
  if (!isTime(exp) || !isTime(nbf) || !isTime(iat)) throw denied()
  if (exp !== undefined && seconds >= exp + LEEWAY_SECONDS) throw denied()
  if ([nbf, iat].some((from) => from !== undefined && seconds < from - LEEWAY_SECONDS)) {
    throw denied()
  }
  if (!config.disable_iss_validation && iss !== (config.issuer || DEFAULT_ISSUER)) throw denied()
  if (role.audience !== '' && ![aud].flat().includes(role.audience)) throw denied()
}

const isTime = (value: unknown): value is number | undefined =>
  value === undefined || (typeof value === 'number' && Number.isFinite(value))

function accountOf(claims: JsonObject): ServiceAccount | undefined {
  const projected = claims['kubernetes.io']
  const inside = isObject(projected) ? projected : {}
  const nested = isObject(inside['serviceaccount']) ? inside['serviceaccount'] : {}
  const legacy = (name: string) => claims[`${LEGACY}${name}`]
  const account = {
    namespace: textOf(inside['namespace'] ?? legacy('namespace')),
    name: textOf(nested['name'] ?? legacy('service-account.name')),
    uid: textOf(nested['uid'] ?? legacy('service-account.uid')),
    secretName: textOf(legacy('secret.name')),
  }
  const whole = account.namespace !== '' && account.name !== '' && account.uid !== ''
  return whole ? account : undefined
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
