/** How a PostgreSQL server is reached: a URL or `key=value` pairs, as libpq has them. */
import type { ConnectionOptions } from 'node:tls'
import { Failure } from '../../../kit/kit.ts'
import { type Opening, textOf } from '../target.ts'

export type PostgresAddress = {
  readonly host: string
  readonly port: number
  readonly database: string
  /** Inline in the URL, where it is no template. */
  readonly username: string | undefined
  readonly password: string | undefined
  /** `prefer` = TLS where the server has it. */
  readonly tls: ConnectionOptions | 'prefer' | false
}

const PORT = 5432

const wrong = () =>
  new Failure('bad_request', 'connection_url must be a postgresql:// URL or key=value pairs')

/** Throws a Failure that never quotes the URL. */
export function postgresAddress(details: Opening['details']): PostgresAddress {
  const text = textOf(details, 'connection_url')
  if (text === '') throw new Failure('bad_request', 'connection_url cannot be empty')
  const parts = /^postgres(?:ql)?:\/\//.test(text) ? fromUrl(text) : fromPairs(text)
  const { host, port, dbname, user, password, sslmode } = parts
  return {
    host: host || '127.0.0.1',
    port: port ? Number(port) : PORT,
    database: dbname || 'postgres',
    username: inline(user),
    password: inline(password),
    tls: tlsOf(sslmode ?? 'prefer', details),
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

function tlsOf(mode: string, details: Opening['details']): PostgresAddress['tls'] {
  const ca = textOf(details, 'tls_ca')
  const own = {
    ...(ca !== '' && { ca }),
    ...(textOf(details, 'tls_certificate') !== '' && { cert: textOf(details, 'tls_certificate') }),
    ...(textOf(details, 'private_key') !== '' && { key: textOf(details, 'private_key') }),
  }
  switch (mode) {
    case 'disable':
      return false
    case 'allow':
    case 'prefer':
      return ca === '' ? 'prefer' : { ...own, rejectUnauthorized: true }
    case 'require':
      // As libpq: with an authority to check against, it is checked.
      return { ...own, rejectUnauthorized: ca !== '', checkServerIdentity: () => undefined }
    case 'verify-ca':
      return { ...own, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case 'verify-full':
      return { ...own, rejectUnauthorized: true }
    default:
      throw new Failure(
        'bad_request',
        'sslmode must be disable, prefer, require, verify-ca or verify-full',
      )
  }
}
