/** A rotation as it is told of: names, numbers and times, and never a value. */
import { rfc3339 } from '../../lib/clock.ts'
import { type RotationSketch } from '../../kit/rotation.ts'
import { scopeOfHome } from '../namespaces.ts'
import { type Core } from '../core.ts'
import { type Holder, holdersOf, nameOf, shownHolders, shownSessions } from './holders.ts'
import { sessionsOf, type Subject } from './orders.ts'
import { getRotation, type RotationEntry } from './record.ts'
import { fullPathOf } from './subject.ts'
import { rulesOf } from './timing.ts'

const time = (ms: number | undefined) => (ms === undefined ? null : rfc3339(ms))

/** Everything at this moment: read anew, because the machine may have gone on since the request began. */
export async function statusOf(
  core: Core,
  subject: Subject,
): Promise<Record<string, unknown> | undefined> {
  const tx = await core.begin(false)
  const home = subject.entry.namespace
  const entry = tx && (await getRotation(scopeOfHome(tx, home), subject.id))
  if (!entry) return undefined
  const sketch = await sketchOf(core, subject)
  const holders = await allHolders(core, entry, subject.id)
  return {
    path: fullPathOf(subject.mount, entry),
    kind: entry.of,
    target: sketch?.target ?? '',
    strategy: sketch?.strategy ?? '',
    ...stateOf(entry),
    holders: holders.map(({ since, ...holder }) => ({ ...holder, since: rfc3339(since) })),
    history: entry.history.map(({ at, ...line }) => ({ at: rfc3339(at), ...line })),
    rules: shownRules(entry),
  }
}

/** What needs no look at target or holders. */
export function stateOf(entry: RotationEntry): Record<string, unknown> {
  const { current, previous, candidate, held, drift } = entry
  return {
    state: held ? 'HELD' : entry.state,
    phase: entry.state,
    hold_reason: held?.reason ?? '',
    hold_note: held?.note ?? '',
    generation: current?.number ?? 0,
    previous_generation: previous?.number ?? 0,
    candidate_generation: candidate?.number ?? 0,
    since: rfc3339(entry.since),
    last_rotation: time(entry.lastRotationAt),
    next_rotation: time(entry.nextAt),
    next_try: time(entry.retryAt),
    trouble: entry.trouble ?? '',
    drift: drift.state,
    drift_checked: drift.state === 'unknown' ? null : rfc3339(drift.at),
    emergency: entry.emergency !== undefined,
  }
}

function shownRules({ rules, timing }: RotationEntry) {
  const own = rulesOf(rules, timing)
  return {
    rotation_period: timing.periodSeconds ?? 0,
    rotation_schedule: timing.schedule ?? '',
    rotation_window: timing.windowSeconds ?? 0,
    max_grace: own.maxGraceSeconds,
    quiet: own.quietSeconds,
    undo_window: own.undoWindowSeconds,
    reader_hold: own.readerHoldSeconds,
    drift_interval: own.driftSeconds,
  }
}

/** Clients, readers and what else the target sees. */
async function allHolders(core: Core, entry: RotationEntry, id: string): Promise<Holder[]> {
  const tx = await core.begin(false)
  if (!tx) return []
  const judge = { tx, tokens: core.tokens, now: core.clock.now() }
  const stored = await holdersOf(scopeOfHome(tx, entry.namespace), entry)
  const known = await shownHolders(stored, entry, judge)
  return [
    ...known,
    ...shownSessions(await sessionsOf(core, entry, id), known, entry.previous?.number ?? 0),
  ]
}

/** Undefined when the target's settings cannot be read. */
async function sketchOf(core: Core, { entry, id }: Subject): Promise<RotationSketch | undefined> {
  try {
    return await core.rotation.ask.target(entry.namespace, id, (kind, job, now) =>
      kind.sketch(job, { current: now.current, previous: now.previous }),
    )
  } catch {
    return undefined
  }
}

/** What `plan` answers: what would happen, and to whom. */
export async function planOf(core: Core, subject: Subject): Promise<Record<string, unknown>> {
  const { entry, id, mount, kind } = subject
  const sketch = await core.rotation.ask.target(entry.namespace, id, (of, job, now) =>
    of.sketch(job, { current: now.current, previous: now.previous }),
  )
  const holders = await allHolders(core, entry, id)
  const rules = rulesOf(entry.rules, entry.timing)
  const [now, next] = [entry.current?.number ?? 0, entry.last + 1]
  const old = holders.filter((holder) => holder.blocks)
  const steps = [
    `store candidate ${next} before the target hears of it`,
    ...(sketch?.steps ?? []),
    'prove it by a login on every endpoint',
    ...(kind.assisted ? ['wait until somebody activates it'] : []),
    `serve generation ${next} in one write, and tell those who watch`,
  ]
  if (now > 0) {
    steps.push(
      `wait until nobody holds generation ${now}, and then ${rules.quietSeconds}s more`,
      `refuse new logins with it, and undo that if one is missed within ${rules.undoWindowSeconds}s`,
      'revoke it',
    )
  }
  return {
    path: fullPathOf(mount, entry),
    kind: entry.of,
    target: sketch?.target ?? '',
    strategy: sketch?.strategy ?? '',
    ...stateOf(entry),
    gap: sketch?.gap ?? false,
    sees_sessions: sketch?.seesSessions ?? false,
    steps,
    /** Would have to let go of the current one. */
    holders: holders.map(({ since, ...holder }) => ({ ...holder, since: rfc3339(since) })),
    /** Still use what was replaced: until they let go, a rotation is refused. */
    refused_by: entry.previous ? old.map(nameOf) : [],
    emergency_cuts: holders
      .filter(({ kind: of, blocks, state }) => blocks || of === 'session' || state !== 'drained')
      .map(nameOf),
  }
}
