/** What callers may set on entities, aliases and groups, and the rules for it. */
import { refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { NOT_ASSIGNABLE } from '../token/policies-of-child.ts'
import { policyNames } from '../token/policy-names.ts'

const PAIRS_MAX = 64
const KEY_BYTES_MAX = 128
const VALUE_BYTES_MAX = 512
const NAME_BYTES_MAX = 512

export const metadataField = t.pairs({ help: 'Names and values; policies may refer to them.' })
export const policiesField = t.list({ help: 'Policies that all its tokens have.', clear: true })

/**
 * The policies of an entity or a group, canonical. Never `root`, however it is written: the name is
 * made canonical before it is compared (see policies-name.ts).
 */
export function identityPolicies(names: readonly string[]): string[] {
  const canonical = policyNames(names)
  if (canonical.includes('root')) refuse('policies cannot contain root')
  const fixed = canonical.find((name) => NOT_ASSIGNABLE.includes(name))
  if (fixed) refuse(`cannot assign policy "${fixed}"`)
  return canonical
}

/** A copy of the pairs, within Vault's limits. `what` names the field in a refusal. */
export function checkedPairs(
  pairs: Readonly<Record<string, string>>,
  what: 'metadata' | 'custom_metadata',
): Record<string, string> {
  const entries = Object.entries(pairs)
  if (entries.length > PAIRS_MAX) {
    refuse(`${what} can contain at most ${PAIRS_MAX} key/value pairs`)
  }
  for (const [key, value] of entries) {
    if (key === '') refuse(`a ${what} key must not be empty`)
    if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
      refuse(`a ${what} key is too long (limit: ${KEY_BYTES_MAX} bytes)`)
    }
    if (Buffer.byteLength(value) > VALUE_BYTES_MAX) {
      refuse(`a ${what} value is too long (limit: ${VALUE_BYTES_MAX} bytes)`)
    }
  }
  return Object.fromEntries(entries)
}

/** A name people can read and a path can hold. */
export function checkedName(name: string): string {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    refuse(`a name is too long (limit: ${NAME_BYTES_MAX} bytes)`)
  }
  if (/\p{Cc}/u.test(name)) refuse('a name must be printable')
  return name
}
