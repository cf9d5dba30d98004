/**
 * New shares for the root key, and the proof that those who ask hold enough of the present ones.
 * The root key stays: it is put under a new seal key, in one write, on condition that nobody else
 * has done so meanwhile.
 */
import { timingSafeEqual } from 'node:crypto'
import {
  checkRecovery,
  holdRootKey,
  joinShares,
  openSeal,
  sealConfig,
  type SplitRequest,
  type StaticKey,
} from '../barrier/seal.ts'
import { TamperedError } from '../crypto/aead.ts'
import { type Random } from '../lib/random.ts'
import { type Store } from '../storage/store.ts'

export type NewShares = {
  readonly shares: readonly Uint8Array[]
  /** Whether these are enough of the new shares. */
  matches(given: readonly Uint8Array[]): boolean
  /**
   * From here on the new shares count and the old ones do not. Throws StoreConflict when the seal
   * has been changed since. What it returns undoes it, for when nobody may be told the new shares.
   */
  install(): Promise<() => Promise<void>>
  /** Overwrites what is kept here. */
  forget(): void
}

export async function reshare(
  store: Store,
  rootKey: Buffer,
  options: { request: SplitRequest; random: Random; staticKey?: StaticKey },
): Promise<NewShares> {
  const { request, ...rest } = options
  const held = holdRootKey(rootKey, request, rest)
  const whole = joinShares(held.shares.slice(0, request.threshold), request.threshold)!
  const before = await Promise.all(
    held.writes.map(async ({ key }) => ({ key, entry: await store.get(key) })),
  )
  return {
    shares: held.shares,
    matches(given) {
      const joined = joinShares(given, request.threshold)
      const same = joined?.length === whole.length && timingSafeEqual(joined, whole)
      joined?.fill(0)
      return same
    },
    async install() {
      const revision = await store.write(held.writes, {
        keys: before.map(({ key, entry }) => ({ key, revision: entry?.revision ?? 0 })),
        ranges: [],
      })
      return async () => {
        await store.write(
          before.map(({ key, entry }) => ({ key, value: entry?.value })),
          { keys: before.map(({ key }) => ({ key, revision })), ranges: [] },
        )
      }
    },
    forget() {
      whole.fill(0)
      for (const share of held.shares) share.fill(0)
    },
  }
}

/** Whether these shares open the seal, or make the recovery key of one that opens by itself. */
export async function provesQuorum(store: Store, shares: readonly Uint8Array[]): Promise<boolean> {
  const config = await sealConfig(store)
  if (!config) return false
  if (config.type !== 'shamir') return checkRecovery(store, shares)
  const joined = joinShares(shares, config.threshold)
  if (!joined) return false
  try {
    const { rootKey } = await openSeal(store, joined)
    rootKey.fill(0)
    return true
  } catch (error) {
    if (error instanceof TamperedError) return false
    throw error
  } finally {
    joined.fill(0)
  }
}
