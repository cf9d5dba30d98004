import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { compactVerify, importJWK } from 'jose'
import { systemRandom } from '../../../lib/random.ts'
import {
  type Algorithm,
  ALGORITHMS,
  halfHash,
  kidOf,
  newPair,
  type PublicJwk,
  publicJwk,
  signJwt,
  verifyJwt,
} from './signing.ts'

/** As a verifier that knows nothing but the RFCs and Node's crypto would do it. */
function verifiedByNode(token: string, jwk: PublicJwk): Record<string, unknown> | undefined {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg: string }
  equal(alg, jwk.alg)
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' })
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`
  const good = verify(
    hash,
    Buffer.from(`${header}.${payload}`),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  return good ? JSON.parse(Buffer.from(payload, 'base64url').toString()) : undefined
}

const CLAIMS = { sub: 'entity-1', note: 'ü "quoted"' }

test('verifyJwt() takes no token that its key has not signed with its own algorithm', async () => {
  const [rsa, other, ec] = await Promise.all(
    (['RS256', 'RS256', 'ES256'] as const).map((algorithm) => newPair(algorithm, systemRandom)),
  )
  const token = await signJwt(rsa!, CLAIMS)
  const [header = '', payload = '', signature = ''] = token.split('.')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const none = part({ alg: 'none', kid: rsa!.kid })
  const hs256 = part({ alg: 'HS256', kid: rsa!.kid })
  const spki = createPublicKey({ key: { ...publicJwk(rsa!) }, format: 'jwk' })
  const asSecret = spki.export({ type: 'spki', format: 'pem' })
  const mac = createHmac('sha256', asSecret).update(`${hs256}.${payload}`).digest('base64url')
  const rows: Record<string, [string, PublicJwk]> = {
    'another key': [token, publicJwk(other!)],
    'another kind of key': [token, publicJwk(ec!)],
    'another algorithm': [token, { ...publicJwk(rsa!), alg: 'RS512' }],
    'no algorithm': [`${none}.${payload}.`, publicJwk(rsa!)],
    'public key as secret': [`${hs256}.${payload}.${mac}`, publicJwk(rsa!)],
    'other claims': [`${header}.${part({ sub: 'root' })}.${signature}`, publicJwk(rsa!)],
    'cut off': [token.slice(0, -2), publicJwk(rsa!)],
    'not a token': ['hvs.x', publicJwk(rsa!)],
    empty: ['', publicJwk(rsa!)],
  }
  for (const [name, [jwt, key]] of Object.entries(rows)) {
    equal(await verifyJwt(jwt, key), undefined, name)
  }
  deepEqual(await verifyJwt(token, publicJwk(rsa!)), CLAIMS)
})

test('signJwt() makes tokens that jose and Node verify, for every algorithm', async () => {
  for (const algorithm of ALGORITHMS) {
    const pair = await newPair(algorithm, systemRandom)
    const jwk = publicJwk(pair)
    const token = await signJwt(pair, CLAIMS)
    equal(await kidOf(token), pair.kid)
    deepEqual(verifiedByNode(token, jwk), CLAIMS, algorithm)
    const { payload } = await compactVerify(token, await importJWK({ ...jwk }))
    deepEqual(JSON.parse(Buffer.from(payload).toString()), CLAIMS, algorithm)
    deepEqual(await verifyJwt(token, jwk), CLAIMS, algorithm)
  }
})

test('publicJwk() has no private member', async () => {
  const members: Record<string, string[]> = {
    RS256: ['alg', 'e', 'kid', 'kty', 'n', 'use'],
    ES384: ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
    EdDSA: ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
  }
  for (const [algorithm, names] of Object.entries(members)) {
    const pair = await newPair(algorithm as Algorithm, systemRandom)
    ok(pair.jwk.d)
    deepEqual(Object.keys(publicJwk(pair)).sort(), names)
    equal(publicJwk(pair).kid, pair.kid)
  }
})

test('newPair() makes another pair each time', async () => {
  const [a, b] = [await newPair('ES256', systemRandom), await newPair('ES256', systemRandom)]
  notEqual(a.kid, b.kid)
  notEqual(a.jwk.d, b.jwk.d)
})

test('halfHash() is the left half of the hash that belongs to the algorithm', () => {
  // OpenID Connect Core, appendix A.3: an access token and its at_hash.
  equal(halfHash('RS256', 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y'), '77QmUPtjPfzWtF2AnpK9RQ')
  for (const [algorithm, bytes] of Object.entries({ ES384: 24, RS512: 32, EdDSA: 32 })) {
    const half = Buffer.from(halfHash(algorithm as Algorithm, 'x'), 'base64url')
    equal(half.length, bytes)
    const whole = createHash(`sha${bytes * 16}`)
      .update('x')
      .digest()
    deepEqual(half, whole.subarray(0, bytes))
  }
})
