/**
 * TLS to a database: whom to trust, what to show, and what went wrong, in words that say what to set.
 * What cannot be read is refused when a target is opened: a driver would throw it later, where nobody
 * waits for it.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions, createSecureContext } from 'node:tls'
import { Failure } from '../../../kit/kit.ts'
import { type Opening, TargetError, textOf } from '../target.ts'

export type GivenTls = {
  /** PEM; without it, what the system trusts. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** What the certificate must be for, where that is not the host of the address. */
  readonly serverName?: string
}

/** Throws a Failure that quotes nothing. */
export function givenTls(details: Opening['details']): GivenTls {
  const text = (name: string) => textOf(details, name).trim()
  const caName = text('ca_cert') === '' ? 'tls_ca' : 'ca_cert'
  const ca = text(caName)
  if (ca !== '') checkCertificates(ca, caName)
  const both = text('tls_certificate_key')
  const cert = text('tls_certificate') || both
  const key = text('private_key') || both
  if (cert !== '' || key !== '') checkPair(cert, key)
  const serverName = text('tls_server_name')
  return {
    ...(ca !== '' && { ca }),
    ...(cert !== '' && { cert, key }),
    ...(serverName !== '' && { serverName }),
  }
}

type Identity = {
  servername?: string
  checkServerIdentity?: NonNullable<ConnectionOptions['checkServerIdentity']>
}

/** The name that is checked instead of the host's; an address is none that may be asked for. */
export function identityOf({ serverName }: GivenTls): Identity {
  if (serverName === undefined) return {}
  return {
    ...(isIP(serverName) === 0 && { servername: serverName }),
    checkServerIdentity: (_, shown) => checkServerIdentity(serverName, shown),
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** An authority that Node cannot read is left out without a word, and then nobody is trusted. */
function checkCertificates(pem: string, name: string): void {
  try {
    const read = (pem.match(CERTIFICATE) ?? []).map((one) => new X509Certificate(one))
    if (read.length > 0) return
  } catch {
    // It is no certificate inside.
  }
  throw new Failure('bad_request', `${name} must be the PEM of one or more certificates`)
}

function checkPair(cert: string, key: string): void {
  if (cert === '') throw new Failure('bad_request', 'private_key needs tls_certificate beside it')
  if (key === '') throw new Failure('bad_request', 'tls_certificate needs private_key beside it')
  try {
    createSecureContext({ cert, key })
  } catch {
    throw new Failure(
      'bad_request',
      'the certificate to show and its key must be PEM, without a passphrase, and belong together',
    )
  }
}

const UNTRUSTED =
  'the authority of its certificate is not trusted: set tls_ca (Redis: ca_cert) to the PEM of that ' +
  'authority'
const WANTS_OURS =
  'it wants a certificate of ours that it trusts: set tls_certificate and private_key, or on MySQL ' +
  'tls_certificate_key'

/** By code, or by text where a driver has put a code of its own over it. */
const TROUBLES: readonly [codes: RegExp, text: RegExp, words: string][] = [
  [
    /^CERT_HAS_EXPIRED$/,
    /certificate has expired/,
    'its certificate, or that of its authority, has expired: the server needs a new one',
  ],
  [
    /^CERT_NOT_YET_VALID$/,
    /certificate is not yet valid/,
    'its certificate is not valid yet: look at the clocks',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_(?:INVALID|FORMAT)$/,
    /does not match certificate/,
    'its certificate is for another host: use a host that stands in it, or set tls_server_name',
  ],
  [
    /^(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_|CERT_SIGNATURE_|INVALID_CA)/,
    /self[- ]signed|unable to (?:get|verify)|certificate signature|invalid CA/i,
    UNTRUSTED,
  ],
  [
    /ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|UNKNOWN_CA|BAD_CERTIFICATE)/,
    /alert (?:certificate required|handshake failure|unknown ca|bad certificate)/,
    WANTS_OURS,
  ],
  [
    /^(?:HANDSHAKE_NO_SSL_SUPPORT|ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG))$/,
    /not support (?:SSL|secure)|wrong version number|packet length too long/,
    'it speaks no TLS there: turn TLS on in the server, or use another port',
  ],
  // Redis waits for the end of a line that a greeting of TLS does not have.
  [
    /^$/,
    /^Connection timeout$/,
    'it did not answer in time: look whether it speaks TLS there, and is asked for it',
  ],
]

/** What a driver says when no answer of the database itself came. */
export function unreachable(label: string, error: unknown, code = codeOf(error)): TargetError {
  const { message = '' } = error as { message?: string }
  const trouble = TROUBLES.find(([codes, text]) => codes.test(code) || text.test(message))?.[2]
  const text = `${label} could not be reached${code && ` (${code})`}${trouble ? `: ${trouble}` : ''}`
  return new TargetError(text, 'unreachable')
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
