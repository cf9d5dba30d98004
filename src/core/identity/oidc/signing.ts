/**
 * Key pairs and what is done with them: made, published as JWKs (RFC 7517), and used to sign and
 * verify JWTs (RFC 7515, 7519). A private key exists here and in the barrier, nowhere else.
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPair,
  type KeyObject,
  type webcrypto,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { JWK } from 'jose'
import { type Random, uuid } from '../../../lib/random.ts'

/** In the order in which Vault's discovery names them. */
export const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** As stored. `jwk` has the private part; nobody outside this file reads it. */
export type SigningPair = {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly jwk: webcrypto.JsonWebKey
}

/** What may be told to everybody. */
export type PublicJwk = {
  readonly use: 'sig'
  readonly kid: string
  readonly alg: Algorithm
} & Readonly<Record<string, string>>

const RSA_BITS = 2048
const CURVES: Readonly<Partial<Record<Algorithm, string>>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
}

const makePair = promisify(generateKeyPair)

/** Off the event loop: an RSA key takes a good part of a second. */
async function makeKey(algorithm: Algorithm): Promise<KeyObject> {
  const curve = CURVES[algorithm]
  if (curve) return (await makePair('ec', { namedCurve: curve })).privateKey
  if (algorithm === 'EdDSA') return (await makePair('ed25519')).privateKey
  return (await makePair('rsa', { modulusLength: RSA_BITS })).privateKey
}

export async function newPair(algorithm: Algorithm, random: Random): Promise<SigningPair> {
  const key = await makeKey(algorithm)
  return { kid: uuid(random), algorithm, jwk: key.export({ format: 'jwk' }) }
}

/** The members of a JWK that are public (RFC 7518, sections 6.2.1 and 6.3.1; RFC 8037, section 2). */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/** Picked by name: a member that is not listed is not told. */
export function publicJwk({ kid, algorithm, jwk }: SigningPair): PublicJwk {
  const members = PUBLIC_MEMBERS.flatMap((name) => {
    const value = jwk[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return { use: 'sig', kid, alg: algorithm, ...Object.fromEntries(members) }
}

/** A stored pair is the same object while it has not changed, so it is imported once. */
const imported = new WeakMap<SigningPair, KeyObject>()

function privateKeyOf(pair: SigningPair): KeyObject {
  let key = imported.get(pair)
  if (!key) imported.set(pair, (key = createPrivateKey({ key: pair.jwk, format: 'jwk' })))
  return key
}

export async function signJwt(pair: SigningPair, claims: object): Promise<string> {
  const { CompactSign } = await import('jose')
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: pair.algorithm, kid: pair.kid })
    .sign(privateKeyOf(pair))
}

/** The key id a JWT names; undefined when it is no signed JWT at all. */
export async function kidOf(token: string): Promise<string | undefined> {
  const { decodeProtectedHeader } = await import('jose')
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    return undefined
  }
}

/** The claims of a JWT that this key has signed with its own algorithm, else undefined. */
export async function verifyJwt(
  token: string,
  key: PublicJwk,
): Promise<Record<string, unknown> | undefined> {
  const { compactVerify } = await import('jose')
  try {
    const { payload } = await compactVerify(token, key as JWK, { algorithms: [key.alg] })
    const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'))
    return typeof claims === 'object' && claims !== null
      ? (claims as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

const HASHES: Readonly<Record<string, string>> = {
  256: 'sha256',
  384: 'sha384',
  512: 'sha512',
}

/**
 * `at_hash` and `c_hash`: the left half of the hash that belongs to the algorithm (OpenID Connect
 * Core, sections 3.1.3.6 and 3.3.2.11). Ed25519 is built on SHA-512.
 */
export function halfHash(algorithm: Algorithm, text: string): string {
  const digest = createHash(HASHES[algorithm.slice(2)] ?? 'sha512')
    .update(text)
    .digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}
