/**
 * The first half of a rotation: from the wish to the published credential. Whether a change has
 * happened on the target is never concluded from an error, nor from the absence of one: a login with
 * the candidate tells.
 */
import { type Candidate, type RotationEntry, type Served } from './record.ts'
import { nextRotation, windowMissed } from './timing.ts'
import {
  type Change,
  hold,
  isFailure,
  later,
  moved,
  type Step,
  troubleOf,
  type Work,
} from './work.ts'

/** How often one candidate is applied, and how many candidates a rotation has. */
export const TRIES_MAX = 3
export const ROUNDS_MAX = 2
/** A replica may lag: a refusal is asked again before it counts. */
const VERIFIES_MAX = 5

/** IDLE: begins, when it was asked for or its time has come. */
export async function begin(work: Work): Promise<Step> {
  const { entry, now, kind } = work
  const asked = entry.orders.rotate
  const at = entry.nextAt ?? Infinity
  if (!asked) {
    if (windowMissed(entry.timing, at, now)) {
      const nextAt = nextRotation(entry.timing, now)
      return { to: { ...entry, nextAt, retryAt: undefined, failures: 0 }, log: 'missed its window' }
    }
    if (kind.assisted)
      return hold(work, 'assist', 'it is time for a new value; somebody must post it')
  }
  return planned(work, { round: 1, given: asked?.given })
}

type Plan = { round: number; given: Readonly<Record<string, unknown>> | undefined }

/** To PLANNED: the candidate is stored before the target hears of it. */
async function planned(work: Work, { round, given }: Plan): Promise<Step> {
  const { entry, kind, standing } = work
  try {
    const told = await work.ask(({ store, name }) => kind.numberedTo?.(store, name) ?? none())
    const number = Math.max(entry.last, told) + 1
    const next = { number, ...standing, ...(given && { given }) }
    const credential = await work.ask((job) => kind.plan(job, next))
    const candidate = { number, credential, tries: 0, round, proven: false }
    const orders = { ...entry.orders, rotate: undefined }
    const more = { candidate, last: number, orders, held: undefined, abort: undefined }
    const { failures, retryAt } = entry
    return {
      to: moved(
        work,
        'PLANNED',
        `candidate ${round}`,
        round === 1 ? more : { ...more, failures, retryAt },
      ),
    }
  } catch (error) {
    return notPlanned(work, error)
  }
}

const none = async () => 0

/** Back to IDLE. What a person asked for is not asked again by itself; a time that has come is. */
function notPlanned(work: Work, error: unknown): Change {
  const { entry } = work
  const orders = { ...entry.orders, rotate: undefined }
  const due = entry.nextAt !== undefined && entry.nextAt <= work.now
  const nextAt = due || entry.current || isFailure(error) ? entry.nextAt : work.now
  const back = {
    state: 'IDLE' as const,
    candidate: undefined,
    abort: undefined,
    emergency: undefined,
    orders,
    nextAt,
  }
  return later(work, error, back)
}

/** PLANNED: one try more is written down before it is made. */
export function commence(work: Work): Step {
  const { entry } = work
  const candidate = { ...entry.candidate!, tries: 1 }
  return { to: moved(work, 'APPLYING', 'try 1', { candidate }), fresh: true }
}

/** APPLYING. A try that this process has not seen begin may have been made by one that died. */
export async function apply(work: Work): Promise<Step> {
  const { entry, kind, memo, standing } = work
  let candidate = entry.candidate!
  let trouble: unknown
  if (memo.fresh === entry.step) {
    memo.fresh = undefined
    try {
      const made = await work.change((job) => kind.apply(job, candidate.credential, standing))
      if (made) candidate = { ...candidate, credential: made }
    } catch (error) {
      trouble = error ?? 'unknown trouble'
    }
  }
  const probe = await work.tried((job) => kind.probe(job, candidate.credential))
  if (probe.outcome === 'works') {
    return { to: moved(work, 'VERIFYING', 'the candidate logs in', { candidate }) }
  }
  const why = troubleOf({ ...entry, candidate }, trouble ?? probe.why)
  if (probe.outcome === 'unreachable') return later(work, why, { candidate })
  if (candidate.tries < TRIES_MAX) return tryAgain(work, candidate, why)
  // Another value of what a person brings has to come from a person.
  const next = candidate.round < ROUNDS_MAX && !kind.assisted ? 'again' : 'hold'
  return aborted({ ...work, entry: { ...entry, candidate } }, { next, why })
}

/** The second try comes at once; a target that refuses that as well is given some time. */
function tryAgain(work: Work, given: Candidate, why: string): Change {
  const { entry } = work
  const candidate = { ...given, tries: given.tries + 1 }
  const note = `try ${candidate.tries}: ${why}`
  if (candidate.tries === 2) {
    return {
      to: moved(work, 'APPLYING', note, { candidate, failures: entry.failures, trouble: why }),
      fresh: true,
    }
  }
  const { to, log } = later(work, why)
  const { failures, retryAt, trouble } = to
  const again = moved(work, 'APPLYING', note, { candidate, failures, retryAt, trouble })
  return { to: again, fresh: true, ...(log && { log }) }
}

function aborted(work: Work, abort: NonNullable<RotationEntry['abort']>): Change {
  const { entry } = work
  const trouble = abort.why
  const to = moved(work, 'ABORTED', `given up: ${abort.why}`, { abort, trouble, failures: 0 })
  return { to, ...(entry.trouble !== trouble && { log: `candidate given up: ${trouble}` }) }
}

/** VERIFYING: on every endpoint. */
export async function verify(work: Work): Promise<Step> {
  const { entry, kind, standing } = work
  const candidate = entry.candidate!
  const probe = await work.tried((job) => kind.verify(job, candidate.credential, standing))
  if (probe.outcome === 'works') {
    const proven = { ...candidate, proven: true }
    if (kind.assisted) return { to: moved(work, 'STAGED', 'proven', { candidate: proven }) }
    return published({ ...work, entry: { ...entry, candidate: proven } })
  }
  if (probe.outcome === 'unreachable' || entry.failures + 1 < VERIFIES_MAX) {
    return later(work, probe.why)
  }
  return aborted(work, { next: 'hold', why: probe.why })
}

/** To PUBLISHED: pointer, record and event in one write. */
export function published(work: Work): Change {
  const { entry, now } = work
  const { number, credential, proven } = entry.candidate!
  const { current } = entry
  const served: Served = { number, credential, publishedAt: now, proven }
  const to = moved(work, 'PUBLISHED', 'served from now on', {
    candidate: undefined,
    current: served,
    previous: current && { ...current, replacedAt: now },
    lastRotationAt: now,
    nextAt: nextRotation(entry.timing, now),
    held: undefined,
    released: undefined,
    drift: { state: 'in_sync', at: now, nextAt: entry.drift.nextAt },
    ...(entry.emergency && { emergency: { ...entry.emergency, from: now, again: false } }),
  })
  return { to, publish: { number, credential }, events: [publishedEvent(number)] }
}

export const publishedEvent = (generation: number) => ({ type: 'rotation.published', generation })

/** STAGED: somebody has said that it may be served. */
export function activate(work: Work): Step {
  if (!work.entry.orders.activate) return { pause: 60_000 }
  const orders = { ...work.entry.orders, activate: undefined }
  return published({ ...work, entry: { ...work.entry, orders } })
}

/** ABORTED: until the target has forgotten the candidate, so does nobody else. */
export async function giveUp(work: Work): Promise<Step> {
  const { entry, kind, standing } = work
  const { abort, candidate } = entry
  try {
    await work.change((job) => kind.discard(job, candidate!.credential, standing))
  } catch (error) {
    return later(work, error)
  }
  if (abort?.next === 'again') {
    return planned(work, { round: candidate!.round + 1, given: undefined })
  }
  const to = moved(work, 'IDLE', 'the candidate is discarded', {
    candidate: undefined,
    abort: undefined,
    trouble: abort?.why,
    emergency: undefined,
  })
  if (abort?.next !== 'hold') return { to }
  const reason = entry.history.some(
    (line) => line.state === 'VERIFYING' && line.generation === candidate!.number,
  )
    ? 'verify'
    : 'apply'
  return hold(work, reason, abort.why, to)
}
