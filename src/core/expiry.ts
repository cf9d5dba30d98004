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
import { StoreConflict } from '../storage/store.ts'
import { type LeaseEntry } from './leases.ts'
import { type Mounts } from './mounts.ts'
import { type PassingEntry, removePassed } from './passing.ts'
import { type Revoker, revoker } from './revoker.ts'
import { type TokenEntry, type Tokens } from './tokens.ts'
import { continueUpgrade, type UpgradeEntry } from './upgrades.ts'

const DUTY_PATH = 'duty/expiry'
const DUTY_MS = 15_000
const POLL_MS = 1_000
const BATCH = 200
const UPKEEP_PASSES = 600
const TRIM_PASSES = 10
/** Entries that are looked at in one pass while they cannot be ended. */
const STUCK_MAX = 5_000

type DueEntry = TokenEntry | LeaseEntry | PassingEntry | UpgradeEntry
type Duty = { node: string; epoch: number; until: number }

export type Expiry = {
  start(): void
  stop(): void
  /** One pass: ends all that is due now; for tests, and for those who cannot wait. */
  pass(): Promise<void>
  /** Ends leases for good, now. */
  readonly leases: Pick<Revoker, 'end' | 'endAll'>
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
  const { node, clock, mounts, tokens } = parts
  let cancel: (() => void) | undefined
  let running = false
  let passes = 0
  let epoch = 0

  /** Runs `act` in a transaction of its own, again when it meets another writer. */
  async function transact<T>(act: (tx: Tx) => Promise<T>): Promise<T | undefined> {
    for (let attempt = 0; attempt < 5; attempt++) {
      const space = parts.space()
      if (!space) return undefined
      const tx = await space.begin()
      const result = await act(tx)
      try {
        if (tx.dirty) await space.commit(tx)
        return result
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error
      }
    }
    return undefined
  }

  /** Takes or keeps the duty; false when another node has it. */
  async function onDuty(): Promise<boolean> {
    const now = clock.now()
    const mine = await transact(async (tx) => {
      const duty = await tx.get<Duty>(DUTY_PATH)
      if (duty && duty.node !== node && duty.until > now) return 0
      const own = duty?.node === node && duty.epoch === epoch
      if (own && duty.until - now > DUTY_MS / 2) return epoch
      const next = own ? epoch : (duty?.epoch ?? 0) + 1
      tx.put(DUTY_PATH, { node, epoch: next, until: now + DUTY_MS } satisfies Duty)
      return next
    })
    epoch = mine ?? 0
    return epoch > 0
  }

  /** Whether this transaction may act: reading the row makes the commit depend on it. */
  async function fenced(tx: Tx): Promise<boolean> {
    const duty = await tx.get<Duty>(DUTY_PATH)
    return duty?.node === node && duty.epoch === epoch
  }

  /** As `transact`, doing nothing once the duty is another's. */
  const inTurn = <T>(act: (tx: Tx) => Promise<T>) =>
    transact(async (tx) => ((await fenced(tx)) ? act(tx) : undefined))

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
  const leases = revoker({ clock, mounts, begin, transact, onDuty, report, reportOnce })

  /** Whether it has ended, waits in a lane, or stays as it is. */
  async function end({ key, value }: Due): Promise<'ended' | 'taken' | 'stays'> {
    const entry = value as DueEntry | undefined
    try {
      if (!entry) reportOnce(key, `the record ${key} is due and cannot be read`)
      else if (entry.kind === 'token') return (await endToken(entry.uid)) ? 'ended' : 'stays'
      else if (entry.kind === 'lease') return leases.take(key, entry) ? 'taken' : 'stays'
      else if (entry.kind === 'passing') await removePassing(entry.path)
      else await continueUpgrade(entry, { mounts, random: parts.random, inTurn })
    } catch (error) {
      reportOnce(key, `the record ${key} cannot be ended: ${messageOf(error)}`)
    }
    return 'stays'
  }

  /** What cannot be dropped stays; tokens and leases end all the same. */
  async function trim(): Promise<void> {
    try {
      await parts.trim?.(inTurn)
    } catch (error) {
      reportOnce('trim', `old events cannot be dropped: ${messageOf(error)}`)
    }
  }

  /** Ends what is due and was not tried before, or puts it into its lane; how much of it. */
  async function sweep(tried = new Set<string>()): Promise<number> {
    const space = parts.space()
    if (!space || !(await onDuty())) return 0
    if (passes % TRIM_PASSES === 0) await trim()
    if (passes++ % UPKEEP_PASSES === 0) await parts.upkeep?.()
    const left = leases.taken.union(tried)
    let done = 0
    while (left.size < STUCK_MAX + tried.size) {
      const found = await space.due(clock.now(), BATCH, left)
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
    while ((await sweep(tried)) > 0) await leases.idle()
    await leases.idle()
  }

  async function tick(): Promise<void> {
    if (running) return
    running = true
    try {
      await sweep()
    } catch (error) {
      parts.report(`expiry: ${messageOf(error)}`)
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
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : 'unknown trouble')
