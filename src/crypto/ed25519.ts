/** Ed25519 signatures (RFC 8032) with keys made of a 32-byte seed. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** The DER of a PKCS #8 key (RFC 8410, section 7) and of a public key up to their 32 bytes. */
const PRIVATE_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const KEY_BYTES = 32

export type Signer = {
  /** 32 bytes. */
  readonly publicKey: Buffer
  /** 64 bytes. */
  sign(message: string): Buffer
}

export function ed25519Signer(seed: Uint8Array): Signer {
  if (seed.length !== KEY_BYTES) throw new RangeError('an Ed25519 seed has 32 bytes')
  const der = Buffer.concat([PRIVATE_HEAD, seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return {
    publicKey: spki.subarray(PUBLIC_HEAD.length),
    sign: (message) => sign(null, Buffer.from(message), key),
  }
}

/** Says whether a signature is by the key; throws a RangeError when the key has another length. */
export function ed25519Verifier(publicKey: Uint8Array) {
  if (publicKey.length !== KEY_BYTES) throw new RangeError('an Ed25519 public key has 32 bytes')
  const key: KeyObject = createPublicKey({
    key: Buffer.concat([PUBLIC_HEAD, publicKey]),
    format: 'der',
    type: 'spki',
  })
  return (message: string, signature: Uint8Array): boolean =>
    verify(null, Buffer.from(message), key, signature)
}
