/**
 * What engines and people ask of rotations, in the transaction of their request. It is written down
 * there and begun after the commit; where the answer has to wait for it, it does.
 */
import { type Scope } from '../../barrier/space.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type RotationKind, type RotationOrder, type RotationTiming } from '../../kit/rotation.ts'
import { cronTrouble } from '../../lib/cron.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Core } from '../core.ts'
import { entriesUnder, type Mount } from '../mounts.ts'
import { homeOf } from '../namespaces.ts'
import { type Turn } from '../turn.ts'
import { holdersOf, nameOf, shownHolders, shownSessions } from './holders.ts'
import {
  getRotation,
  idOf,
  isStopped,
  noted,
  type RotationEntry,
  type RotationState,
  saveRotation,
} from './record.ts'
import { nextRotation, rescheduled } from './timing.ts'

/** A request waits so long for its rotation; what has begun goes on without it. */
export const WAIT_MS_MAX = 60_000

type Declare = Extract<RotationOrder, { act: 'declare' }>

/** A rotation as a request meets it. */
export type Subject = {
  readonly scope: Scope
  readonly mount: Mount
  readonly kind: RotationKind
  readonly entry: RotationEntry
  readonly id: string
}

export async function obey(turn: Turn, core: Core, order: RotationOrder): Promise<void> {
  const mount = turn.mount!
  const kind = mount.engine.rotations?.[order.kind]
  if (!kind) throw new TypeError(`the engine has no rotation of the kind ${order.kind}`)
  const path = kind.servedAt(order.name)
  const id = idOf(mount.entry.uuid, path)
  const scope = turn.scope!
  const before = await getRotation(scope, id)
  if (order.act === 'declare') return declare(turn, core, { order, mount, kind, path, before })
  if (!before || before.state === 'RETIRING') {
    if (order.act === 'retire') return
    throw new Failure('not_found', `there is no rotation at "${mount.entry.path}${path}"`)
  }
  const subject = { scope, mount, kind, entry: before, id }
  if (order.act === 'retire') await retire(turn, core, subject)
  else await askToRotate(turn, core, { ...subject, wait: true })
}

type Declaring = {
  order: Declare
  mount: Mount
  kind: RotationKind
  path: string
  before: RotationEntry | undefined
}

export async function declare(turn: Turn, core: Core, of: Declaring): Promise<void> {
  const { order, mount, kind, path, before } = of
  const { now } = turn
  checkTiming(order.timing)
  if (before?.state === 'RETIRING') {
    throw new Failure('held', 'the rotation of that name is still being retired; try again later')
  }
  const scope = turn.scope!
  const { settings, timing, rules } = order
  let entry: RotationEntry = before
    ? { ...before, settings, timing, rules, nextAt: rescheduled(before, timing, now) }
    : {
        kind: 'rotation',
        ...homeOf(turn.ns),
        mount: mount.entry.uuid,
        of: order.kind,
        name: order.name,
        path,
        settings,
        timing,
        rules,
        state: 'IDLE',
        since: now,
        step: 0,
        last: 0,
        orders: {},
        nextAt: nextRotation(timing, now),
        failures: 0,
        drift: { state: 'unknown', at: now, nextAt: now },
        spent: [],
        history: [],
      }
  entry = { ...entry, history: noted(entry, now, before ? 'declared anew' : 'declared') }
  const id = idOf(mount.entry.uuid, path)
  if (order.imported) entry = await imported(turn, of, entry)
  // Whoever writes a role again, as tools do that declare everything each time, changes its rules.
  if (!order.rotate || (before?.current && !order.imported)) {
    saveRotation(scope, entry)
    turn.afterCommit.push(() => core.rotation.wake(entry.namespace, id))
    return
  }
  // With its time come, it is tried again by itself if it does not succeed at once.
  if (!entry.current) entry = { ...entry, nextAt: now }
  await askToRotate(turn, core, { scope, mount, kind, entry, id, wait: true })
}

export function checkTiming({ periodSeconds, schedule, windowSeconds }: RotationTiming): void {
  if (periodSeconds !== undefined && schedule !== undefined) {
    refuse('a rotation has a period or a schedule, not both')
  }
  if (periodSeconds !== undefined && !(periodSeconds >= 1)) refuse('the period must be 1s or more')
  const trouble = schedule === undefined ? undefined : cronTrouble(schedule)
  if (trouble) refuse(trouble)
  if (windowSeconds && schedule === undefined) refuse('a window needs a schedule')
}

/** Served as it is; that it works is looked at as soon as the machine runs. */
async function imported(
  turn: Turn,
  { order, mount, kind }: Declaring,
  entry: RotationEntry,
): Promise<RotationEntry> {
  const { now } = turn
  if (entry.previous || entry.candidate) {
    throw new Failure(
      'held',
      'a rotation is under way: another credential can be given when it is over',
    )
  }
  const store = entriesUnder(turn.scope!, mount.prefix)
  const told = (await kind.numberedTo?.(store, order.name)) ?? 0
  const number = Math.max(entry.last + 1, told)
  const credential = order.imported!
  await kind.publish(store, order.name, { number, credential }, now)
  const { current, spent } = entry
  const until = now + 7 * 24 * 3_600_000
  return {
    ...entry,
    last: number,
    current: { number, credential, publishedAt: now, proven: false },
    spent: current
      ? [...spent, { number: current.number, credential: current.credential, until }]
      : spent,
    drift: { state: 'unknown', at: now, nextAt: now },
  }
}

export async function retire(turn: Turn, core: Core, of: Subject): Promise<void> {
  const { scope, entry, id, kind, mount } = of
  await kind.unpublish?.(entriesUnder(scope, mount.prefix), entry.name)
  const next = {
    ...entry,
    state: 'RETIRING' as const,
    since: turn.now,
    orders: {},
    failures: 0,
    retryAt: undefined,
  }
  saveRotation(scope, next)
  const home = entry.namespace
  turn.afterCommit.push(async () => {
    await core.rotation.run({ home, id, done: () => false, timeoutMs: 10_000 })
  })
}

export type RotateRequest = Subject & {
  emergency?: { seconds: number } | undefined
  given?: Readonly<Record<string, unknown>> | undefined
  /** The answer waits until the new credential is served, or is the reason why it is not. */
  wait: boolean
  timeoutMs?: number
}

/** In these a rotation is on its way to be published: who asks for one gets that one. */
const UNDER_WAY = new Set<RotationState>(['PLANNED', 'APPLYING', 'VERIFYING', 'ABORTED'])

/** Throws a 409 while the generation before is held, unless it is an emergency. */
export async function askToRotate(turn: Turn, core: Core, of: RotateRequest): Promise<void> {
  const { scope, entry, id, emergency, given, wait } = of
  const { now } = turn
  const served = entry.current?.number ?? 0
  const urgent = emergency && { seconds: emergency.seconds, from: now, again: false }
  const withUrgency = urgent ? { ...entry, emergency: urgent } : entry
  if (entry.held?.reason === 'operator') {
    throw new Failure('held', `the rotation is on hold: ${entry.held.note}; release it first`)
  }
  if (entry.state === 'STAGED') {
    throw new Failure(
      'held',
      `generation ${entry.candidate!.number} is staged: activate it, or roll it back`,
    )
  }
  if (UNDER_WAY.has(entry.state) || (entry.state === 'IDLE' && entry.orders.rotate)) {
    if (urgent) saveRotation(scope, withUrgency)
  } else if (entry.state !== 'IDLE') {
    if (!urgent) throw await heldFailure(core, turn, of)
    saveRotation(scope, { ...entry, emergency: { ...urgent, again: true }, retryAt: undefined })
  } else {
    const orders = { ...entry.orders, rotate: given ? { given } : {} }
    const fresh = { orders, held: undefined, failures: 0, retryAt: undefined, trouble: undefined }
    saveRotation(scope, { ...withUrgency, ...fresh })
  }
  const { mount, kind } = of
  const home = entry.namespace
  turn.afterCommit.push(async () => {
    core.rotation.wake(home, id)
    if (!wait) return
    const isServed = (e: RotationEntry) => (e.current?.number ?? 0) > served
    const isDone = (e: RotationEntry) =>
      (isServed(e) && e.state !== 'PUBLISHED') ||
      (e.state === 'IDLE' && !e.orders.rotate) ||
      e.state === 'STAGED'
    const patient = urgent !== undefined
    const after = await core.rotation.run({
      home,
      id,
      done: isDone,
      timeoutMs: of.timeoutMs ?? WAIT_MS_MAX,
      patient,
    })
    if (!after || isServed(after) || (kind.assisted && after.state === 'STAGED')) return
    throw new Failure(goesOn(after) ? 'timed_out' : 'internal', notServed(mount, after))
  })
}

/** Nothing has gone wrong so far: it takes longer than the caller waits. */
const goesOn = (entry: RotationEntry) =>
  entry.trouble === undefined && entry.retryAt === undefined && !isStopped(entry)

function notServed(mount: Mount, entry: RotationEntry): string {
  const path = mount.entry.path + entry.path
  const why = entry.trouble ?? entry.held?.note ?? `it has come to ${entry.state} so far`
  const next = isStopped(entry)
    ? 'it is on hold'
    : entry.retryAt !== undefined
      ? `it is tried again at ${rfc3339(entry.retryAt)}`
      : 'it goes on by itself'
  return `"${path}" is not rotated yet: ${why}; ${next}`
}

/** Says who has to let go. */
async function heldFailure(
  core: Core,
  turn: Turn,
  { entry, id, scope, mount }: Subject,
): Promise<Failure> {
  const names = await blockingNames(core, turn, { entry, id, scope })
  const { previous } = entry
  const who =
    names.length > 0
      ? `is held by ${names.join(', ')}`
      : entry.state === 'SOFT_REVOKED'
        ? 'is being revoked'
        : 'was replaced a moment ago'
  return new Failure(
    'held',
    `generation ${previous?.number ?? 0} of "${mount.entry.path}${entry.path}" ${who}: rotate when it ` +
      'has been let go, or ask for an emergency',
  )
}

export async function blockingNames(
  core: Core,
  turn: Turn,
  { entry, id, scope }: Pick<Subject, 'entry' | 'id' | 'scope'>,
): Promise<string[]> {
  const judge = { tx: turn.tx!, tokens: core.tokens, now: turn.now }
  const known = await shownHolders(await holdersOf(scope, entry), entry, judge)
  const sessions = await sessionsOf(core, entry, id)
  const all = [...known, ...shownSessions(sessions, known, entry.previous?.number ?? 0)]
  return all.filter((holder) => holder.blocks).map(nameOf)
}

/** Those that the target tells of; none when it cannot be asked. */
export async function sessionsOf(core: Core, { namespace, previous }: RotationEntry, id: string) {
  if (!previous) return []
  try {
    const asked = core.rotation.ask.target(namespace, id, async (kind, job) => {
      return kind.sessions ? kind.sessions(job, previous.credential) : []
    })
    return (await asked) ?? []
  } catch {
    return []
  }
}
