/** Certificates of clients, signed with a CA that the role brings. The library is loaded when used. */
import '../../crypto/reflect-metadata.ts'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { type Call, refuse } from '../../kit/kit.ts'
import { type CredentialConfig, keyBits, type Made, text } from './credential.ts'
import { usernameTemplate } from './username.ts'

type Wanted = { config: CredentialConfig; username: string; expiresAt: number }
type Algorithm = { name: string; hash?: string; namedCurve?: string }

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

export async function clientCertificate(
  { config, username, expiresAt }: Wanted,
  call: Pick<Call<unknown>, 'random' | 'now'>,
): Promise<Made> {
  const x509 = await import('@peculiar/x509')
  const template = text(config, 'common_name_template')
  const parts = { displayName: username, roleName: username, now: call.now, random: call.random }
  const commonName = template === '' ? username : usernameTemplate(template)(parts)
  const { pair, type } = keysOf(config)
  const issuer = new x509.X509Certificate(text(config, 'ca_cert'))
  const signer = signingKey(config)
  const subject = new x509.Name([{ CN: [commonName] }])
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: subject.toString(),
      issuer: issuer.subject,
      serialNumber: call
        .random(16)
        .toString('hex')
        .replace(/^[89a-f]/, '7'),
      notBefore: new Date(call.now - 30_000),
      notAfter: new Date(expiresAt),
      signingAlgorithm: signer.algorithm as never,
      publicKey: await crypto.subtle.importKey(
        'spki',
        new Uint8Array(pair.spki),
        pair.algorithm,
        true,
        ['verify'],
      ),
      signingKey: await crypto.subtle.importKey(
        'pkcs8',
        new Uint8Array(signer.pkcs8),
        signer.algorithm,
        false,
        ['sign'],
      ),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([CLIENT_AUTH]),
      ],
    },
    globalThis.crypto,
  )
  const shown = {
    client_certificate: certificate.toString('pem'),
    private_key: pair.privatePem,
    private_key_type: type,
  }
  return { proof: { subject: subject.toString() }, shown }
}

type Pair = { spki: Buffer; privatePem: string; algorithm: Algorithm }

function keysOf(config: CredentialConfig): { pair: Pair; type: string } {
  const type = text(config, 'key_type') || 'rsa'
  const made =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: keyBits(config, [2048, 3072, 4096], 2048) })
      : type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: `P-${keyBits(config, [256, 384, 521], 256)}` })
        : type === 'ed25519'
          ? generateKeyPairSync('ed25519')
          : refuse('invalid key_type: one of rsa, ec, ed25519')
  const curve = `P-${text(config, 'key_bits') || '256'}`
  const algorithm =
    type === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : type === 'ec'
        ? { name: 'ECDSA', namedCurve: curve }
        : { name: 'Ed25519' }
  const spki = made.publicKey.export({ type: 'spki', format: 'der' })
  const privatePem = made.privateKey.export({ type: 'pkcs8', format: 'pem' })
  return { pair: { spki, privatePem, algorithm }, type }
}

function signingKey(config: CredentialConfig): { pkcs8: Buffer; algorithm: Algorithm } {
  let key
  try {
    key = createPrivateKey(text(config, 'ca_private_key'))
  } catch {
    return refuse('ca_private_key must be PEM')
  }
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' })
  const bits = Number(text(config, 'signature_bits') || 256)
  const hash = [256, 384, 512].includes(bits) ? `SHA-${bits}` : refuse('invalid signature_bits')
  const curves: Record<string, string> = {
    prime256v1: 'P-256',
    secp384r1: 'P-384',
    secp521r1: 'P-521',
  }
  const namedCurve = curves[key.asymmetricKeyDetails?.namedCurve ?? '']
  if (key.asymmetricKeyType === 'rsa')
    return { pkcs8, algorithm: { name: 'RSASSA-PKCS1-v1_5', hash } }
  if (namedCurve) return { pkcs8, algorithm: { name: 'ECDSA', namedCurve, hash } }
  if (key.asymmetricKeyType === 'ed25519') return { pkcs8, algorithm: { name: 'Ed25519' } }
  return refuse('ca_private_key must be an RSA, EC or Ed25519 key')
}
