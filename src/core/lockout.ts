/**
 * User lockout: so many failed logins in a row, and the user is refused for a while, a right password
 * or not. It works on logins that say whom a request names (`userOf`), whether or not there is such a
 * user, so nothing can be learned from it.
 *
 *   lockout/<mount uuid>/<bucket>    {counters}, falls due when the last of them is over
 *
 * The counters of a mount lie in a fixed number of buckets of limited size, so no flood of invented
 * names fills the store: in a full bucket a new name takes the place of the counter that matters
 * least. To push out one that counts against a real user, a guesser would have to fail with more than
 * a hundred thousand other names before each next guess.
 */
import { createHash } from 'node:crypto'
import { type Keyring } from '../barrier/keyring.ts'
import { type Tx } from '../barrier/space.ts'
import { type Hmac, hmac } from '../crypto/hmac.ts'
import { Failure } from '../kit/failure.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { type Core } from './core.ts'
import { type MountEntry } from './mounts.ts'
import { type PassingEntry, putPassing } from './passing.ts'
import { callOf } from './call-of.ts'
import { type Turn } from './turn.ts'

type Policy = { threshold: number; lockMs: number; resetMs: number }

type Counter = {
  /** The one form of the name; see `identifierOf`. */
  user: string
  failures: number
  lastFailureAt: number
  /** When it means nothing any more; for a locked user the end of the lock. */
  until: number
  locked: boolean
}
type Bucket = PassingEntry & { counters: readonly Counter[] }

/** A login that is under way, and where its failure would be counted. */
export type Attempt = { path: string; user: string; policy: Policy }

const THRESHOLD = 5
const LOCK_SECONDS = 900
const RESET_SECONDS = 900
const BUCKETS = 4096
const BUCKET_COUNTERS_MAX = 32
const IDENTIFIER_BYTES_MAX = 256

type Settings = {
  lockout_threshold?: number | undefined
  lockout_duration?: number | undefined
  lockout_counter_reset?: number | undefined
  lockout_disable?: boolean | undefined
}

/** By type of auth mount; `all` is for the types that are not named. */
export type LockoutDefaults = Record<string, Settings>

/**
 * What a mount was tuned to, else what the server was configured with for its type, else for all. 0
 * and absence are the defaults. Undefined = it locks nobody out.
 */
function policyOf({ config, type }: MountEntry, defaults: LockoutDefaults): Policy | undefined {
  const levels: Settings[] = [config.user_lockout_config ?? {}]
  for (const name of [type, 'all']) if (Object.hasOwn(defaults, name)) levels.push(defaults[name]!)
  if (levels.find((level) => level.lockout_disable !== undefined)?.lockout_disable) return undefined
  const number = (name: Exclude<keyof Settings, 'lockout_disable'>, fallback: number) =>
    levels.map((level) => level[name]).find((value) => value) ?? fallback
  return {
    threshold: number('lockout_threshold', THRESHOLD),
    lockMs: number('lockout_duration', LOCK_SECONDS) * 1000,
    resetMs: number('lockout_counter_reset', RESET_SECONDS) * 1000,
  }
}

/**
 * All that could be meant as the same name is one here: it is better to count two users as one than
 * one user twice. A long name is told by its hash. Of its own result it makes nothing else.
 */
export function identifierOf(alias: string): string {
  let folded = fold(alias)
  // What is taken out may have stood between two signs that are one now.
  for (let again = fold(folded); again !== folded; again = fold(folded)) folded = again
  if (Buffer.byteLength(folded) <= IDENTIFIER_BYTES_MAX) return folded
  return `sha256:${createHash('sha256').update(folded).digest('hex')}`
}

/** Of these nothing is taken out and nothing is another's form but for the case: most names. */
const VISIBLE_ASCII = /^[!-~]*$/

const fold = (name: string) =>
  VISIBLE_ASCII.test(name)
    ? name.toLowerCase()
    : name
        .normalize('NFKC')
        .toLowerCase()
        .replace(/[\s\p{C}]+/gu, '')

const bucketMacs = new WeakMap<Keyring, Hmac>()

/** Under a key, so that nobody can choose names that meet in one bucket. */
function bucketOf({ keyring }: Tx, user: string): string {
  let mac = bucketMacs.get(keyring)
  if (!mac) bucketMacs.set(keyring, (mac = hmac('sha256', keyring.derive('lockout/bucket/v1'))))
  return String(Number.parseInt(mac(user, 'hex').slice(0, 8), 16) % BUCKETS)
}

const bucketsAt = (mountUuid: string) => `lockout/${mountUuid}/`

/** Step: refuses a user who is locked out, before anything of the login is looked at. */
export function refuseLockedUser(turn: Turn, core: Core): Awaitable<void> {
  const { mount, match, tx } = turn
  const userOf = match?.endpoint.userOf
  if (!userOf || !mount || !tx) return
  const policy = policyOf(mount.entry, core.settings.userLockout)
  const alias = policy && userOf(callOf(turn, core))
  if (!policy || alias === undefined || alias === '') return
  const user = identifierOf(alias)
  const path = bucketsAt(mount.entry.uuid) + bucketOf(tx, user)
  return whenReady(tx.get<Bucket>(path), (bucket) => {
    const counter = bucket?.counters.find((one) => one.user === user)
    if (counter?.locked && counter.until > turn.now) throw new Failure('permission_denied')
    turn.attempt = { path, user, policy }
  })
}

/** Step: the credentials were right, so what was counted is forgotten. */
export function forgetFailures(turn: Turn): Awaitable<void> {
  const { attempt, tx, now } = turn
  turn.attempt = undefined
  if (attempt && tx) return takeOut(tx, { ...attempt, now })
}

/** Step: counts a login that its engine has refused. It stays, though the request has no other effect. */
export function countFailure({ attempt, tx, refusal, now }: Turn): Awaitable<void> {
  if (attempt && tx && isWrongCredentials(refusal)) return countOne(tx, attempt, now)
}

async function countOne(tx: Tx, { path, user, policy }: Attempt, now: number): Promise<void> {
  const counters = (await tx.get<Bucket>(path))?.counters.filter(({ until }) => until > now) ?? []
  const failures = (counters.find((one) => one.user === user)?.failures ?? 0) + 1
  const locked = failures >= policy.threshold
  const counter: Counter = {
    user,
    failures,
    lastFailureAt: now,
    until: now + (locked ? policy.lockMs : policy.resetMs),
    locked,
  }
  const others = counters.filter((one) => one.user !== user)
  if (others.length >= BUCKET_COUNTERS_MAX) others.splice(leastAt(others), 1)
  save(tx, path, [...others, counter])
}

/** Of what an engine answers, a 400 speaks of the credentials; 403 and 5xx are about something else. */
function isWrongCredentials(refusal: Error | undefined): boolean {
  return refusal instanceof Failure && refusal.status === 400 && refusal.guessed
}

/** Where the counter is that matters least: not locked, few failures, long ago. */
function leastAt(counters: readonly Counter[]): number {
  const weight = ({ locked, failures, lastFailureAt }: Counter) => [
    locked ? 1 : 0,
    failures,
    lastFailureAt,
  ]
  let least = 0
  for (let i = 1; i < counters.length; i++) {
    const [a, b] = [weight(counters[i]!), weight(counters[least]!)]
    const differs = a.findIndex((part, at) => part !== b[at])
    if (differs >= 0 && a[differs]! < b[differs]!) least = i
  }
  return least
}

function takeOut(
  tx: Tx,
  { path, user, now }: { path: string; user: string; now: number },
): Awaitable<void> {
  return whenReady(tx.get<Bucket>(path), (bucket) => {
    if (!bucket?.counters.some((one) => one.user === user)) return
    const others = bucket.counters.filter((one) => one.user !== user && one.until > now)
    save(tx, path, others)
  })
}

function save(tx: Tx, path: string, counters: readonly Counter[]): void {
  if (counters.length === 0) return tx.remove(path)
  const expiresAt = Math.max(...counters.map(({ until }) => until))
  putPassing(tx, { kind: 'passing', path, expiresAt, counters } satisfies Bucket as Bucket)
}

/** Ends the lock of a user, if there is one, and forgets the failures. */
export async function unlockUser(
  tx: Tx,
  mount: Pick<MountEntry, 'uuid'>,
  { alias, now }: { alias: string; now: number },
): Promise<void> {
  const user = identifierOf(alias)
  await takeOut(tx, { path: bucketsAt(mount.uuid) + bucketOf(tx, user), user, now })
}

/** Who is locked out on a mount now, sorted. */
export async function lockedUsers(
  tx: Tx,
  mount: Pick<MountEntry, 'uuid'>,
  now: number,
): Promise<string[]> {
  const found: string[] = []
  for (const bucket of await tx.list(bucketsAt(mount.uuid))) {
    const counters = (await tx.get<Bucket>(bucketsAt(mount.uuid) + bucket))?.counters ?? []
    for (const { user, locked, until } of counters) if (locked && until > now) found.push(user)
  }
  return found.sort()
}
