/** Public keys to check signatures with, from PEM or from a JSON Web Key (RFC 7517). */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { isObject } from '../../lib/json.ts'

/** `kid` and `alg` are what the key says of itself; absent = any. */
export type VerificationKey = { key: KeyObject; kid?: string; alg?: string }

const KINDS = new Set(['rsa', 'rsa-pss', 'ec', 'ed25519', 'ed448'])
const PUBLIC_PEM = /^\s*-----BEGIN (?:RSA )?(?:PUBLIC KEY|CERTIFICATE)-----/

/** A public key or a certificate; undefined for anything else, a private key too. */
export function keyOfPem(pem: string): VerificationKey | undefined {
  if (!PUBLIC_PEM.test(pem)) return undefined
  return usable(() => createPublicKey(pem))
}

/** Undefined for a key that is not for signatures, or of a kind that is not for them. */
export function keyOfJwk(jwk: unknown): VerificationKey | undefined {
  if (!isObject(jwk)) return undefined
  const { use, kid, alg, key_ops: operations } = jwk
  if (use !== undefined && use !== 'sig') return undefined
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined
  const key = usable(() => createPublicKey({ key: jwk, format: 'jwk' }))
  return (
    key && {
      ...key,
      ...(typeof kid === 'string' && { kid }),
      ...(typeof alg === 'string' && { alg }),
    }
  )
}

function usable(make: () => KeyObject): VerificationKey | undefined {
  try {
    const key = make()
    return KINDS.has(key.asymmetricKeyType ?? '') ? { key } : undefined
  } catch {
    return undefined
  }
}
