/**
 * AES-256-GCM with a random 96-bit nonce and a full 128-bit tag (NIST SP 800-38D).
 *
 *   sealed = nonce (12) ‖ ciphertext ‖ tag (16)
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { type Random, systemRandom } from '../lib/random.ts'

export const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
export const AEAD_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

/** The bytes are not what was sealed under this key and this context. */
export class TamperedError extends Error {
  override readonly name = 'TamperedError'
}

/** Nonces come in blocks: one call to the generator serves many records. */
const POOL_BYTES = NONCE_BYTES * 256
let pool: Buffer = Buffer.alloc(0)
let taken = 0

function nextNonce(): Buffer {
  if (taken >= pool.length) {
    pool = systemRandom(POOL_BYTES)
    taken = 0
  }
  return pool.subarray(taken, (taken += NONCE_BYTES))
}

/**
 * Seals `plain`; only the same key with the same `context` opens it again. A text is sealed as its
 * UTF-8. `before` is put in front as it is, for whoever would copy all of it to do so.
 */
export function seal(
  key: Uint8Array,
  plain: Uint8Array | string,
  options: { context: string; random?: Random; before?: Uint8Array },
): Buffer {
  const nonce = options.random ? options.random(NONCE_BYTES) : nextNonce()
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(options.context))
  const body = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain)
  cipher.final()
  const parts = [nonce, body, cipher.getAuthTag()]
  return Buffer.concat(options.before ? [options.before, ...parts] : parts)
}

/** Opens what `seal` made; throws TamperedError on any other bytes, key or context. */
export function open(key: Uint8Array, sealed: Uint8Array, options: { context: string }): Buffer {
  if (sealed.length < AEAD_OVERHEAD_BYTES) throw new TamperedError('record is too short')
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(options.context))
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const body = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES))
  try {
    decipher.final()
  } catch {
    throw new TamperedError('record does not authenticate')
  }
  return body
}

/** A key for one purpose, from a key that has many (HKDF-SHA256, RFC 5869). */
export function deriveKey(from: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', from, Buffer.alloc(0), purpose, KEY_BYTES))
}
