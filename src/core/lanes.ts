/**
 * What expiry asks of engines: to end a lease, to undo a change. Either may mean a question to a
 * foreign system, so it has a time limit, and the jobs of each mount wait in a lane of their own: an
 * engine that does not answer keeps nobody waiting but its own. When one has not answered, the other
 * jobs of its mount are put off without being tried, until it has rested.
 */
import { type Tx } from '../barrier/space.ts'
import { type Awaitable } from '../lib/awaitable.ts'
import { type Clock } from '../lib/clock.ts'
import { type EntriesNow, entriesNow } from './entries-now.ts'
import { type Mount, type Mounts } from './mounts.ts'
import { type Home, scopeOfHome } from './namespaces.ts'

/** How long an engine may take for one job. */
export const ENGINE_MS_MAX = 30_000
const REST_MS = 60_000
const LANE_MAX = 100
const RETRY_MS = 10_000
const RETRY_MS_MAX = 300_000

export const NO_ANSWER = 'the engine has not answered in time'

/** Exponential back-off: how long to wait after so many failed attempts. */
export const retryAfterMs = (attempts: number): number =>
  attempts > 0 ? Math.min(RETRY_MS * 2 ** (attempts - 1), RETRY_MS_MAX) : 0

/** By mount: until when it is not asked again. */
export type Resting = {
  until(mount: string): number
  add(mount: string): void
  wake(mount: string): void
}

export function restingMounts(clock: Clock): Resting {
  const known = new Map<string, number>()
  return {
    until: (mount) => known.get(mount) ?? 0,
    add: (mount) => void known.set(mount, clock.now() + REST_MS),
    wake: (mount) => void known.delete(mount),
  }
}

/** `key` is the hidden name of what is due; `what` is for the log. */
type Job = { key: string; mount: string; what: string; run: () => Promise<unknown> }

export type Lanes = {
  /** False when the lane is full. */
  take(job: Job): boolean
  /** Due entries that are in a lane, by their hidden names. */
  readonly taken: ReadonlySet<string>
  /** Resolves when all lanes are empty. */
  idle(): Promise<void>
}

type LaneParts = {
  /** Whether what is due is still this node's to do. */
  onDuty(): Promise<boolean>
  /** Of what will be tried again soon, and may go wrong in the same way. */
  reportOnce: (key: string, trouble: string) => void
}

export function lanesOf(parts: LaneParts): Lanes {
  const lanes = new Map<string, { jobs: Job[]; done: Promise<void> }>()
  const taken = new Set<string>()

  async function work(mount: string, jobs: Job[]): Promise<void> {
    for (let job = jobs[0]; job; job = jobs[0]) {
      try {
        // The one before may have taken so long that the duty is another's by now.
        if (await parts.onDuty()) await job.run()
      } catch (error) {
        parts.reportOnce(job.key, `${job.what}: ${troubleOf(error)}`)
      }
      taken.delete(job.key)
      jobs.shift()
    }
    lanes.delete(mount)
  }

  return {
    take(job) {
      const lane = lanes.get(job.mount)
      if (lane && lane.jobs.length >= LANE_MAX) return false
      taken.add(job.key)
      if (lane) lane.jobs.push(job)
      else {
        const jobs = [job]
        lanes.set(job.mount, { jobs, done: work(job.mount, jobs) })
      }
      return true
    },
    taken,
    async idle() {
      await Promise.all([...lanes.values()].map(({ done }) => done))
    },
  }
}

export type EngineParts = {
  clock: Clock
  mounts: Mounts
  begin: () => Awaitable<Tx | undefined>
  transact: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>
}

/** What every job of an engine is given. */
export type Engaged = { mount: Mount['view']; store: EntriesNow; now: number }

/**
 * Runs what an engine does about an entry of its mount, within the time limit. The text of what went
 * wrong, or undefined. A mount or kind that is gone has nothing left to do.
 */
export async function askEngine(
  { clock, mounts, begin, transact }: EngineParts,
  entry: { mount: string; namespace?: Home },
  workOf: (mount: Mount) => ((engaged: Engaged) => Promise<void>) | undefined,
): Promise<string | undefined> {
  const mount = await transact(async (tx) =>
    (await mounts.all(scopeOfHome(tx, entry.namespace))).find((m) => m.entry.uuid === entry.mount),
  )
  const work = mount && workOf(mount)
  if (!work) return undefined
  const store = entriesNow(begin, mount, entry.namespace)
  try {
    await inTime(work({ mount: mount.view, store, now: clock.now() }), clock)
    return undefined
  } catch (error) {
    return troubleOf(error)
  }
}

export const troubleOf = (error: unknown): string =>
  error instanceof Error ? error.message : 'unknown trouble'

/** Rejects when it takes too long; what comes of it later is nobody's any more. */
async function inTime(work: Promise<void>, clock: Clock): Promise<void> {
  const { promise, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(ENGINE_MS_MAX, () => reject(new Error(NO_ANSWER)))
  try {
    await Promise.race([work, promise])
  } finally {
    cancel()
    work.catch(() => {})
  }
}
