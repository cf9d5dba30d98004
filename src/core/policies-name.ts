/**
 * Policy names. One parser makes the canonical form before anything compares it, because a name
 * that becomes `root` only after the check for `root` has been an exploit more than once
 * (CVE-2024-9180, CVE-2025-5999).
 */
import { PolicyError } from './policies-error.ts'

/** Trimmed, lower case, printable, in normal form. Safe to compare with `===`. */
export type PolicyName = string & { readonly PolicyName: unique symbol }

const NAME_CHARS_MAX = 512

/** ` Dev ` and `dev` are one policy; whatever is written as `Root` is `root`. Throws PolicyError. */
export function policyName(input: string): PolicyName {
  const trimmed = input.replace(/^[ \t\r\n]+/, '').replace(/[ \t\r\n]+$/, '')
  if (trimmed === '') throw new PolicyError('policy name is empty')
  if (trimmed.length > NAME_CHARS_MAX) {
    throw new PolicyError(`policy name is too long, at most ${NAME_CHARS_MAX} characters`)
  }
  // Control, invisible and unassigned characters, and every blank but the plain one.
  if (/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u.test(trimmed)) {
    throw new PolicyError('policy name must be printable')
  }
  // Full-width and other look-alikes of plain letters would be read as those letters by people.
  const name = trimmed.toLowerCase()
  if (trimmed.normalize('NFKC') !== trimmed || name.normalize('NFKC') !== name) {
    throw new PolicyError('policy name must be in Unicode normal form (NFKC)')
  }
  if (name.split(/[/\\]/).some((segment) => segment === '..' || segment === '.')) {
    throw new PolicyError("policy name must not contain '.' or '..' segments")
  }
  return name as PolicyName
}
