/**
 * A job that one node at a time does, told by a row in the store with an epoch. Each effect reads
 * that row in its own transaction, so a node that was asleep for too long can no longer do anything.
 */
import { type Space, type Tx } from '../barrier/space.ts'
import { type Clock } from '../lib/clock.ts'
import { StoreConflict } from '../storage/store.ts'
import { settleLeaseCounts } from './lease-counts.ts'

const DUTY_MS = 15_000
const ATTEMPTS_MAX = 5

type Row = { node: string; epoch: number; until: number }

export type Duty = {
  /** Changes whenever it was another's meanwhile; 0 = it is not this node's. */
  readonly epoch: number
  /** Runs `act` in a transaction of its own, again when it meets another writer; undefined = sealed. */
  readonly transact: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>
  /** Takes or keeps the duty; false when another node has it. */
  readonly held: () => Promise<boolean>
  /** Whether this transaction may act: reading the row makes the commit depend on it. */
  readonly fenced: (tx: Tx) => Promise<boolean>
  /** As `transact`, doing nothing once the duty is another's. */
  readonly inTurn: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>
}

export type DutyParts = {
  /** Where the row is: `duty/expiry`. */
  path: string
  node: string
  clock: Clock
  space: () => Space | undefined
}

export function duty({ path, node, clock, space }: DutyParts): Duty {
  let epoch = 0

  async function transact<T>(act: (tx: Tx) => Promise<T>): Promise<T | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const open = space()
      if (!open) return undefined
      const tx = await open.begin()
      const result = await act(tx)
      try {
        await settleLeaseCounts(tx)
        if (tx.dirty) await open.commit(tx)
        return result
      } catch (error) {
        if (!(error instanceof StoreConflict)) throw error
      }
    }
    return undefined
  }

  async function fenced(tx: Tx): Promise<boolean> {
    const row = await tx.get<Row>(path)
    return row?.node === node && row.epoch === epoch
  }

  return {
    get epoch() {
      return epoch
    },
    transact,
    fenced,
    async held() {
      const now = clock.now()
      const mine = await transact(async (tx) => {
        const row = await tx.get<Row>(path)
        if (row && row.node !== node && row.until > now) return 0
        const own = row?.node === node && row.epoch === epoch
        if (own && row.until - now > DUTY_MS / 2) return epoch
        const next = own ? epoch : (row?.epoch ?? 0) + 1
        tx.put(path, { node, epoch: next, until: now + DUTY_MS } satisfies Row)
        return next
      })
      epoch = mine ?? 0
      return epoch > 0
    },
    inTurn: (act) => transact(async (tx) => ((await fenced(tx)) ? act(tx) : undefined)),
  }
}
