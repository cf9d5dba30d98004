/**
 * An app, or a plain reader, as a process of its own: opens new connections all the time, to every
 * target there is, and tells of each that failed. An app follows its logins through the client's
 * adapters; a reader reads the login each time, and knows nothing else.
 *
 *   app.ts <Load as JSON>
 */
import { setTimeout as sleep } from 'node:timers/promises'
import mysql from 'mysql2/promise'
import pg from 'pg'
import * as redis from 'redis'
import {
  connect,
  rotatingMysql2,
  rotatingPg,
  rotatingRedis,
  token,
} from '../../../src/client/client.ts'
import { type TargetName } from './points.ts'

export type Load = {
  kind: 'app' | 'reader'
  name: string
  address: string
  token: string
  ports: Partial<Record<TargetName, number>>
  /** The static role of all targets, where it is not named as its target. */
  role?: string
  /** Between two connections to one target. */
  pauseMs: number
}
export type Failed = { target: TargetName; who: string; why: string; at: number }
export type FromApp =
  | { readonly ready: true }
  | { readonly failed: Failed }
  | { readonly logins: number }

type Login = { username: string; password: string }
/** One new connection, one question, and gone. */
type Attempt = () => Promise<void>

const load = JSON.parse(process.argv[2] ?? '') as Load
const { address, name, ports, pauseMs } = load
const host = '127.0.0.1'
const pathOf = (target: TargetName) => `database/static-creds/${load.role ?? target}`
const refOf = (target: TargetName) => `vault://${pathOf(target)}`
const tell = (message: FromApp) => process.send?.(message)
let logins = 0

async function appAttempts(): Promise<[TargetName, Attempt][]> {
  const client = await connect({ address, auth: token(load.token), env: {} })
  // What goes wrong with the server is no failed login: it is killed all the time.
  const options = { client, app: name, onError: () => {}, intervalMs: 1_000 }
  const attempts: [TargetName, Attempt][] = []
  if (ports.postgres) {
    const own = { host, port: ports.postgres, database: 'postgres', max: 2 }
    const pool = await rotatingPg(pg, refOf('postgres'), { ...options, pool: own })
    pool.on('error', () => {})
    attempts.push([
      'postgres',
      async () => {
        const connection = await pool.connect()
        try {
          await connection.query('SELECT 1')
        } finally {
          connection.release(true)
        }
      },
    ])
  }
  if (ports.mariadb) {
    const own = { host, port: ports.mariadb, connectionLimit: 2 }
    const pool = await rotatingMysql2(mysql, refOf('mariadb'), { ...options, pool: own })
    attempts.push([
      'mariadb',
      async () => {
        const connection = await pool.getConnection()
        try {
          await connection.query('SELECT 1')
        } finally {
          connection.destroy()
        }
      },
    ])
  }
  if (ports.redis) {
    const own = { socket: { host, port: ports.redis } }
    const main = await rotatingRedis(redis, refOf('redis'), { ...options, redis: own })
    attempts.push([
      'redis',
      async () => {
        await main.ping()
        const connection = main.duplicate()
        try {
          await connection.connect()
          await connection.ping()
        } finally {
          connection.destroy()
        }
      },
    ])
  }
  return attempts
}

/** As a script with curl: reads, and logs in with what it has read, or what it had. */
function readerAttempts(): [TargetName, Attempt][] {
  const has = new Map<TargetName, Login>()
  const read = async (target: TargetName): Promise<Login> => {
    for (;;) {
      const login = await fetched(target).catch(() => undefined)
      if (login) has.set(target, login)
      const known = has.get(target)
      if (known) return known
      await sleep(50)
    }
  }
  const logIn: Record<TargetName, (port: number, login: Login) => Promise<void>> = {
    async postgres(port, { username: user, password }) {
      const client = new pg.Client({ host, port, user, password, database: 'postgres' })
      client.on('error', () => {})
      await client.connect()
      await client.query('SELECT 1')
      await client.end()
    },
    async mariadb(port, { username: user, password }) {
      const connection = await mysql.createConnection({ host, port, user, password })
      await connection.query('SELECT 1')
      connection.destroy()
    },
    async redis(port, login) {
      const client = redis.createClient({
        ...login,
        socket: { host, port, reconnectStrategy: false },
      })
      client.on('error', () => {})
      await client.connect()
      await client.ping()
      client.destroy()
    },
  }
  return (Object.entries(ports) as [TargetName, number][]).map(([target, port]) => [
    target,
    async () => logIn[target](port, await read(target)),
  ])
}

async function fetched(target: TargetName): Promise<Login | undefined> {
  const answer = await fetch(`${address}/v1/${pathOf(target)}`, {
    headers: { 'x-vault-token': load.token, connection: 'close' },
    signal: AbortSignal.timeout(1_500),
  })
  if (answer.status !== 200) return undefined
  const { data } = (await answer.json()) as { data: Login }
  return { username: data.username, password: data.password }
}

async function go(target: TargetName, attempt: Attempt): Promise<never> {
  for (;;) {
    logins++
    try {
      await attempt()
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      tell({ failed: { target, who: name, why, at: Date.now() } })
    }
    await sleep(pauseMs * (0.5 + Math.random()))
  }
}

process.on('disconnect', () => process.exit(0))
process.on('message', () => tell({ logins }))
const attempts = load.kind === 'app' ? await appAttempts() : readerAttempts()
for (const [target, attempt] of attempts) void go(target, attempt)
tell({ ready: true })
