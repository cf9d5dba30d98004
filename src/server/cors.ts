/**
 * Requests that a browser sends for a page of another origin (the Fetch standard, section 3.2): off
 * until `sys/config/cors` names origins. Only a request with an `Origin` is looked at, so nobody but
 * a browser pays for it; the settings are read from the store each time, so that every process
 * obeys them from the next request on.
 */
import { json } from '../core/envelope.ts'
import { type CorsConfig } from '../core/sys/config.ts'
import { type Response } from '../core/turn.ts'
import { Failure } from '../kit/failure.ts'

const METHODS = ['DELETE', 'GET', 'OPTIONS', 'POST', 'PUT', 'LIST', 'PATCH', 'SCAN']
const HEADERS = [
  'Content-Type',
  'X-Requested-With',
  'X-Vault-AWS-IAM-Server-ID',
  'X-Vault-MFA',
  'X-Vault-Namespace',
  'X-Vault-No-Request-Forwarding',
  'X-Vault-Policy-Override',
  'X-Vault-Wrap-Format',
  'X-Vault-Wrap-TTL',
  'X-Vault-Token',
  'Authorization',
]
/** How long a browser may remember the answer to its question. */
const MAX_AGE_SECONDS = 300

/** `headers` go on the answer, whatever it is; `answer` is one without asking the core. */
export type CrossOrigin = { headers: Record<string, string>; answer?: Response }

/** What came as `Origin`, from node's flat list of headers. */
export function originOf(raw: readonly string[]): string | undefined {
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length === 6 && raw[i]!.toLowerCase() === 'origin') return raw[i + 1]
  }
  return undefined
}

/** Undefined while nothing is configured. Throws a Failure (403) for an origin that is not named. */
export function crossOrigin(
  config: CorsConfig | undefined,
  asked: { origin: string; method: string; requestMethod: string | undefined },
): CrossOrigin | undefined {
  if (!config) return undefined
  const { allowed_origins: origins, allowed_headers: more } = config
  if (!origins.includes('*') && !origins.includes(asked.origin)) {
    throw new Failure('permission_denied', 'origin not allowed')
  }
  const headers = { 'Access-Control-Allow-Origin': asked.origin, Vary: 'Origin' }
  if (asked.method !== 'OPTIONS') return { headers }
  if (!METHODS.includes(asked.requestMethod ?? '')) {
    return { headers: {}, answer: json(405, '{"errors":[]}') }
  }
  const answer: Response = { status: 200, contentType: 'text/plain', body: '' }
  return {
    headers: {
      ...headers,
      'Access-Control-Allow-Methods': METHODS.join(','),
      'Access-Control-Allow-Headers': [...new Set([...HEADERS, ...more])].join(','),
      'Access-Control-Max-Age': `${MAX_AGE_SECONDS}`,
    },
    answer,
  }
}
