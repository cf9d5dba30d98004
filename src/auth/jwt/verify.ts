/**
 * From a token to what it says: the signature by a key of the configuration, with an algorithm that
 * is allowed. Nothing of the token chooses a key but the name of one of ours.
 */
import { type JsonObject } from '../../lib/json.ts'
import { OutboundError } from '../../lib/outbound.ts'
import { parseStrictObject } from '../../lib/strict-json.ts'
import { ALGORITHMS } from './algorithms.ts'
import { TokenError } from './claims.ts'
import { type Config, type JwksPair, placesOf } from './config.ts'
import { discover } from './discovery.ts'
import { fetchedAgain, fetchedKeys } from './fetched-keys.ts'
import { keyOfPem, type VerificationKey } from './verification-key.ts'

const TOKEN_CHARS_MAX = 256 * 1024
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/
const UNVERIFIED =
  'error verifying token signature: no known key successfully validated the token signature'

export type Verified = {
  claims: JsonObject
  /** Who must have issued it, where the configuration does not say. */
  issuer: string
}

/** Throws TokenError; OutboundError where the keys are not to be had. */
export async function verifyToken(
  token: string,
  config: Config,
  options: { now: number; algorithms?: readonly string[] },
): Promise<Verified> {
  const header = headerOf(token)
  const allowed = config.jwt_supported_algs.length > 0 ? config.jwt_supported_algs : undefined
  const algorithms = allowed ?? options.algorithms ?? ALGORITHMS
  if (!algorithms.includes(header.alg)) throw new TokenError('unsupported signing algorithm')
  const source = await sourceOf(config, options.now)
  let payload: Uint8Array | undefined
  for await (const keys of source.keys()) {
    payload = await signed(token, candidates(keys, header), header.alg)
    if (payload) break
  }
  if (!payload) throw new TokenError(UNVERIFIED)
  const claims = parseStrictObject(payload)
  if (!claims) throw new TokenError('claims are not a JSON object with each name once')
  return { claims, issuer: source.issuer }
}

type Header = { alg: string; kid: string | undefined }

function headerOf(token: string): Header {
  if (token.length > TOKEN_CHARS_MAX || !COMPACT.test(token)) {
    throw new TokenError('not a compact JWS')
  }
  const header = parseStrictObject(Buffer.from(token.split('.', 1)[0]!, 'base64url'))
  const { alg, kid, crit } = header ?? {}
  // An extension that must be understood is one that is not understood here (RFC 7515, 4.1.11).
  if (typeof alg !== 'string' || crit !== undefined) throw new TokenError('malformed header')
  if (kid !== undefined && typeof kid !== 'string') throw new TokenError('malformed header')
  return { alg, kid }
}

type Source = {
  issuer: string
  /** Sets of keys to try, one after the other: a later one is fetched only when it is needed. */
  keys(): AsyncIterable<readonly VerificationKey[]>
}

/** Keys of PEM are parsed once: an entry of the store is the same object while it is unchanged. */
const parsed = new WeakMap<readonly string[], VerificationKey[]>()

async function sourceOf(config: Config, now: number): Promise<Source> {
  if (config.jwt_validation_pubkeys.length > 0) {
    const pems = config.jwt_validation_pubkeys
    const keys = parsed.get(pems) ?? pems.flatMap((pem) => keyOfPem(pem) ?? [])
    parsed.set(pems, keys)
    return {
      issuer: '',
      async *keys() {
        yield keys
      },
    }
  }
  const found = config.oidc_discovery_url === '' ? undefined : await discover(config, now)
  const places = found
    ? [{ jwks_url: found.jwksUrl, jwks_ca_pem: config.oidc_discovery_ca_pem }]
    : placesOf(config)
  return {
    issuer: found?.issuer ?? '',
    keys: () => keysOf(places, now),
  }
}

async function* keysOf(places: readonly JwksPair[], now: number) {
  /** One of several places may be down while another one has the key. */
  const down = new Map<JwksPair, OutboundError>()
  for (const fetch of [fetchedKeys, fetchedAgain]) {
    for (const place of places.filter((one) => !down.has(one))) {
      try {
        const keys = await fetch(place, now)
        if (keys) yield keys
      } catch (error) {
        if (!(error instanceof OutboundError)) throw error
        down.set(place, error)
      }
    }
  }
  for (const error of down.values()) throw error
}

function candidates(keys: readonly VerificationKey[], header: Header): VerificationKey[] {
  return keys.filter(
    (key) =>
      (key.alg === undefined || key.alg === header.alg) &&
      (header.kid === undefined || key.kid === undefined || key.kid === header.kid),
  )
}

async function signed(
  token: string,
  keys: readonly VerificationKey[],
  alg: string,
): Promise<Uint8Array | undefined> {
  const { compactVerify } = await import('jose')
  for (const { key } of keys) {
    try {
      return (await compactVerify(token, key, { algorithms: [alg] })).payload
    } catch {
      // The next key may be the one.
    }
  }
  return undefined
}
