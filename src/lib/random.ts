/** Randomness as a parameter. Production uses the system's generator; a simulation seeds its own. */
import { randomBytes, randomUUID } from 'node:crypto'

/** `bytes` unpredictable bytes, in a buffer that shares its memory with nobody. */
export type Random = (bytes: number) => Buffer

export const systemRandom: Random = (bytes) => randomBytes(bytes)

/** A version 4 UUID (RFC 9562, section 5.4) from the given source. */
export function uuid(random: Random = systemRandom): string {
  if (random === systemRandom) return randomUUID()
  const bytes = random(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  const cut = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return `${cut.join('-')}-${hex.slice(20)}`
}
