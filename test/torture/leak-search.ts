/** Canaries, and the search for them in every form in which a text can lie in another. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { formsOf } from '../../src/rules/encodings.ts'
import { multiMatch } from '../../src/scrub/multi-match.ts'
import { type Seeded } from './seeded.ts'

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'

/** Every other one has what JSON, URLs and shells write in another way. */
export function canaries(random: Seeded) {
  const made: string[] = []
  return {
    made,
    /** Of letters and digits only, for where nothing else may stand. */
    plain: (): string => made[made.push(word(random, 24)) - 1]!,
    next: (): string => {
      const odd = made.length % 2 === 1
      const text = odd ? `${word(random, 10)}"&/+é ${word(random, 10)}` : word(random, 24)
      made.push(text)
      return text
    },
  }
}

const word = (random: Seeded, length: number) =>
  Array.from({ length }, () => DIGITS[random.below(DIGITS.length)]!).join('')

export type Place = { readonly name: string; readonly bytes: Uint8Array }

/** Forms are many: so many canaries are looked for in one pass. */
const AT_ONCE = 1_000

/** `<place>: <canary>` for each canary that is found there in some form. */
export function hitsIn(places: readonly Place[], texts: readonly string[]): string[] {
  const hits = new Set<string>()
  for (let at = 0; at < texts.length; at += AT_ONCE) {
    const forms: Buffer[] = []
    const of: string[] = []
    for (const text of texts.slice(at, at + AT_ONCE)) {
      for (const form of formsOf(text)) {
        forms.push(form)
        of.push(text)
      }
    }
    const matcher = multiMatch(forms)
    for (const { name, bytes } of places) {
      for (const { pattern } of matcher.find(bytes)) hits.add(`${name}: ${of[pattern]!}`)
    }
  }
  return [...hits]
}

export function filesUnder(dir: string): Place[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((file) => statSync(file).isFile())
    .map((name) => ({ name: name.slice(dir.length + 1), bytes: readFileSync(name) }))
}
