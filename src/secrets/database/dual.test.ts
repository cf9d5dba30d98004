/** Two passwords on one user, on a real MariaDB and a real Redis. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { databaseHouse, type Login } from '../../../test/support/database-house.ts'
import { NO_MARIADB, startMariadb } from '../../../test/support/mariadb.ts'
import { NO_REDIS, startRedis } from '../../../test/support/redis.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const QUICK = { quiet: 2, undo_window: 4, max_grace: 60, reader_hold: 1, rotation_period: '24h' }

type Server = {
  superuser: Login
  takes: (username: string, password: string) => Promise<boolean>
}
type Family = {
  none: string | false
  start: () => Promise<{
    server: Server
    config: Record<string, unknown>
    add: (login: Login) => Promise<void>
    /** What was refused so far is told of no more: its age is of another clock than the test's. */
    forget: () => Promise<unknown>
  }>
}

const FAMILIES: Record<string, Family> = {
  mariadb: {
    none: NO_MARIADB,
    async start() {
      const server = open.use(await startMariadb())
      return {
        server,
        config: { plugin_name: 'mysql-database-plugin', connection_url: server.template },
        async add({ username, password }) {
          await server.sql('CREATE USER ?@? IDENTIFIED BY ?', [username, '%', password])
        },
        forget: async () => undefined,
      }
    },
  },
  redis: {
    none: NO_REDIS,
    async start() {
      const server = open.use(await startRedis('config'))
      return {
        server,
        config: { plugin_name: 'redis-database-plugin', host: '127.0.0.1', port: server.port },
        async add({ username, password }) {
          await server.command('ACL', 'SETUSER', username, 'on', `>${password}`, '~*', '+@all')
        },
        forget: () => server.command('ACL', 'LOG', 'RESET'),
      }
    },
  },
}

for (const [family, { none, start }] of Object.entries(FAMILIES)) {
  test(
    `${family}: one user, two passwords, none of them dead while it is held`,
    { skip: none },
    async () => {
      const { server, config, add, forget } = await start()
      const first = { username: 'app', password: 'first-app-password' }
      await add(first)
      const house = await databaseHouse({ ...config, ...server.superuser })
      const { core, done, served, pass, refusal, state } = house
      const takes = ({ username, password }: Login) => server.takes(username, password)
      await done('write', 'database/static-roles/app', {
        db_name: 'db',
        username: 'app',
        password: first.password,
        skip_import_rotation: true,
        ...QUICK,
      })
      deepEqual(await served('app'), first, 'imported, and not rotated')
      await done('write', 'database/rotate-role/app')
      const second = await served('app')
      equal(second.username, 'app')
      ok((await takes(first)) && (await takes(second)), 'both work')
      match(await refusal('write', 'database/rotate-role/app'), /^409 /)
      await pass(15)
      equal(await state('app'), 'IDLE')
      equal(await takes(first), false, 'nobody held it')
      ok(await takes(second))

      await forget()
      // Somebody tries the old one when it has been taken away: so it is wanted, and works again.
      await done('write', 'database/rotate-role/app')
      const third = await served('app')
      await pass(4)
      equal(await state('app'), 'SOFT_REVOKED')
      equal(await takes(second), false)
      await pass(1)
      equal(await state('app'), 'DRAINING')
      ok((await takes(second)) && (await takes(third)), 'both work again')
      await core.close()
    },
  )

  test(
    `${family}: rotate-root ends the password that people know, and again`,
    { skip: none },
    async () => {
      const { server, config } = await start()
      const { core, done } = await databaseHouse({ ...config, ...server.superuser })
      await done('write', 'database/rotate-root/db')
      equal(await server.takes(server.superuser.username, server.superuser.password), false)
      await done('write', 'database/reset/db')
      await done('write', 'database/rotate-root/db')
      await done('write', 'database/roles/r', {
        db_name: 'db',
        creation_statements:
          family === 'redis'
            ? ['["~*","+@read"]']
            : [`CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`],
      })
      const { username, password } = (await done('read', 'database/creds/r')) as Login
      ok(await server.takes(username, password))
      await core.close()
    },
  )
}

test('redis: after a restart the rotated user is still there', { skip: NO_REDIS }, async () => {
  for (const users of ['aclfile', 'config'] as const) {
    const server = open.use(await startRedis(users))
    await server.command('ACL', 'SETUSER', 'app', 'on', '>first-app-password', '~*', '+@all')
    const { core, done, served } = await databaseHouse({
      plugin_name: 'valkey-database-plugin',
      host: '127.0.0.1',
      port: server.port,
      ...server.superuser,
    })
    await done('write', 'database/static-roles/app', { db_name: 'db', username: 'app', ...QUICK })
    const login = await served('app')
    await server.stop()
    await server.start()
    ok(await server.takes(login.username, login.password), users)
    await core.close()
  }
})

test(
  'redis: a server that keeps its users nowhere is warned about',
  { skip: NO_REDIS },
  async () => {
    const server = open.use(await startRedis('none'))
    await server.command('ACL', 'SETUSER', 'app', 'on', '>first-app-password', '~*', '+@all')
    const { core, ask } = await databaseHouse({
      plugin_name: 'redis-database-plugin',
      host: '127.0.0.1',
      port: server.port,
      ...server.superuser,
    })
    const role = { db_name: 'db', username: 'app', ...QUICK }
    const { status, body } = await ask('write', 'database/static-roles/app', role)
    equal(status, 200)
    match(String(body['warnings']), /restart brings the old password back/)
    await core.close()
  },
)
