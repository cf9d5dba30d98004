/** How a PostgreSQL server is reached: a URL or `key=value` pairs, as libpq has them. */
import type { ConnectionOptions } from 'node:tls'
import { Failure } from '../../../kit/kit.ts'
import { checkedHost, type Opening, portOf, textOf } from '../target.ts'
import { givenTls, identityOf } from './tls.ts'

export type PostgresAddress = {
  readonly host: string
  readonly port: number
  readonly database: string
  /** Inline in the URL, where it is no template. */
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: ConnectionOptions | false
  /** A server without TLS is asked without. */
  readonly plainToo: boolean
}

const PORT = 5432

const wrong = () =>
  new Failure('bad_request', 'connection_url must be a postgresql:// URL or key=value pairs')

/** Throws a Failure that never quotes the URL. */
export function postgresAddress(details: Opening['details']): PostgresAddress {
  const text = textOf(details, 'connection_url')
  if (text === '') throw new Failure('bad_request', 'connection_url cannot be empty')
  const parts = /^postgres(?:ql)?:\/\//.test(text) ? fromUrl(text) : fromPairs(text)
  const { host, port, dbname, user, password, sslmode = 'prefer' } = parts
  checkFiles(parts)
  // What ends a text in the protocol would begin a setting that nobody has written.
  if (`${dbname}${user}`.includes('\0')) throw wrong()
  const local = host?.startsWith('/') === true
  const tls = tlsOf(sslmode, details)
  return {
    host: checkedHost(host || '127.0.0.1'),
    port: portOf(port, PORT),
    database: dbname || 'postgres',
    username: inline(user),
    password: inline(password),
    // As libpq: a socket of this machine has no TLS, whatever the mode.
    tls: local ? false : tls,
    plainToo:
      tls !== false && tls.rejectUnauthorized !== true && /^(?:allow|prefer)$/.test(sslmode),
  }
}

/** A template is filled from the fields beside the URL. */
const inline = (text: string | undefined) => (text && !/^\{\{.*\}\}$/.test(text) ? text : undefined)

type Parts = Record<string, string | undefined>

function fromUrl(text: string): Parts {
  // A template's braces may not stand in a URL.
  const url = URL.parse(text.replaceAll('{{', '%7B%7B').replaceAll('}}', '%7D%7D'))
  if (!url) throw wrong()
  try {
    return {
      ...Object.fromEntries(url.searchParams),
      ...(url.hostname && { host: decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '') }),
      ...(url.port && { port: url.port }),
      ...(url.username && { user: decodeURIComponent(url.username) }),
      ...(url.password && { password: decodeURIComponent(url.password) }),
      ...(url.pathname.length > 1 && { dbname: decodeURIComponent(url.pathname.slice(1)) }),
    }
  } catch {
    throw wrong()
  }
}

function fromPairs(text: string): Parts {
  const parts: Parts = {}
  const pair = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s']*))\s*/y
  while (pair.lastIndex < text.length) {
    const [, name, quoted, plain] = pair.exec(text) ?? []
    if (name === undefined) throw wrong()
    parts[name] = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''
  }
  return parts
}

/** Paths to files of a client, which mean nothing here: what they would protect must not be believed. */
function checkFiles({ sslrootcert = 'system', sslcert, sslkey, sslcrl }: Parts): void {
  if (sslrootcert === 'system' && !sslcert && !sslkey && !sslcrl) return
  throw new Failure(
    'bad_request',
    'connection_url must have no sslrootcert, sslcert, sslkey or sslcrl: give PEM as tls_ca, ' +
      'tls_certificate and private_key',
  )
}

function tlsOf(mode: string, details: Opening['details']): PostgresAddress['tls'] {
  const given = givenTls(details)
  const { serverName: _, ...own } = given
  const trusted = own.ca !== undefined
  const anyName = { checkServerIdentity: () => undefined }
  const rightName = identityOf(given)
  switch (mode) {
    case 'disable':
      return false
    case 'allow':
    case 'prefer':
      return { ...own, ...rightName, rejectUnauthorized: trusted }
    case 'require':
      // As libpq: with an authority to check against, it is checked.
      return { ...own, ...anyName, rejectUnauthorized: trusted }
    case 'verify-ca':
      return { ...own, ...anyName, rejectUnauthorized: true }
    case 'verify-full':
      return { ...own, ...rightName, rejectUnauthorized: true }
    default:
      throw new Failure(
        'bad_request',
        'sslmode must be disable, prefer, require, verify-ca or verify-full',
      )
  }
}
