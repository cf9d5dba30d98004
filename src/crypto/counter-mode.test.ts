/** The vector of SP 800-38A, and node's own counter mode for every length and counter. */
import { deepEqual, equal } from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { counterMode } from './counter-mode.ts'

// NIST SP 800-38A, F.5.5: the second block is past a carry.
test('counterMode() agrees with the published AES-256-CTR vector', () => {
  const hex = (text: string) => Buffer.from(text, 'hex')
  const key = hex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4')
  const counter = hex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff')
  const text = hex('6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51')
  const sealed = '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5'
  equal(counterMode(key)(counter, text).toString('hex'), sealed)
  deepEqual(counterMode(key)(counter, hex(sealed)), text)
})

test('counterMode() agrees with a cipher of its own for each text', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  const counter = fc.oneof(
    bytes(16),
    // Ends in as many full bytes as may carry.
    fc.nat({ max: 16 }).map((full) => new Uint8Array(16).fill(255, 16 - full)),
  )
  const texts = fc.array(fc.tuple(counter, fc.uint8Array({ maxLength: 100 })), { maxLength: 4 })
  fc.assert(
    fc.property(bytes(32), texts, (key, all) => {
      const stream = counterMode(key)
      for (const [first, text] of all) {
        deepEqual(stream(first, text), createCipheriv('aes-256-ctr', key, first).update(text))
      }
    }),
  )
})
