/**
 * PostgreSQL. Passwords reach it as SCRAM verifiers only: with `log_statement` on, each statement
 * stands in the server's log. Every name the engine itself puts into a statement is quoted.
 */
import type { Client, Pool, PoolClient } from 'pg'
import { Failure } from '../../../kit/kit.ts'
import {
  isTellable,
  POSTGRES,
  quotedName,
  quotedText,
  StatementError,
  statementsOf,
} from '../statements.ts'
import {
  type Address,
  CONNECT_MS,
  IDLE_MS,
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
import { scramVerifier } from '../verifiers.ts'
import { type PostgresAddress, postgresAddress } from './postgres-url.ts'
import { unreachable } from './tls.ts'

export type Rows = Record<string, unknown>[]
export type Sql = (text: string, values?: readonly unknown[]) => Promise<Rows>

export type PostgresTarget = Target & {
  /** As the root user, on a connection of its own turn. */
  sql: Sql
  /** All of it or nothing. */
  inTransaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  /** As somebody else, for one question. */
  asUser<T>(login: Login, work: (sql: Sql) => Promise<T>, address?: Address): Promise<T>
  verifier(password: string): string
}

/** PostgreSQL cuts longer names without a word, and means another role then. */
const NAME_BYTES_MAX = 63

export function checkedName(name: string): string {
  if (name === '' || !isTellable(name) || Buffer.byteLength(name) > NAME_BYTES_MAX) {
    throw new StatementError(`a PostgreSQL name has 1 to ${NAME_BYTES_MAX} bytes, and no NUL`)
  }
  return name
}

export async function openPostgres(opening: Opening): Promise<PostgresTarget> {
  const at = postgresAddress(opening.details)
  const pg = (await import('pg')).default
  const login = {
    username: at.username ?? opening.login.username,
    password: at.password ?? opening.login.password,
  }
  const label = `postgresql (${at.host}:${at.port})`
  const told = (error: unknown, ...secrets: (string | undefined)[]) =>
    targetError(error, label, [login.password, opening.login.password, ...secrets])
  let plain = at.tls === false
  const optionsFor = (as: Login, address?: Address) => ({
    ...(address ?? { host: at.host, port: at.port }),
    user: as.username,
    password: as.password,
    database: at.database,
    // The driver changes what it is given: each has its own.
    ssl: plain || at.tls === false ? false : { ...at.tls },
    application_name: 'coffer',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
    statement_timeout: STATEMENT_MS,
    // A COMMIT that a cut network brings much later must find nothing to commit.
    idle_in_transaction_session_timeout: STATEMENT_MS,
    keepAlive: true,
  })
  let pool: Pool | undefined

  async function connected(): Promise<PoolClient> {
    pool ??= newPool()
    try {
      return await pool.connect()
    } catch (error) {
      if (!wantsPlain(error, at, plain)) throw told(error)
      plain = true
      await pool.end()
      pool = newPool()
      return pool.connect().catch((again: unknown) => Promise.reject(told(again)))
    }
  }
  function newPool(): Pool {
    const made = new pg.Pool({
      ...optionsFor(login),
      max: numberOf(opening.details, 'max_open_connections', 4),
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
    })
    // One that is cut is simply gone: whoever uses it is told by its question.
    made.on('error', () => {})
    made.on('connect', (client) => client.on('error', () => {}))
    return made
  }

  async function using<T>(work: (sql: Sql) => Promise<T>, secrets: (string | undefined)[] = []) {
    const client = await connected()
    let broken = true
    try {
      const result = await work(sqlOf(client))
      broken = false
      return result
    } catch (error) {
      throw told(error, ...secrets)
    } finally {
      client.release(broken)
    }
  }
  const inTransaction = <T>(work: (sql: Sql) => Promise<T>, secrets: (string | undefined)[] = []) =>
    using(async (sql) => {
      await sql('BEGIN')
      const result = await work(sql)
      await sql('COMMIT')
      return result
    }, secrets)

  async function asUser<T>(as: Login, work: (sql: Sql) => Promise<T>, address?: Address) {
    const attempt = async (): Promise<T> => {
      const client: Client = new pg.Client(optionsFor(as, address))
      client.on('error', () => {})
      try {
        await client.connect()
        return await work(sqlOf(client))
      } finally {
        await client.end().catch(() => {})
      }
    }
    try {
      return await attempt()
    } catch (error) {
      if (!wantsPlain(error, at, plain)) throw told(error, as.password)
      plain = true
      return await attempt().catch((again: unknown) => Promise.reject(told(again, as.password)))
    }
  }

  const verifier = (password: string) => scramVerifier(password, opening.random)
  const run = async (sql: Sql, texts: readonly string[], user: Partial<User>) => {
    const { username = '', password, publicKey, subject, expiresAt } = user
    const values = {
      name: checkedName(username),
      username,
      ...(password !== undefined && { password: verifier(password) }),
      ...(publicKey !== undefined && { public_key: publicKey }),
      ...(subject !== undefined && { subject }),
      ...(expiresAt !== undefined && { expiration: timestamp(expiresAt) }),
    }
    for (const statement of statementsOf(texts, values, POSTGRES)) await sql(statement)
  }

  return {
    label,
    sql: (text, values) => using((sql) => sql(text, values)),
    inTransaction,
    asUser,
    verifier,
    async check() {
      await using((sql) => sql('SELECT 1'))
    },
    create: (user) => inTransaction((sql) => run(sql, user.statements, user), [user.password]),
    renew(user) {
      const usual = [`ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'`]
      const texts = user.statements.length > 0 ? user.statements : usual
      return inTransaction((sql) => run(sql, texts, user))
    },
    drop: ({ username, statements }) =>
      statements.length > 0
        ? inTransaction((sql) => run(sql, statements, { username }))
        : inTransaction((sql) => dropRole(sql, checkedName(username))),
    setPassword({ username, password }, statements) {
      const usual = [`ALTER ROLE "{{name}}" WITH PASSWORD '{{password}}'`]
      const texts = statements.length > 0 ? statements : usual
      return inTransaction((sql) => run(sql, texts, { username, password }), [password])
    },
    probe: (as, address) =>
      probing(async () => {
        await asUser(as, (sql) => sql('SELECT 1'), address)
      }),
    async close() {
      await pool?.end()
      pool = undefined
    },
  }
}

const sqlOf =
  (client: Pick<Client, 'query'>): Sql =>
  async (text, values) =>
    (await client.query<Record<string, unknown>>(text, values as unknown[])).rows

/** `prefer`: a server without TLS is asked without. */
const wantsPlain = (error: unknown, at: PostgresAddress, plain: boolean) =>
  at.plainToo && !plain && /not support SSL/.test((error as Error).message)

/**
 * What it owns goes to the root user, since dropping a table is not meant; what it was granted is
 * taken back. In the one database that is configured: elsewhere its grants keep the role alive, and
 * the error says so.
 */
export async function dropRole(sql: Sql, username: string): Promise<void> {
  const [there] = await sql(
    `SELECT pg_has_role(current_user, oid, 'USAGE') AS member FROM pg_roles WHERE rolname = $1`,
    [username],
  )
  if (!there) return
  const name = quotedName(username)
  if (there['member'] !== true) await sql(`GRANT ${name} TO CURRENT_USER`)
  await sql(`REASSIGN OWNED BY ${name} TO CURRENT_USER`)
  await sql(`DROP OWNED BY ${name}`)
  await sql(`DROP ROLE ${name}`)
}

/** `2006-01-02 15:04:05+0000` */
export const timestamp = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}+0000`

/** A syntax error quotes the statement at the place, so its text is left out. */
const SYNTAX = '42601'

function targetError(error: unknown, label: string, secrets: (string | undefined)[]): Error {
  if (error instanceof TargetError || error instanceof StatementError) return error
  if (error instanceof Failure) return error
  const { code, message, severity } = error as {
    code?: string
    message?: string
    severity?: string
  }
  if (severity === undefined || code === undefined) {
    return unreachable(label, error)
  }
  const away = code.startsWith('08') || code.startsWith('57P') || code === '53300'
  const words = code === SYNTAX ? 'a syntax error in a statement' : (message ?? '')
  const text = `${label}: ${withoutValues(words, secrets)} (SQLSTATE ${code})${hintFor(code, words)}`
  return new TargetError(text, away ? 'unreachable' : 'refused', code)
}

/** What a server that demands more of a connection says in its own words only. */
function hintFor(code: string, words: string): string {
  if (!code.startsWith('28')) return ''
  if (/no encryption|SSL off/.test(words)) {
    return ': set sslmode=verify-full in connection_url, and tls_ca'
  }
  return /valid client certificate/.test(words) ? ': set tls_certificate and private_key' : ''
}

/** As a text between single quotes. */
export const literal = quotedText
