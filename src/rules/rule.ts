/**
 * What a rule is. Rules are data: a provider's tokens as keywords that must be there, a bounded
 * pattern that is tried only where a keyword stands, and facts about the value that a pattern cannot
 * say. How they are run over a text is `matcher.ts`.
 */
import type { Assigned } from './assignment.ts'

export type Severity = 'high' | 'medium' | 'low'

/**
 * Where a pattern is tried once a keyword has been seen.
 *
 * - `keyword`: the match begins at the keyword, or as many units before it as `back` says.
 * - `value`: the match begins where the value begins that is assigned to a name with the keyword
 *   in it: `HEROKU_KEY = "…"`, `<herokuKey>…`, `"heroku_key": "…"`.
 * - `text`: anywhere in the text. For rules read from elsewhere; none of ours needs it.
 */
export type Place = 'keyword' | 'value' | 'text'

export type Rule = {
  readonly id: string
  readonly provider: string
  readonly title: string
  /** Lower case; one must occur in any case. None: the pattern is tried on every text. */
  readonly keywords: readonly string[]
  /** Bounded. The group `secret` is the secret, or group 1, or the whole match. */
  readonly pattern: RegExp
  /** Absent means `text`. */
  readonly place?: Place
  /** At least and at most so many units before the keyword. */
  readonly back?: readonly [least: number, most: number]
  /** Whether what stands before and after the secret may go on as a word. Absent: it may not. */
  readonly glued?: boolean
  /** Whether the keyword may begin in the middle of a word of the name. For `value` only. */
  readonly inside?: boolean
  /** For `value`: the whole value is the secret, and the pattern is tried on it alone. */
  readonly whole?: boolean
  /** Only in files whose path fits. */
  readonly path?: RegExp
  /** The keyword stands in base 64: what is around it is decoded and searched in turn. */
  readonly encoded?: boolean
  /** Where the secrets are once the pattern has matched at `at`, when they are somewhere else. */
  readonly locate?: (text: string, at: number) => readonly (readonly [start: number, end: number])[]
  /** Checksums and structure. `assigned` is there for `value` only. */
  readonly check?: (secret: string, match: RegExpExecArray, assigned?: Assigned) => boolean
  /** A rule about a form that many share: it yields where a specific one has found something. */
  readonly generic?: boolean
  readonly severity: Severity
  /** Recipes, see `sample.ts`; `path` is the path that the samples have. */
  readonly samples: {
    readonly yes: readonly string[]
    readonly no: readonly string[]
    readonly path?: string
  }
}
