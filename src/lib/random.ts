/** Randomness as a parameter. Production uses the system's generator; a simulation seeds its own. */
import { randomBytes, randomUUID } from 'node:crypto'

/** `bytes` unpredictable bytes, in a buffer that shares its memory with nobody. */
export type Random = (bytes: number) => Buffer

const POOL_BYTES = 4096
const SMALL_BYTES = 256
let pool: Buffer = Buffer.alloc(0)
let taken = 0

/** The system's generator. Small requests share one call to it, which costs 2 us each time. */
export const systemRandom: Random = (bytes) => {
  if (bytes > SMALL_BYTES) return randomBytes(bytes)
  if (taken + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES)
    taken = 0
  }
  const part = pool.subarray(taken, (taken += bytes))
  const own = Buffer.from(part)
  // What has been handed out must not be found here later.
  part.fill(0)
  return own
}

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
