/**
 * Which step comes next. The table is the whole machine; what each step does is in the files it
 * names, and what must never happen in invariants.ts.
 */
import { lookForDrift, reconcile, retire, rollBack } from './asked.ts'
import { activate, apply, begin, commence, giveUp, verify } from './changing.ts'
import { drain, replaceOld, revokeOld, watchSoftly } from './letting-go.ts'
import { actAt, dueAt, type RotationState } from './record.ts'
import { moved, type Step, type Work } from './work.ts'

type Act = (work: Work) => Promise<Step> | Step

// oxfmt-ignore
const ACTS: Record<RotationState, Act> = {
  IDLE:         begin,        // → PLANNED: a candidate is stored
  PLANNED:      commence,     // → APPLYING: a try is counted
  APPLYING:     apply,        // → VERIFYING when the candidate logs in; → ABORTED
  VERIFYING:    verify,       // → PUBLISHED, or STAGED; → ABORTED
  STAGED:       activate,     // → PUBLISHED when somebody says so
  PUBLISHED:    replaceOld,   // → DRAINING; → IDLE when nothing was replaced
  DRAINING:     drain,        // → SOFT_REVOKED when nobody holds the old one
  SOFT_REVOKED: watchSoftly,  // → REVOKED; → DRAINING when somebody misses it
  REVOKED:      revokeOld,    // → IDLE
  ROLLED_BACK:  (work) => ({ to: moved(work, 'DRAINING', 'the newer one is let go') }),
  ABORTED:      giveUp,       // → PLANNED with another candidate; → IDLE
  RETIRING:     retire,       // the record goes
}

/** What is served can be looked at in these, and set right. */
const QUIET = new Set<RotationState>(['IDLE', 'STAGED', 'DRAINING', 'SOFT_REVOKED'])

export function nextStep(work: Work): Promise<Step> | Step {
  const { entry, now, memo } = work
  const { state, orders } = entry
  const settlesAt = Math.max(entry.settlesAt ?? 0, memo.settlesAt ?? 0)
  if (settlesAt > now) return { pause: settlesAt - now }
  memo.settlesAt = undefined
  const paused = (entry.retryAt ?? 0) > now
  if (state === 'RETIRING') return paused ? untilDue(work) : retire(work)
  if (orders.reconcile && QUIET.has(state)) return reconcile(work)
  if (orders.rollback && !paused) return rollBack(work)
  const act = !paused && actAt(entry) <= now
  const driftDue = entry.current !== undefined && QUIET.has(state) && entry.drift.nextAt <= now
  // Those that wait for others have something to do all the time, and must not starve this.
  if (driftDue && !(act && state === 'IDLE')) return lookForDrift(work)
  return act ? ACTS[state](work) : untilDue(work)
}

const untilDue = ({ entry, now }: Work): Step => ({ pause: Math.max(dueAt(entry) - now, 1_000) })
