/**
 * What ends by itself: tokens and leases past their time, and revocations that are under way. One
 * node at a time has this duty, told by a row in the store with an epoch; each effect reads that row
 * in its own transaction, so a node that was asleep for too long can no longer do anything.
 *
 * Nothing is kept in memory: the store's index of due entries is asked for the next few. One that
 * cannot be read or ended is reported once and passed over; it keeps nothing else waiting.
 */
import { type Due, type Space, type Tx } from '../barrier/space.ts'
import { type Clock } from '../lib/clock.ts'
import { type Random } from '../lib/random.ts'
import { duty } from './duty.ts'
import { type ForeignEntry, type Undoer, undoer } from './foreign.ts'
import { lanesOf, restingMounts, troubleOf } from './lanes.ts'
import { type LeaseEntry } from './leases.ts'
import { type Mounts } from './mounts.ts'
import { type PassingEntry, removePassed } from './passing.ts'
import { type Revoker, revoker } from './revoker.ts'
import { rotationKeys } from './rotation/record.ts'
import { type TokenEntry, type Tokens } from './tokens.ts'
import { continueUpgrade, type UpgradeEntry } from './upgrades.ts'

const DUTY_PATH = 'duty/expiry'
const POLL_MS = 1_000
const BATCH = 200
const UPKEEP_PASSES = 600
const TRIM_PASSES = 10
/** Entries that are looked at in one pass while they cannot be ended. */
const STUCK_MAX = 5_000

type DueEntry = TokenEntry | LeaseEntry | ForeignEntry | PassingEntry | UpgradeEntry

export type Expiry = {
  start(): void
  stop(): void
  /** One pass: ends all that is due now; for tests, and for those who cannot wait. */
  pass(): Promise<void>
  /** Ends leases for good, now. */
  readonly leases: Pick<Revoker, 'end' | 'endAll'>
  /** Takes back changes on foreign systems, now. */
  readonly foreign: Pick<Undoer, 'undo'>
}

export type ExpiryParts = {
  node: string
  clock: Clock
  space: () => Space | undefined
  mounts: Mounts
  tokens: Tokens
  random: Random
  report: (trouble: string) => void
  /** What the node on duty does now and then. */
  upkeep?: () => Promise<void>
  /** Drops what has been kept for long enough; more often than upkeep. */
  trim?: (inTurn: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>) => Promise<void>
}

export function expiry(parts: ExpiryParts): Expiry {
  const { clock, mounts, tokens } = parts
  let cancel: (() => void) | undefined
  let running = false
  let passes = 0

  const { held: onDuty, fenced, transact, inTurn } = duty({ path: DUTY_PATH, ...parts })

  const removePassing = (path: string) => inTurn((tx) => removePassed(tx, path, clock.now()))

  /** False when it is still there. */
  async function endToken(uid: string): Promise<boolean> {
    const ended = await transact(async (tx) => {
      if (!(await fenced(tx))) return false
      const entry = await tokens.stored(tx, uid)
      if (!entry) return true
      if (entry.expiresAt === 0 || entry.expiresAt > clock.now()) return false
      await tokens.revokeTree(tx, entry)
      return true
    })
    return ended ?? false
  }

  /** What cannot be read or ended would be told of every second. */
  const told = new Set<string>()
  function reportOnce(key: string, trouble: string): void {
    if (told.has(key) || told.size >= STUCK_MAX) return
    told.add(key)
    parts.report(`expiry: ${trouble}`)
  }

  const { report } = parts
  const begin = () => parts.space()?.begin()
  const lanes = lanesOf({ onDuty, reportOnce })
  const engines = { clock, mounts, begin, transact, lanes, resting: restingMounts(clock), report }
  const leases = revoker(engines)
  const foreign = undoer(engines)

  /** Whether it has ended, waits in a lane, or stays as it is. */
  async function end({ key, value }: Due): Promise<'ended' | 'taken' | 'stays'> {
    const entry = value as DueEntry | undefined
    try {
      if (!entry) reportOnce(key, `the record ${key} is due and cannot be read`)
      else if (entry.kind === 'token') return (await endToken(entry.uid)) ? 'ended' : 'stays'
      else if (entry.kind === 'lease') return leases.take(key, entry) ? 'taken' : 'stays'
      else if (entry.kind === 'foreign') return foreign.take(key, entry) ? 'taken' : 'stays'
      else if (entry.kind === 'passing') await removePassing(entry.path)
      else await continueUpgrade(entry, { mounts, random: parts.random, inTurn })
    } catch (error) {
      reportOnce(key, `the record ${key} cannot be ended: ${troubleOf(error)}`)
    }
    return 'stays'
  }

  /** What cannot be dropped stays; tokens and leases end all the same. */
  async function trim(): Promise<void> {
    try {
      await parts.trim?.(inTurn)
    } catch (error) {
      reportOnce('trim', `old events cannot be dropped: ${troubleOf(error)}`)
    }
  }

  /** Ends what is due and was not tried before, or puts it into its lane; how much of it. */
  async function sweep(tried = new Set<string>()): Promise<number> {
    const space = parts.space()
    if (!space || !(await onDuty())) return 0
    if (passes % TRIM_PASSES === 0) await trim()
    if (passes++ % UPKEEP_PASSES === 0) await parts.upkeep?.()
    const left = lanes.taken.union(tried)
    // Rotations fall due too, and are another duty's.
    const isRotation = await rotationKeys(space)
    const wanted = (key: string) => !isRotation(key)
    let done = 0
    while (left.size < STUCK_MAX + tried.size) {
      const found = await space.due(clock.now(), { limit: BATCH, skip: left, wanted })
      for (const each of found) {
        // Ending the one before may have taken so long that the duty is another's by now.
        if (!(await onDuty())) return done
        const now = await end(each)
        if (now !== 'stays') done++
        if (now !== 'ended') left.add(each.key)
        if (now === 'taken') tried.add(each.key)
      }
      if (found.length < BATCH) break
    }
    return done
  }

  async function pass(): Promise<void> {
    const tried = new Set<string>()
    // A lane takes only so many at once.
    while ((await sweep(tried)) > 0) await lanes.idle()
    await lanes.idle()
  }

  async function tick(): Promise<void> {
    if (running) return
    running = true
    try {
      await sweep()
    } catch (error) {
      parts.report(`expiry: ${troubleOf(error)}`)
    } finally {
      running = false
    }
  }

  function schedule(): void {
    cancel = clock.after(POLL_MS, () => {
      void tick()
      schedule()
    })
  }

  return {
    start() {
      if (!cancel) schedule()
    },
    stop() {
      cancel?.()
      cancel = undefined
    },
    pass,
    leases,
    foreign,
  }
}
