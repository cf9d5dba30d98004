/**
 * Calls a function with a secret, and again whenever a new version of it is out. Where the server
 * tells of changes it looks when it is told to, and else from time to time. Asks for the version
 * only, where the policy allows that, and reads the value when there is a new one.
 */
import { createHash } from 'node:crypto'
import { Secret } from '../lib/secret.ts'
import { type Client } from './connect.ts'
import { ClosedError, CofferError, DeniedError, InvalidRequestError, isPassing } from './errors.ts'
import { labelOf, pick } from './field.ts'
import { type CallOptions, sleep } from './http.ts'
import { stringifyJson } from './json.ts'
import { type KvSecret } from './kv.ts'
import { onPush, type Pushed } from './pushed.ts'
import { parseReference, type Reference } from './reference.ts'

export type FollowOptions = {
  /** How often to look where nobody tells of changes, less or more by a tenth. Default 1000. */
  intervalMs?: number
  signal?: AbortSignal
  /**
   * Told once of every run of failures: the server away, the secret missing, `fn` throwing. Without
   * it, a warning is emitted on the process.
   */
  onError?: (error: unknown) => void
}
export type FollowFn = (
  secret: Secret,
  about: { version: number | undefined },
) => void | Promise<void>
export type Following = {
  /** Fulfilled when `fn` has been done with its first secret; rejected when stopped before. */
  ready: Promise<void>
  stop: () => void
}

const BACKOFF_MS_MAX = 5_000
/** While changes are told: looking is only for what nobody has thought of. */
const LIVE_MS = 60_000

/**
 * `fn` is never called while it is still running, and once for each version; when it throws, it is
 * called again after a while. Versions that came and went between two looks are skipped. No timer
 * keeps the process alive. On KV version 1, a new value counts as a new version. A reference with
 * `?version=` is called with once.
 */
export function follow(
  ref: string,
  fn: FollowFn,
  options: FollowOptions & { client: Client },
): Following {
  const { signal: outer } = options
  const reference = parseReference(ref)
  const controller = new AbortController()
  const stop = () => controller.abort(new DOMException('following was stopped', 'AbortError'))
  if (outer?.aborted) stop()
  outer?.addEventListener('abort', stop, { once: true })
  const ready = new Promise<void>((resolve, reject) => {
    run({ ...options, fn, reference, signal: controller.signal, onReady: resolve })
      .catch(reject)
      .finally(() => outer?.removeEventListener('abort', stop))
  })
  // Whoever does not wait for `ready` has heard of the trouble through onError.
  ready.catch(() => {})
  return { ready, stop }
}

type Run = FollowOptions & {
  client: Client
  fn: FollowFn
  reference: Reference
  signal: AbortSignal
  onReady: () => void
}

/** Looks, calls, waits, until the signal or the end of the client: both leave by an error. */
async function run(options: Run): Promise<void> {
  const { client, reference, signal } = options
  signal.throwIfAborted()
  const bell = createBell()
  // One version of a secret stays what it is.
  if (reference.version !== undefined) return lookAndCall(options, bell)
  const { mount, path } = reference
  const pushed = onPush(client, `${mount}/${path}`, bell.ring)
  try {
    await lookAndCall(options, bell, pushed)
  } finally {
    pushed.stop()
  }
}

async function lookAndCall(
  { client, fn, reference, signal, onReady, ...options }: Run,
  bell: Bell,
  pushed?: Pushed,
): Promise<void> {
  const { intervalMs = 1000, onError = warn(reference) } = options
  const look = createLook(client, reference)
  let last: string | undefined
  let passing = 0
  let isFailing = false
  while (true) {
    bell.hush()
    try {
      const seen = await look(last, { signal, background: last !== undefined })
      if (seen) {
        await callWith(seen.secret, reference, fn)
        last = seen.mark
        onReady()
        if (reference.version !== undefined) return
      }
      passing = 0
      isFailing = false
    } catch (error) {
      if (signal.aborted || error instanceof ClosedError) throw error
      // A secret that is missing or denied may be there at the next look; only trouble is spared.
      passing = isPassing(error) || !(error instanceof CofferError) ? passing + 1 : 0
      if (!isFailing) onError(error)
      isFailing = true
    }
    const told = !isFailing && pushed?.isLive() === true
    const interval = told ? Math.max(intervalMs, LIVE_MS) : intervalMs
    const wait = Math.min(interval * 2 ** passing, Math.max(interval, BACKOFF_MS_MAX))
    await bell.orAfter(wait * (0.9 + Math.random() * 0.2), signal)
  }
}

type Bell = {
  ring: () => void
  /** What has rung until now is dealt with. */
  hush(): void
  /** Fulfilled when it rings, has rung already, or after a time. */
  orAfter(ms: number, signal: AbortSignal): Promise<void>
}

function createBell(): Bell {
  let rung = false
  let hear = () => {}
  return {
    ring() {
      rung = true
      hear()
    },
    hush: () => void (rung = false),
    async orAfter(ms, signal) {
      if (rung) return signal.throwIfAborted()
      const waiting = new AbortController()
      const stop = () => waiting.abort(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      hear = () => waiting.abort(RUNG)
      try {
        if (signal.aborted) stop()
        await sleep(ms, waiting.signal)
      } catch (error) {
        if (error !== RUNG) throw error
      } finally {
        hear = () => {}
        signal.removeEventListener('abort', stop)
      }
    },
  }
}

const RUNG = new Error('it rang')

async function callWith(secret: KvSecret, reference: Reference, fn: FollowFn): Promise<void> {
  const { version } = secret
  const picked = pick(secret, reference)
  if ('reason' in picked) {
    throw new InvalidRequestError({ path: reference.text, hint: picked.reason })
  }
  await fn(new Secret(picked.value, labelOf(reference, version)), { version })
}

/** `mark` tells one version from another, also when a secret was removed and made anew. */
type Seen = { mark: string; secret: KvSecret }

/** A function that gives the secret if it is not the one marked `last`. */
function createLook(client: Client, { mount, path, version }: Reference) {
  const kv = client.kv(mount)
  let canAsk = true
  return async (last: string | undefined, options: CallOptions): Promise<Seen | undefined> => {
    if (last !== undefined && canAsk) {
      try {
        const { currentVersion, versions } = await kv.metadata(path, options)
        const createdTime = versions[String(currentVersion)]?.createdTime
        if (`${currentVersion}@${createdTime}` === last) return undefined
      } catch (error) {
        // The policy allows the data only, or the mount has no versions.
        if (!(error instanceof DeniedError || error instanceof InvalidRequestError)) throw error
        canAsk = false
      }
    }
    const secret = await kv.read(path, { ...options, version })
    // What is rotated may have a time in it that counts down, and is no other for that.
    const mark = `${secret.version ?? secret.generation ?? digest(secret)}@${secret.createdTime}`
    return mark === last ? undefined : { mark, secret }
  }
}

function digest({ data }: KvSecret): string {
  return createHash('sha256').update(stringifyJson(data)).digest('base64')
}

/** Says only what is known to be safe: an error of the caller's own function may quote the value. */
function warn({ text }: Reference): (error: unknown) => void {
  return (error) => {
    const own = error instanceof CofferError || isPassing(error)
    const said = own ? (error as Error).message : 'the function that follows it failed'
    process.emitWarning(`${text}: ${said}`, 'CofferWarning')
  }
}
