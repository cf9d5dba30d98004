/** Certificates for -dev-tls: an authority made for this start, and a server certificate from it. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
// First: x509 does not load without it.
import '../crypto/reflect-metadata.ts'
import * as x509 from '@peculiar/x509'

export type DevCertificate = {
  folder: string
  caFile: string
  certFile: string
  keyFile: string
  /** Made in the temporary folder: remove it at the end. */
  temporary: boolean
}

const DAY_MS = 24 * 60 * 60 * 1000
const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** Writes vault-ca.pem, vault-cert.pem and vault-key.pem, as Vault names them. */
export async function devCertificate(
  folder: string | undefined,
  host: string,
): Promise<DevCertificate> {
  x509.cryptoProvider.set(globalThis.crypto)
  const at = folder ? resolve(folder) : mkdtempSync(join(tmpdir(), 'coffer-tls-'))
  mkdirSync(at, { recursive: true, mode: 0o700 })
  const notBefore = new Date(Date.now() - DAY_MS)
  const notAfter = new Date(Date.now() + 30 * DAY_MS)
  const caKeys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=coffer dev CA',
    keys: caKeys,
    notBefore,
    notAfter,
    signingAlgorithm: CURVE,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  })
  const keys = await crypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const cert = await x509.X509CertificateGenerator.create({
    subject: 'CN=localhost',
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    notBefore,
    notAfter,
    signingAlgorithm: CURVE,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(namesOf(host)),
    ],
  })
  const files = {
    caFile: join(at, 'vault-ca.pem'),
    certFile: join(at, 'vault-cert.pem'),
    keyFile: join(at, 'vault-key.pem'),
  }
  writeFileSync(files.caFile, `${ca.toString('pem')}\n`)
  writeFileSync(files.certFile, `${cert.toString('pem')}\n`)
  writeFileSync(files.keyFile, await keyPem(keys.privateKey), { mode: 0o600 })
  return { folder: at, ...files, temporary: folder === undefined }
}

async function keyPem(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/(.{64})/g, '$1\n').trim()}\n-----END PRIVATE KEY-----\n`
}

/** This machine as clients may name it. */
function namesOf(host: string): { type: 'dns' | 'ip'; value: string }[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  const ips = new Set(['127.0.0.1', '::1', ...addresses.map(({ address }) => address)])
  const isIp = /^[\d.]+$|:/.test(host)
  return [
    { type: 'dns', value: 'localhost' },
    ...(isIp ? [] : [{ type: 'dns' as const, value: host }]),
    ...[...ips].filter((ip) => !ip.includes('%')).map((value) => ({ type: 'ip' as const, value })),
  ]
}
