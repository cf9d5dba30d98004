/**
 * Leases: what was handed out for a time, and must be taken back. Recorded in the same transaction
 * as the request that asked; ended in two steps, because ending one may mean work on a foreign
 * system: first `revoking` is written (from then on it counts as gone), then the engine's revoker
 * runs outside any transaction, then the record goes. A crash in between is picked up by expiry.
 *
 *   lease/<lease id>                 the record; falls due when it expires, or to be retried
 *   lease-of/<token uid>/<digest>    {id}
 */
import { createHash } from 'node:crypto'
import { type Tx } from '../barrier/space.ts'
import { base62 } from '../lib/base62.ts'
import { type Random } from '../lib/random.ts'

export type LeaseEntry = {
  kind: 'lease'
  id: string
  /** Of the mount, by uuid: it keeps its leases when it is moved. */
  mount: string
  leaseKind: string
  secret: Record<string, unknown>
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
}

export const REVOKE_ATTEMPTS_MAX = 6
const RETRY_MS = 10_000
const RETRY_MS_MAX = 300_000

const ID_CHARS = 24

const indexPath = (entry: LeaseEntry) =>
  `lease-of/${entry.tokenUid}/${createHash('sha256').update(entry.id).digest('base64url')}`

export function newLeaseId(requestPath: string, random: Random): string {
  return `${requestPath.replace(/\/$/, '')}/${base62(ID_CHARS, random)}`
}

export async function getLease(tx: Tx, id: string): Promise<LeaseEntry | undefined> {
  return validId(id) ? tx.get<LeaseEntry>(`lease/${id}`) : undefined
}

/** An id from a caller becomes a storage path only when it is one of ours in form. */
function validId(id: string): boolean {
  return id !== '' && !id.startsWith('/') && !id.endsWith('/') && !id.includes('//')
}

export function saveLease(tx: Tx, entry: LeaseEntry): void {
  // An irrevocable lease waits for a person, not for the clock.
  const due = entry.irrevocable ? undefined : entry.revoking ? retryAt(entry) : entry.expiresAt
  tx.put(`lease/${entry.id}`, entry, due)
  tx.put(indexPath(entry), { id: entry.id })
}

/** Exponential back-off from the last attempt, which a revoking lease keeps in expiresAt. */
function retryAt(entry: LeaseEntry): number {
  const wait = entry.attempts ? Math.min(RETRY_MS * 2 ** (entry.attempts - 1), RETRY_MS_MAX) : 0
  return entry.expiresAt + wait
}

export function forgetLease(tx: Tx, entry: LeaseEntry): void {
  tx.remove(`lease/${entry.id}`)
  tx.remove(indexPath(entry))
}

/** Marks a lease as ending, from now on due at once. */
export function startRevoking(tx: Tx, entry: LeaseEntry, now: number): LeaseEntry {
  const { irrevocable: _, ...rest } = entry
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

/** Every lease whose id starts with `prefix` at a segment's border. */
export async function leasesUnder(tx: Tx, prefix: string): Promise<LeaseEntry[]> {
  const found: LeaseEntry[] = []
  const clean = prefix.replace(/^\/+|\/+$/g, '')
  const own = clean === '' ? undefined : await getLease(tx, clean)
  if (own) found.push(own)
  await collect(tx, clean === '' ? 'lease/' : `lease/${clean}/`, found)
  return found
}

async function collect(tx: Tx, under: string, found: LeaseEntry[]): Promise<void> {
  for (const name of await tx.list(under)) {
    if (name.endsWith('/')) {
      await collect(tx, under + name, found)
      continue
    }
    const entry = await tx.get<LeaseEntry>(under + name)
    if (entry) found.push(entry)
  }
}
