/** How a MySQL or MariaDB server is reached: Go's DSN, `user:password@tcp(host:port)/database?tls=…`. */
import type { SslOptions } from 'mysql2'
import { Failure } from '../../../kit/kit.ts'
import { type Address, addressOf, checkedHost, flagOf, type Opening, textOf } from '../target.ts'
import { givenTls } from './tls.ts'

export type MysqlAddress = {
  readonly at: Address | { readonly socketPath: string }
  readonly database: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly tls: SslOptions | undefined
  /** What the certificate must be for, where that is not the host of the address. */
  readonly serverName: string | undefined
  /** A server without TLS is asked without. */
  readonly plainToo: boolean
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
  const at =
    net === 'unix'
      ? where !== '' && { socketPath: checkedHost(where) }
      : addressOf(where || '127.0.0.1', PORT)
  if (!found || !at) {
    throw new Failure('bad_request', 'connection_url must be user:password@tcp(host:port)/database')
  }
  return {
    at,
    database,
    username: inline(username),
    password: inline(password),
    ...tlsOf(new URLSearchParams(query).get('tls') ?? '', details, net === 'unix'),
  }
}

const inline = (text: string | undefined) => (text && !/^\{\{.*\}\}$/.test(text) ? text : undefined)

/** The words of Go's driver; a name of its own for a configuration means `true`, once one is given. */
function tlsOf(mode: string, details: Opening['details'], local: boolean) {
  const { serverName, ...own } = givenTls(details)
  const told = own.ca !== undefined || own.cert !== undefined
  if (!told && !['', 'true', 'false', 'skip-verify', 'preferred'].includes(mode.toLowerCase())) {
    throw new Failure(
      'bad_request',
      'tls in connection_url must be true, false, skip-verify or preferred',
    )
  }
  const word = mode.toLowerCase()
  const skips = word === 'skip-verify' || flagOf(details, 'tls_skip_verify')
  const plain = { tls: undefined, serverName: undefined, plainToo: false }
  if (!told && (word === 'false' || (word === '' && !skips))) return plain
  const preferred = !told && word === 'preferred'
  const verify = !skips && !preferred
  return {
    // The name is looked at only when it is asked for; a socket of this machine has none.
    tls: { ...own, rejectUnauthorized: verify, verifyIdentity: verify && !local },
    serverName,
    plainToo: preferred,
  }
}
