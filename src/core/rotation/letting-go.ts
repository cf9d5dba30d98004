/**
 * The second half of a rotation: the old credential is taken away when nobody holds it any more, and
 * not because time has passed. First softly, so that a mistake can be taken back.
 */
import { type TargetSession } from '../../kit/rotation.ts'
import { type Holder, nameOf, shownSessions } from './holders.ts'
import { rulesOf } from './timing.ts'
import { type Change, hold, later, moved, type Step, type Work } from './work.ts'

const HOUR_MS = 3_600_000
/** How long a revoked value is remembered by those who look for leaked ones. */
const RETENTION_MS = 7 * 24 * HOUR_MS

/** PUBLISHED: the first generation replaces nothing. */
export function replaceOld(work: Work): Step {
  const { entry } = work
  if (!entry.previous)
    return { to: moved(work, 'IDLE', 'nothing to revoke', { emergency: undefined }) }
  return { to: moved(work, 'DRAINING', `generation ${entry.previous.number} is let go`) }
}

/** DRAINING. */
export async function drain(work: Work): Promise<Step> {
  const { entry, now, memo } = work
  const { previous, emergency, released } = entry
  if (entry.restore) return restored(work)
  const known = await work.holders()
  if (emergency) return drainFast(work, known)
  if (entry.held?.reason === 'operator') return { pause: pollPause(work) }
  if (released)
    return { to: moved(work, 'SOFT_REVOKED', `released: ${released.because}`, { held: undefined }) }
  // Nobody is known to hold it, and yet somebody tried to use it: a person must say what that was.
  if (entry.held?.reason === 'refused') return { pause: pollPause(work) }
  const sessions = await sessionsOf(work)
  if (typeof sessions === 'string') return later(work, sessions)
  const all = [...known, ...shownSessions(sessions, known, previous!.number)]
  const blocking = all.filter((holder) => holder.blocks)
  const nacked = known.filter(
    (holder) => holder.state === 'nack' && holder.generation === entry.current!.number,
  )
  if (blocking.length > 0 || nacked.length > 0) {
    memo.quiet = undefined
    return laggards(work, blocking, nacked)
  }
  if (memo.quiet?.number !== previous!.number) memo.quiet = { number: previous!.number, since: now }
  const { quietSeconds } = rulesOf(entry.rules, entry.timing)
  const quietUntil = memo.quiet.since + quietSeconds * 1000
  if (now < quietUntil) return { pause: Math.min(quietUntil - now, pollPause(work)) }
  const to = moved(work, 'SOFT_REVOKED', 'nobody holds it', { held: undefined })
  return { to, whenLetGo: true }
}

async function sessionsOf({ kind, entry, ask }: Work): Promise<readonly TargetSession[] | string> {
  if (!kind.sessions) return []
  try {
    return await ask((job) => kind.sessions!(job, entry.previous!.credential))
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown trouble'
  }
}

/** Quick at first, when most holders let go, and slower later. */
const pollPause = ({ entry, now, pace }: Work): number =>
  Math.min(Math.max((now - entry.since) / 20, pace.holders[0]), pace.holders[1])

/** Alerts once, with the names; and never revokes. */
function laggards(work: Work, blocking: readonly Holder[], nacked: readonly Holder[]): Step {
  const { entry, now } = work
  const names = (some: readonly Holder[]) => some.map(nameOf).join(', ')
  if (nacked.length > 0) {
    if (entry.held?.reason === 'nack') return { pause: pollPause(work) }
    const note = `cannot use generation ${entry.current!.number}: ${names(nacked)}`
    return hold(work, 'nack', note)
  }
  if (entry.held && entry.held.reason !== 'nack') return { pause: pollPause(work) }
  const { maxGraceSeconds } = rulesOf(entry.rules, entry.timing)
  const waited = now >= entry.previous!.replacedAt + maxGraceSeconds * 1000
  if (!waited && now < (entry.nextAt ?? Infinity)) return { pause: pollPause(work) }
  return hold(work, 'drain', `generation ${entry.previous!.number} is held by ${names(blocking)}`)
}

/** In an emergency acknowledgements are awaited so long and no longer. */
function drainFast(work: Work, known: readonly Holder[]): Step {
  const { entry, now } = work
  const { seconds, from } = entry.emergency!
  const until = from + seconds * 1000
  if (known.some((holder) => holder.blocks) && now < until) {
    return { pause: Math.min(until - now, work.pace.holders[0]) }
  }
  return { to: moved(work, 'REVOKED', 'emergency', { held: undefined }) }
}

/** The target is told to accept the old one again, until it has heard it. */
async function restored(work: Work): Promise<Step> {
  const { entry, kind } = work
  const [old, current] = [entry.previous!.credential, entry.current!.credential]
  try {
    await work.change((job) => kind.undoSoftRevoke(job, old, current))
  } catch (error) {
    return later(work, error)
  }
  return {
    to: { ...entry, restore: undefined, failures: 0, retryAt: undefined, trouble: undefined },
  }
}

/** SOFT_REVOKED. */
export async function watchSoftly(work: Work): Promise<Step> {
  const { entry, kind, now } = work
  const [old, current] = [entry.previous!.credential, entry.current!.credential]
  const known = await work.holders()
  const reason = await reasonToUndo(work, known)
  if (reason) return undone(work, reason)
  if (entry.held?.reason === 'operator') {
    return undone(work, { reason: 'operator', note: entry.held.note })
  }
  if (entry.softAt === undefined) {
    try {
      await work.change((job) => kind.softRevoke(job, old, current))
    } catch (error) {
      return later(work, error)
    }
    return { to: moved(work, 'SOFT_REVOKED', 'new logins are refused', { softAt: now }) }
  }
  if (entry.emergency) return { to: moved(work, 'REVOKED', 'emergency') }
  const refused = await refusedLogins(work, entry.softAt)
  if (refused !== 0 && !entry.released?.final) {
    if (typeof refused !== 'number') return later(work, refused)
    return undone(work, {
      reason: 'refused',
      note: `${refused} logins with generation ${entry.previous!.number} were refused`,
    })
  }
  const { undoWindowSeconds } = rulesOf(entry.rules, entry.timing)
  const until = entry.softAt + undoWindowSeconds * 1000
  // What is due is looked for once in that time: a pause as long would often be twice as long, and
  // somebody is locked out meanwhile.
  if (now < until) return { pause: Math.min(until - now, work.pace.holders[0] / 2) }
  const to = moved(work, 'REVOKED', 'nobody has missed it')
  return entry.released ? { to } : { to, whenLetGo: true }
}

type Reason = { reason: 'operator' | 'refused' | 'nack' | 'drain'; note: string }

async function reasonToUndo(
  { entry }: Work,
  known: readonly Holder[],
): Promise<Reason | undefined> {
  if (entry.emergency || entry.released?.final) return undefined
  const nacked = known.filter(
    (holder) => holder.state === 'nack' && holder.generation === entry.current!.number,
  )
  const blocking = known.filter((holder) => holder.blocks)
  if (nacked.length > 0)
    return { reason: 'nack', note: `cannot use the new one: ${nacked.map(nameOf).join(', ')}` }
  if (blocking.length === 0 || entry.released) return undefined
  return { reason: 'drain', note: `held again by ${blocking.map(nameOf).join(', ')}` }
}

/** How many, or why it cannot be told. */
async function refusedLogins({ kind, entry, ask }: Work, since: number): Promise<number | string> {
  if (!kind.refusedSince) return 0
  try {
    return await ask((job) => kind.refusedSince!(job, entry.previous!.credential, since))
  } catch (error) {
    return error instanceof Error ? error.message : 'unknown trouble'
  }
}

/** Back to DRAINING, at once; that the target must be told is written down with it. */
function undone(work: Work, { reason, note }: Reason): Change {
  work.memo.quiet = undefined
  const back = moved(work, 'DRAINING', `soft revocation undone: ${note}`, {
    restore: true,
    softAt: undefined,
    released: undefined,
  })
  return hold(work, reason, note, back)
}

/** REVOKED: for good, until the target has heard it. */
export async function revokeOld(work: Work): Promise<Step> {
  const { entry, kind, now } = work
  const { previous, current, emergency } = entry
  const [old, served] = [previous!.credential, current!.credential]
  let ended = 0
  try {
    await work.change((job) => kind.revoke(job, old, served))
    if (emergency && kind.terminate) ended = await work.change((job) => kind.terminate!(job, old))
  } catch (error) {
    return later(work, error)
  }
  const { number, credential } = previous!
  const kept = entry.spent.filter(({ until }) => until > now)
  const again = emergency?.again === true
  const note = `generation ${number} is revoked${ended > 0 ? `, ${ended} sessions ended` : ''}`
  const to = moved(work, 'IDLE', note, {
    previous: undefined,
    softAt: undefined,
    released: undefined,
    held: undefined,
    emergency: again ? { ...emergency, again: false } : undefined,
    orders: again ? { ...entry.orders, rotate: {} } : entry.orders,
    spent: [...kept, { number, credential, until: now + RETENTION_MS }],
  })
  return {
    to,
    forget: number,
    events: [{ type: 'rotation.revoked', generation: number }],
    log: note,
  }
}
