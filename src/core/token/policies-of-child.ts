/**
 * Which policies a new token gets. A child has no more than its parent, unless a role says what may
 * be asked for, or the caller has sudo; and never root, unless the parent is root itself.
 */
import { refuse } from '../../kit/failure.ts'
import { WRAPPING_POLICY } from '../wrapping.ts'
import { listed, withDefault } from './policy-names.ts'
import { type Role } from './role.ts'

export type Wanted = {
  /** Canonical; undefined = none were named. An empty list asks for no policies at all. */
  asked: readonly string[] | undefined
  noDefaultPolicy: boolean
  parent: readonly string[]
  role: Role | undefined
  sudo: boolean
  batch: boolean
  /** The parent is of a namespace above: its policies are not those of the same names here. */
  elsewhere: boolean
  /** In a namespace other than the root. */
  child: boolean
}

/** Policies that stand for something within the server. */
export const NOT_ASSIGNABLE: readonly string[] = [WRAPPING_POLICY, 'control-group']

const LISTS = [
  'allowed_policies',
  'allowed_policies_glob',
  'disallowed_policies',
  'disallowed_policies_glob',
] as const

export function policiesOfChild(given: Wanted): string[] {
  const wanted = given.elsewhere ? { ...given, asked: given.asked ?? [] } : given
  const { role, noDefaultPolicy } = wanted
  const ruled = role && LISTS.some((list) => role[list].length > 0)
  const chosen = ruled ? byRole(wanted, role) : byParent(wanted)
  const policies = noDefaultPolicy ? chosen.filter((name) => name !== 'default') : chosen
  for (const name of policies) {
    if (NOT_ASSIGNABLE.includes(name)) refuse(`cannot assign policy "${name}"`)
  }
  // The last word, on the final list: nothing may change it below here.
  if (policies.includes('root')) {
    if (!wanted.parent.includes('root')) {
      refuse('root tokens may not be created without parent token being root')
    }
    if (wanted.child) refuse('root tokens may not be created from a non-root namespace')
    if (wanted.batch) refuse('batch tokens cannot be root tokens')
  }
  return policies
}

function byParent({ asked, parent, noDefaultPolicy, role, sudo }: Wanted): string[] {
  if (!asked) return withDefault(parent, false)
  const automatic = !noDefaultPolicy && !role?.token_no_default_policy
  if (sudo) return withDefault(asked, automatic)
  if (!asked.every((name) => parent.includes(name)))
    refuse('child policies must be subset of parent')
  return withDefault(asked, automatic && parent.includes('default'))
}

/** A role with lists of its own speaks instead of the parent, for more as well as for less. */
function byRole({ asked, parent, noDefaultPolicy }: Wanted, role: Role): string[] {
  const denied = (name: string) =>
    listed(name, role.disallowed_policies, role.disallowed_policies_glob)
  const automatic = !noDefaultPolicy && !role.token_no_default_policy && !denied('default')
  const globs = role.allowed_policies_glob
  const asking = asked ? withDefault(asked, automatic) : []
  let chosen = asking
  if (role.allowed_policies.length > 0 || globs.length > 0) {
    const allowed = withDefault(role.allowed_policies, automatic)
    if (asking.length === 0) chosen = allowed
    else if (!asking.every((name) => listed(name, allowed, globs))) {
      refuse(
        `token policies (${quoted(asking)}) must be subset of the role's allowed policies ` +
          `(${quoted(allowed)}) or glob policies (${quoted(globs)})`,
      )
    }
  } else if (asking.length === 0) {
    chosen = withDefault(parent, automatic)
  }
  const refused = chosen.find(denied)
  if (refused !== undefined) refuse(`token policy "${refused}" is disallowed by this role`)
  return chosen
}

/** As Go prints a list of strings. */
const quoted = (names: readonly string[]) => `[${names.map((n) => JSON.stringify(n)).join(' ')}]`
