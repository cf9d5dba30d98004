/** How a MySQL or MariaDB server is reached: Go's DSN, `user:password@tcp(host:port)/database?tls=…`. */
import type { SslOptions } from 'mysql2'
import { Failure } from '../../../kit/kit.ts'
import { type Address, addressOf, type Opening, textOf } from '../target.ts'

export type MysqlAddress = {
  readonly at: Address | { readonly socketPath: string }
  readonly database: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: SslOptions | undefined
}

const PORT = 3306
// The password may hold anything; the last @ before the address ends it.
const DSN = /^(?:([^:@]*)(?::(.*))?@)?(?:(tcp|unix)?\(([^()]*)\))?\/([^/?]*)(?:\?(.*))?$/s

/** Throws a Failure that never quotes the DSN. */
export function mysqlAddress(details: Opening['details']): MysqlAddress {
  const text = textOf(details, 'connection_url')
  if (text === '') throw new Failure('bad_request', 'connection_url cannot be empty')
  const found = DSN.exec(text)
  const [, username, password, net = 'tcp', where = '', database = '', query = ''] = found ?? []
  const at = net === 'unix' ? { socketPath: where } : addressOf(where || '127.0.0.1', PORT)
  if (!found || !at) {
    throw new Failure('bad_request', 'connection_url must be user:password@tcp(host:port)/database')
  }
  return {
    at,
    database,
    username: inline(username),
    password: inline(password),
    tls: tlsOf(new URLSearchParams(query).get('tls') ?? '', details),
  }
}

const inline = (text: string | undefined) => (text && !/^\{\{.*\}\}$/.test(text) ? text : undefined)

function tlsOf(mode: string, details: Opening['details']): SslOptions | undefined {
  const ca = textOf(details, 'tls_ca')
  const own = textOf(details, 'tls_certificate_key')
  if (ca === '' && own === '' && ['', 'false', 'preferred'].includes(mode)) return undefined
  return {
    ...(ca !== '' && { ca }),
    ...(own !== '' && { cert: own, key: own }),
    ...(textOf(details, 'tls_server_name') !== '' && {
      servername: textOf(details, 'tls_server_name'),
    }),
    rejectUnauthorized: mode !== 'skip-verify' && details['tls_skip_verify'] !== true,
  }
}
