/** One-time passwords: HOTP (RFC 4226), TOTP (RFC 6238), and the base32 their keys are written in. */
import { createHmac, timingSafeEqual } from 'node:crypto'

export const TOTP_ALGORITHMS = ['SHA1', 'SHA256', 'SHA512'] as const
export type TotpAlgorithm = (typeof TOTP_ALGORITHMS)[number]

export type TotpRules = {
  algorithm: TotpAlgorithm
  digits: number
  periodSeconds: number
}

/** The code of one counter (RFC 4226, section 5.3). */
export function hotp(
  key: Uint8Array,
  counter: number,
  { algorithm, digits }: Pick<TotpRules, 'algorithm' | 'digits'>,
): string {
  const message = Buffer.alloc(8)
  message.writeBigUInt64BE(BigInt(counter))
  const mac = createHmac(algorithm, key).update(message).digest()
  const offset = mac.at(-1)! & 0x0f
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff
  return String(number % 10 ** digits).padStart(digits, '0')
}

/** The time step a moment lies in (RFC 6238, section 4.2). */
export const totpStep = (now: number, { periodSeconds }: Pick<TotpRules, 'periodSeconds'>) =>
  Math.floor(now / 1000 / periodSeconds)

/**
 * The newest step around `now` whose code this is; undefined = it is the code of none. Every step is
 * computed and compared, whichever fits.
 */
export function matchingStep(
  key: Uint8Array,
  code: string,
  rules: TotpRules & { skew: number; now: number },
): number | undefined {
  const current = totpStep(rules.now, rules)
  let found: number | undefined
  for (let step = Math.max(current - rules.skew, 0); step <= current + rules.skew; step++) {
    if (sameCode(hotp(key, step, rules), code)) found = step
  }
  return found
}

function sameCode(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** RFC 4648, section 6, without padding: as authenticator apps take it. */
export function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31]
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text
}
