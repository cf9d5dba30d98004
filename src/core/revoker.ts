/**
 * The engines' part of ending leases. A revoker may ask a foreign system, so it has a time limit, and
 * the leases of each mount wait in a lane of their own: an engine that does not answer keeps nobody
 * waiting but its own. When one has not answered, the other leases of its mount are put off without
 * being tried, until it has rested.
 */
import { type Tx } from '../barrier/space.ts'
import { type Awaitable } from '../lib/awaitable.ts'
import { type Clock } from '../lib/clock.ts'
import { entriesNow } from './entries-now.ts'
import {
  forgetLease,
  getLease,
  type LeaseEntry,
  revokeFailed,
  revokeLater,
  startRevoking,
} from './leases.ts'
import { type Mounts } from './mounts.ts'
import { scopeOfHome } from './namespaces.ts'

export type Outcome = 'ended' | 'failed' | 'unknown'

export type Revoker = {
  /** Ends one lease: marks it, runs its engine's revoker, forgets it. */
  end(id: string, options?: { force?: boolean }): Promise<Outcome>
  /**
   * As `end` for each, one after the other. A mount that did not answer for one is not asked for the
   * others: those count as failed, or are forgotten when `force` is given.
   */
  endAll(ids: readonly string[], options?: { force?: boolean }): Promise<{ failed: number }>
  /** Takes a due lease into the lane of its mount; false when that is full. */
  take(key: string, entry: LeaseEntry): boolean
  /** Due entries that are in a lane, by their hidden names. */
  readonly taken: ReadonlySet<string>
  /** Resolves when all lanes are empty. */
  idle(): Promise<void>
}

export type RevokerParts = {
  clock: Clock
  mounts: Mounts
  begin: () => Awaitable<Tx | undefined>
  transact: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>
  /** Whether what is due is still this node's to end. */
  onDuty(): Promise<boolean>
  report: (trouble: string) => void
  /** Of what will be tried again soon, and may go wrong in the same way. */
  reportOnce: (key: string, trouble: string) => void
}

/** How long an engine may take for one lease. */
export const REVOKE_MS_MAX = 30_000
const REST_MS = 60_000
const LANE_MAX = 100

const NO_ANSWER = 'the engine has not answered in time'

/** By mount: until when it is not asked again. */
type Resting = { until(mount: string): number; add(mount: string): void; wake(mount: string): void }
type Job = { key: string; entry: LeaseEntry }

export function revoker(parts: RevokerParts): Revoker {
  const { clock, mounts, transact } = parts
  const lanes = new Map<string, { jobs: Job[]; done: Promise<void> }>()
  const taken = new Set<string>()

  function restingMounts(): Resting {
    const known = new Map<string, number>()
    return {
      until: (mount) => known.get(mount) ?? 0,
      add: (mount) => void known.set(mount, clock.now() + REST_MS),
      wake: (mount) => void known.delete(mount),
    }
  }
  const resting = restingMounts()

  async function endOne(id: string, asleep: Resting, force: boolean): Promise<Outcome> {
    const entry = await transact(async (tx) => {
      const found = await getLease(tx, id)
      return found && !found.revoking ? startRevoking(tx, found, clock.now()) : found
    })
    if (!entry) return 'unknown'
    const rests = asleep.until(entry.mount) > clock.now()
    const trouble = rests ? NO_ANSWER : await runRevoker(entry)
    if (!rests && trouble === NO_ANSWER) asleep.add(entry.mount)
    if (trouble === undefined) asleep.wake(entry.mount)
    const ended = trouble === undefined || force
    await transact(async (tx) => {
      const current = await getLease(tx, id)
      if (!current) return
      if (ended) forgetLease(tx, current)
      else if (rests) revokeLater(tx, current, asleep.until(entry.mount))
      else revokeFailed(tx, current, { now: clock.now(), trouble })
    })
    return ended ? 'ended' : 'failed'
  }

  /** The text of what went wrong, or undefined. A mount that is gone has nothing left to revoke. */
  async function runRevoker(entry: LeaseEntry): Promise<string | undefined> {
    const mount = await transact(async (tx) =>
      (await mounts.all(scopeOfHome(tx, entry.namespace))).find(
        (m) => m.entry.uuid === entry.mount,
      ),
    )
    const kind = mount?.engine.leases?.[entry.leaseKind]
    if (!mount || !kind) return undefined
    const { id: leaseId, secret } = entry
    const store = entriesNow(parts.begin, mount, entry.namespace)
    try {
      const job = { leaseId, secret, mount: mount.view, store, now: clock.now() }
      await inTime(kind.revoke(job), clock)
      return undefined
    } catch (error) {
      const trouble = error instanceof Error ? error.message : 'unknown trouble'
      parts.report(`lease ${leaseId} could not be revoked: ${trouble}`)
      return trouble
    }
  }

  async function work(mount: string, jobs: Job[]): Promise<void> {
    for (let job = jobs[0]; job; job = jobs[0]) {
      try {
        // The one before may have taken so long that the duty is another's by now.
        if (await parts.onDuty()) await endOne(job.entry.id, resting, false)
      } catch (error) {
        const trouble = error instanceof Error ? error.message : 'unknown trouble'
        parts.reportOnce(job.key, `lease ${job.entry.id} could not be ended: ${trouble}`)
      }
      taken.delete(job.key)
      jobs.shift()
    }
    lanes.delete(mount)
  }

  return {
    end: (id, { force = false } = {}) => endOne(id, restingMounts(), force),
    async endAll(ids, { force = false } = {}) {
      const asleep = restingMounts()
      let failed = 0
      for (const id of ids) if ((await endOne(id, asleep, force)) === 'failed') failed++
      return { failed }
    },
    take(key, entry) {
      const lane = lanes.get(entry.mount)
      if (lane && lane.jobs.length >= LANE_MAX) return false
      taken.add(key)
      if (lane) lane.jobs.push({ key, entry })
      else {
        const jobs = [{ key, entry }]
        lanes.set(entry.mount, { jobs, done: work(entry.mount, jobs) })
      }
      return true
    },
    taken,
    async idle() {
      await Promise.all([...lanes.values()].map(({ done }) => done))
    },
  }
}

/** Rejects when it takes too long; what comes of it later is nobody's any more. */
async function inTime(work: Promise<void>, clock: Clock): Promise<void> {
  const { promise, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(REVOKE_MS_MAX, () => reject(new Error(NO_ANSWER)))
  try {
    await Promise.race([work, promise])
  } finally {
    cancel()
    work.catch(() => {})
  }
}
