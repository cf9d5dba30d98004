/** What a provider says of itself (OpenID Connect Discovery 1.0, section 4), kept like its keys. */
import { isObject } from '../../lib/json.ts'
import { jsonOf, outbound, OutboundError } from '../../lib/outbound.ts'
import { type Config } from './config.ts'
import { FetchCache } from './fetched-keys.ts'

export type Discovery = {
  issuer: string
  jwksUrl: string
  /** Empty where the provider names none. */
  authorizationUrl: string
  tokenUrl: string
  userinfoUrl: string
  /** Absent = it does not say. */
  algorithms: readonly string[] | undefined
  tokenAuthMethods: readonly string[] | undefined
}

const cache = new FetchCache<Discovery>()

type Source = Pick<Config, 'oidc_discovery_url' | 'oidc_discovery_ca_pem'>

/** Throws OutboundError where the document is not to be had, or is that of another issuer. */
export function discover(source: Source, now: number): Promise<Discovery> {
  const { oidc_discovery_url: issuer, oidc_discovery_ca_pem: caPem } = source
  return cache.get(`${issuer} ${caPem}`, now, () => fetchDiscovery(issuer, caPem))
}

async function fetchDiscovery(issuer: string, caPem: string): Promise<Discovery> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const document = jsonOf(await outbound({ url, caPem }))
  if (!isObject(document)) throw new OutboundError('did not answer with a discovery document')
  if (document['issuer'] !== issuer) throw new OutboundError('names another issuer than its own')
  const address = (name: string) => addressOf(document[name], issuer)
  const jwksUrl = address('jwks_uri')
  if (jwksUrl === '') throw new OutboundError('names no keys')
  return {
    issuer,
    jwksUrl,
    authorizationUrl: address('authorization_endpoint'),
    tokenUrl: address('token_endpoint'),
    userinfoUrl: address('userinfo_endpoint'),
    algorithms: namesIn(document['id_token_signing_alg_values_supported']),
    tokenAuthMethods: namesIn(document['token_endpoint_auth_methods_supported']),
  }
}

/** What was read over TLS must not lead to where there is none. */
function addressOf(value: unknown, issuer: string): string {
  if (value === undefined || value === '') return ''
  if (typeof value === 'string') {
    const { protocol } = URL.parse(value) ?? {}
    if (protocol === 'https:') return value
    if (protocol === 'http:' && !issuer.startsWith('https:')) return value
  }
  throw new OutboundError('names an address that cannot be used')
}

const namesIn = (value: unknown) =>
  Array.isArray(value) ? value.filter((name) => typeof name === 'string') : undefined
