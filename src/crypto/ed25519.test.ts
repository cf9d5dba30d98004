import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { ed25519Signer, ed25519Verifier } from './ed25519.ts'

/** RFC 8032, section 7.1, the tests whose messages are text. */
const VECTORS = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: 'r',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
]

test('the published vectors', () => {
  for (const { seed, publicKey, message, signature } of VECTORS) {
    const signer = ed25519Signer(Buffer.from(seed, 'hex'))
    equal(signer.publicKey.toString('hex'), publicKey)
    equal(signer.sign(message).toString('hex'), signature)
    equal(ed25519Verifier(signer.publicKey)(message, Buffer.from(signature, 'hex')), true)
  }
})

test('a signature of another message, another key or another length is none', () => {
  const signer = ed25519Signer(Buffer.alloc(32, 1))
  const other = ed25519Signer(Buffer.alloc(32, 2))
  const signature = signer.sign('message')
  equal(ed25519Verifier(signer.publicKey)('Message', signature), false)
  equal(ed25519Verifier(other.publicKey)('message', signature), false)
  equal(ed25519Verifier(signer.publicKey)('message', signature.subarray(0, 63)), false)
  for (let at = 0; at < signature.length; at++) {
    const flipped = Buffer.from(signature)
    flipped[at]! ^= 1
    equal(ed25519Verifier(signer.publicKey)('message', flipped), false)
  }
})

test('keys of another length are refused', () => {
  throws(() => ed25519Signer(Buffer.alloc(31)), RangeError)
  throws(() => ed25519Verifier(Buffer.alloc(33)), RangeError)
  deepEqual(ed25519Signer(Buffer.alloc(32)).publicKey.length, 32)
})
