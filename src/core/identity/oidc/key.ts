/**
 * Named keys: what signs identity tokens. Each has a pair that signs, the pair that will sign next,
 * which is published already so that a copy of the JWKS stays good over a rotation, and the public
 * parts of pairs that have signed and may still be verified.
 */
import { type Scope } from '../../../barrier/space.ts'
import { type Call, collection } from '../../../kit/call.ts'
import { type Random } from '../../../lib/random.ts'
import { type Algorithm, newPair, publicJwk, type PublicJwk, type SigningPair } from './signing.ts'

export type KeySettings = {
  readonly algorithm: Algorithm
  /** Seconds. */
  readonly rotation_period: number
  /** Seconds a pair can be verified with after it has signed for the last time. */
  readonly verification_ttl: number
  readonly allowed_client_ids: readonly string[]
}

/** Entry `identity-oidc/key/<name>`. Times in milliseconds since the epoch. */
export type NamedKey = KeySettings & {
  readonly next_rotation: number
  readonly signing: SigningPair
  readonly next: SigningPair
  readonly retired: readonly { readonly key: PublicJwk; readonly until: number }[]
}

const keys = collection<NamedKey>('identity-oidc/key/')

/** It is there without being made, and cannot be removed. Its pairs are made when it is used. */
export const DEFAULT_KEY = 'default'

const DAY_SECONDS = 86_400

export const NEW_KEY: KeySettings = {
  algorithm: 'RS256',
  rotation_period: DAY_SECONDS,
  verification_ttl: DAY_SECONDS,
  allowed_client_ids: [],
}
const DEFAULT_SETTINGS: KeySettings = { ...NEW_KEY, allowed_client_ids: ['*'] }

type Making = { now: number; random: Random }

export async function findKey(scope: Scope, name: string): Promise<NamedKey | undefined> {
  return await keys.get(scope, name)
}

export async function keySettings(scope: Scope, name: string): Promise<KeySettings | undefined> {
  return (await keys.get(scope, name)) ?? (name === DEFAULT_KEY ? DEFAULT_SETTINGS : undefined)
}

export async function keyNames(scope: Scope): Promise<string[]> {
  const stored = await keys.names(scope)
  return stored.includes(DEFAULT_KEY) ? stored : [...stored, DEFAULT_KEY].sort()
}

export function saveKey(scope: Scope, name: string, key: NamedKey): void {
  keys.put(scope, name, key)
}

export function removeKey(scope: Scope, name: string): void {
  keys.remove(scope, name)
}

/** A key with fresh pairs. What has signed before stays verifiable. */
export async function withNewPairs(
  settings: KeySettings,
  before: NamedKey | undefined,
  { now, random }: Making,
): Promise<NamedKey> {
  const { algorithm, rotation_period, verification_ttl, allowed_client_ids } = settings
  const [signing, next] = await Promise.all([
    newPair(algorithm, random),
    newPair(algorithm, random),
  ])
  return {
    algorithm,
    rotation_period,
    verification_ttl,
    allowed_client_ids,
    next_rotation: now + rotation_period * 1000,
    signing,
    next,
    retired: before ? retiredWith(before, now, verification_ttl) : [],
  }
}

/** `verificationTtl` in seconds: how long the pair that signed until now stays verifiable. */
export async function rotatedKey(
  key: NamedKey,
  { now, random }: Making,
  verificationTtl = key.verification_ttl,
): Promise<NamedKey> {
  return {
    ...key,
    next_rotation: now + key.rotation_period * 1000,
    signing: key.next,
    next: await newPair(key.algorithm, random),
    retired: retiredWith(key, now, verificationTtl),
  }
}

function retiredWith(key: NamedKey, now: number, ttlSeconds: number): NamedKey['retired'] {
  const all = [...key.retired, { key: publicJwk(key.signing), until: now + ttlSeconds * 1000 }]
  return all.filter(({ until }) => until > now)
}

/**
 * The key with its pairs, for use: the default key is made here, and one whose period is over is
 * rotated before it signs. Undefined when there is no such key.
 */
export async function keyForUse(
  scope: Scope,
  name: string,
  call: Pick<Call<unknown>, 'now' | 'random'>,
): Promise<NamedKey | undefined> {
  const stored = await keys.get(scope, name)
  if (stored && stored.next_rotation > call.now) return stored
  if (!stored && name !== DEFAULT_KEY) return undefined
  const key = stored
    ? await rotatedKey(stored, call)
    : await withNewPairs(DEFAULT_SETTINGS, undefined, call)
  keys.put(scope, name, key)
  return key
}

/** All that a token of this key may be verified with now, or soon. */
export function publicKeys(key: NamedKey, now: number): PublicJwk[] {
  const retired = key.retired.filter(({ until }) => until > now).map(({ key: jwk }) => jwk)
  return [publicJwk(key.signing), publicJwk(key.next), ...retired]
}

export function mayUse(key: KeySettings, clientId: string): boolean {
  return key.allowed_client_ids.includes('*') || key.allowed_client_ids.includes(clientId)
}
