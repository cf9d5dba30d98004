/**
 * Key sets of issuers, kept for a while: ten minutes, or until a token names a key that is not among
 * them. Then they are fetched once more, but no more often than every ten seconds, so that nobody
 * can make this server ask another one at will.
 */
import { isObject } from '../../lib/json.ts'
import { jsonOf, outbound, OutboundError } from '../../lib/outbound.ts'
import { type JwksPair } from './config.ts'
import { keyOfJwk, type VerificationKey } from './verification-key.ts'

const LIFE_MS = 10 * 60_000
const AGAIN_MS = 10_000
const KEYS_MAX = 100
const PLACES_MAX = 200

type Fetched<T> = { at: number; answer: Promise<T> }

/** Answers by what they were asked with, each for as long as `LIFE_MS`; failures are not kept. */
export class FetchCache<T> {
  readonly #known = new Map<string, Fetched<T>>()

  get(key: string, now: number, fetch: () => Promise<T>): Promise<T> {
    const known = this.#known.get(key)
    if (known && this.#isYoung(known, now, LIFE_MS)) return known.answer
    return this.#fetch(key, now, fetch)
  }

  /** Newer than what `get` gave; undefined where that is too young to ask again. */
  again(key: string, now: number, fetch: () => Promise<T>): Promise<T> | undefined {
    const known = this.#known.get(key)
    if (known && this.#isYoung(known, now, AGAIN_MS)) return undefined
    return this.#fetch(key, now, fetch)
  }

  /** A clock that was set back makes everything old. */
  #isYoung({ at }: Fetched<T>, now: number, ms: number): boolean {
    return now >= at && now < at + ms
  }

  #fetch(key: string, now: number, fetch: () => Promise<T>): Promise<T> {
    const fetched = { at: now, answer: fetch() }
    this.#known.delete(key)
    this.#known.set(key, fetched)
    const [oldest] = this.#known.keys()
    if (this.#known.size > PLACES_MAX && oldest !== undefined) this.#known.delete(oldest)
    fetched.answer.catch(() => {
      if (this.#known.get(key) === fetched) this.#known.delete(key)
    })
    return fetched.answer
  }
}

const cache = new FetchCache<readonly VerificationKey[]>()

/** The keys at an address, which another trust may see differently. Throws OutboundError. */
export function fetchedKeys(place: JwksPair, now: number): Promise<readonly VerificationKey[]> {
  return cache.get(keyOf(place), now, () => fetchKeys(place))
}

/** The same, fetched anew; undefined where that was done just now. */
export function fetchedAgain(
  place: JwksPair,
  now: number,
): Promise<readonly VerificationKey[]> | undefined {
  return cache.again(keyOf(place), now, () => fetchKeys(place))
}

const keyOf = (place: JwksPair) => `${place.jwks_url} ${place.jwks_ca_pem}`

async function fetchKeys(place: JwksPair): Promise<readonly VerificationKey[]> {
  const set = jsonOf(await outbound({ url: place.jwks_url, caPem: place.jwks_ca_pem }))
  const keys: unknown = isObject(set) ? set['keys'] : undefined
  if (!Array.isArray(keys)) throw new OutboundError('did not answer with a key set')
  return keys.slice(0, KEYS_MAX).flatMap((key) => keyOfJwk(key) ?? [])
}
