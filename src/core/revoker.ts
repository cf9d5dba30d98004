/**
 * The engines' part of ending leases: each is marked, its engine's revoker runs outside any
 * transaction, and then it is forgotten, or tried again later.
 */
import { askEngine, type EngineParts, type Lanes, NO_ANSWER } from './lanes.ts'
import { type Resting, restingMounts } from './lanes.ts'
import {
  forgetLease,
  getLease,
  type LeaseEntry,
  revokeFailed,
  revokeLater,
  startRevoking,
} from './leases.ts'

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
}

export type RevokerParts = EngineParts & {
  lanes: Lanes
  resting: Resting
  report: (trouble: string) => void
}

export function revoker(parts: RevokerParts): Revoker {
  const { clock, transact, lanes, resting } = parts

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

  /** The text of what went wrong, or undefined. */
  async function runRevoker(entry: LeaseEntry): Promise<string | undefined> {
    const { id: leaseId, secret, leaseKind } = entry
    const trouble = await askEngine(parts, entry, ({ engine }) => {
      const kind = engine.leases?.[leaseKind]
      return kind && ((engaged) => kind.revoke({ ...engaged, leaseId, secret }))
    })
    if (trouble !== undefined) parts.report(`lease ${leaseId} could not be revoked: ${trouble}`)
    return trouble
  }

  return {
    end: (id, { force = false } = {}) => endOne(id, restingMounts(clock), force),
    async endAll(ids, { force = false } = {}) {
      const asleep = restingMounts(clock)
      let failed = 0
      for (const id of ids) if ((await endOne(id, asleep, force)) === 'failed') failed++
      return { failed }
    },
    take: (key, { id, mount }) =>
      lanes.take({
        key,
        mount,
        what: `lease ${id} could not be ended`,
        run: () => endOne(id, resting, false),
      }),
  }
}
