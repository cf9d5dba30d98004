/** What people ask of a rotation besides rotating: back, into order again, away. And the drift guard. */
import { type Probe } from '../../kit/rotation.ts'
import { type Drift, type RotationEntry, type Served } from './record.ts'
import { rulesOf } from './timing.ts'
import { type Change, isFailure, later, moved, type Step, troubleOf, type Work } from './work.ts'
import { publishedEvent } from './changing.ts'

const RETIRE_TRIES_MAX = 6
const RETENTION_MS = 7 * 24 * 3_600_000

/**
 * Before the publication the candidate is dropped. After it the old credential is served again, once
 * it has been proven; the one that was served since is then let go as any other, because by now
 * somebody may hold it.
 */
export async function rollBack(work: Work): Promise<Step> {
  const { entry, kind, now } = work
  const orders = { ...entry.orders, rollback: undefined }
  const { current, previous, candidate } = entry
  if (candidate && entry.state !== 'ABORTED') {
    const abort = { next: 'idle' as const, why: 'asked to roll back' }
    return { to: moved(work, 'ABORTED', abort.why, { abort, orders, held: undefined }) }
  }
  if (!previous || !current || entry.state === 'REVOKED') {
    return { to: { ...entry, orders, trouble: 'there is nothing to go back to any more' } }
  }
  try {
    if (entry.state === 'SOFT_REVOKED' || entry.restore) {
      await work.change((job) => kind.undoSoftRevoke(job, previous.credential, current.credential))
    }
  } catch (error) {
    return later(work, error)
  }
  const probe = await work.tried((job) => kind.probe(job, previous.credential))
  if (probe.outcome === 'unreachable') return later(work, probe.why)
  if (probe.outcome === 'refused') {
    const trouble = troubleOf(entry, `generation ${previous.number} is refused: ${probe.why}`)
    const to = moved(work, 'DRAINING', `not rolled back: ${trouble}`, {
      orders,
      restore: true,
      softAt: undefined,
    })
    return { to: { ...to, trouble }, log: trouble }
  }
  const { number, credential } = previous
  const to = moved(work, 'ROLLED_BACK', `generation ${number} is served again`, {
    current: { number, credential, publishedAt: now, proven: true },
    previous: { ...current, replacedAt: now },
    orders,
    softAt: undefined,
    restore: undefined,
    held: undefined,
    released: undefined,
    emergency: undefined,
  })
  return { to, publish: { number, credential }, events: [publishedEvent(number)] }
}

/** Makes what is served work again, or serves what works. */
export async function reconcile(work: Work): Promise<Step> {
  const { entry, kind, standing } = work
  const orders = { ...entry.orders, reconcile: undefined }
  const { current } = entry
  const adopt = entry.orders.reconcile?.adopt
  const refuse = (why: string): Change => ({
    to: { ...entry, orders, trouble: troubleOf(entry, why) },
  })
  if (adopt) return adopted(work, adopt)
  if (!current) return refuse('nothing is served yet: there is nothing to reconcile')
  let probe = await work.tried((job) => kind.probe(job, current.credential))
  if (probe.outcome === 'refused') {
    if (!kind.reapply)
      return refuse('this kind cannot be applied again: give the credential that works, as adopt')
    try {
      await work.change((job) => kind.reapply!(job, current.credential, standing))
    } catch (error) {
      // Whether it has happened is told by the login below.
      if (isFailure(error)) return refuse(error.message)
    }
    probe = await work.tried((job) => kind.probe(job, current.credential))
  }
  const { to, ...more } = seen({ ...work, entry: { ...entry, orders } }, probe)
  return {
    to: { ...to, trouble: probe.outcome === 'works' ? undefined : troubleOf(entry, probe.why) },
    ...more,
  }
}

/** What somebody has set on the target behind our back, once it has logged in. */
async function adopted(work: Work, given: Readonly<Record<string, unknown>>): Promise<Step> {
  const { entry, kind, now } = work
  const orders = { ...entry.orders, reconcile: undefined }
  const { current } = entry
  const credential = { ...current?.credential, ...given }
  const probe = await work.tried((job) => kind.verify(job, credential, work.standing))
  if (probe.outcome !== 'works') {
    const trouble = troubleOf(entry, `the given credential does not work: ${probe.why}`)
    return { to: { ...entry, orders, trouble } }
  }
  const number = entry.last + 1
  const served: Served = { number, credential, publishedAt: now, proven: true }
  const spent = current
    ? [
        ...entry.spent,
        { number: current.number, credential: current.credential, until: now + RETENTION_MS },
      ]
    : entry.spent
  const to = moved(work, entry.state, 'adopted what works on the target', {
    current: served,
    last: number,
    orders,
    spent,
    drift: { ...entry.drift, state: 'in_sync', at: now },
  })
  return { to, publish: { number, credential }, events: [publishedEvent(number)] }
}

/** One login with what is served. */
export async function lookForDrift(work: Work): Promise<Step> {
  const { entry, kind } = work
  const { credential } = entry.current!
  const change = seen(work, await work.tried((job) => kind.probe(job, credential)))
  return { ...change, prune: true }
}

const DRIFT: Record<Probe['outcome'], Drift> = {
  works: 'in_sync',
  refused: 'target_changed',
  unreachable: 'target_down',
}

function seen({ entry, now, random }: Work, probe: Probe): Change {
  const state = DRIFT[probe.outcome]
  const { driftSeconds } = rulesOf(entry.rules, entry.timing)
  // Not all of them at one moment.
  const wait = driftSeconds * 1000 * (0.9 + (random(1)[0]! / 255) * 0.1)
  const drift = { state, at: now, nextAt: now + Math.round(wait) }
  const to: RotationEntry = { ...entry, drift }
  if (state === entry.drift.state || (state === 'in_sync' && entry.drift.state === 'unknown')) {
    return { to }
  }
  const generation = entry.current!.number
  const why = probe.outcome === 'works' ? '' : `: ${troubleOf(entry, probe.why)}`
  return {
    to: {
      ...to,
      history: [
        ...entry.history,
        { at: now, state: entry.state, generation, note: `drift: ${state}${why}` },
      ].slice(-40),
    },
    events: [{ type: 'rotation.drift', generation }],
    log: `drift: ${state}${why}`,
  }
}

/** RETIRING: the engine has forgotten it already. What a dead target keeps is told, and left. */
export async function retire(work: Work): Promise<Step> {
  const { entry, kind, standing } = work
  try {
    if (entry.candidate) {
      await work.change((job) => kind.discard(job, entry.candidate!.credential, standing))
    }
    if (kind.retire) await work.change((job) => kind.retire!(job, standing))
  } catch (error) {
    const next = later(work, error)
    if (next.to.failures < RETIRE_TRIES_MAX) return next
    return { ...next, remove: true, log: `given up to retire it on the target: ${next.to.trouble}` }
  }
  return { to: entry, remove: true }
}
