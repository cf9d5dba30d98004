/**
 * `coffer/scan`: the scanner for programs.
 *
 *   for (const { path, line, title } of scanText(text, { path: 'app.env' })) …
 *
 *   const tally = newTally()
 *   for await (const finding of scanPaths(['src'], { tally })) …
 *
 * A finding holds the secret itself: print `masked(finding.secret)`.
 */
import { compileRules, type Matcher } from '../rules/matcher.ts'
import { type Finding, fingerprintOf } from './finding.ts'
import { scanText as scanOneText } from './scan-text.ts'

export { ALL_RULES as rules } from '../rules/all.ts'
export { compileRules, type Found, type Matcher } from '../rules/matcher.ts'
export type { Rule, Severity } from '../rules/rule.ts'
export type { Commit, Finding, Verdict } from './finding.ts'
export {
  type Counted,
  GitError,
  masked,
  newTally,
  scanHistory,
  scanInput,
  type ScanOptions,
  scanPaths,
  scanStaged,
  type Tally,
} from './scan.ts'

export type TextOptions = {
  /** The name that the text would have as a file: some rules are about kinds of files. */
  readonly path?: string
  /** Of `compileRules`, for rules of your own or fewer of ours. */
  readonly matcher?: Matcher
  /** Whether a comment such as coffer:allow allows a secret. Default: yes. */
  readonly comments?: boolean
}

let everyRule: Matcher | undefined

/** The secrets in one text, by their place. */
export function scanText(
  text: string,
  { path = '', comments = true, matcher }: TextOptions = {},
): Finding[] {
  const scanner = { matcher: matcher ?? (everyRule ??= compileRules()), comments }
  return scanOneText(text, { path }, scanner).spots.map((spot) => {
    return { ...spot, path, fingerprint: fingerprintOf(spot) }
  })
}
