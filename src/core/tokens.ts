/**
 * Tokens: entries, look-up, the tree of parents and children. Everything here happens inside the
 * caller's transaction, and validity is judged at use: a token past its time is no token, whether
 * or not anything has cleaned it away.
 *
 *   token/<accessor>                  the entry; falls due when it expires
 *   token-id/<digest>                 {accessor}, for ids that do not carry their accessor
 *   token-child/<parent>/<accessor>   {}
 *
 * The first two lie in the namespace of the token. The third lies in the root: a parent may have
 * children in the namespaces below its own.
 */
import { createHash } from 'node:crypto'
import { type Keyring } from '../barrier/keyring.ts'
import { type Scope, type Tx } from '../barrier/space.ts'
import { type Hmac, hmac } from '../crypto/hmac.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { type Random } from '../lib/random.ts'
import { noteToken } from './lease-counts.ts'
import { CUBBYHOLE_PREFIX, removeAll } from './mounts.ts'
import {
  type Home,
  homeOf,
  idSuffix,
  type Namespace,
  namespaceById,
  prefixOfHome,
  ROOT,
} from './namespaces.ts'
import {
  accessorOf,
  newAccessor,
  namespaceIdOf,
  newServiceToken,
  openBatchToken,
  sameDigest,
  sealBatchToken,
  tokenDigest,
} from './token-format.ts'

export type TokenEntry = {
  kind: 'token'
  /** Names the token in storage. Service tokens: the accessor. Batch tokens: a digest. */
  uid: string
  accessor: string
  digest: string
  /** Absent = the root. */
  namespace?: Home
  policies: string[]
  /** The path it was created through. */
  path: string
  meta: Record<string, string> | null
  displayName: string
  /** 0 = unlimited; else what is left. */
  numUses: number
  createdAt: number
  ttlSeconds: number
  /** 0 = never. */
  expiresAt: number
  explicitMaxTtlSeconds: number
  periodSeconds: number
  /** Of the role that issued it; 0 = the mount's. */
  maxTtlSeconds: number
  /** The explicit maximum asked for beside a token role's, which is read anew at each renewal. */
  askedMaxTtlSeconds?: number
  renewable: boolean
  orphan: boolean
  parent?: string
  type: 'service' | 'batch'
  entityId: string
  /** Where that entity is, when it is not of the token's own namespace; it then grants nothing. */
  entityHome?: Home | 'root'
  boundCidrs: string[]
  /** A token role's name. */
  role?: string
  lastRenewalAt?: number
  /** Uuid of the auth mount whose login issued it, with what that engine wants back at renewal. */
  loginMount?: string
  internal?: Record<string, unknown>
  /** A custom or root id: found through token-id/. */
  indexed?: boolean
  /**
   * The text of its one policy. A token that has it may do what that says and nothing else: not
   * what its entity may, not what `default` grants.
   */
  inlinePolicy?: string
  /** Made for one response; the wrapped accessor and creation facts are in its cubbyhole. */
  wrapping?: { creationPath: string; ttlSeconds: number; createdAt: number }
}

export type NewToken = Omit<TokenEntry, 'kind' | 'uid' | 'accessor' | 'digest' | 'namespace'> & {
  id?: string
}

export type Tokens = {
  /** The valid token of this id, or undefined. */
  find(tx: Tx, id: string, now: number): Awaitable<TokenEntry | undefined>
  byAccessor(tx: Tx, accessor: string, now: number): Promise<TokenEntry | undefined>
  /** The entry as it is stored, whether or not it is still valid. */
  stored(tx: Tx, uid: string): Promise<TokenEntry | undefined>
  /** Whether a token of this custom id exists, even one that has ended and waits to be removed. */
  taken(tx: Tx, id: string, namespace: Namespace): Promise<boolean>
  /** Stores a service token (a batch token is only sealed) and returns its id. */
  create(tx: Tx, token: NewToken, namespace?: Namespace): { id: string; entry: TokenEntry }
  save(tx: Tx, entry: TokenEntry): void
  /** Ends a token, its children, its cubbyhole; leases of all of them are given to `endLeases`. */
  revokeTree(tx: Tx, entry: TokenEntry): Promise<void>
  /** Ends one token; its children live on without a parent. */
  revokeOrphaning(tx: Tx, entry: TokenEntry): Promise<void>
  /** Those of one namespace. */
  accessors(scope: Scope): Promise<string[]>
}

type TokenKeys = { digest: Hmac; batch: Buffer }
const derived = new WeakMap<Keyring, TokenKeys>()

function keysOf({ keyring }: Tx): TokenKeys {
  let keys = derived.get(keyring)
  if (!keys) {
    keys = {
      digest: hmac('sha256', keyring.derive('tokens/digest/v1')),
      batch: keyring.derive('tokens/batch/v1'),
    }
    derived.set(keyring, keys)
  }
  return keys
}

const VERIFIED_MAX = 10_000

export function tokens(
  random: Random,
  endLeases: (tx: Tx, tokenUid: string) => Promise<void>,
): Tokens {
  /**
   * Ids that have been proven against this very entry object. Saves a digest per request; a hash
   * table look-up tells a guesser nothing about how much of a guess was right.
   */
  let verified = new Map<string, TokenEntry>()

  function entryOf(tx: Tx, uid: string): Awaitable<TokenEntry | undefined> {
    const id = namespaceIdOf(uid)
    return id === undefined ? tx.get<TokenEntry>(`token/${uid}`) : entryIn(tx, id, uid)
  }

  async function entryIn(tx: Tx, id: string, uid: string): Promise<TokenEntry | undefined> {
    const home = await namespaceById(tx, id)
    return home && (await tx.get<TokenEntry>(`${home.prefix}token/${uid}`))
  }

  const alive = (entry: TokenEntry | undefined, now: number) =>
    entry && (entry.expiresAt === 0 || entry.expiresAt > now) && entry.numUses >= 0
      ? entry
      : undefined

  /** A token ends with the first of its ancestors to end, cleaned away or not. */
  function standing(tx: Tx, entry: TokenEntry, now: number): Awaitable<boolean> {
    if (entry.parent === undefined) return true
    return whenReady(entryOf(tx, entry.parent), (found) => {
      const parent = alive(found, now)
      return parent !== undefined && standing(tx, parent, now)
    })
  }

  async function uidOf(tx: Tx, id: string): Promise<string | undefined> {
    const carried = accessorOf(id)
    if (carried !== undefined) return carried
    const home = await namespaceById(tx, namespaceIdOf(id))
    if (!home) return undefined
    const digest = tokenDigest(keysOf(tx).digest, id)
    return (await tx.get<{ accessor: string }>(`${home.prefix}token-id/${digest}`))?.accessor
  }

  async function findBatch(tx: Tx, id: string, now: number): Promise<TokenEntry | undefined> {
    const claims = openBatchToken(keysOf(tx).batch, id) as TokenEntry | undefined
    if (!claims || !alive(claims, now)) return undefined
    // One spelling, and none once its namespace has gone.
    const home = await namespaceById(tx, namespaceIdOf(id))
    if (!home || home.prefix !== prefixOfHome(claims.namespace)) return undefined
    // A batch token ends with its parent, which is all the revocation it knows.
    if (claims.parent && !(await standing(tx, claims, now))) return undefined
    return { ...claims, uid: createHash('sha256').update(id).digest('base64url') }
  }

  /** The entry, if it and its ancestors have not ended. */
  function valid(tx: Tx, entry: TokenEntry, now: number): Awaitable<TokenEntry | undefined> {
    if (!alive(entry, now)) return undefined
    return whenReady(standing(tx, entry, now), (stands) => (stands ? entry : undefined))
  }

  /** Not seen yet, or changed, or a custom id that has come to stand for another token since. */
  async function prove(tx: Tx, id: string, now: number): Promise<TokenEntry | undefined> {
    const uid = await uidOf(tx, id)
    const entry = uid === undefined ? undefined : await entryOf(tx, uid)
    if (!entry || !(await valid(tx, entry, now))) return undefined
    if (!sameDigest(tokenDigest(keysOf(tx).digest, id), entry.digest)) return undefined
    if (verified.size >= VERIFIED_MAX) verified = new Map()
    verified.set(id, entry)
    return entry
  }

  async function removeOne(tx: Tx, entry: TokenEntry): Promise<void> {
    const home = prefixOfHome(entry.namespace)
    noteToken(tx, entry, -1)
    tx.remove(`${home}token/${entry.uid}`)
    if (entry.indexed) tx.remove(`${home}token-id/${entry.digest}`)
    if (entry.parent) tx.remove(`token-child/${entry.parent}/${entry.uid}`)
    await removeAll(tx, `${home}${CUBBYHOLE_PREFIX}${entry.uid}/`)
    await endLeases(tx, entry.uid)
  }

  return {
    find(tx, id, now) {
      if (id.startsWith('hvb.')) return findBatch(tx, id, now)
      const known = verified.get(id)
      if (!known) return prove(tx, id, now)
      return whenReady(entryOf(tx, known.uid), (entry) =>
        entry === known ? valid(tx, known, now) : prove(tx, id, now),
      )
    },
    async byAccessor(tx, accessor, now) {
      const entry = alive(await entryOf(tx, accessor), now)
      return entry && (await standing(tx, entry, now)) ? entry : undefined
    },
    stored: async (tx, uid) => entryOf(tx, uid),
    async taken(tx, id, namespace) {
      const digest = tokenDigest(keysOf(tx).digest, id + idSuffix(namespace))
      return (await tx.get(`${namespace.prefix}token-id/${digest}`)) !== undefined
    },
    create(tx, token, namespace = ROOT) {
      const { id: wanted, ...given } = token
      const rest = { ...given, ...homeOf(namespace), kind: 'token' as const }
      const suffix = idSuffix(namespace)
      if (token.type === 'batch') {
        const entry: TokenEntry = { ...rest, uid: '', accessor: '', digest: '' }
        return { id: sealBatchToken(keysOf(tx).batch, entry) + suffix, entry }
      }
      const bare = newAccessor(random)
      const accessor = bare + suffix
      const id = (wanted ?? newServiceToken(bare, random)) + suffix
      const digest = tokenDigest(keysOf(tx).digest, id)
      const entry: TokenEntry = { ...rest, uid: accessor, accessor, digest }
      if (wanted !== undefined) {
        entry.indexed = true
        tx.put(`${namespace.prefix}token-id/${digest}`, { accessor })
      }
      if (entry.parent) tx.put(`token-child/${entry.parent}/${accessor}`, {})
      this.save(tx, entry)
      noteToken(tx, entry, 1)
      return { id, entry }
    },
    save(tx, entry) {
      const path = `${prefixOfHome(entry.namespace)}token/${entry.uid}`
      tx.put(path, entry, entry.expiresAt || undefined)
    },
    async revokeTree(tx, entry) {
      // Nothing of a batch token is stored; its empty names must not reach the store.
      if (entry.type === 'batch') return
      const doomed = [entry]
      for (let next = doomed.pop(); next; next = doomed.pop()) {
        const children = `token-child/${next.uid}/`
        for (const uid of await tx.list(children)) {
          const child = await entryOf(tx, uid)
          if (child) doomed.push(child)
          tx.remove(children + uid)
        }
        await removeOne(tx, next)
      }
    },
    async revokeOrphaning(tx, entry) {
      const children = `token-child/${entry.uid}/`
      for (const uid of await tx.list(children)) {
        const child = await entryOf(tx, uid)
        tx.remove(children + uid)
        if (!child) continue
        const { parent: _, ...rest } = child
        this.save(tx, { ...rest, orphan: true })
      }
      await removeOne(tx, entry)
    },
    accessors: (scope) => scope.list('token/'),
  }
}
