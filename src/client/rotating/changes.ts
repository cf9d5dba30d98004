/**
 * Says when to look for a new generation: at once when the server pushes word of one, and every so
 * often in any case. Push only makes it quick; what is right never depends on it.
 */
import { CofferError, isPassing } from '../errors.ts'
import { sleep } from '../http.ts'

/** What a server tells of a change; the path is as it stands in a reference. */
export type Change = { readonly type: string; readonly path: string }
/**
 * Changes at or below a path. Goes on by itself after a cut, and loses nothing; ends by an error when
 * the server does not tell such things, or not to this token.
 */
export type Watch = (prefix: string, options: WatchHooks) => AsyncIterable<Change>
export type WatchHooks = {
  signal: AbortSignal
  /** Told when it is connected, and when it is not any more. */
  onState: (connected: boolean) => void
}

export type ChangesOptions = {
  path: string
  /** How changes are pushed; undefined when they are not. Asked again while it throws. */
  findWatch: () => Promise<Watch | undefined>
  /** How often to look when nothing is pushed. */
  intervalMs: number
  random: () => number
  signal: AbortSignal
}
export type Changes = {
  /** Until the next look; `failures` in a row make it longer. Rejected by the signal only. */
  next(failures: number): Promise<void>
}

/** How often to look while word is pushed: for what a push may have missed. */
const WATCHED_INTERVAL_MS = 30_000
const REOPEN_MS = 5_000
const REFUSED_MS = 300_000
const BACKOFF_MS_MAX = 30_000

export function createChanges(options: ChangesOptions): Changes {
  const { path, findWatch, intervalMs, random, signal } = options
  let isPushed = false
  let isDue = false
  let wake = () => {}

  const look = () => {
    isDue = true
    wake()
  }
  const onState = (connected: boolean) => {
    // What came before the first connection was told to nobody.
    if (connected && !isPushed) look()
    isPushed = connected
  }
  const listen = async (): Promise<void> => {
    while (true) {
      let again = REOPEN_MS
      try {
        const watch = await findWatch()
        if (watch === undefined) return
        for await (const change of watch(path, { signal, onState })) {
          // A reset may speak of a prefix: something may have been missed.
          if (change.path === path || change.type === 'reset') look()
        }
      } catch (error) {
        // Looking every so often goes on; a server that has no such thing is asked for it rarely.
        if (error instanceof CofferError && !isPassing(error)) again = REFUSED_MS
      }
      isPushed = false
      await sleep(again * (0.5 + random()), signal)
    }
  }
  listen().catch(() => {})

  return {
    async next(failures) {
      const usual = isPushed ? Math.max(intervalMs, WATCHED_INTERVAL_MS) : intervalMs
      const ms = Math.min(usual * 2 ** failures, Math.max(usual, BACKOFF_MS_MAX))
      if (!isDue) {
        const nap = new AbortController()
        wake = () => nap.abort()
        if (signal.aborted) nap.abort()
        const stop = () => nap.abort()
        signal.addEventListener('abort', stop, { once: true })
        await sleep(ms * (0.9 + 0.2 * random()), nap.signal).catch(() => {})
        signal.removeEventListener('abort', stop)
      }
      isDue = false
      signal.throwIfAborted()
    },
  }
}
