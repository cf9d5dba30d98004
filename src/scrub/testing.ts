/**
 * `coffer/testing`: says in a test that a text, such as a log or an answer, holds no secret.
 *
 *   assertNoSecrets(log, { values: [{ value: password, name: 'the password of the database' }] })
 *
 * Values are found in every form in which they get into texts: base 64, percent, JSON and more.
 */
import { AssertionError } from 'node:assert'
import { compileRules } from '../rules/matcher.ts'
import type { KnownValue } from './known-values.ts'
import { createScrubber, type Rules } from './scrubber.ts'

export type { KnownValue } from './known-values.ts'
export type { Rules } from './scrubber.ts'

export type SecretsOptions = {
  readonly values?: Iterable<KnownValue>
  /** Also what looks like a secret: `true` = by all rules. Default: no. */
  readonly rules?: Rules | boolean
}

/** Where a secret is; never which one it is, beyond its name. */
export type Spotted = { readonly name: string; readonly line: number; readonly column: number }

/**
 * The secrets in a text; lines and columns (in bytes) count from 1. Throws a TypeError when a value is
 * too short or plain to be looked for, or when there is nothing to look for: such a test would always pass.
 */
export function secretsIn(text: string | Uint8Array, options: SecretsOptions): Spotted[] {
  const { values = [], rules = false } = options
  const scrubber = createScrubber({
    ...(rules !== false && { rules: rules === true ? compileRules() : rules }),
  })
  let looked = rules === false ? 0 : 1
  for (const known of values) {
    looked++
    if (!scrubber.add(known)) {
      throw new TypeError(
        `the value of ${known.name} is too short or plain to be looked for; force: true looks all the same`,
      )
    }
  }
  if (looked === 0) throw new TypeError('there is nothing to look for: give values or rules')
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  return scrubber.cuts(bytes).map(({ start, label }) => placeOf(bytes, start, label.toString()))
}

function placeOf(bytes: Uint8Array, start: number, label: string): Spotted {
  let line = 1
  let begin = 0
  for (let at = bytes.indexOf(10); at >= 0 && at < start; at = bytes.indexOf(10, at + 1)) {
    line++
    begin = at + 1
  }
  return { name: label.replace(/^\[secret (.*)\]$/s, '$1'), line, column: start - begin + 1 }
}

const TOLD_MAX = 5

/** Throws an AssertionError that names what was found and where, and holds no value. */
export function assertNoSecrets(text: string | Uint8Array, options: SecretsOptions): void {
  const found = secretsIn(text, options)
  if (found.length === 0) return
  const told = found.slice(0, TOLD_MAX).map(({ name, line, column }) => {
    return `  ${name} at ${line}:${column}`
  })
  if (found.length > TOLD_MAX) told.push(`  and ${found.length - TOLD_MAX} more`)
  throw new AssertionError({
    message: `the text holds ${found.length} secret${found.length === 1 ? '' : 's'}:\n${told.join('\n')}`,
    stackStartFn: assertNoSecrets,
  })
}
