/**
 * New shares for the root key, and the proof that those who ask hold enough of the present ones.
 * The root key stays: it is put under a new seal key, in one write, on condition that nobody else
 * has done so meanwhile.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
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

/**
 * A seal that may come into force, in a form that can be stored: what would be written (the root key
 * in it is under the new seal key), and what it replaces. Of the new seal key itself there is only a
 * digest, by which those who bring enough of its shares are known.
 */
export type NewSeal = {
  readonly threshold: number
  readonly writes: readonly { readonly key: string; readonly value: string }[]
  readonly replaces: readonly { readonly key: string; readonly revision: number }[]
  readonly digest: string
}
export type NewShares = { readonly shares: readonly Uint8Array[]; readonly seal: NewSeal }

const digestOf = (key: Uint8Array) => createHash('sha256').update(key).digest()

export async function reshare(
  store: Store,
  rootKey: Buffer,
  options: { request: SplitRequest; random: Random; staticKey?: StaticKey },
): Promise<NewShares> {
  const { request, ...rest } = options
  const { shares, writes } = holdRootKey(rootKey, request, rest)
  const whole = joinShares(shares.slice(0, request.threshold), request.threshold)!
  const replaces = await Promise.all(
    writes.map(async ({ key }) => ({ key, revision: (await store.get(key))?.revision ?? 0 })),
  )
  const seal: NewSeal = {
    threshold: request.threshold,
    writes: writes.map(({ key, value }) => ({
      key,
      value: Buffer.from(value!).toString('base64'),
    })),
    replaces,
    digest: digestOf(whole).toString('hex'),
  }
  whole.fill(0)
  return { shares, seal }
}

/** Whether these are enough of the new shares. */
export function fitsNewSeal(seal: NewSeal, shares: readonly Uint8Array[]): boolean {
  const joined = joinShares(shares, seal.threshold)
  if (!joined) return false
  const same = timingSafeEqual(digestOf(joined), Buffer.from(seal.digest, 'hex'))
  joined.fill(0)
  return same
}

/**
 * From here on the new shares count and the old ones do not. Throws StoreConflict when the seal has
 * been changed since. What it returns undoes it, for when nobody may be told the new shares.
 */
export async function installSeal(store: Store, seal: NewSeal): Promise<() => Promise<void>> {
  const before = await Promise.all(
    seal.writes.map(async ({ key }) => ({ key, entry: await store.get(key) })),
  )
  const revision = await store.write(
    seal.writes.map(({ key, value }) => ({ key, value: Buffer.from(value, 'base64') })),
    { keys: seal.replaces, ranges: [] },
  )
  return async () => {
    await store.write(
      before.map(({ key, entry }) => ({ key, value: entry?.value })),
      { keys: before.map(({ key }) => ({ key, revision })), ranges: [] },
    )
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
