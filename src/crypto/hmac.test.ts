/** The vectors of RFC 4231, and node's own HMAC for every length. */
import { equal, notEqual } from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { hmac } from './hmac.ts'

// RFC 4231, sections 4.2, 4.3, 4.4 and 4.7; the data of 4.4 is no UTF-8 and stands for itself below.
const vectors: readonly [key: Buffer, data: string, sha256: string, sha512: string][] = [
  [
    Buffer.alloc(20, 0x0b),
    'Hi There',
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
  ],
  [
    Buffer.from('Jefe'),
    'what do ya want for nothing?',
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
  ],
  [
    Buffer.alloc(131, 0xaa),
    'Test Using Larger Than Block-Size Key - Hash Key First',
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
  ],
]

test('hmac() gives the values of RFC 4231', () => {
  for (const [key, data, sha256, sha512] of vectors) {
    equal(hmac('sha256', key)(data, 'hex'), sha256)
    equal(hmac('sha512', key)(data, 'hex'), sha512)
  }
})

test('hmac() does not give them for another key or text', () => {
  for (const [key, data, sha256] of vectors) {
    const other = Buffer.from(key)
    other[0]! ^= 1
    notEqual(hmac('sha256', other)(data, 'hex'), sha256)
    notEqual(hmac('sha256', key)(`${data} `, 'hex'), sha256)
  }
})

test('hmac() agrees with createHmac on any text and key, one after the other', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 700 }),
    fc.string({ maxLength: 40 }),
    // Units that are no text, which become U+FFFD.
    fc
      .array(fc.integer({ min: 0xd800, max: 0xdfff }))
      .map((units) => String.fromCharCode(...units)),
  )
  fc.assert(
    fc.property(
      fc.constantFrom('sha256' as const, 'sha512' as const),
      fc.uint8Array({ maxLength: 200 }),
      fc.array(text, { maxLength: 4 }),
      fc.constantFrom('hex' as const, 'base64url' as const, 'latin1' as const),
      (algorithm, key, texts, encoding) => {
        const mac = hmac(algorithm, key)
        for (const each of texts) {
          const expected = createHmac(algorithm, key).update(each).digest(encoding)
          equal(mac(each, encoding), expected)
        }
      },
    ),
  )
})
