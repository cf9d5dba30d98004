/**
 * What ends by itself: tokens and leases past their time, and revocations that are under way. One
 * node at a time has this duty, told by a row in the store with an epoch; each effect reads that row
 * in its own transaction, so a node that was asleep for too long can no longer do anything.
 *
 * Nothing is kept in memory: the store's index of due entries is asked for the next few.
 */
import { type Space, type Tx } from '../barrier/space.ts'
import { type Clock } from '../lib/clock.ts'
import { type Random } from '../lib/random.ts'
import { StoreConflict } from '../storage/store.ts'
import { forgetLease, getLease, type LeaseEntry, revokeFailed, startRevoking } from './leases.ts'
import { type Mounts } from './mounts.ts'
import { scopeOfHome } from './namespaces.ts'
import { type PassingEntry, removePassed } from './passing.ts'
import { type TokenEntry, type Tokens } from './tokens.ts'
import { continueUpgrade, type UpgradeEntry } from './upgrades.ts'

const DUTY_PATH = 'duty/expiry'
const DUTY_MS = 15_000
const POLL_MS = 1_000
const BATCH = 200
const UPKEEP_PASSES = 600

type Duty = { node: string; epoch: number; until: number }

export type Expiry = {
  start(): void
  stop(): void
  /** One pass: ends all that is due now; for tests, and for those who cannot wait. */
  pass(): Promise<void>
  /** Ends one lease for good: marks it, runs its revoker, forgets it. */
  endLease(id: string, options?: { force?: boolean }): Promise<'ended' | 'failed' | 'unknown'>
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

  async function endToken(uid: string): Promise<void> {
    await transact(async (tx) => {
      if (!(await fenced(tx))) return
      const entry = await tokens.stored(tx, uid)
      if (entry && entry.expiresAt > 0 && entry.expiresAt <= clock.now()) {
        await tokens.revokeTree(tx, entry)
      }
    })
  }

  async function endLease(id: string, options: { force?: boolean } = {}) {
    const entry = await transact(async (tx) => {
      const found = await getLease(tx, id)
      return found && !found.revoking ? startRevoking(tx, found, clock.now()) : found
    })
    if (!entry) return 'unknown'
    const trouble = await runRevoker(entry)
    await transact(async (tx) => {
      const current = await getLease(tx, id)
      if (!current) return
      if (trouble === undefined || options.force) forgetLease(tx, current)
      else revokeFailed(tx, current, { now: clock.now(), trouble })
    })
    return trouble === undefined || options.force ? 'ended' : 'failed'
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
    try {
      await kind.revoke({
        leaseId: entry.id,
        secret: entry.secret,
        mount: mount.view,
        now: clock.now(),
      })
      return undefined
    } catch (error) {
      const trouble = error instanceof Error ? error.message : 'unknown trouble'
      parts.report(`lease ${entry.id} could not be revoked: ${trouble}`)
      return trouble
    }
  }

  async function pass(): Promise<void> {
    const space = parts.space()
    if (!space || !(await onDuty())) return
    if (passes++ % UPKEEP_PASSES === 0) await parts.upkeep?.()
    for (let more = true; more;) {
      const { entries } = await space.due(clock.now(), BATCH)
      more = entries.length === BATCH
      for (const entry of entries as (TokenEntry | LeaseEntry | PassingEntry | UpgradeEntry)[]) {
        // Ending the one before may have taken so long that the duty is another's by now.
        if (!(await onDuty())) return
        if (entry.kind === 'token') await endToken(entry.uid)
        else if (entry.kind === 'passing') await removePassing(entry.path)
        else if (entry.kind === 'lease') await endLease(entry.id)
        else await continueUpgrade(entry, { mounts, random: parts.random, inTurn })
      }
    }
  }

  async function tick(): Promise<void> {
    if (running) return
    running = true
    try {
      await pass()
    } catch (error) {
      parts.report(`expiry: ${error instanceof Error ? error.message : 'unknown trouble'}`)
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
    endLease,
  }
}
