/**
 * A Redis client that follows a rotated login, of `redis` or of `ioredis`, whichever the app brings
 * along. A session lasts as long as the app: it is logged in anew where it stands, nothing that is
 * under way is cut, and a reconnect takes what is in use then.
 */
import { type Credential } from './credential.ts'
import { followIoredis, type IoredisClass, openIoredis } from './ioredis.ts'
import { followNodeRedis, type NodeRedis, openNodeRedis } from './node-redis.ts'
import { createRollover, type Rollover } from './rollover.ts'
import { rotatingCredential, type RotatingOptions } from './source.ts'

export type NodeRedisModule = { createClient: (options: never) => object }
export type IoredisModule = { Redis: new (options: never) => object }
export type RotatingRedisOptions = RotatingOptions & {
  /** As for `createClient()` or `new Redis()`, without username and password. */
  redis?: object | undefined
}

/** One client and those that were duplicated from it. */
export type Sessions = {
  rollover: Rollover
  sessionName: string
  onError: (error: unknown) => void
  /** Asks for the newest login before a reconnect, for a moment at most. */
  refresh(): Promise<void>
  /** Called when there is a new login: logs one session in anew. The returned function ends that. */
  add(again: () => Promise<void>): () => void
}

const REFRESH_MS = 1000

/**
 * `const redis = await rotatingRedis(module, 'vault://database/static-creds/app', { redis: { … } })`.
 * The client is connected. Closing it ends the following, once its duplicates are closed too.
 */
export function rotatingRedis<M extends NodeRedisModule>(
  redis: M,
  ref: string,
  options?: RotatingRedisOptions,
): Promise<ReturnType<M['createClient']>>
export function rotatingRedis<M extends IoredisModule>(
  ioredis: M,
  ref: string,
  options?: RotatingRedisOptions,
): Promise<InstanceType<M['Redis']>>
export function rotatingRedis<C extends new (options: never) => object>(
  Redis: C,
  ref: string,
  options?: RotatingRedisOptions,
): Promise<InstanceType<C>>
export async function rotatingRedis(
  given: object,
  ref: string,
  { redis: config = {}, ...options }: RotatingRedisOptions = {},
): Promise<unknown> {
  const { Redis = given, createClient } = given as Partial<IoredisModule & NodeRedisModule>
  const source = await rotatingCredential(ref, options)
  const own = config as Record<string, unknown>
  const create = createClient as ((options: object) => NodeRedis) | undefined
  // `ioredis` is a class with others on it; only `redis` has nothing but functions.
  const isIoredis = typeof Redis === 'function' && typeof Redis.prototype === 'object'
  const { sessionName } = source
  const test = async (credential: Credential) => {
    if (isIoredis) await openIoredis(Redis as IoredisClass, own, { credential, sessionName })
    else if (create) await openNodeRedis(create, own, { credential, sessionName })
  }
  if (!isIoredis && !create) {
    await source.close()
    throw new TypeError('give the module "redis" or "ioredis"')
  }
  const sessions = new Map<object, () => Promise<void>>()
  const retire = () => {
    for (const again of sessions.values()) again().catch(source.onError)
  }
  const rollover = createRollover(source, { test, retire })
  const all: Sessions = {
    rollover,
    sessionName,
    onError: source.onError,
    refresh: () => soon(source.refreshNow({ background: true }), REFRESH_MS),
    add(again) {
      const key = {}
      sessions.set(key, again)
      return () => {
        sessions.delete(key)
        if (sessions.size === 0) rollover.close().catch(source.onError)
      }
    },
  }
  try {
    return await (isIoredis
      ? followIoredis(Redis as IoredisClass, own, all)
      : followNodeRedis(create!, own, all))
  } catch (error) {
    await rollover.close()
    throw error
  }
}

/** A server that does not answer must not keep a session from coming back with what is known. */
async function soon(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
    timer.unref()
  })
  await Promise.race([work.catch(() => {}), late])
  clearTimeout(timer)
}
