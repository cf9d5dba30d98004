/** Authorities and certificates for tests, as PEM and DER, with everything wrong that is asked for. */
import '../../src/crypto/reflect-metadata.ts'
import * as x509 from '@peculiar/x509'

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
x509.cryptoProvider.set(globalThis.crypto)

type KeyPair = { publicKey: CryptoKey; privateKey: CryptoKey }

export type Issued = {
  pem: string
  der: Uint8Array
  keys: KeyPair
  /** PKCS #8. */
  keyPem: string
  certificate: x509.X509Certificate
}

export type CertificateOptions = {
  subject?: string
  serial?: string
  notBefore?: Date
  notAfter?: Date
  ca?: boolean
  pathLength?: number
  /** OIDs. */
  usages?: string[]
  names?: { type: 'dns' | 'email' | 'url' | 'ip'; value: string }[]
  extensions?: x509.Extension[]
  keys?: KeyPair
  /** Of the signature; SHA-256 unless set. */
  hash?: 'SHA-1'
}

const START = new Date(Date.UTC(2025, 0, 1))
/** The last year with two digits: real servers and programs judge it by the real time. */
const END = new Date(Date.UTC(2049, 0, 1))
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** A certificate under `issuer`, or under itself without one. */
export async function certificate(options: CertificateOptions, issuer?: Issued): Promise<Issued> {
  const keys = options.keys ?? (await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify']))
  const extensions = [
    ...(options.ca === undefined
      ? []
      : [new x509.BasicConstraintsExtension(options.ca, options.pathLength, true)]),
    ...(options.usages ? [new x509.ExtendedKeyUsageExtension(options.usages)] : []),
    ...(options.names ? [new x509.SubjectAlternativeNameExtension(options.names)] : []),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ...(options.extensions ?? []),
  ]
  const subject = options.subject ?? 'CN=client'
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer?.certificate.subject ?? subject,
    serialNumber:
      options.serial ?? Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex'),
    notBefore: options.notBefore ?? START,
    notAfter: options.notAfter ?? END,
    signingAlgorithm: { ...CURVE, hash: options.hash ?? CURVE.hash },
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions,
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  return {
    pem: made.toString('pem'),
    der: new Uint8Array(made.rawData),
    keys,
    keyPem: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    certificate: made,
  }
}

/** An authority; under `issuer`, or a root. */
export const authority = (name: string, options: CertificateOptions = {}, issuer?: Issued) =>
  certificate({ subject: `CN=${name}`, ca: true, ...options }, issuer)

/** A revocation list of an authority, as PEM, with the serials (hex) it names. */
export async function revocationList(issuer: Issued, serials: readonly string[]): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: START,
    nextUpdate: END,
    signingAlgorithm: CURVE,
    signingKey: issuer.keys.privateKey,
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: START })),
  })
  return list.toString('pem')
}

/** An extension of any kind; `value` is DER. */
export const extension = (oid: string, value: Uint8Array, critical = false) =>
  new x509.Extension(oid, critical, Uint8Array.from(value))

/** A DER string: UTF8String unless another tag is given. */
export const derText = (text: string, tag = 0x0c) =>
  Buffer.concat([Buffer.from([tag, Buffer.byteLength(text)]), Buffer.from(text)])
