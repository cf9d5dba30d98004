/**
 * Lease count quotas: how many leases and tokens there may be at a time below a place. Each quota has
 * a counter in the store, which every transaction that makes or ends one changes along with it. So it
 * is exact over all processes and after a crash; the price is that those who make some below the same
 * quota wait for one another. Of all quotas that fit, the most specific decides; all of them count.
 *
 * Not counted: tokens without an end, batch tokens, and wrapping tokens.
 */
import { type Tx } from '../barrier/space.ts'
import { Failure } from '../kit/failure.ts'
import { type LeaseEntry } from './leases.ts'
import { type Home, namespaceById } from './namespaces.ts'
import { type TokenEntry } from './tokens.ts'
import { type Turn } from './turn.ts'

export type LeaseCountQuota = {
  name: string
  /** Its counter. Another one when it becomes a quota of another place. */
  uid: string
  /** From the root: '' = the server, a namespace or mount with its slash, a path, or one with `*`. */
  path: string
  kind: 'namespace' | 'mount' | 'path'
  max_leases: number
  /** Of a namespace: for those below it as well. */
  inheritable: boolean
}

export const QUOTAS_PATH = 'sys/quotas'

/** Where something was made: its namespace, and the path it was asked for from the root. */
export type Origin = { namespace: string; path: string }
type Change = { home: Home | undefined; path: string; by: 1 | -1 }

/** What a transaction makes and ends, by the key of its entry. */
const changes = new WeakMap<Tx, Map<string, Change>>()

export function noteToken(tx: Tx, entry: TokenEntry, by: 1 | -1): void {
  if (!isCounted(entry)) return
  note(tx, `token/${entry.uid}`, { home: entry.namespace, path: entry.path, by })
}

export function noteLease(tx: Tx, entry: LeaseEntry, by: 1 | -1): void {
  note(tx, `lease/${entry.id}`, { home: entry.namespace, path: entry.id, by })
}

export const isCounted = ({ type, expiresAt, wrapping }: TokenEntry) =>
  type === 'service' && expiresAt !== 0 && wrapping === undefined

function note(tx: Tx, key: string, change: Change): void {
  let noted = changes.get(tx)
  if (!noted) changes.set(tx, (noted = new Map()))
  // What is made and ended in one transaction never was.
  if (noted.get(key)?.by === 1 && change.by === -1) noted.delete(key)
  else noted.set(key, change)
}

/** What a refused request has made is not there. */
export function forgetMade(tx: Tx): void {
  changes.delete(tx)
}

type Counter = { count: number }
const counterPath = (uid: string) => `sys/quota-count/${uid}`

export async function leaseCount(tx: Tx, uid: string): Promise<number> {
  return (await tx.get<Counter>(counterPath(uid)))?.count ?? 0
}

export function setLeaseCount(tx: Tx, uid: string, count: number): void {
  tx.put(counterPath(uid), { count: Math.max(count, 0) } satisfies Counter)
}

export const dropLeaseCount = (tx: Tx, uid: string): void => tx.remove(counterPath(uid))

type Table = { leases?: readonly LeaseCountQuota[] }
const quotasOf = async (tx: Tx) => (await tx.get<Table>(QUOTAS_PATH))?.leases ?? []

/** Before each commit: the counters of all that is made and ended in it. */
export function settleLeaseCounts(tx: Tx): Promise<void> | undefined {
  return changes.has(tx) ? settle(tx) : undefined
}

async function settle(tx: Tx): Promise<void> {
  const quotas = await quotasOf(tx)
  const noted = changes.get(tx)!
  changes.delete(tx)
  if (quotas.length === 0) return
  const sums = new Map<string, number>()
  for (const { home, path, by } of noted.values()) {
    const origin = await originOf(tx, home, path)
    for (const quota of quotas) {
      if (fits(quota, origin)) sums.set(quota.uid, (sums.get(quota.uid) ?? 0) + by)
    }
  }
  for (const [uid, sum] of sums) {
    if (sum !== 0) setLeaseCount(tx, uid, (await leaseCount(tx, uid)) + sum)
  }
}

async function originOf(tx: Tx, home: Home | undefined, path: string): Promise<Origin> {
  // One whose namespace is gone belongs to the server alone.
  const namespace = home ? ((await namespaceById(tx, home.id))?.path ?? `${home.id}/`) : ''
  return { namespace, path: namespace + path }
}

/** Step: refuses what would be one too many, before it is stored. */
export function withinLeaseCount({ made, tx, ns, path }: Turn): Promise<void> | void {
  if (!tx || (made.tokens.length === 0 && made.leaseId === undefined)) return undefined
  return refuseTooMany(tx, `${ns.path}${path}`)
}

async function refuseTooMany(tx: Tx, asked: string): Promise<void> {
  const noted = changes.get(tx)
  const quotas = noted && (await quotasOf(tx))
  if (!noted || !quotas || quotas.length === 0) return
  for (const { home, path, by } of noted.values()) {
    if (by < 0) continue
    const origin = await originOf(tx, home, path)
    const quota = mostSpecific(quotas.filter((each) => fits(each, origin)))
    if (quota && (await leaseCount(tx, quota.uid)) >= quota.max_leases) {
      throw new Failure('too_many_requests', `request path "${asked}": lease count quota exceeded`)
    }
  }
}

const KINDS = ['namespace', 'mount', 'path']

function mostSpecific(quotas: readonly LeaseCountQuota[]): LeaseCountQuota | undefined {
  const rank = ({ kind, path }: LeaseCountQuota) =>
    KINDS.indexOf(kind) * 1e6 + (path.endsWith('*') ? 0 : 1e5) + path.length
  return quotas.toSorted((a, b) => rank(b) - rank(a))[0]
}

export function fits({ kind, path, inheritable }: LeaseCountQuota, origin: Origin): boolean {
  if (kind === 'namespace') {
    return path === origin.namespace || (inheritable && origin.namespace.startsWith(path))
  }
  if (kind === 'mount') return origin.path.startsWith(path)
  if (path.endsWith('*')) return origin.path.startsWith(path.slice(0, -1))
  // A lease's id is its path and a name.
  return origin.path === path || origin.path.startsWith(`${path.replace(/\/$/, '')}/`)
}
