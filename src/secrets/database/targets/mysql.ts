/**
 * MySQL and MariaDB. Which of the two it is, the server tells: they share users and statements, and
 * differ in how one user can have two passwords.
 */
import { connect, isIP, type Socket } from 'node:net'
import type { Connection, Pool, ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import { Failure } from '../../../kit/kit.ts'
import { isTellable, MYSQL, StatementError, statementsOf } from '../statements.ts'
import {
  type Address,
  CONNECT_MS,
  type Login,
  numberOf,
  type Opening,
  probing,
  STATEMENT_MS,
  type Target,
  TargetError,
  type User,
  withoutValues,
} from '../target.ts'
import { type MysqlAddress, mysqlAddress } from './mysql-dsn.ts'
import { timestamp } from './postgres.ts'
import { unreachable } from './tls.ts'

export type Rows = Record<string, unknown>[]
export type Query = (text: string, values?: readonly unknown[]) => Promise<Rows>

export type MysqlTarget = Target & {
  /** As the root user; values are put in by the driver, each in quotes. */
  query: Query
  asUser<T>(login: Login, work: (query: Query) => Promise<T>, address?: Address): Promise<T>
  isMariadb(): Promise<boolean>
}

const REVOKE = [
  `REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{{name}}'@'%'`,
  `DROP USER IF EXISTS '{{name}}'@'%'`,
]
const NAME_CHARS_MAX = 80

function checkedName(name: string): string {
  // The server drops spaces at the end, and makes `?` of what has four bytes: it would mean another
  // user then, without a word.
  const changed = name.endsWith(' ') || /[\u{10000}-\u{10ffff}]/u.test(name)
  if (name === '' || !isTellable(name) || changed || name.length > NAME_CHARS_MAX) {
    throw new StatementError(
      `a name has 1 to ${NAME_CHARS_MAX} characters of the basic plane, and no space at its end`,
    )
  }
  return name
}

export async function openMysql(opening: Opening): Promise<MysqlTarget> {
  const dsn = mysqlAddress(opening.details)
  const mysql = await import('mysql2/promise')
  const login = {
    username: dsn.username ?? opening.login.username,
    password: dsn.password ?? opening.login.password,
  }
  const label = `mysql (${'host' in dsn.at ? `${dsn.at.host}:${dsn.at.port}` : dsn.at.socketPath})`
  let plain = dsn.tls === undefined
  const told = (error: unknown, ...secrets: (string | undefined)[]) =>
    targetError(error, { label, plain }, [login.password, opening.login.password, ...secrets])
  const optionsFor = (as: Login, address?: Address) => ({
    ...(address ?? dsn.at),
    ...(!plain && dsn.tls && secured(address ?? dsn.at, dsn)),
    user: as.username,
    password: as.password,
    ...(dsn.database !== '' && { database: dsn.database }),
    connectTimeout: CONNECT_MS,
    connectAttributes: { program_name: 'coffer' },
    // A server that is not ours must not be able to ask for a file of this machine.
    flags: ['-LOCAL_FILES'],
  })
  let pool: Pool | undefined
  let mariadb: Promise<boolean> | undefined

  function newPool(): Pool {
    const made = mysql.createPool({
      ...optionsFor(login),
      // Fewer idle ones than connections would have the driver look for them by a timer without end.
      connectionLimit: numberOf(opening.details, 'max_open_connections', 4),
    })
    // A statement that a cut network brings much later must find its session closed: by then another
    // one may have changed the same user.
    made.pool.on('connection', (connection) => {
      connection.query(`SET SESSION wait_timeout = ${STATEMENT_MS / 1000}`, () => {})
    })
    return made
  }

  async function pooled() {
    pool ??= newPool()
    try {
      return await pool.getConnection()
    } catch (error) {
      if (!wantsPlain(error)) throw error
      plain = true
      await pool.end()
      pool = newPool()
      return pool.getConnection()
    }
  }
  const wantsPlain = (error: unknown) =>
    dsn.plainToo && !plain && (error as { code?: unknown }).code === 'HANDSHAKE_NO_SSL_SUPPORT'

  async function using<T>(
    work: (query: Query) => Promise<T>,
    secrets: (string | undefined)[] = [],
  ) {
    let connection
    try {
      connection = await pooled()
      return await work(queryOf(connection))
    } catch (error) {
      // After trouble its state is unknown.
      connection?.destroy()
      connection = undefined
      throw told(error, ...secrets)
    } finally {
      connection?.release()
    }
  }

  async function asUser<T>(as: Login, work: (query: Query) => Promise<T>, address?: Address) {
    let connection: Connection | undefined
    try {
      connection = await mysql.createConnection(optionsFor(as, address)).catch((error: unknown) => {
        if (!wantsPlain(error)) throw error
        plain = true
        return mysql.createConnection(optionsFor(as, address))
      })
      connection.on('error', () => {})
      return await work(queryOf(connection))
    } catch (error) {
      throw told(error, as.password)
    } finally {
      connection?.destroy()
    }
  }

  const run = async (query: Query, texts: readonly string[], user: Partial<User>) => {
    const { username = '', password, publicKey, subject, expiresAt } = user
    const values = {
      name: checkedName(username),
      username,
      ...(password !== undefined && { password }),
      ...(publicKey !== undefined && { public_key: publicKey }),
      ...(subject !== undefined && { subject }),
      ...(expiresAt !== undefined && { expiration: timestamp(expiresAt) }),
    }
    for (const statement of statementsOf(texts, values, MYSQL)) await query(statement)
  }

  return {
    label,
    query: (text, values) => using((query) => query(text, values)),
    asUser,
    isMariadb() {
      mariadb ??= using(async (query) => {
        const [row] = await query('SELECT VERSION() AS version')
        return /mariadb/i.test(String(row?.['version']))
      })
      mariadb.catch(() => (mariadb = undefined))
      return mariadb
    },
    async check() {
      await using((query) => query('SELECT 1'))
    },
    create: (user) => using((query) => run(query, user.statements, user), [user.password]),
    async renew(user) {
      // Accounts of MySQL have no end; only what an operator wrote is run.
      if (user.statements.length > 0) await using((query) => run(query, user.statements, user))
    },
    drop: ({ username, statements }) =>
      using(async (query) => {
        if (statements.length > 0) return run(query, statements, { username })
        const [there] = await query(`SELECT 1 FROM mysql.user WHERE user = ? AND host = '%'`, [
          username,
        ])
        if (there) await run(query, REVOKE, { username })
      }),
    setPassword: ({ username, password }, statements) =>
      using(
        async (query) => {
          if (statements.length > 0) return run(query, statements, { username, password })
          for (const host of await hostsOf(query, checkedName(username))) {
            await query('ALTER USER ?@? IDENTIFIED BY ?', [username, host, password])
          }
        },
        [password],
      ),
    probe: (as, address) =>
      probing(async () => {
        await asUser(as, (query) => query('SELECT 1'), address)
      }),
    async close() {
      await pool?.end()
      pool = undefined
    },
  }
}

/** Where a user may come from: each is an account of its own. */
export async function hostsOf(query: Query, username: string): Promise<string[]> {
  const rows = await query('SELECT host FROM mysql.user WHERE user = ? ORDER BY host', [username])
  if (rows.length === 0) throw new TargetError('there is no such user', 'refused', '1396')
  return rows.map((row) => String(row['host'] ?? row['Host']))
}

/**
 * The driver checks the name it connects to, so it is told the name the certificate must be for, and
 * handed a socket to where the server is. For an address it names nothing, and Node would look for
 * `localhost` then: unless the socket says where it goes.
 */
function secured(at: MysqlAddress['at'], { tls, serverName }: MysqlAddress) {
  if ('socketPath' in at) return { ssl: { ...tls } }
  const host = serverName ?? at.host
  const stream = (): Socket => {
    const socket = connect({ host: at.host, port: at.port, keepAlive: true, noDelay: true })
    return isIP(host) ? Object.assign(socket, { _host: host }) : socket
  }
  return { ssl: { ...tls }, host, stream }
}

const queryOf =
  (connection: Pick<Connection, 'query'>): Query =>
  async (text, values) => {
    const [rows] = await connection.query<RowDataPacket[] | ResultSetHeader>(
      { sql: text, timeout: STATEMENT_MS },
      values as unknown[],
    )
    return Array.isArray(rows) ? rows : []
  }

/** A syntax error quotes the statement at the place, so its text is left out. */
const SYNTAX = 1064
/** Shutdown, too many connections, gone away, lost. */
const AWAY = new Set([1040, 1053, 1152, 2006, 2013])

/** MySQL says that TLS is missing, MariaDB that the password is wrong. */
const WANTS_TLS = new Set([1045, 3159])
const hintFor = (errno: number, plain: boolean) =>
  plain && WANTS_TLS.has(errno)
    ? ': this was without TLS; where the server demands it, set tls_ca, or tls=true in connection_url'
    : ''

function targetError(
  error: unknown,
  { label, plain }: { label: string; plain: boolean },
  secrets: (string | undefined)[],
): Error {
  if (error instanceof TargetError || error instanceof StatementError) return error
  if (error instanceof Failure) return error
  const known = error as { code?: string; errno?: number; sqlMessage?: string }
  if (known.sqlMessage === undefined || known.errno === undefined) {
    return unreachable(label, error)
  }
  const words = known.errno === SYNTAX ? 'a syntax error in a statement' : known.sqlMessage
  const text = `${label}: ${withoutValues(words, secrets)} (error ${known.errno})${hintFor(known.errno, plain)}`
  const outcome = AWAY.has(known.errno) ? 'unreachable' : 'refused'
  return new TargetError(text, outcome, String(known.errno))
}
