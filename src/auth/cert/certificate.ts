/**
 * A certificate as it is judged here: what its extensions say, read by a parser of the format and
 * not from OpenSSL's text. Node's own object is kept for the signatures.
 */
import { createHash, X509Certificate } from 'node:crypto'
// First: x509 does not load without it.
import '../../crypto/reflect-metadata.ts'
import type * as X509 from '@peculiar/x509'

export type Certificate = {
  readonly node: X509Certificate
  /** Of the DER, in hex: what makes two certificates one. */
  readonly sha256: string
  /** Milliseconds since the epoch; both ends belong to it. */
  readonly notBefore: number
  readonly notAfter: number
  /** Decimal. */
  readonly serial: string
  /** Hex with colons; empty when there is none. */
  readonly subjectKeyId: string
  readonly authorityKeyId: string
  readonly commonNames: readonly string[]
  readonly organizationalUnits: readonly string[]
  readonly dnsNames: readonly string[]
  readonly emails: readonly string[]
  readonly uris: readonly string[]
  readonly isCa: boolean
  /** How many authorities may stand between this one and an end; undefined = any number. */
  readonly pathLength: number | undefined
  /** OIDs; undefined = any use. */
  readonly extendedKeyUsages: readonly string[] | undefined
  readonly extensions: readonly Extension[]
}

export type Extension = {
  readonly oid: string
  readonly critical: boolean
  readonly value: Uint8Array
}

const OID = {
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
}

type Parser = typeof X509

/** Loaded only where it is used: 5 MB. */
const parser = (): Promise<Parser> => import('@peculiar/x509')

/** Throws when the bytes are no certificate. The text says nothing of them. */
export async function readCertificate(der: Uint8Array): Promise<Certificate> {
  return read(der, await parser())
}

function read(der: Uint8Array, x509: Parser): Certificate {
  const node = new X509Certificate(der)
  const parsed = new x509.X509Certificate(Uint8Array.from(der))
  const constraints = extensionOf(parsed, x509.BasicConstraintsExtension, OID.basicConstraints)
  const usages = extensionOf(parsed, x509.ExtendedKeyUsageExtension, OID.extendedKeyUsage)
  const keyId = parsed.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId
  const issuerKeyId = parsed.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId
  const names = alternativeNames(parsed, x509)
  return {
    node,
    sha256: createHash('sha256').update(der).digest('hex'),
    notBefore: node.validFromDate.getTime(),
    notAfter: node.validToDate.getTime(),
    serial: decimalSerial(parsed.serialNumber),
    subjectKeyId: withColons(keyId),
    authorityKeyId: withColons(issuerKeyId),
    commonNames: parsed.subjectName.getField('CN'),
    organizationalUnits: parsed.subjectName.getField('OU'),
    dnsNames: names('dns'),
    emails: names('email'),
    uris: names('url'),
    isCa: constraints?.ca ?? false,
    pathLength: constraints?.pathLength,
    extendedKeyUsages: usages?.usages.map(String),
    extensions: parsed.extensions.map(({ type, critical, value }) => ({
      oid: type,
      critical,
      value: new Uint8Array(value),
    })),
  }
}

/** Every certificate of a text of PEM blocks, in their order; throws when one cannot be read. */
export async function readPem(pem: string): Promise<Certificate[]> {
  const x509 = await parser()
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => read(new X509Certificate(block).raw, x509))
}

/** The serial numbers a revocation list names, as decimals. Throws when it cannot be read. */
export async function revokedSerials(crl: string): Promise<string[]> {
  const x509 = await parser()
  const list = new x509.X509Crl(crl.trim())
  return list.entries.map(({ serialNumber }) => decimalSerial(serialNumber))
}

type Kind<T> = { readonly name: string } & (new (...args: never[]) => T)

/** An extension that decides must be understood when it is there. */
function extensionOf<T extends X509.Extension>(
  parsed: X509.X509Certificate,
  kind: Kind<T>,
  oid: string,
): T | undefined {
  const found = parsed.extensions.filter(({ type }) => type === oid)
  if (found.length === 0) return undefined
  const [only, second] = found
  if (second || !(only instanceof kind)) throw new Error(`certificate: cannot read ${kind.name}`)
  return only
}

/** Names of kinds that cannot be read name nobody: then there are none, and what asks for one fails. */
function alternativeNames(parsed: X509.X509Certificate, x509: Parser): (kind: string) => string[] {
  let items: readonly { type: string; value: string }[] = []
  try {
    const found = extensionOf(parsed, x509.SubjectAlternativeNameExtension, OID.subjectAltName)
    items = found?.names.items ?? []
  } catch {
    items = []
  }
  return (kind) => items.filter(({ type }) => type === kind).map(({ value }) => value)
}

const decimalSerial = (hex: string) => String(BigInt(`0x${hex}`))

const withColons = (hex = '') => (hex.match(/../g) ?? []).join(':').toLowerCase()
