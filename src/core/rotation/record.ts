/**
 * What is stored of a rotation: one record, which is always in one state of the machine, and is the
 * only memory the machine has. Credentials lie in it sealed, as everything in the store.
 *
 *   rotation/<uuid of the mount>/<digest of the path>    falls due when there is something to do
 *
 * The path is where callers read it, below the mount. It may hold anything a user typed, so its
 * digest names the record.
 */
import { createHash } from 'node:crypto'
import { type Scope, type Space } from '../../barrier/space.ts'
import {
  type Credential,
  type Generation,
  type RotationRules,
  type RotationTiming,
} from '../../kit/rotation.ts'
import { type Home, namespacesOf, prefixOfHome } from '../namespaces.ts'

export type RotationState =
  | 'IDLE'
  | 'PLANNED'
  | 'APPLYING'
  | 'VERIFYING'
  | 'STAGED'
  | 'PUBLISHED'
  | 'DRAINING'
  | 'SOFT_REVOKED'
  | 'REVOKED'
  | 'ROLLED_BACK'
  | 'ABORTED'
  | 'RETIRING'

/**
 * Why it goes no further. `drain`, `nack` and `assist` end by themselves when the reason is gone;
 * the others wait for a person.
 */
export type HoldReason = 'operator' | 'apply' | 'verify' | 'refused' | 'drain' | 'nack' | 'assist'

export type Drift = 'in_sync' | 'target_changed' | 'target_down' | 'unknown'

/** A credential that callers are or were given. */
export type Served = Generation & {
  readonly publishedAt: number
  /** Not proven yet are only those that were declared to work. */
  readonly proven: boolean
}

/** Stored before the target knows of it, and until the target has forgotten it. */
export type Candidate = Generation & {
  /** How often it was begun to be applied. */
  readonly tries: number
  /** The second candidate of one rotation is its last. */
  readonly round: number
  /** A real login on every endpoint has succeeded since it was last applied. */
  readonly proven: boolean
}

/** What people and engines have asked for and has not been done yet. */
export type Orders = {
  rotate?: { given?: Readonly<Record<string, unknown>> | undefined } | undefined
  activate?: true | undefined
  rollback?: true | undefined
  reconcile?: { adopt?: Credential | undefined } | undefined
}

export type RotationEntry = {
  kind: 'rotation'
  /** Absent = the root. */
  namespace?: Home
  /** By uuid: a rotation goes along when its mount is moved. */
  mount: string
  /** Of the engine's `rotations`. */
  of: string
  name: string
  path: string
  settings: Readonly<Record<string, unknown>>
  timing: RotationTiming
  rules: RotationRules
  state: RotationState
  /** When it came into this state. */
  since: number
  /** Counts the writes: a step that was taken on another one's record is not kept. */
  step: number
  /** The highest number that a generation has had. */
  last: number
  current?: Served | undefined
  previous?: (Served & { readonly replacedAt: number }) | undefined
  candidate?: Candidate | undefined
  /** In ABORTED: what follows. */
  abort?: { readonly next: 'again' | 'hold' | 'idle'; readonly why: string } | undefined
  /** In SOFT_REVOKED: since when the target refuses the old one; absent = it has yet to be told. */
  softAt?: number | undefined
  /** In DRAINING: the target may still refuse the old one, and has to be told not to. */
  restore?: true | undefined
  held?: { readonly reason: HoldReason; readonly since: number; readonly note: string } | undefined
  /** A person has said that the holders do not count; `final` = not even a refused login. */
  released?: { readonly because: string; readonly at: number; readonly final: boolean } | undefined
  /** So long acknowledgements are waited for; `again` = rotate once more when the old one is gone. */
  emergency?:
    | { readonly seconds: number; readonly from: number; readonly again: boolean }
    | undefined
  orders: Orders
  nextAt?: number | undefined
  lastRotationAt?: number | undefined
  /** Failed attempts in a row, and when the next one is made. */
  failures: number
  retryAt?: number | undefined
  trouble?: string | undefined
  /** A change that was not answered may still be made on the target until then: nothing else is. */
  settlesAt?: number | undefined
  drift: { readonly state: Drift; readonly at: number; readonly nextAt: number }
  /** Values that were served and are revoked: not forgotten at once by those who look for leaks. */
  spent: readonly {
    readonly number: number
    readonly credential: Credential
    readonly until: number
  }[]
  history: readonly HistoryLine[]
}

export type HistoryLine = { at: number; state: string; generation: number; note: string }

export const ROTATIONS = 'rotation/'
const HISTORY_MAX = 40

export const digestOf = (text: string): string =>
  createHash('sha256').update(text).digest('base64url')

/** `<mount>/<digest>`: names a rotation within its namespace. */
export const idOf = (mount: string, path: string): string => `${mount}/${digestOf(path)}`
export const idOfEntry = ({ mount, path }: RotationEntry): string => idOf(mount, path)
/** The same in the whole store. */
export const storedAt = (home: Home | undefined, id: string): string =>
  `${prefixOfHome(home)}${ROTATIONS}${id}`

export const getRotation = (scope: Scope, id: string) => scope.get<RotationEntry>(ROTATIONS + id)

export function saveRotation(scope: Scope, entry: RotationEntry): RotationEntry {
  const next = { ...entry, step: entry.step + 1 }
  scope.put(ROTATIONS + idOfEntry(entry), next, dueAt(next))
  return next
}

/** All of a scope, of one mount or of each. */
export async function rotationsIn(scope: Scope, mount?: string): Promise<RotationEntry[]> {
  const mounts = mount === undefined ? await scope.list(ROTATIONS) : [`${mount}/`]
  const found: RotationEntry[] = []
  for (const folder of mounts) {
    for (const name of await scope.list(ROTATIONS + folder)) {
      const entry = await scope.get<RotationEntry>(ROTATIONS + folder + name)
      if (entry) found.push(entry)
    }
  }
  return found
}

/** Holds that only a person ends. In these, nothing is done but to look whether all is in order. */
export const isStopped = ({ held }: RotationEntry): boolean =>
  held !== undefined && !['drain', 'nack', 'assist'].includes(held.reason)

/** Nothing is changed on a target in these but by an order or when the time has come. */
const RESTING = new Set<RotationState>(['IDLE', 'STAGED'])

export const hasOrders = ({ orders }: RotationEntry): boolean =>
  Object.values(orders).some((order) => order !== undefined)

export function dueAt(entry: RotationEntry): number {
  const drift = entry.current ? entry.drift.nextAt : Infinity
  const act = actAt(entry)
  return Math.min(drift, act === Infinity ? act : Math.max(act, entry.retryAt ?? 0), NEVER)
}

/** Far enough for any schedule, and a number that a store keeps exactly. */
const NEVER = Date.UTC(9000, 0, 1)

/** Something may have been sent to the target, of which is not known what became. */
export function isTouching(entry: RotationEntry): boolean {
  const { state, softAt, restore, orders } = entry
  if (state === 'APPLYING' || state === 'ABORTED' || state === 'REVOKED') return true
  return (
    (state === 'SOFT_REVOKED' && softAt === undefined) ||
    !!restore ||
    !!orders.reconcile ||
    !!orders.rollback
  )
}

/** When the machine has something to do, besides looking for drift. */
export function actAt(entry: RotationEntry): number {
  if (hasOrders(entry) || entry.restore || entry.state === 'ABORTED') return entry.since
  if (entry.state === 'SOFT_REVOKED' || entry.state === 'RETIRING') return entry.since
  if (isStopped(entry) && entry.state !== 'REVOKED') return Infinity
  if (!RESTING.has(entry.state)) return entry.since
  if (entry.state === 'STAGED' || entry.held) return Infinity
  return entry.nextAt ?? Infinity
}

export function noted(entry: RotationEntry, now: number, note: string): readonly HistoryLine[] {
  const generation = entry.candidate?.number ?? entry.current?.number ?? 0
  const line = { at: now, state: entry.state, generation, note }
  return [...entry.history, line].slice(-HISTORY_MAX)
}

/** Tells the hidden names of rotations from those of everything else that falls due. */
export async function rotationKeys(space: Space): Promise<(key: string) => boolean> {
  const all = await namespacesOf(await space.begin())
  const prefixes = [undefined, ...(all?.entries ?? [])].map((home) =>
    space.keyOf(storedAt(home, '')),
  )
  return (key) => prefixes.some((prefix) => key.startsWith(prefix))
}
