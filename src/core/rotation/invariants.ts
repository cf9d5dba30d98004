/**
 * What must hold whatever happens, checked at each change of a record before it is stored. A change
 * that breaks one of these is a bug: it is thrown, and the record stays as it was.
 *
 *   I1  what is served has been proven by a real login since it was last changed
 *   I2  what somebody holds is not invalidated
 *   I3  a target is changed only for a candidate that is stored
 *   I4  each change is made on the record that the step was taken from
 *   I5  what is served can be taken back until the hard revocation
 *   I6  what was served is remembered beyond its revocation
 */
import { strict as assert } from 'node:assert'
import { type RotationEntry, type RotationState } from './record.ts'

/** Where each state may go. A rotation may be retired from anywhere. */
const NEXT: Record<RotationState, readonly RotationState[]> = {
  IDLE: ['PLANNED'],
  PLANNED: ['APPLYING', 'ABORTED'],
  APPLYING: ['VERIFYING', 'ABORTED'],
  VERIFYING: ['STAGED', 'PUBLISHED', 'ABORTED'],
  STAGED: ['PUBLISHED', 'ABORTED'],
  PUBLISHED: ['IDLE', 'DRAINING', 'ROLLED_BACK'],
  DRAINING: ['SOFT_REVOKED', 'REVOKED', 'ROLLED_BACK'],
  SOFT_REVOKED: ['DRAINING', 'REVOKED', 'ROLLED_BACK'],
  REVOKED: ['IDLE'],
  ROLLED_BACK: ['DRAINING'],
  ABORTED: ['PLANNED', 'IDLE'],
  RETIRING: [],
}

export type Facts = {
  /** In the same transaction nobody was found who holds the previous generation. */
  readonly letGo?: boolean
}

export function checkChange(before: RotationEntry, after: RotationEntry, facts: Facts): void {
  const { state: from } = before
  const { state: to } = after
  const moved = from !== to
  const bug = (rule: string) => `${rule}: ${from} to ${to} of ${before.path}`
  assert(!moved || to === 'RETIRING' || NEXT[from].includes(to), bug('no such step'))
  assert(after.step === before.step, bug('I4, on another record'))

  const served = after.current
  if (served && served.number !== before.current?.number) {
    assert(served.proven, bug('I1, served without a login'))
  }

  const excused = after.released !== undefined || after.emergency !== undefined
  if (moved && (to === 'SOFT_REVOKED' || (to === 'REVOKED' && from === 'DRAINING'))) {
    assert(facts.letGo || excused, bug('I2, revoked while it is held'))
  }
  if (moved && to === 'PLANNED') assert(!before.previous, bug('I2, begun while one is held'))

  const touches = to === 'APPLYING' || to === 'VERIFYING' || to === 'STAGED' || to === 'ABORTED'
  if (touches) assert(after.candidate, bug('I3, a change without a candidate'))

  if (moved && to === 'REVOKED') {
    const inOrder = from === 'SOFT_REVOKED' || after.emergency !== undefined
    assert(inOrder && after.previous && after.current, bug('I5, revoked for good at once'))
  }
  if (moved && to === 'SOFT_REVOKED') assert(after.previous, bug('I5, nothing to go back to'))

  const kept = [after.current, after.previous, ...after.spent].map((each) => each?.number)
  for (const each of [before.current, before.previous]) {
    if (each) assert(kept.includes(each.number), bug('I6, what was served is forgotten'))
  }
}
