/**
 * All who watch in one process. The store is asked for its revision once for all of them, and not at
 * all while there are none; a commit of this process itself is told at once. What has been read of
 * the log is opened once and shared.
 */
import { type LogRecord } from '../../barrier/log.ts'
import { type Clock } from '../../lib/clock.ts'
import { type Core } from '../core.ts'
import { type Records } from './cursor.ts'
import { type Ending } from './standing.ts'

export type WatchLimits = {
  /** In one process. */
  readonly watchers: number
  readonly perToken: number
}

export const WATCH_LIMITS: WatchLimits = { watchers: 1_000, perToken: 100 }

/** Somebody who watches; called when there may be something new, and now and then. */
export type Watcher = {
  readonly tokenUid: string
  look(): void
  /** At once; resolves when that has been written down. */
  end(ending: Ending): Promise<void>
}

export type Hub = {
  readonly records: Records
  /** Whether no more may come, for this token or at all. */
  full(tokenUid: string): 'token' | 'server' | undefined
  /** The returned function takes it out again. */
  add(watcher: Watcher): () => void
  /** A commit of this process has told something. */
  wake(): void
  endAll(ending: Ending): Promise<void>
  /** Ends all, for good. */
  close(): Promise<void>
}

/** How often other processes are looked for, and how often tokens at the latest. */
const TICK_MS = 20
const CHECK_MS = 1_000
/** Between two looks of one process, however much is written. */
const SPACING_MS = 5
/** Other changes (policies, tokens) are looked at not quite as often as events. */
const CHANGE_MS = 250

export function watchHub(core: () => Core, limits: WatchLimits = WATCH_LIMITS): Hub {
  const watchers = new Set<Watcher>()
  let pages = new Map<string, Promise<readonly LogRecord[]>>()
  let cancelTick: (() => void) | undefined
  let waking = false
  let lookedAt = 0
  let seen = { revision: -1, logged: -1 }

  let closed = false

  const clock = (): Clock => core().clock
  /** A clock that was set back must not stop anything. */
  const sinceLook = () => Math.abs(clock().now() - lookedAt)

  function lookNow(): void {
    lookedAt = clock().now()
    pages = new Map()
    for (const watcher of watchers) watcher.look()
  }

  async function tick(): Promise<void> {
    const { store } = core()
    const since = sinceLook()
    const revision = await store.revision()
    if (revision !== seen.revision) {
      const logged = (await store.logFromEnd(0)) ?? 0
      if (logged !== seen.logged || since >= CHANGE_MS) {
        seen = { revision, logged }
        return lookNow()
      }
    }
    if (since >= CHECK_MS) lookNow()
  }

  function schedule(): void {
    cancelTick = clock().after(TICK_MS, () => {
      // A store that fails now is asked again at the next tick.
      void tick().catch(() => {})
      if (watchers.size > 0) schedule()
      else cancelTick = undefined
    })
  }

  async function endAll(ending: Ending): Promise<void> {
    await Promise.all([...watchers].map((watcher) => watcher.end(ending)))
  }

  return {
    records(after, limit) {
      const key = `${after}:${limit}`
      let page = pages.get(key)
      if (!page) {
        const { space } = core().keeper
        page = space ? space.records(after, limit) : Promise.resolve([])
        pages.set(key, page)
      }
      return page
    },
    full(tokenUid) {
      if (closed || watchers.size >= limits.watchers) return 'server'
      let own = 0
      for (const watcher of watchers) if (watcher.tokenUid === tokenUid) own++
      return own >= limits.perToken ? 'token' : undefined
    },
    add(watcher) {
      watchers.add(watcher)
      // Of what was read before, nobody knows how old it is.
      pages = new Map()
      if (!cancelTick) schedule()
      return () => void watchers.delete(watcher)
    },
    wake() {
      if (waking || watchers.size === 0) return
      waking = true
      const run = () => {
        waking = false
        lookNow()
      }
      const since = sinceLook()
      if (since < SPACING_MS) clock().after(SPACING_MS - since, run)
      else setImmediate(run)
    },
    endAll,
    close() {
      closed = true
      return endAll('by the server')
    },
  }
}
