/** MongoDB. Its statements are JSON documents: a database, and the roles that a user has there. */
import type { Db, Document, MongoClient, MongoClientOptions } from 'mongodb'
import { Failure } from '../../../kit/kit.ts'
import { StatementError } from '../statements.ts'
import {
  type Address,
  checkedHost,
  CONNECT_MS,
  flagOf,
  IDLE_MS,
  type Login,
  numberOf,
  type Opening,
  probing,
  STATEMENT_MS,
  type Target,
  TargetError,
  textOf,
  withoutValues,
} from '../target.ts'
import { givenTls, identityOf, unreachable } from './tls.ts'

export type MongoTarget = Target & {
  /** A command in a database, as the root user. */
  command(db: string, command: Document): Promise<Document>
}

type Place = { db: string; roles?: unknown[] }

const USER_NOT_FOUND = 11

export async function openMongo(opening: Opening): Promise<MongoTarget> {
  const { details } = opening
  const url = urlOf(details)
  const { MongoClient: Client } = await import('mongodb')
  const label = `mongodb (${url.hosts})`
  const told = (error: unknown, ...secrets: (string | undefined)[]) =>
    targetError(error, label, [opening.login.password, url.password, ...secrets])
  const given = givenTls(details)
  const { serverName: _, ...own } = given
  const options: MongoClientOptions = {
    appName: 'coffer',
    maxPoolSize: numberOf(details, 'max_open_connections', 4),
    maxIdleTimeMS: IDLE_MS,
    serverSelectionTimeoutMS: CONNECT_MS,
    connectTimeoutMS: CONNECT_MS,
    socketTimeoutMS: STATEMENT_MS,
    ...((own.ca ?? own.cert) !== undefined && { ...own, tls: true }),
    ...identityOf(given),
    ...(flagOf(details, 'tls_insecure') && { tlsInsecure: true }),
  }
  const clientFor = (as: Login, address?: Address): MongoClient => {
    const hosts = address ? `${address.host}:${address.port}` : url.hosts
    const auth = as.username === '' ? undefined : { username: as.username, password: as.password }
    return new Client(`${url.scheme}${hosts}${url.rest}`, { ...options, ...(auth && { auth }) })
  }
  const login = {
    username: url.username ?? opening.login.username,
    password: url.password ?? opening.login.password,
  }
  let client: MongoClient | undefined

  async function using<T>(work: (db: (name: string) => Db) => Promise<T>, ...secrets: string[]) {
    try {
      client ??= clientFor(login)
      await client.connect()
      return await work((name) => client!.db(name))
    } catch (error) {
      throw told(error, ...secrets)
    }
  }

  return {
    label,
    command: (db, command) => using((named) => named(db).command(command)),
    async check() {
      await using((db) => db('admin').command({ ping: 1 }))
    },
    async create({ username, password = '', statements }) {
      const { db, roles = [] } = placeOf(statements, true)
      await using(
        (named) => named(db).command({ createUser: username, pwd: password, roles }),
        password,
      )
    },
    // Users of MongoDB have no end of their own.
    renew: () => Promise.resolve(),
    async drop({ username, statements }) {
      const { db } = placeOf(statements, false)
      await using(async (named) => {
        try {
          await named(db).command({ dropUser: username })
        } catch (error) {
          if ((error as { code?: unknown }).code !== USER_NOT_FOUND) throw error
        }
      })
    },
    async setPassword({ username, password }) {
      await using(
        (named) => named('admin').command({ updateUser: username, pwd: password }),
        password,
      )
    },
    probe: (as, address) =>
      probing(async () => {
        const own = clientFor(as, address)
        try {
          await own.connect()
          await own.db('admin').command({ ping: 1 })
        } catch (error) {
          throw told(error, as.password)
        } finally {
          await own.close().catch(() => {})
        }
      }),
    async close() {
      await client?.close()
      client = undefined
    },
  }
}

/** The roles of a creation statement, in its database; `admin` unless it says another. */
export function placeOf(statements: readonly string[], creating: boolean): Place {
  const text = statements[0] ?? ''
  if (text === '') {
    if (creating) throw new StatementError('creation statements of MongoDB are a JSON document')
    return { db: 'admin' }
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new StatementError('statements of MongoDB are a JSON document')
  }
  const { db = 'admin', roles } = parsed as { db?: unknown; roles?: unknown }
  if (typeof db !== 'string' || db === '' || (roles !== undefined && !Array.isArray(roles))) {
    throw new StatementError('a statement of MongoDB has a "db" and a list of "roles"')
  }
  if (creating && (roles === undefined || roles.length === 0)) {
    throw new StatementError('roles array is required in creation statement')
  }
  return { db, ...(roles && { roles: roles.map(roleOf) }) }
}

/** A role without a database is meant where it stands, and is written as its name alone. */
function roleOf(role: unknown): unknown {
  if (typeof role === 'string') return role
  const { role: name, db } = role as { role?: unknown; db?: unknown }
  return db === undefined || db === '' ? name : { role: name, db }
}

type MongoUrl = { scheme: string; hosts: string; rest: string } & Partial<Login>

/** The URL without its user; the hosts apart, because there may be several. */
function urlOf(details: Opening['details']): MongoUrl {
  const text = textOf(details, 'connection_url')
  const found = /^(mongodb(?:\+srv)?:\/\/)(?:(.*)@)?([^/?@]+)(\/[^?]*)?(\?.*)?$/s.exec(text)
  if (!found) throw new Failure('bad_request', 'connection_url must be a mongodb:// URL')
  const [, scheme = '', user = '', hosts = '', path = '/', query = ''] = found
  const [, username, password] = /^([^:]*):(.*)$/s.exec(user) ?? []
  const inline = username !== undefined && password !== undefined && !username.startsWith('{{')
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part)
    } catch {
      throw new Failure(
        'bad_request',
        'user and password in connection_url must be percent-encoded',
      )
    }
  }
  return {
    scheme,
    hosts: checkedHost(hosts),
    rest: path + query,
    ...(inline && { username: decoded(username), password: decoded(password) }),
  }
}

function targetError(error: unknown, label: string, secrets: (string | undefined)[]): Error {
  if (error instanceof TargetError || error instanceof StatementError) return error
  const {
    name = '',
    code,
    codeName,
    message = '',
  } = error as {
    name?: string
    code?: unknown
    codeName?: unknown
    message?: string
  }
  if (name === 'MongoServerError' && typeof code === 'number') {
    const what = typeof codeName === 'string' ? codeName : withoutValues(message, secrets)
    return new TargetError(`${label}: ${what} (code ${code})`, 'refused', String(code))
  }
  return unreachable(label, error, name)
}
