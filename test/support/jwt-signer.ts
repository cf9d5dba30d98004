/** Signs tokens, the wrong ones too: header and payload are taken as they are given. */
import {
  constants,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto'

export type Pair = { publicKey: KeyObject; privateKey: KeyObject }

export const rsaPair = (): Pair => generateKeyPairSync('rsa', { modulusLength: 2048 })
export const ecPair = (namedCurve = 'P-256'): Pair => generateKeyPairSync('ec', { namedCurve })
export const edPair = (): Pair => generateKeyPairSync('ed25519')

export const pemOf = ({ publicKey }: Pair): string =>
  publicKey.export({ type: 'spki', format: 'pem' })

export const jwkOf = ({ publicKey }: Pair, more: object = {}): Record<string, unknown> => ({
  ...publicKey.export({ format: 'jwk' }),
  ...more,
})

/** Text stands for itself; anything else is printed as JSON. */
export const part = (value: unknown): string =>
  Buffer.from(
    typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value),
  ).toString('base64url')

/** A compact token. The signature follows `alg`, or `as` where the header is to lie. */
export function signed(
  header: unknown,
  payload: unknown,
  key: { pair: Pair; as?: string } | { secret: string | Uint8Array; as?: string },
): string {
  const input = `${part(header)}.${part(payload)}`
  const alg = key.as ?? (header as { alg: string }).alg
  const signature =
    'secret' in key ? hmac(input, alg, key.secret) : asymmetric(input, alg, key.pair)
  return `${input}.${signature.toString('base64url')}`
}

const hmac = (input: string, alg: string, secret: string | Uint8Array) =>
  createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest()

function asymmetric(input: string, alg: string, { privateKey }: Pair): Buffer {
  const bytes = Buffer.from(input)
  if (alg === 'EdDSA') return signBytes(null, bytes, privateKey)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('PS')) {
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
    return signBytes(hash, bytes, { key: privateKey, padding, saltLength })
  }
  if (alg.startsWith('ES')) {
    return signBytes(hash, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  }
  return signBytes(hash, bytes, privateKey)
}
