/**
 * Keeps what was read for a while. What is a little old is served at once and replaced behind the
 * caller's back; what is too old is not served at all. Of many callers one asks, the others wait.
 *
 *   age   0 ······· soft ·················· hard ·······>
 *         served     served, and refreshed   read first
 */
import { DeniedError, isPassing, MissingError } from './errors.ts'
import { type CallOptions } from './http.ts'
import { waitFor } from './session.ts'

export type CacheTimes = {
  /** From this age on a value is refreshed, less or more by a tenth. Default 60000. */
  softTtlMs?: number | undefined
  /** From this age on a value is not served any more. Default 3600000. */
  hardTtlMs?: number | undefined
  /** How long "no such secret" and "denied" are believed. Default 2000. */
  negativeTtlMs?: number | undefined
}
export type CacheOptions<T> = CacheTimes & {
  load: (key: string, options: CallOptions) => Promise<T>
  /** Told once of every run of refreshes that failed while an old value was served. */
  onError: (error: unknown) => void
  /** From 0 up to 1. */
  random: () => number
}
export type Cache<T> = {
  get(key: string, options?: CallOptions): Promise<T>
  /** Reads now, and no earlier than now; callers at the same time share one read. */
  refreshNow(key: string, options?: CallOptions): Promise<T>
  /** What is in the cache, however old. */
  readonly keys: readonly string[]
}

type Kept<T> = { value: T; at: number; softMs: number }
type Refused = { error: unknown; until: number }
type Wait = { until: number; failures: number }

const BACKOFF_MS = 1000
const BACKOFF_MS_MAX = 60_000

/**
 * "Missing" and "denied" are answers: they end what was cached, and are believed for a short time. A
 * server that is away is none: the old value is served until its hard ttl.
 */
export function createCache<T>({ load, onError, random, ...times }: CacheOptions<T>): Cache<T> {
  const { softTtlMs = 60_000, hardTtlMs = 3_600_000, negativeTtlMs = 2000 } = times
  const kept = new Map<string, Kept<T>>()
  const refused = new Map<string, Refused>()
  const waits = new Map<string, Wait>()
  const flights = new Map<string, Promise<T>>()
  const queued = new Map<string, Promise<T>>()

  const read = async (key: string): Promise<T> => {
    try {
      // Nobody's signal: the others who wait would be cut off with the one who asked first.
      const value = await load(key, { background: true })
      kept.set(key, { value, at: Date.now(), softMs: softTtlMs * (0.9 + 0.2 * random()) })
      refused.delete(key)
      waits.delete(key)
      return value
    } catch (error) {
      if (error instanceof MissingError || error instanceof DeniedError) {
        kept.delete(key)
        refused.set(key, { error, until: Date.now() + negativeTtlMs })
      }
      throw error
    }
  }

  const fly = (key: string): Promise<T> => {
    const flying = flights.get(key)
    if (flying) return flying
    const flight = read(key).finally(() => flights.delete(key))
    // Whoever waits hears of it; one who gave up waiting must not leave a rejection behind.
    flight.catch(() => {})
    flights.set(key, flight)
    return flight
  }

  /** Behind the caller's back: an error is told, not thrown, and the next try waits longer. */
  const refresh = (key: string): void => {
    const wait = waits.get(key)
    if (flights.has(key) || (wait && Date.now() < wait.until)) return
    fly(key).catch((error: unknown) => {
      const failures = (wait?.failures ?? 0) + 1
      const backoff = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** failures)
      waits.set(key, { until: Date.now() + backoff * (0.5 + random() / 2), failures })
      if (failures === 1 || !isPassing(error)) onError(error)
    })
  }

  return {
    async get(key, options = {}) {
      const entry = kept.get(key)
      const age = entry === undefined ? Infinity : Date.now() - entry.at
      if (entry !== undefined && age < hardTtlMs) {
        if (age >= entry.softMs) refresh(key)
        return entry.value
      }
      const refusal = refused.get(key)
      if (refusal && Date.now() < refusal.until) throw refusal.error
      return waitFor(fly(key), options)
    },
    async refreshNow(key, options = {}) {
      let next = queued.get(key)
      if (next === undefined) {
        // A read that is under way may have been answered before whatever made the caller ask.
        const under = flights.get(key)
        const start = () => {
          queued.delete(key)
          return fly(key)
        }
        next = under === undefined ? start() : under.then(start, start)
        if (under !== undefined) queued.set(key, next)
        next.catch(() => {})
      }
      return waitFor(next, options)
    },
    get keys() {
      return [...kept.keys()]
    },
  }
}
