/**
 * Somebody changes a password behind our back, on each kind of real database: the next look finds it,
 * those who watch are told, and `reconcile` makes what is served work again. And a Redis that is
 * restarted in the middle of a rotation, and after it, has forgotten nobody.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { databaseHouse, type Login } from '../support/database-house.ts'
import { NO_MARIADB, startMariadb } from '../support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { NO_REDIS, startRedis } from '../support/redis.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const PATH = 'database/static-creds/app'
const DRIFT_SECONDS = 30
const ROLE = { db_name: 'db', username: 'app', rotation_period: '24h', quiet: 2, undo_window: 2 }

type Target = {
  config: Record<string, unknown>
  takes: (login: Login) => Promise<boolean>
  tamper: (username: string) => Promise<unknown>
}
const TARGETS: Record<string, { none: string | false; start: () => Promise<Target> }> = {
  postgres: {
    none: NO_POSTGRES,
    async start() {
      const server = open.use(await startPostgres())
      await server.sql(`CREATE ROLE app LOGIN PASSWORD 'first-app-password'`)
      return {
        config: {
          plugin_name: 'postgresql-database-plugin',
          connection_url: server.template,
          ...server.superuser,
        },
        takes: ({ username, password }) => server.takes(username, password),
        tamper: (username) => server.sql(`ALTER ROLE ${username} PASSWORD 'of somebody else'`),
      }
    },
  },
  mariadb: {
    none: NO_MARIADB,
    async start() {
      const server = open.use(await startMariadb())
      await server.sql(`CREATE USER app@'%' IDENTIFIED BY 'first-app-password'`)
      return {
        config: {
          plugin_name: 'mysql-database-plugin',
          connection_url: server.template,
          ...server.superuser,
        },
        takes: ({ username, password }) => server.takes(username, password),
        tamper: () => server.sql(`ALTER USER app@'%' IDENTIFIED BY 'of somebody else'`),
      }
    },
  },
  redis: {
    none: NO_REDIS,
    async start() {
      const server = open.use(await startRedis())
      await server.command('ACL', 'SETUSER', 'app', 'on', '>first-app-password', '~*', '+@all')
      return {
        config: {
          plugin_name: 'redis-database-plugin',
          host: '127.0.0.1',
          port: server.port,
          ...server.superuser,
        },
        takes: ({ username, password }) => server.takes(username, password),
        tamper: () => server.command('ACL', 'SETUSER', 'app', 'resetpass', '>of-somebody-else'),
      }
    },
  },
}

for (const [name, { none, start }] of Object.entries(TARGETS)) {
  test(
    `${name}: a password changed behind our back is found within one interval, and set right`,
    { skip: none },
    async () => {
      const { config, takes, tamper } = await start()
      const events: string[] = []
      const house = await databaseHouse(config, {
        rotationEvent: (_tx, { type, path }) => void events.push(`${type} ${path}`),
      })
      const { core, done, served, pass } = house
      await done('write', 'database/static-roles/app', ROLE)
      await done('write', `sys/coffer/rotate/config/${PATH}`, { drift_interval: DRIFT_SECONDS })
      const drift = async () =>
        (await done('read', `sys/coffer/rotate/status/${PATH}`))['drift'] as string
      await pass(2 * DRIFT_SECONDS)
      equal(await drift(), 'in_sync')

      const login = await served('app')
      await tamper(login.username)
      equal(await takes(login), false)
      equal(await drift(), 'in_sync', 'nobody has looked yet')
      await pass(DRIFT_SECONDS)
      equal(await drift(), 'target_changed')
      deepEqual(
        events.filter((each) => each.startsWith('rotation.drift')),
        ['rotation.drift static-creds/app'],
      )
      await done('write', `sys/coffer/rotate/reconcile/${PATH}`)
      equal(await drift(), 'in_sync')
      deepEqual(await served('app'), login, 'what callers hold works again')
      ok(await takes(login))
      await core.close()
    },
  )
}

test(
  'redis: a restart in the middle of a rotation and after it forgets no password',
  { skip: NO_REDIS },
  async () => {
    for (const users of ['aclfile', 'config'] as const) {
      const server = open.use(await startRedis(users))
      const takes = ({ username, password }: Login) => server.takes(username, password)
      await server.command('ACL', 'SETUSER', 'app', 'on', '>first-app-password', '~*', '+@all')
      const { core, done, served, pass, state } = await databaseHouse({
        plugin_name: 'redis-database-plugin',
        host: '127.0.0.1',
        port: server.port,
        ...server.superuser,
      })
      await done('write', 'database/static-roles/app', { ...ROLE, reader_hold: 10 })
      const first = await served('app')
      await done('write', 'database/rotate-role/app')
      await server.stop()
      await server.start()
      const second = await served('app')
      ok((await takes(first)) && (await takes(second)), `${users}: both work`)
      await pass(20)
      equal(await state('app'), 'IDLE')
      await server.stop()
      await server.start()
      equal(await takes(first), false, `${users}: a restart brings nothing back`)
      ok(await takes(second))
      await core.close()
    }
  },
)
