import { deepEqual, equal, throws } from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AccessRequest, CODE, decodeResponse, encodeRequest } from './packet.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const SECRET = ['xyzzy', '5461'].join('')
/** RFC 2865, section 7.1. */
const NEMO: AccessRequest = {
  identifier: 0,
  authenticator: hex('0f403f9473978057bd83d5cb98f4227a'),
  username: 'nemo',
  password: 'arctangent',
  nasPort: 3,
  nasIdentifier: '',
}
const ACCEPT = hex(
  '02000026 86fe220e7624ba2a1005f6bf9b55e0b2 0606 00000001 0f06 00000000 0e06 c0a80103',
)

/** An answer as a server makes it; `attributes` may hold the place of a Message-Authenticator. */
function answer(
  code: number,
  attributes: Buffer,
  { secret = SECRET, identifier = 0, sign = true } = {},
): Buffer {
  const packet = Buffer.concat([Buffer.alloc(20), attributes])
  packet[0] = code
  packet[1] = identifier
  packet.writeUInt16BE(packet.length, 2)
  packet.set(NEMO.authenticator, 4)
  if (sign) packet.set(createHmac('md5', secret).update(packet).digest(), 22)
  const digest = createHash('md5').update(packet).update(secret).digest()
  packet.set(digest, 4)
  return packet
}
const PLACE = Buffer.concat([Buffer.from([80, 18]), Buffer.alloc(16)])

test('encodeRequest() hides the password as in RFC 2865, section 7.1', () => {
  const packet = encodeRequest(NEMO, SECRET)
  const attributes = packet.subarray(20)
  deepEqual(attributes.subarray(0, 2), Buffer.from([80, 18]))
  const rest = hex('0106 6e656d6f 0212 0dbe708d93d413ce3196e43f782a0aee 0506 00000003')
  deepEqual(attributes.subarray(18), rest)
  deepEqual(packet.subarray(0, 20), hex('01000044 0f403f9473978057bd83d5cb98f4227a'))
})

test('encodeRequest() proves itself by a Message-Authenticator (RFC 3579, section 3.2)', () => {
  const packet = encodeRequest({ ...NEMO, nasIdentifier: 'coffer' }, SECRET)
  const claimed = Buffer.from(packet.subarray(22, 38))
  packet.fill(0, 22, 38)
  deepEqual(createHmac('md5', SECRET).update(packet).digest(), claimed)
})

test('encodeRequest() refuses what has no place in a packet', () => {
  throws(() => encodeRequest({ ...NEMO, password: 'x'.repeat(129) }, SECRET), RangeError)
  throws(() => encodeRequest({ ...NEMO, username: 'x'.repeat(254) }, SECRET), RangeError)
})

test('a password of any length comes out as it went in', () => {
  const passwords = fc.string({ unit: 'grapheme', maxLength: 40 })
  fc.assert(
    fc.property(passwords, (password) => {
      const packet = encodeRequest({ ...NEMO, password }, SECRET)
      const hidden = packet.subarray(46, 44 + packet[45]!)
      let before: Uint8Array = NEMO.authenticator
      const plain = Buffer.alloc(hidden.length)
      for (let at = 0; at < hidden.length; at += 16) {
        const mask = createHash('md5').update(SECRET).update(before).digest()
        for (let i = 0; i < 16; i++) plain[at + i] = hidden[at + i]! ^ mask[i]!
        before = hidden.subarray(at, at + 16)
      }
      const size = Buffer.byteLength(password)
      deepEqual(plain.subarray(0, size), Buffer.from(password))
      equal(hidden.length % 16, 0)
    }),
  )
})

test('decodeResponse() reads the answer of RFC 2865, which nothing protects', () => {
  deepEqual(decodeResponse(ACCEPT, NEMO, SECRET), { code: CODE.accept, authenticated: false })
  // Bytes after the length are no part of it.
  const padded = Buffer.concat([ACCEPT, Buffer.alloc(3)])
  deepEqual(decodeResponse(padded, NEMO, SECRET), { code: CODE.accept, authenticated: false })
})

test('decodeResponse() takes nothing that is not the answer to the request', () => {
  const wrong: [string, Buffer, AccessRequest, string][] = [
    ['nothing', Buffer.alloc(0), NEMO, SECRET],
    ['a header too short', ACCEPT.subarray(0, 19), NEMO, SECRET],
    ['cut short', ACCEPT.subarray(0, 37), NEMO, SECRET],
    ['another secret', ACCEPT, NEMO, 'other'],
    ['another identifier', ACCEPT, { ...NEMO, identifier: 1 }, SECRET],
    ['another request', ACCEPT, { ...NEMO, authenticator: Buffer.alloc(16) }, SECRET],
    ['too long', Buffer.concat([ACCEPT, Buffer.alloc(4096)]), NEMO, SECRET],
  ]
  for (const [label, bytes, request, secret] of wrong) {
    equal(decodeResponse(bytes, request, secret), undefined, label)
  }
  for (let i = 0; i < ACCEPT.length; i++) {
    const changed = Buffer.from(ACCEPT)
    changed[i]! ^= 1
    equal(decodeResponse(changed, NEMO, SECRET), undefined, `byte ${i}`)
  }
})

test('decodeResponse() holds a Message-Authenticator against the whole answer', () => {
  deepEqual(decodeResponse(answer(CODE.accept, PLACE), NEMO, SECRET), {
    code: CODE.accept,
    authenticated: true,
  })
  deepEqual(decodeResponse(answer(CODE.reject, PLACE), NEMO, SECRET), {
    code: CODE.reject,
    authenticated: true,
  })
  // What the secret has not signed, though the Response Authenticator is right.
  const wrong: [string, Buffer][] = [
    ['not signed', answer(CODE.accept, PLACE, { sign: false })],
    ['twice', answer(CODE.accept, Buffer.concat([PLACE, PLACE]))],
    ['too short', answer(CODE.accept, Buffer.from([80, 3, 0]), { sign: false })],
    ['no length', answer(CODE.accept, Buffer.from([80, 0]), { sign: false })],
    ['beyond the end', answer(CODE.accept, Buffer.from([1, 9, 0]), { sign: false })],
  ]
  for (const [label, bytes] of wrong) equal(decodeResponse(bytes, NEMO, SECRET), undefined, label)
})

test('decodeResponse() outlives any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      equal(decodeResponse(Buffer.from(bytes), NEMO, SECRET), undefined)
    }),
  )
})
