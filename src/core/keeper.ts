/**
 * Who keeps the server open: initialize, unseal share by share, seal, rotate. A node that changes
 * state tells its siblings on this machine through `announce`, so that all processes behind one
 * port are sealed or open together.
 */
import { KEYRING_KEY, type Keyring, openKeyring } from '../barrier/keyring.ts'
import {
  checkSplit,
  createSeal,
  joinShares,
  openSeal,
  openStatic,
  recoveryConfig,
  type SealConfig,
  sealConfig,
  type SplitRequest,
  type StaticKey,
} from '../barrier/seal.ts'
import { Space, Tx } from '../barrier/space.ts'
import { TamperedError } from '../crypto/aead.ts'
import { Failure, refuse } from '../kit/failure.ts'
import { type Clock } from '../lib/clock.ts'
import { type Random, uuid } from '../lib/random.ts'
import { type Store, StoreConflict } from '../storage/store.ts'
import { type NewShares, provesQuorum, reshare } from './reshare.ts'

/** What one process tells the others. The root key travels only over the pipe between them. */
export type Announcement =
  | { kind: 'open'; rootKey: string }
  | { kind: 'sealed' }
  | { kind: 'share'; share: string; nonce: string }
  | { kind: 'forget shares' }

export type Progress = { shares: number; nonce: string }

export type Initialized = { keys: Uint8Array[]; rootToken: string; recovery: boolean }

export type Keeper = {
  /** The open store, or undefined while sealed. */
  readonly space: Space | undefined
  config(): Promise<SealConfig | undefined>
  recovery(): Promise<SplitRequest | undefined>
  readonly progress: Progress
  readonly opensItself: boolean
  initialize(request: SplitRequest, firstEntries: (tx: Tx) => string): Promise<Initialized>
  /** Takes one share; opens when there are enough. Throws a Failure when they do not fit. */
  offer(share: Uint8Array): Promise<void>
  forgetShares(): Promise<void>
  seal(): Promise<void>
  /** Opens with the operator's key file; false when this seal does not open by itself. */
  openItself(): Promise<boolean>
  /** A new key for everything sealed from now on. */
  rotate(): Promise<void>
  /** New shares of the root key, not yet in force. Only while open. */
  reshare(request: SplitRequest): Promise<NewShares>
  /** Whether these are enough of the present shares (or recovery keys). */
  proves(shares: readonly Uint8Array[]): Promise<boolean>
  hear(message: Announcement): Promise<void>
}

export type KeeperOptions = {
  store: Store
  clock: Clock
  random: Random
  staticKeys?: readonly StaticKey[]
  /** Resolves when the siblings have heard it. */
  announce?: (message: Announcement) => Promise<void> | void
  opened?: (space: Space) => void
  sealed?: () => void
}

export function keeper(options: KeeperOptions): Keeper {
  const { store, clock, random, staticKeys = [] } = options
  const announce = options.announce ?? (() => {})
  let space: Space | undefined
  let rootKey: Buffer | undefined
  let shares = new Map<string, Uint8Array>()
  let nonce = ''

  function opened(key: Buffer, keyring: Keyring): void {
    if (space) return
    rootKey = key
    space = new Space(store, key, keyring)
    dropShares()
    options.opened?.(space)
  }

  function closed(): void {
    space = undefined
    rootKey?.fill(0)
    rootKey = undefined
    dropShares()
    options.sealed?.()
  }

  function dropShares(): void {
    for (const share of shares.values()) share.fill(0)
    shares = new Map()
    nonce = ''
  }

  async function tryShares(config: SealConfig): Promise<void> {
    const joined = joinShares([...shares.values()], config.threshold)
    try {
      const { rootKey: key, keyring } = await openSeal(store, joined ?? Buffer.alloc(0))
      await announce({ kind: 'open', rootKey: key.toString('base64') })
      opened(key, keyring)
    } catch (error) {
      if (!(error instanceof TamperedError)) throw error
      dropShares()
      await announce({ kind: 'forget shares' })
      refuse('invalid key: failed to decrypt keys from storage: the shares do not fit')
    } finally {
      joined?.fill(0)
    }
  }

  return {
    get space() {
      return space
    },
    config: () => sealConfig(store),
    recovery: () => recoveryConfig(store),
    get progress() {
      return { shares: shares.size, nonce }
    },
    opensItself: staticKeys.length > 0,
    async initialize(request, firstEntries) {
      const problem = checkSplit(request)
      if (problem) refuse(`invalid seal configuration: ${problem}`)
      if (await sealConfig(store)) refuse('Vault is already initialized')
      const staticKey = staticKeys[0]
      const made = createSeal(request, {
        random,
        now: clock.now(),
        ...(staticKey && { staticKey }),
      })
      const fresh = new Space(store, made.rootKey, made.keyring)
      const tx = new Tx(fresh)
      const rootToken = firstEntries(tx)
      try {
        // Seal, key ring, mounts, policies and root token: one write, so never half a server.
        await fresh.commit(tx, { writes: made.writes, absent: ['core/seal'] })
      } catch (error) {
        if (error instanceof StoreConflict) refuse('Vault is already initialized')
        throw error
      }
      if (staticKey) {
        await announce({ kind: 'open', rootKey: made.rootKey.toString('base64') })
        opened(made.rootKey, made.keyring)
      }
      return { keys: made.shares, rootToken, recovery: staticKey !== undefined }
    },
    async offer(share) {
      const config = await sealConfig(store)
      if (!config) throw new Failure('bad_request', 'Vault is not initialized')
      if (space) return
      if (shares.size === 0) nonce = uuid(random)
      shares.set(Buffer.from(share).toString('hex'), Buffer.from(share))
      await announce({ kind: 'share', share: Buffer.from(share).toString('hex'), nonce })
      if (shares.size >= config.threshold) await tryShares(config)
    },
    async forgetShares() {
      dropShares()
      await announce({ kind: 'forget shares' })
    },
    async seal() {
      closed()
      await announce({ kind: 'sealed' })
    },
    async openItself() {
      if (staticKeys.length === 0 || !(await sealConfig(store))) return false
      const { rootKey: key, keyring } = await openStatic(store, staticKeys)
      opened(key, keyring)
      return true
    },
    async rotate() {
      if (!space || !rootKey) throw new Failure('sealed')
      const ring = await store.get(KEYRING_KEY)
      if (!ring) throw new TamperedError('the store holds no key ring')
      // From the ring as it lies there: one this process has not seen yet has a key more, and what
      // that key has sealed would be lost with it.
      const next = openKeyring(rootKey, ring.value).rotated(random, clock.now())
      // On condition that nobody else has rotated meanwhile; the new ring reaches every node with
      // the next change it looks at.
      await store.write([{ key: KEYRING_KEY, value: next.store(rootKey) }], {
        keys: [{ key: KEYRING_KEY, revision: ring.revision }],
        ranges: [],
      })
    },
    async reshare(request) {
      if (!rootKey) throw new Failure('sealed')
      const staticKey = staticKeys[0]
      return reshare(store, rootKey, { request, random, ...(staticKey && { staticKey }) })
    },
    proves: (given) => provesQuorum(store, given),
    async hear(message) {
      switch (message.kind) {
        case 'open': {
          const key = Buffer.from(message.rootKey, 'base64')
          const ring = await store.get(KEYRING_KEY)
          if (ring) opened(key, openKeyring(key, ring.value))
          break
        }
        case 'sealed':
          closed()
          break
        case 'share':
          nonce = message.nonce
          shares.set(message.share, Buffer.from(message.share, 'hex'))
          break
        case 'forget shares':
          dropShares()
          break
      }
    },
  }
}
