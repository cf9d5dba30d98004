/**
 * How many requests an address has left: a token bucket for each address and quota, in the memory of
 * this process. Full at first and after a pause, it gets `rate` tokens each interval and gives one to
 * each request. There are so many buckets at most; of too many, those that nobody has asked for
 * longest are forgotten, which makes them full again.
 */
import { networkOf } from '../lib/cidr.ts'

export type Rate = {
  rate: number
  intervalSeconds: number
  /** How long an address is refused that has asked too often; 0 = until it has a token again. */
  blockSeconds: number
}

export type Verdict = {
  allowed: boolean
  limit: number
  remaining: number
  /** Until the bucket is full. */
  resetSeconds: number
  /** Until the next request is allowed; 0 = now. */
  retrySeconds: number
}

type Bucket = { tokens: number; at: number; blockedUntil: number }

const BUCKETS_MAX = 50_000
/** What adding up parts of a token may lack of a whole one. */
const NEARLY = 1e-6
/** One customer has all of these addresses (RFC 6177). */
const V6_BITS = 64

export class RateLimiter {
  // Two generations: when the young one is full it becomes the old one, and the old one is dropped.
  #young = new Map<string, Bucket>()
  #old = new Map<string, Bucket>()
  readonly #max: number

  constructor(max = BUCKETS_MAX) {
    this.#max = max
  }

  /** Takes a token, if there is one. `quota` is another word when the quota has become another. */
  take(quota: string, address: string, { now, ...rate }: Rate & { now: number }): Verdict {
    const capacity = Math.max(rate.rate, 1)
    const perMs = rate.rate / rate.intervalSeconds / 1000
    const bucket = this.#bucket(`${quota} ${networkOf(address, V6_BITS)}`, { capacity, now })
    // A clock that is set back gives nothing, and takes nothing away.
    const passed = Math.max(now - bucket.at, 0)
    bucket.tokens = Math.min(capacity, bucket.tokens + passed * perMs)
    bucket.at = now
    const blocked = bucket.blockedUntil > now
    const allowed = !blocked && bucket.tokens >= 1 - NEARLY
    if (allowed) bucket.tokens = Math.max(bucket.tokens - 1, 0)
    else if (!blocked && rate.blockSeconds > 0) {
      bucket.blockedUntil = now + rate.blockSeconds * 1000
    }
    const seconds = (ms: number) => Math.ceil(ms / 1000 - NEARLY)
    const untilToken = Math.max(1 - bucket.tokens, 0) / perMs
    return {
      allowed,
      limit: Math.floor(capacity),
      remaining: blocked ? 0 : Math.floor(bucket.tokens + NEARLY),
      resetSeconds: seconds((capacity - bucket.tokens) / perMs),
      retrySeconds: allowed ? 0 : seconds(Math.max(untilToken, bucket.blockedUntil - now)),
    }
  }

  #bucket(key: string, { capacity, now }: { capacity: number; now: number }): Bucket {
    const young = this.#young.get(key)
    if (young) return young
    const bucket = this.#old.get(key) ?? { tokens: capacity, at: now, blockedUntil: 0 }
    if (this.#young.size >= this.#max) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, bucket)
    return bucket
  }
}
