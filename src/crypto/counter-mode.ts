/**
 * AES-256-CTR (NIST SP 800-38A, section 6.5) of short texts under a key that stays. One block cipher
 * serves them all: one of node's stream ciphers for each costs 2.4 us and an object to collect, the
 * two counters of a name under one that is there 0.7.
 *
 *   text ^ E(counter) ‖ E(counter + 1) ‖ …
 */
import { createCipheriv } from 'node:crypto'

const BLOCK_BYTES = 16

/** Encrypts and decrypts, which is the same. No counter may be used for two texts. */
export function counterMode(key: Uint8Array): (counter: Uint8Array, text: Uint8Array) => Buffer {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  return (first, text) => {
    const counters = Buffer.alloc(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES)
    const counter = Buffer.from(first)
    for (let at = 0; at < counters.length; at += BLOCK_BYTES) {
      counter.copy(counters, at)
      addOne(counter)
    }
    const pad = cipher.update(counters)
    for (let i = 0; i < text.length; i++) pad[i]! ^= text[i]!
    return pad.subarray(0, text.length)
  }
}

/** Big endian, and around the end. */
function addOne(counter: Buffer): void {
  for (let i = counter.length - 1; i >= 0; i--) {
    counter[i]! += 1
    if (counter[i] !== 0) return
  }
}
