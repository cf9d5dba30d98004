/**
 * The two kinds that nearly all rules are of, in one line each: tokens that begin with letters of
 * their provider, and values that are the provider's because of the name they are assigned to.
 */
import { endsInBase62Crc } from './checksum.ts'
import type { Rule, Severity } from './rule.ts'
import { isMasked, looksRandom } from './value.ts'

type Check = NonNullable<Rule['check']>
type More = {
  readonly severity?: Severity
  readonly check?: Check
  readonly no?: readonly string[]
  readonly glued?: boolean
  readonly back?: Rule['back']
  /** Instead of the prefix: the whole token is in the pattern then, unless `prefix` keeps it. */
  readonly keywords?: readonly string[]
  readonly prefix?: boolean
  readonly inside?: boolean
  /** Repeated letters count too: where a provider's form leaves no doubt what was meant. */
  readonly masked?: boolean
  /** What the name and the form say is enough; the value need not look random. */
  readonly plain?: boolean
}

/** `[id, title, prefix, the rest as a pattern, a sample as a recipe]`. The provider is the id's first word. */
export type TokenRow = readonly [
  id: string,
  title: string,
  prefix: string,
  rest: string,
  sample: string,
  more?: More,
]

export const tokens = (rows: readonly TokenRow[]): Rule[] => rows.map(tokenRule)

function tokenRule([id, title, prefix, rest, sample, more = {}]: TokenRow): Rule {
  const literal = prefix.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
  const check = more.check
  return {
    id,
    title,
    provider: providerOf(id),
    place: 'keyword',
    keywords: more.keywords ?? [prefix.toLowerCase()],
    pattern: new RegExp(
      `${more.keywords === undefined || more.prefix === true ? literal : ''}${rest}(?![\\w-])`,
    ),
    check: (secret, match) =>
      (more.masked === true || !isMasked(secret.slice(prefix.length))) &&
      (check === undefined || check(secret, match)),
    severity: more.severity ?? 'high',
    ...(more.glued === undefined ? {} : { glued: more.glued }),
    ...(more.back === undefined ? {} : { back: more.back }),
    samples: {
      yes: [sample],
      no: more.no ?? [`${prefix}short`, ...(more.glued === true ? [] : [`x${sample}`])],
    },
  }
}

/** `[id, title, keywords, the value as a pattern, a sample of the value as a recipe]`. */
export type ValueRow = readonly [
  id: string,
  title: string,
  keywords: readonly string[],
  value: string,
  sample: string,
  more?: More,
]

export const values = (rows: readonly ValueRow[]): Rule[] => rows.map(valueRule)

function valueRule([id, title, keywords, value, sample, more = {}]: ValueRow): Rule {
  const check = more.check
  const name = keywords[0]!.replaceAll(/\W+/g, '_')
  return {
    id,
    title,
    provider: providerOf(id),
    place: 'value',
    keywords,
    pattern: new RegExp(`(?:${value})(?![\\w-])`, 'i'),
    check: (secret, match, assigned) =>
      (more.plain === true || looksRandom(secret)) &&
      (check === undefined || check(secret, match, assigned)),
    severity: more.severity ?? 'medium',
    ...(more.inside === undefined ? {} : { inside: more.inside }),
    samples: {
      yes: [`${name}_key = "${sample}"`],
      no: more.no ?? [`${name}_key = "<your-${name}-key>"`, `${name}_key = get_${name}_key()`],
    },
  }
}

const providerOf = (id: string) => id.slice(0, id.includes('-') ? id.indexOf('-') : undefined)

/** For tokens with a checksum of GitHub's kind: right, or at least as random as the real ones. */
export const crcOrRandom = (secret: string): boolean =>
  endsInBase62Crc(secret) || looksRandom(secret)
