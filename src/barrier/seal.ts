/**
 * Who holds the root key. The root key seals the key ring; a seal holds the root key under a key
 * that is never on disk beside it: Shamir shares in people's hands, or a key file of the operator.
 *
 *   core/seal       {type, shares, threshold}            in clear: needed to ask for shares
 *   core/root       root key sealed under the seal's key
 *   core/recovery   {shares, threshold, check}           for seals that open by themselves
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { KEY_BYTES, open, seal, TamperedError } from '../crypto/aead.ts'
import { combine, split } from '../crypto/shamir.ts'
import { type Random } from '../lib/random.ts'
import { type Store, type Write } from '../storage/store.ts'
import { KEYRING_KEY, type Keyring, newKeyring, openKeyring } from './keyring.ts'

export type SealConfig = { type: 'shamir' | 'static'; shares: number; threshold: number }

/** A key the operator keeps outside the store; `id` tells it from its predecessor. */
export type StaticKey = { id: string; key: Buffer }

export type NewSeal = {
  config: SealConfig
  /** The shares to hand out (unseal keys, or recovery keys of a static seal). */
  shares: Uint8Array[]
  rootKey: Buffer
  keyring: Keyring
  writes: Write[]
}

const SEAL_KEY = 'core/seal'
const ROOT_KEY = 'core/root'
const RECOVERY_KEY = 'core/recovery'
const ROOT_CONTEXT = 'coffer/root/v1'

type Stored = SealConfig & { keyId?: string }
type Recovery = { shares: number; threshold: number; check: string }

export type SplitRequest = { shares: number; threshold: number }

/** Refuses a split that could not be put together again, in Vault's words. */
export function checkSplit({ shares, threshold }: SplitRequest): string | undefined {
  if (shares < 1) return 'shares must be at least one'
  if (threshold < 1) return 'threshold must be at least one'
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares'
  if (shares > 255) return 'shares must be less than 256'
  if (threshold > shares) return 'threshold cannot be larger than shares'
  return undefined
}

/** One share is the key itself, as Vault hands it out. */
function shareOut(key: Buffer, request: SplitRequest, random: Random): Uint8Array[] {
  if (request.shares === 1) return [Buffer.from(key)]
  return split(key, { ...request, random })
}

const json = (value: object) => Buffer.from(JSON.stringify(value))

/** Everything a new store needs, as writes that belong into one batch. */
export function createSeal(
  request: SplitRequest,
  options: { random: Random; now: number; staticKey?: StaticKey },
): NewSeal {
  const { random, now, staticKey } = options
  const rootKey = random(KEY_BYTES)
  const keyring = newKeyring(random, now)
  const held = holdRootKey(rootKey, request, { random, ...(staticKey && { staticKey }) })
  const writes = [...held.writes, { key: KEYRING_KEY, value: keyring.store(rootKey) }]
  return { ...held, rootKey, keyring, writes }
}

/** Puts the root key under a new seal key: at the start, and when the shares are made anew. */
export function holdRootKey(
  rootKey: Buffer,
  request: SplitRequest,
  options: { random: Random; staticKey?: StaticKey },
): Pick<NewSeal, 'config' | 'shares' | 'writes'> {
  const { random, staticKey } = options
  const handedOut = random(KEY_BYTES)
  const shares = shareOut(handedOut, request, random)
  const sealKey = staticKey?.key ?? handedOut
  const config: Stored = staticKey
    ? { type: 'static', shares: 1, threshold: 1, keyId: staticKey.id }
    : { type: 'shamir', ...request }
  const writes: Write[] = [
    { key: SEAL_KEY, value: json(config) },
    { key: ROOT_KEY, value: seal(sealKey, rootKey, { context: ROOT_CONTEXT }) },
  ]
  if (staticKey) {
    const recovery: Recovery = { ...request, check: digest(handedOut) }
    writes.push({ key: RECOVERY_KEY, value: json(recovery) })
  }
  return { config, shares, writes }
}

const digest = (key: Uint8Array) => createHash('sha256').update(key).digest('hex')

async function read<T>(store: Store, key: string): Promise<T | undefined> {
  const entry = await store.get(key)
  return entry && (JSON.parse(Buffer.from(entry.value).toString('utf8')) as T)
}

/** The seal of this store, or undefined before it is initialized. */
export function sealConfig(store: Store): Promise<SealConfig | undefined> {
  return read<Stored>(store, SEAL_KEY)
}

export function recoveryConfig(store: Store): Promise<SplitRequest | undefined> {
  return read<Recovery>(store, RECOVERY_KEY)
}

/** Puts shares together; undefined when they cannot be parts of one key. */
export function joinShares(shares: readonly Uint8Array[], threshold: number): Buffer | undefined {
  if (threshold === 1) return shares[0] && Buffer.from(shares[0])
  try {
    return Buffer.from(combine(shares))
  } catch {
    return undefined
  }
}

/** Whether these shares make the recovery key. */
export async function checkRecovery(store: Store, shares: readonly Uint8Array[]): Promise<boolean> {
  const recovery = await read<Recovery>(store, RECOVERY_KEY)
  const key = recovery && joinShares(shares, recovery.threshold)
  return !!key && timingSafeEqual(Buffer.from(digest(key)), Buffer.from(recovery.check))
}

/** Opens the root key and the key ring. Throws TamperedError when the seal key is a wrong one. */
export async function openSeal(
  store: Store,
  sealKey: Uint8Array,
): Promise<{ rootKey: Buffer; keyring: Keyring }> {
  const root = await store.get(ROOT_KEY)
  const ring = await store.get(KEYRING_KEY)
  if (!root || !ring) throw new TamperedError('the store holds no sealed root key')
  if (sealKey.length !== KEY_BYTES) throw new TamperedError('the key has a wrong length')
  const rootKey = open(sealKey, root.value, { context: ROOT_CONTEXT })
  return { rootKey, keyring: openKeyring(rootKey, ring.value) }
}

/** Opens with whichever of the operator's keys the store was last sealed with. */
export async function openStatic(store: Store, keys: readonly StaticKey[]) {
  const stored = await read<Stored>(store, SEAL_KEY)
  const key = keys.find((k) => k.id === stored?.keyId)
  if (!key) {
    throw new TamperedError(
      `seal "static": the store was sealed with key id "${stored?.keyId}", which is not configured`,
    )
  }
  return openSeal(store, key.key)
}
