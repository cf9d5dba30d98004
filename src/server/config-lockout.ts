/** The `user_lockout` blocks: when failed logins lock a user out, for all auth mounts or one type. */
import { type LockoutDefaults } from '../core/lockout.ts'
import { LOCKOUT_KEYS } from './config-keys.ts'
import { type Report } from './config-report.ts'
import { inside, type Placed, placeOf, readTable } from './config-table.ts'

const FORM = 'user_lockout "all", "userpass", "ldap" or "approle" { … }'
const TYPES = ['all', 'userpass', 'ldap', 'approle']

/** Of several blocks of one type, the last counts. */
export function readLockout(blocks: readonly Placed[], report: Report): LockoutDefaults {
  const found: LockoutDefaults = {}
  for (const placed of blocks) {
    const items = inside(placed)
    const [label = '', ...more] = placed.item.labels
    const type = label.toLowerCase()
    if (items === undefined || more.length > 0 || !TYPES.includes(type)) {
      report.problem(placeOf(placed), '"user_lockout" has another form', FORM)
      continue
    }
    const scope = { report, name: `user_lockout "${type}"`, place: placeOf(placed) }
    const { values } = readTable(LOCKOUT_KEYS, items, scope)
    found[type] = {
      lockout_threshold: values.lockout_threshold,
      lockout_duration: values.lockout_duration,
      lockout_counter_reset: values.lockout_counter_reset,
      lockout_disable: values.disable_lockout,
    }
  }
  return found
}
