/** The line is cut after the server has done what it was told: only a login tells what has happened. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { after, test } from 'node:test'
import { cutProxy } from '../../../test/support/cut-proxy.ts'
import { databaseHouse, type Login } from '../../../test/support/database-house.ts'
import { NO_MARIADB, startMariadb } from '../../../test/support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../../../test/support/postgres.ts'
import { NO_REDIS, startRedis } from '../../../test/support/redis.ts'
import { FOREIGN_GRACE_MS } from '../../core/foreign.ts'
import { systemRandom } from '../../lib/random.ts'
import { CONNECT_MS } from './target.ts'
import { openRedis } from './targets/redis.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const QUICK = { quiet: 2, undo_window: 2, max_grace: 60, reader_hold: 1, rotation_period: '24h' }

type Taker = { superuser: Login; takes: (username: string, password: string) => Promise<boolean> }
type Setup = {
  server: Taker
  config: (port: number) => Record<string, unknown>
  port: number
  creation: string
  /** What stands in the last thing that is sent for a change of a password, of a new user. */
  cut: { rotate: string; create: string; root: string }
  users: () => Promise<string[]>
}

const FAMILIES: Record<string, { none: string | false; start: () => Promise<Setup> }> = {
  postgresql: {
    none: NO_POSTGRES,
    async start() {
      const server = open.use(await startPostgres())
      await server.sql("CREATE ROLE app LOGIN PASSWORD 'first-app-password'")
      return {
        server,
        port: server.port,
        config: (port) => ({
          plugin_name: 'postgresql-database-plugin',
          connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${port}/postgres?sslmode=disable`,
        }),
        creation: `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
        cut: { rotate: 'COMMIT', create: 'COMMIT', root: 'ALTER ROLE "postgres"' },
        users: async () =>
          (await server.sql(`SELECT rolname FROM pg_roles WHERE rolname ~ '^v-'`)).map((r) =>
            String(r['rolname']),
          ),
      }
    },
  },
  mariadb: {
    none: NO_MARIADB,
    async start() {
      const server = open.use(await startMariadb())
      await server.sql(`CREATE USER app@'%' IDENTIFIED BY 'first-app-password'`)
      return {
        server,
        port: server.port,
        config: (port) => ({
          plugin_name: 'mysql-database-plugin',
          connection_url: `{{username}}:{{password}}@tcp(127.0.0.1:${port})/`,
        }),
        creation: `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
        cut: { rotate: 'IDENTIFIED VIA', create: 'CREATE USER', root: 'IDENTIFIED VIA' },
        users: async () =>
          (await server.sql(`SELECT user FROM mysql.user WHERE user LIKE 'v-%'`)).map((r) =>
            String(r['user'] ?? r['User']),
          ),
      }
    },
  },
  redis: {
    none: NO_REDIS,
    async start() {
      const server = open.use(await startRedis())
      await server.command('ACL', 'SETUSER', 'app', 'on', '>first-app-password', '~*', '+@all')
      return {
        server,
        port: server.port,
        config: (port) => ({ plugin_name: 'redis-database-plugin', host: '127.0.0.1', port }),
        creation: '["~*", "+@read"]',
        cut: { rotate: 'SETUSER', create: 'SETUSER', root: 'SETUSER' },
        users: async () =>
          ((await server.command('ACL', 'USERS')) as string[]).filter((name) =>
            name.startsWith('V_'),
          ),
      }
    },
  },
}

for (const [family, { none, start }] of Object.entries(FAMILIES)) {
  test(`${family}: what a cut line leaves open, a login settles`, { skip: none }, async () => {
    const { server, port, config, creation, cut, users } = await start()
    const proxy = open.use(await cutProxy(port))
    const house = await databaseHouse({ ...config(proxy.port), ...server.superuser })
    const { core, clock, done, refusal, served, pass } = house

    await done('write', 'database/static-roles/app', { db_name: 'db', username: 'app', ...QUICK })
    const first = await served('app')
    proxy.cutAfter(cut.rotate)
    await done('write', 'database/rotate-role/app')
    equal(proxy.cuts, 1, 'a rotation')
    const second = await served('app')
    ok(await server.takes(second.username, second.password))
    ok(await server.takes(first.username, first.password), 'and the one before, which is held')
    await pass(12)
    equal(await server.takes(first.username, first.password), false)

    await done('write', 'database/roles/r', { db_name: 'db', creation_statements: [creation] })
    proxy.cutAfter(cut.create)
    match(await refusal('read', 'database/creds/r'), /^500 [^]*error creating user/)
    equal(proxy.cuts, 2, 'a user')
    deepEqual(await users(), [], 'nobody was told of that user')
    clock.advance(FOREIGN_GRACE_MS)
    await core.expiry.pass()
    deepEqual(await users(), [])
    await done('read', 'database/creds/r')
    equal((await users()).length, 1)

    proxy.cutAfter(cut.root)
    match(await refusal('write', 'database/rotate-root/db'), /^500 [^]*unable to rotate root/)
    equal(proxy.cuts, 3, 'the root user')
    const { username, password } = server.superuser
    ok(await server.takes(username, password), 'what is stored works again')
    await done('write', 'database/rotate-root/db')
    equal(await server.takes(username, password), false)
    await done('read', 'database/creds/r')
    await core.close()
  })
}

test('a Redis that takes the line and says nothing is away when the time is up', async (t) => {
  const silent = createServer()
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  open.defer(() => void silent.close())
  const { port } = silent.address() as AddressInfo
  const login = { username: 'admin', password: 'a-password' }
  const details = { host: '127.0.0.1', port }
  const target = await openRedis({ plugin: '', details, login, random: systemRandom })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const asked = new Promise((data) => silent.once('connection', (line) => line.once('data', data)))
  const probe = target.probe(login)
  await asked
  t.mock.timers.tick(CONNECT_MS)
  deepEqual(await probe, {
    outcome: 'unreachable',
    why:
      `redis (127.0.0.1:${port}) could not be reached: ` +
      'it did not answer in time: look whether it speaks TLS there, and is asked for it',
  })
})
