/**
 * Rate limit quotas: which one a request falls under, and the step that counts it. They lie in one
 * entry of the root, so that a server without any pays one look-up, and are counted for each address
 * by each process alone.
 *
 * Of all that fit, the most specific counts: a login role, a path, a mount, a namespace, the server.
 */
import { whenReady } from '../lib/awaitable.ts'
import { type Tx } from '../barrier/space.ts'
import { Failure } from '../kit/failure.ts'
import { type Core } from './core.ts'
import { parseFields } from './endpoints.ts'
import { type LeaseCountQuota, QUOTAS_PATH } from './lease-counts.ts'
import { ROOT } from './namespaces.ts'
import { RateLimiter, type Verdict } from './rate-limit.ts'
import { callOf } from './call-of.ts'
import { type Request, type Turn } from './turn.ts'

export type RateLimitQuota = {
  name: string
  /** Another one each time the quota is written: what was counted before is then forgotten. */
  uid: string
  /** From the root: '' = the server, a namespace or mount with its slash, a path, or one with `*`. */
  path: string
  role: string
  rate: number
  interval: number
  block_interval: number
  /** Of a namespace: for those below it as well. */
  inheritable: boolean
}

export type QuotaConfig = {
  rate_limit_exempt_paths: string[]
  absolute_rate_limit_exempt_paths: string[]
  enable_rate_limit_audit_logging: boolean
  enable_rate_limit_response_headers: boolean
}

export type QuotaTable = {
  quotas: readonly RateLimitQuota[]
  /** Absent in a table that was written before there were any. */
  leases?: readonly LeaseCountQuota[]
  config: QuotaConfig
}

const EMPTY: QuotaTable = {
  quotas: [],
  config: {
    rate_limit_exempt_paths: [],
    absolute_rate_limit_exempt_paths: [],
    enable_rate_limit_audit_logging: false,
    enable_rate_limit_response_headers: false,
  },
}

export async function quotaTable(tx: Tx): Promise<QuotaTable> {
  return (await tx.get<QuotaTable>(QUOTAS_PATH)) ?? EMPTY
}

export function saveQuotaTable(tx: Tx, table: QuotaTable): void {
  tx.put(QUOTAS_PATH, table)
}

/** What an operator needs when everything else is refused. */
const ALWAYS_EXEMPT = new Set([
  'sys/health',
  'sys/seal-status',
  'sys/unseal',
  'sys/generate-root/attempt',
  'sys/generate-root/update',
  'sys/generate-recovery-token/attempt',
  'sys/generate-recovery-token/update',
  'sys/step-down',
])

const limiters = new WeakMap<Core, RateLimiter>()
/** A request that has to be done again has been counted already. */
const counted = new WeakMap<Request, Verdict>()

/** Step: refuses who asks too often. Costs no promise while there is no quota. */
export function withinRateLimit(turn: Turn, core: Core): Promise<void> | void {
  const table = turn.tx?.get<QuotaTable>(QUOTAS_PATH)
  if (table === undefined) return undefined
  return whenReady(table, (found) => found && limit(turn, core, found))
}

function limit(turn: Turn, core: Core, table: QuotaTable): Promise<void> | void {
  const { quotas, config } = table
  if (quotas.length === 0 || isExempt(turn, config)) return undefined
  // Finding the role of a login may need the store; nothing else does.
  const ofRole = quotas.filter((quota) => quota.role !== '' && quota.path === mountPathOf(turn))
  const count = (role: string) =>
    take(turn, core, { table, quota: mostSpecific(quotas, turn, role) })
  return ofRole.length > 0 ? roleOf(turn, core).then(count) : count('')
}

function isExempt({ ns, path }: Turn, config: QuotaConfig): boolean {
  if (ns === ROOT && ALWAYS_EXEMPT.has(path)) return true
  const full = ns.path + path
  return (
    config.rate_limit_exempt_paths.some((pattern) => fits(pattern, path)) ||
    config.absolute_rate_limit_exempt_paths.some((pattern) => fits(pattern, full))
  )
}

/** A path as it is, or all that begins with what stands before a star. */
const fits = (pattern: string, path: string) =>
  pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : trimmed(path) === trimmed(pattern)

const trimmed = (path: string) => path.replace(/\/$/, '')

const mountPathOf = ({ ns, mount }: Turn) => (mount ? ns.path + mount.entry.path : undefined)

/** The role of a login as its engine tells, or as the request names it; '' = none. */
async function roleOf(turn: Turn, core: Core): Promise<string> {
  const { match, request } = turn
  if (match?.endpoint.access !== 'login' || request.help) return ''
  try {
    turn.fields = parseFields(match, request.data)
    const role = match.endpoint.roleOf
      ? await match.endpoint.roleOf(callOf(turn, core))
      : turn.fields.data['role']
    return typeof role === 'string' ? role : ''
  } catch (error) {
    // That its fields are wrong is told to who asks, but later.
    if (error instanceof Failure) return ''
    throw error
  } finally {
    turn.fields = undefined
    turn.call = undefined
  }
}

const SPECIFIC = { role: 5, exact: 4, glob: 3, mount: 2, namespace: 1 }

/** Undefined = no quota fits. */
export function mostSpecific(
  quotas: readonly RateLimitQuota[],
  turn: Turn,
  role: string,
): RateLimitQuota | undefined {
  let best: { quota: RateLimitQuota; rank: number } | undefined
  for (const quota of quotas) {
    const kind = kindOf(quota, turn, role)
    if (!kind) continue
    // Within a kind, the longer path is the more specific.
    const rank = SPECIFIC[kind] * 1e6 + quota.path.length
    if (!best || rank > best.rank) best = { quota, rank }
  }
  return best?.quota
}

/** How a quota fits a request; undefined = it does not. */
function kindOf(
  { path, role: ofRole, inheritable }: RateLimitQuota,
  turn: Turn,
  role: string,
): keyof typeof SPECIFIC | undefined {
  const mountPath = mountPathOf(turn)
  if (ofRole !== '') return path === mountPath && ofRole === role ? 'role' : undefined
  if (path === turn.ns.path) return 'namespace'
  if (path === mountPath) return 'mount'
  const full = turn.ns.path + turn.path
  if (path.endsWith('*')) return fits(path, full) ? 'glob' : undefined
  if (inheritable && turn.ns.path.startsWith(path)) return 'namespace'
  return path !== '' && trimmed(path) === trimmed(full) ? 'exact' : undefined
}

type Counting = { table: QuotaTable; quota: RateLimitQuota | undefined }

function take(turn: Turn, core: Core, { table, quota }: Counting): void {
  if (!quota) return
  const { request, now } = turn
  const verdict =
    counted.get(request) ??
    limiterOf(core).take(quota.uid, request.remoteAddress, {
      rate: quota.rate,
      intervalSeconds: quota.interval,
      blockSeconds: quota.block_interval,
      now,
    })
  counted.set(request, verdict)
  if (table.config.enable_rate_limit_response_headers) turn.headers = headersOf(verdict)
  if (verdict.allowed) return
  turn.unaudited = !table.config.enable_rate_limit_audit_logging
  throw new Failure(
    'too_many_requests',
    `request path "${turn.ns.path}${turn.path}": rate limit quota exceeded`,
  )
}

function limiterOf(core: Core): RateLimiter {
  let limiter = limiters.get(core)
  if (!limiter) limiters.set(core, (limiter = new RateLimiter()))
  return limiter
}

const headersOf = ({ allowed, limit: most, remaining, resetSeconds, retrySeconds }: Verdict) => ({
  'X-Ratelimit-Limit': String(most),
  'X-Ratelimit-Remaining': String(remaining),
  'X-Ratelimit-Reset': String(resetSeconds),
  ...(!allowed && { 'Retry-After': String(retrySeconds) }),
})
