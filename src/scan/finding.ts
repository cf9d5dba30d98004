/** What a scan finds: a secret at a place, and by what it was known. */
import { crypto } from '../lib/node-crypto.ts'
import type { SecretRef } from '../rules/fingerprints.ts'
import type { Severity } from '../rules/rule.ts'

/** What is found in one text; the text itself does not know where it came from. */
export type Spot = {
  readonly rule: string
  readonly title: string
  readonly severity: Severity
  /** From 1; columns in characters. */
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
  /** Never printed unless that was asked for. */
  readonly secret: string
  /** What stands beside it in its line, cut to what can be shown, without any other secret. */
  readonly context: { readonly before: string; readonly after: string }
  /** Known to the vault: where it is kept there. */
  readonly known?: SecretRef
}

export type Finding = Spot & {
  readonly path: string
  /** Of the rule and the secret: the same wherever it is moved to. */
  readonly fingerprint: string
  readonly commit?: Commit
  /** What the server that keeps it says of it, where somebody asked. */
  readonly about?: readonly string[]
  /** What its provider said of it, where somebody asked. */
  readonly verified?: Verdict
}

export type Verdict = 'live' | 'dead' | 'unknown'

export type Commit = {
  readonly id: string
  readonly author: string
  readonly email: string
  /** RFC 3339. */
  readonly date: string
}

const FINGERPRINT_CHARS = 24
/** Not a secret: it keeps these digests apart from those that others make of the same texts. */
const PUBLIC_KEY = 'coffer finding fingerprint/1'

/** `key` is the baseline's, where there is one: without it nobody can test guesses. */
export function fingerprintOf(
  { rule, secret }: Pick<Spot, 'rule' | 'secret'>,
  key: string | Uint8Array = PUBLIC_KEY,
): string {
  const mac = crypto().createHmac('sha256', key).update(rule).update('\0').update(secret)
  return mac.digest('hex').slice(0, FINGERPRINT_CHARS)
}

const SHOWN_MAX = 4
const STARS = '********'

/**
 * A secret as it may be shown: what tells its kind (`ghp_…`), and never more than a fifth of it. How
 * long it is is told by nothing.
 */
export function masked(secret: string): string {
  const first = secret.split(/[\r\n]/, 1)[0]!
  if (/^-----BEGIN [A-Z0-9 ]+-----$/.test(first)) return `${first}${STARS}`
  const shown = Math.min(SHOWN_MAX, Math.floor(secret.length / 5))
  return `${secret.slice(0, shown).replace(/[^\x21-\x7e]/g, '?')}${STARS}`
}
