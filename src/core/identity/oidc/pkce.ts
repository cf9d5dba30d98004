/** Proof Key for Code Exchange (RFC 7636): who redeems a code is who asked for it. */
import { timingSafeEqual } from 'node:crypto'
import { sha256 } from './digest.ts'

export type Challenge = { readonly challenge: string; readonly method: 'plain' | 'S256' }

/** Section 4.1: 43 to 128 unreserved characters; a challenge has the same form (4.2). */
const FORM = /^[\w.~-]{43,128}$/

export const isMethod = (method: string): method is Challenge['method'] =>
  method === 'plain' || method === 'S256'

export const isWellFormed = (text: string): boolean => FORM.test(text)

export function provesIt({ challenge, method }: Challenge, verifier: string): boolean {
  if (!isWellFormed(verifier)) return false
  const made = method === 'plain' ? verifier : sha256(verifier).toString('base64url')
  return timingSafeEqual(sha256(made), sha256(challenge))
}
