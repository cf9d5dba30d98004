/**
 * The files a TLS listener reads, each looked at before a handshake needs it: what is wrong is said
 * by the name of the key of the configuration, at the start and when they are read again.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type TlsConfig } from './config-listener.ts'

export type TlsFiles = Pick<TlsConfig, 'certFile' | 'keyFile'> &
  Partial<Pick<TlsConfig, 'clientCaFile'>>

/** A listener cannot serve with the files it was given. The message is for the operator. */
export class TlsUnusable extends Error {
  override readonly name = 'TlsUnusable'
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a folder',
}

/** Throws `TlsUnusable`; what a file holds is in no message. */
export function readTlsFiles(files: TlsFiles): { cert: Buffer; key: Buffer; ca?: Buffer } {
  const cert = read('tls_cert_file', files.certFile)
  const key = read('tls_key_file', files.keyFile)
  const first = certificate('tls_cert_file', files.certFile, cert)
  if (!first.checkPrivateKey(privateKey(files.keyFile, key))) {
    throw new TlsUnusable(`tls_key_file ${files.keyFile} is not the key of ${files.certFile}`)
  }
  if (files.clientCaFile === undefined) return { cert, key }
  const ca = read('tls_client_ca_file', files.clientCaFile)
  certificate('tls_client_ca_file', files.clientCaFile, ca)
  return { cert, key, ca }
}

function read(name: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw new TlsUnusable(`${name} ${path} cannot be read: ${REASONS[code] ?? code}`)
  }
}

/** The first of the file, which is the one that is shown; node's TLS takes PEM alone. */
function certificate(name: string, path: string, bytes: Buffer): X509Certificate {
  try {
    if (bytes.includes('-----BEGIN ')) return new X509Certificate(bytes)
  } catch {
    // Said below: the reason of the parser names no file.
  }
  throw new TlsUnusable(`${name} ${path} holds no certificate in PEM`)
}

function privateKey(path: string, bytes: Buffer) {
  try {
    return createPrivateKey(bytes)
  } catch {
    throw new TlsUnusable(
      `tls_key_file ${path} holds no private key in PEM, or one with a password`,
    )
  }
}
