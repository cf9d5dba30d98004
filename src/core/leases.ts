/**
 * Leases: what was handed out for a time, and must be taken back. Recorded in the same transaction
 * as the request that asked; ended in two steps, because ending one may mean work on a foreign
 * system: first `revoking` is written (from then on it counts as gone), then the engine's revoker
 * runs outside any transaction, then the record goes. A crash in between is picked up by expiry.
 *
 *   lease/<lease id>                 the record; falls due when it expires, or to be retried
 *   lease-of/<token uid>/<digest>    {id}
 *
 * The record lies in its namespace, the index in the root: the token may be of a namespace above.
 */
import { createHash } from 'node:crypto'
import { type Scope, type Tx } from '../barrier/space.ts'
import { base62 } from '../lib/base62.ts'
import { type Random } from '../lib/random.ts'
import { type Issued, keepIssued } from './issued.ts'
import { noteLease } from './lease-counts.ts'
import { retryAfterMs } from './lanes.ts'
import { type Home, idSuffix, type Namespace, namespaceById, prefixOfHome } from './namespaces.ts'

export type LeaseEntry = {
  kind: 'lease'
  id: string
  /** Absent = the root. */
  namespace?: Home
  /** Of the mount, by uuid: it keeps its leases when it is moved. */
  mount: string
  leaseKind: string
  secret: Record<string, unknown>
  /** What its holder was given, as far as a scanner is to know it. */
  issued?: Issued
  issuedAt: number
  expiresAt: number
  lastRenewalAt?: number
  ttlSeconds: number
  maxTtlSeconds: number
  renewable: boolean
  tokenUid: string
  /** Set when it is being ended. */
  revoking?: true
  attempts?: number
  /** The engine failed too often; kept, listed and counted, not retried. */
  irrevocable?: true
  trouble?: string
  /** Not to be tried before, because its engine does not answer at all. */
  notBefore?: number
}

export const REVOKE_ATTEMPTS_MAX = 6

const ID_CHARS = 24

const indexPath = (entry: LeaseEntry) =>
  `lease-of/${entry.tokenUid}/${createHash('sha256').update(entry.id).digest('base64url')}`

const SUFFIX = new RegExp(`/[0-9A-Za-z]{${ID_CHARS}}\\.([0-9A-Za-z]{1,16})$`)

export function newLeaseId(path: string, namespace: Namespace, random: Random): string {
  return `${path.replace(/\/$/, '')}/${base62(ID_CHARS, random)}${idSuffix(namespace)}`
}

/** The id of the namespace behind a lease's id; undefined = the root's. */
const namespaceIdOf = (id: string): string | undefined => SUFFIX.exec(id)?.[1]

export async function getLease(tx: Tx, id: string): Promise<LeaseEntry | undefined> {
  if (!validId(id)) return undefined
  const home = await namespaceById(tx, namespaceIdOf(id))
  return home && (await tx.get<LeaseEntry>(`${home.prefix}lease/${id}`))
}

/** An id from a caller becomes a storage path only when it is one of ours in form. */
function validId(id: string): boolean {
  return id !== '' && !id.startsWith('/') && !id.endsWith('/') && !id.includes('//')
}

export function saveLease(tx: Tx, entry: LeaseEntry): void {
  // An irrevocable lease waits for a person, not for the clock.
  const due = entry.irrevocable ? undefined : entry.revoking ? retryAt(entry) : entry.expiresAt
  tx.put(`${prefixOfHome(entry.namespace)}lease/${entry.id}`, entry, due)
  tx.put(indexPath(entry), { id: entry.id })
}

/** Exponential back-off from the last attempt, which a revoking lease keeps in expiresAt. */
function retryAt(entry: LeaseEntry): number {
  const wait = retryAfterMs(entry.attempts ?? 0)
  return Math.max(entry.expiresAt + wait, entry.notBefore ?? 0)
}

export function forgetLease(tx: Tx, entry: LeaseEntry): void {
  noteLease(tx, entry, -1)
  keepIssued(tx, entry)
  tx.remove(`${prefixOfHome(entry.namespace)}lease/${entry.id}`)
  tx.remove(indexPath(entry))
}

/** Marks a lease as ending, from now on due at once. */
export function startRevoking(tx: Tx, entry: LeaseEntry, now: number): LeaseEntry {
  const { irrevocable: _, notBefore: __, ...rest } = entry
  const ending: LeaseEntry = {
    ...rest,
    revoking: true,
    attempts: 0,
    expiresAt: Math.min(entry.expiresAt, now),
  }
  saveLease(tx, ending)
  return ending
}

/** After a failed attempt: later again, or given up on. */
export function revokeFailed(
  tx: Tx,
  entry: LeaseEntry,
  options: { now: number; trouble: string },
): void {
  const attempts = (entry.attempts ?? 0) + 1
  const next: LeaseEntry = { ...entry, attempts, expiresAt: options.now, trouble: options.trouble }
  if (attempts >= REVOKE_ATTEMPTS_MAX) next.irrevocable = true
  saveLease(tx, next)
}

/** Put off without an attempt: another lease of its mount has shown that the engine is away. */
export function revokeLater(tx: Tx, entry: LeaseEntry, notBefore: number): void {
  saveLease(tx, { ...entry, notBefore })
}

export async function leasesOfToken(tx: Tx, tokenUid: string): Promise<LeaseEntry[]> {
  const found: LeaseEntry[] = []
  const under = `lease-of/${tokenUid}/`
  for (const name of await tx.list(under)) {
    const index = await tx.get<{ id: string }>(under + name)
    const entry = index && (await getLease(tx, index.id))
    if (entry) found.push(entry)
  }
  return found
}

/** Every lease of a namespace whose id starts with `prefix` at a segment's border. */
export async function leasesUnder(scope: Scope, prefix: string): Promise<LeaseEntry[]> {
  const found: LeaseEntry[] = []
  const clean = prefix.replace(/^\/+|\/+$/g, '')
  const own = validId(clean) ? await scope.get<LeaseEntry>(`lease/${clean}`) : undefined
  if (own) found.push(own)
  await collect(scope, clean === '' ? 'lease/' : `lease/${clean}/`, found)
  return found
}

async function collect(scope: Scope, under: string, found: LeaseEntry[]): Promise<void> {
  for (const name of await scope.list(under)) {
    if (name.endsWith('/')) {
      await collect(scope, under + name, found)
      continue
    }
    const entry = await scope.get<LeaseEntry>(under + name)
    if (entry) found.push(entry)
  }
}
