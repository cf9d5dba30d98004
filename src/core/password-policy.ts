/**
 * Password policies: how long a password is and which characters it must have, in Vault's HCL
 * (vault-protocol.md, section 20).
 *
 *   length = 20
 *   rule "charset" { charset = "abcde" min-chars = 1 }
 *
 * A password is drawn from all characters of all rules alike, and drawn again until every rule is
 * kept. So each password that keeps the rules is as likely as any other.
 */
import { HclError, type HclItem, type HclValue, isHclObject, parseHclOrJson } from '../lib/hcl.ts'
import { type Random } from '../lib/random.ts'

export type CharsetRule = { readonly charset: ReadonlySet<string>; readonly minChars: number }
export type PasswordPolicy = { readonly length: number; readonly rules: readonly CharsetRule[] }

export const PASSWORD_CHARS_MIN = 4
export const PASSWORD_CHARS_MAX = 100
/** A rule that fewer of the passwords keep than one in some hundred counts as impossible. */
const DRAWS_MAX = 2_000
/** Two bytes choose a character. */
const CHARSET_MAX = 65_536

/** Says what is wrong in the text; never quotes what only looks like a setting. */
export class PasswordPolicyError extends Error {
  override readonly name = 'PasswordPolicyError'
}

const fail = (problem: string): never => {
  throw new PasswordPolicyError(problem)
}

/** Reads a policy. The length is not judged: those who ask have words of their own for that. */
export function parsePasswordPolicy(text: string): PasswordPolicy {
  let length: number | undefined
  const rules: CharsetRule[] = []
  for (const item of itemsOf(text)) {
    if (item.key === 'length' && item.labels.length === 0) length = wholeNumber(item)
    else if (item.key === 'rule') rules.push(readRule(item))
    else fail(`line ${item.line}: expected length or rule`)
  }
  if (length === undefined) return fail('length is missing')
  if (rules.length === 0) fail('no charset rules found')
  if (unionOf(rules).length > CHARSET_MAX) fail('too many characters')
  return { length, rules }
}

function itemsOf(text: string): HclItem[] {
  try {
    return parseHclOrJson(text, { blocks: { rule: 1 } }).items
  } catch (error) {
    if (error instanceof HclError) return fail(error.message)
    throw error
  }
}

function readRule({ labels, value, line }: HclItem): CharsetRule {
  if (labels.length !== 1 || labels[0] !== 'charset') fail(`line ${line}: expected rule "charset"`)
  if (!isHclObject(value)) return fail(`line ${line}: expected rule "charset" { … }`)
  let charset: ReadonlySet<string> | undefined
  let minChars = 0
  for (const item of value.items) {
    if (item.key === 'charset') charset = readCharset(item)
    else if (item.key === 'min-chars') minChars = wholeNumber(item)
    else fail(`line ${item.line}: expected charset or min-chars`)
  }
  if (!charset) return fail(`line ${line}: charset is missing`)
  return { charset, minChars }
}

function readCharset({ value, line }: HclItem): ReadonlySet<string> {
  if (typeof value !== 'string' || value === '') {
    return fail(`line ${line}: charset must be a text that is not empty`)
  }
  const runes = Array.from(value)
  const printable = runes.every((rune) => rune === ' ' || !/[\p{C}\p{Z}]/u.test(rune))
  return printable ? new Set(runes) : fail(`line ${line}: charset must be printable characters`)
}

function wholeNumber({ key, value, line }: HclItem): number {
  const number = numberOf(value)
  if (Number.isInteger(number) && number >= 0) return number
  return fail(`line ${line}: ${key} must be a whole number`)
}

const numberOf = (value: HclValue): number =>
  typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : Number(value ?? NaN)

const unionOf = (rules: readonly CharsetRule[]): string[] => [
  ...new Set(rules.flatMap(({ charset }) => [...charset])),
]

/** A password; undefined when none was found that keeps the rules. */
export function generatePassword(policy: PasswordPolicy, random: Random): string | undefined {
  const { rules, length } = policy
  if (rules.some(({ minChars }) => minChars > length)) return undefined
  const characters = unionOf(rules)
  for (let i = 0; i < DRAWS_MAX; i++) {
    const drawn = draw(characters, length, random)
    if (rules.every((rule) => keeps(rule, drawn))) return drawn.join('')
  }
  return undefined
}

function keeps({ charset, minChars }: CharsetRule, drawn: readonly string[]): boolean {
  if (minChars === 0) return true
  return drawn.filter((character) => charset.has(character)).length >= minChars
}

/** Each of them equally likely: what would make the first ones likelier is thrown away. */
function draw(characters: readonly string[], count: number, random: Random): string[] {
  const fair = 65_536 - (65_536 % characters.length)
  const drawn: string[] = []
  while (drawn.length < count) {
    const bytes = random(2 * (count - drawn.length))
    for (let at = 0; at < bytes.length; at += 2) {
      const number = bytes.readUInt16BE(at)
      if (number < fair) drawn.push(characters[number % characters.length]!)
    }
    bytes.fill(0)
  }
  return drawn
}
