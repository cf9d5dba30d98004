/** The `rotate` family, in the order its help lists it. */
import { activate, hold, now, reconcile, release, rollback } from './orders.ts'
import { plan, report } from './plan.ts'
import { list, status } from './status.ts'

export const commands = [
  list,
  status,
  plan,
  now,
  hold,
  release,
  rollback,
  activate,
  reconcile,
  report,
]
