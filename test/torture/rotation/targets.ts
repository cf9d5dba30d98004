/** The real targets, each behind a proxy: how coffer is told of them, and what must be found there. */
import { startMariadb } from '../../support/mariadb.ts'
import { NO_MARIADB } from '../../support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../../support/postgres.ts'
import { NO_REDIS, startRedis } from '../../support/redis.ts'
import { type TargetName } from './points.ts'
import { type FaultProxy, faultProxy } from './proxy.ts'

export type Login = { username: string; password: string }

export type RealTarget = AsyncDisposable & {
  readonly name: TargetName
  /** Where the apps go, around the proxy. */
  readonly port: number
  readonly proxy: FaultProxy
  readonly config: Record<string, unknown>
  takes(login: Login): Promise<boolean>
  /** How many ways to log in as the app there are on the target. */
  waysIn(): Promise<number>
  /** Users of the target that neither the test nor a rotation in order has made. */
  strangers(): Promise<string[]>
}

/** Why a target cannot be had on this machine. */
export const MISSING: Readonly<Record<TargetName, string | false>> = {
  postgres: NO_POSTGRES,
  mariadb: NO_MARIADB,
  redis: NO_REDIS,
}

const USER = 'app'
const FIRST = 'first-app-password'

async function postgres(): Promise<RealTarget> {
  const server = await startPostgres()
  const proxy = await faultProxy(server.port)
  await server.sql(`CREATE ROLE ${USER} LOGIN PASSWORD '${FIRST}'`)
  const known = ['postgres', USER, `${USER}_a`, `${USER}_b`]
  return {
    name: 'postgres',
    port: server.port,
    proxy,
    config: {
      plugin_name: 'postgresql-database-plugin',
      connection_url: server.template.replace(`:${server.port}/`, `:${proxy.port}/`),
      ...server.superuser,
    },
    takes: ({ username, password }) => server.takes(username, password),
    async waysIn() {
      const rows = await server.sql(
        `SELECT rolname FROM pg_authid WHERE rolname LIKE '${USER}%' AND rolcanlogin
            AND rolpassword IS NOT NULL`,
      )
      return rows.length
    },
    async strangers() {
      const rows = await server.sql(`SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'`)
      return rows.map((row) => String(row['rolname'])).filter((name) => !known.includes(name))
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function mariadb(): Promise<RealTarget> {
  const server = await startMariadb()
  const proxy = await faultProxy(server.port)
  await server.sql('CREATE USER ?@? IDENTIFIED BY ?', [USER, '%', FIRST])
  const known = ['admin', 'root', 'mariadb.sys', 'mysql', 'PUBLIC', USER]
  return {
    name: 'mariadb',
    port: server.port,
    proxy,
    config: {
      plugin_name: 'mysql-database-plugin',
      connection_url: server.template.replace(`:${server.port})`, `:${proxy.port})`),
      ...server.superuser,
    },
    takes: ({ username, password }) => server.takes(username, password),
    async waysIn() {
      const rows = await server.sql('SELECT priv FROM mysql.global_priv WHERE user = ?', [USER])
      const ways = rows.map((row) => {
        const text = row['priv'] ?? row['Priv']
        const priv = (typeof text === 'string' ? JSON.parse(text) : text) as { auth_or?: unknown[] }
        return priv.auth_or?.length ?? 1
      })
      return ways.reduce((sum, each) => sum + each, 0)
    },
    async strangers() {
      const rows = await server.sql('SELECT DISTINCT user AS name FROM mysql.user')
      return rows.map((row) => String(row['name'])).filter((name) => !known.includes(name))
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function redis(): Promise<RealTarget> {
  const server = await startRedis('aclfile')
  const proxy = await faultProxy(server.port)
  await server.command('ACL', 'SETUSER', USER, 'on', `>${FIRST}`, '~*', '+@all')
  return {
    name: 'redis',
    port: server.port,
    proxy,
    config: {
      plugin_name: 'redis-database-plugin',
      host: '127.0.0.1',
      port: proxy.port,
      ...server.superuser,
    },
    takes: ({ username, password }) => server.takes(username, password),
    async waysIn() {
      const told = (await server.command('ACL', 'LIST')) as string[]
      const line = told.find((each) => each.startsWith(`user ${USER} `)) ?? ''
      return line.split(' ').filter((word) => word.startsWith('#')).length
    },
    async strangers() {
      const names = (await server.command('ACL', 'USERS')) as string[]
      return names.filter((name) => !['default', 'admin', USER].includes(name))
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const START = { postgres, mariadb, redis }

export const startTarget = (name: TargetName): Promise<RealTarget> => START[name]()
