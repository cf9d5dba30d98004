/**
 * HMAC (RFC 2104) of short texts under keys that stay. Two one-shot hashes of `node:crypto` and no
 * object for each text: measured, 1.0 us where `createHmac` takes 2.1, and nothing for the garbage
 * collector, which a login with its seven of them feels more than the time.
 *
 *   mac = H(key ^ opad ‖ H(key ^ ipad ‖ text))
 */
import { createHmac, hash } from 'node:crypto'

export type Hmac = (text: string, encoding: 'hex' | 'base64url' | 'latin1') => string

const BLOCK_BYTES = { sha256: 64, sha512: 128 } as const
const HASH_BYTES = { sha256: 32, sha512: 64 } as const
const [IPAD, OPAD] = [0x36, 0x5c]
/** Longer texts take the ordinary way. A text has at most three bytes for each of its units. */
const CHARS_MAX = 512

/** The MAC of a text's UTF-8 under one key. */
export function hmac(algorithm: keyof typeof BLOCK_BYTES, key: Uint8Array): Hmac {
  const block = BLOCK_BYTES[algorithm]
  const short = key.length <= block ? key : hash(algorithm, key, 'buffer')
  const inner = Buffer.alloc(block + 3 * CHARS_MAX, IPAD)
  const outer = Buffer.alloc(block + HASH_BYTES[algorithm], OPAD)
  for (let i = 0; i < short.length; i++) {
    inner[i]! ^= short[i]!
    outer[i]! ^= short[i]!
  }
  return (text, encoding) => {
    if (text.length > CHARS_MAX) return createHmac(algorithm, key).update(text).digest(encoding)
    const end = block + inner.write(text, block)
    outer.write(hash(algorithm, inner.subarray(0, end), 'latin1'), block, 'latin1')
    // What was hashed is mostly a secret.
    inner.fill(0, block, end)
    return hash(algorithm, outer, encoding)
  }
}
