/** Texts of callers that people will read: one line, and nothing that could draw on their terminal. */
import { refuse } from '../kit/failure.ts'

const UNPRINTABLE = /[\p{C}\u2028\u2029]|(?! )\p{Z}/u

/** Refuses what is no such text, or is too long to be one. */
export function requirePlain(name: string, text: string, charsMax: number): void {
  if (text.length > charsMax) refuse(`${name} must be ${charsMax} characters or less`)
  if (UNPRINTABLE.test(text)) refuse(`${name} must be one line of printable characters`)
}
