/**
 * Where a program's secrets come from: the server, and while that is away what was kept of it. The
 * login is made when it is first needed and tried again for as long as it fails, so a program can
 * start before the server does.
 */
import { authFromEnv } from '../auth.ts'
import { type Client, connect, type ConnectOptions } from '../connect.ts'
import { ClosedError, CofferError, isPassing } from '../errors.ts'
import { type CallOptions } from '../http.ts'
import { createOfflineCache, type OfflineCache, type OfflineOptions } from '../offline.ts'
import { type Reading } from './reading.ts'
import { waitFor } from '../session.ts'

export type SupplyOptions = {
  /** Used and left open. Without it, one is made from `connect` and closed at the end. */
  client?: Client | undefined
  connect?: ConnectOptions | undefined
  /** Kept on disk, for a start while the server is away. Not with a client that is given. */
  offline?: OfflineOptions | undefined
  /** Told of trouble that nobody waits for. Without it, a warning is emitted on the process. */
  onError?: ((error: unknown) => void) | undefined
}

export type Supply = {
  client(options?: CallOptions): Promise<Client>
  /**
   * What `load` reads with a client. When the server is away, what was kept under `key`, if
   * anything was; `offline` says which it is. A reading with a lease is not kept.
   */
  read(key: string, load: Load, options?: CallOptions): Promise<Supplied>
  onError: (error: unknown) => void
  close(): Promise<void>
}
type Load = (client: Client, options: CallOptions) => Promise<Reading>
export type Supplied = Reading & { offline: boolean }

const WAIT_MS = 3000

export function createSupply(options: SupplyOptions): Supply {
  const { client: given, connect: own = {}, onError = warn } = options
  let connecting: Promise<Client> | undefined
  let kept: Promise<OfflineCache | undefined> | undefined
  const ending = new AbortController()

  const client = (call: CallOptions = {}): Promise<Client> => {
    if (ending.signal.aborted) return Promise.reject(new ClosedError())
    if (given) return Promise.resolve(given)
    connecting ??= connect({ onError, signal: ending.signal, ...own }).catch((error: unknown) => {
      connecting = undefined
      throw error
    })
    connecting.catch(() => {})
    return waitFor(connecting, call)
  }
  const offline = () => {
    kept ??= openOffline(options, onError)
    return kept
  }

  return {
    client,
    onError,
    async read(key, load, call = {}) {
      const cache = await offline()
      const stored = await storedIn(cache, key).catch((error: unknown) => ({ error }))
      const entry = stored !== undefined && 'value' in stored ? stored.value : undefined
      // With something to fall back on, a start does not wait for a server that hangs.
      const limit = entry && timeLimit(options.offline?.waitMs ?? WAIT_MS, call.signal)
      try {
        const now = { ...call, signal: limit?.signal ?? call.signal }
        const reading = await load(await client(now), now)
        if (cache) await keep(cache, key, reading).catch(onError)
        return { ...reading, offline: false }
      } catch (error) {
        call.signal?.throwIfAborted()
        if (!isPassing(error) && !limit?.signal.aborted) throw error
        if (stored !== undefined && 'error' in stored) throw withCause(stored.error, error)
        if (entry === undefined) throw error
        return { ...entry, offline: true }
      } finally {
        limit?.clear()
      }
    },
    async close() {
      ending.abort(new ClosedError())
      const made = await connecting?.catch(() => undefined)
      await made?.close()
    },
  }
}

/** AbortSignal.any would do, but is not there before Node 20.3. */
function timeLimit(ms: number, outer: AbortSignal | undefined) {
  const controller = new AbortController()
  const stop = () => controller.abort(outer?.reason)
  const late = () => controller.abort(new DOMException('the server is slow', 'TimeoutError'))
  const timer = setTimeout(late, ms)
  if (outer?.aborted) stop()
  outer?.addEventListener('abort', stop, { once: true })
  const clear = () => {
    clearTimeout(timer)
    outer?.removeEventListener('abort', stop)
  }
  return { signal: controller.signal, clear }
}

async function storedIn(cache: OfflineCache | undefined, key: string) {
  const value = (await cache?.get(key)) as Reading | undefined
  return value && { value }
}

async function keep(cache: OfflineCache, key: string, reading: Reading): Promise<void> {
  if (reading.lease !== undefined) return
  await cache.put(key, reading)
}

/** Bound to who reads and from where, so that no one else's file is ever taken for this one. */
async function openOffline(
  { offline, connect: own = {}, client }: SupplyOptions,
  onError: (error: unknown) => void,
): Promise<OfflineCache | undefined> {
  if (offline === undefined) return undefined
  if (client !== undefined) {
    throw new TypeError('give offline with connect: a client that is given has logged in already')
  }
  const { env = process.env } = own
  const auth = own.auth ?? authFromEnv(env)
  const identity = (await auth.identity?.()) ?? auth.kind
  const of = (name: string) => env[`COFFER_${name}`] || env[`VAULT_${name}`]
  const address = own.address ?? of('ADDR') ?? ''
  const namespace = own.namespace ?? of('NAMESPACE') ?? env['BAO_NAMESPACE'] ?? ''
  const binding = JSON.stringify([address.replace(/\/$/, ''), namespace, identity])
  return createOfflineCache(offline, binding, onError)
}

/** What is wrong with the file is the news; that the server is away stands behind it. */
function withCause(error: unknown, cause: unknown): unknown {
  if (error instanceof Error && error.cause === undefined) error.cause = cause
  return error
}

/** Says only what is known to be safe: an error of anyone else's making may quote a value. */
function warn(error: unknown): void {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown }
  const own = error instanceof CofferError || typeof code === 'string' || isPassing(error)
  const said = own ? (error as Error).message : String(name)
  process.emitWarning(`a secret could not be kept fresh: ${said}`, 'CofferWarning')
}
