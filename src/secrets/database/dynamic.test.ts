/** Dynamic users on real servers: made, prolonged, dropped, and never left behind. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { NO_MARIADB, startMariadb } from '../../../test/support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../../../test/support/postgres.ts'
import { NO_REDIS, startRedis } from '../../../test/support/redis.ts'
import { testCore } from '../../../test/support/test-core.ts'
import { type FingerprintIndex, nameOf, openIndex } from '../../rules/fingerprints.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const FAMILIES = [
  {
    family: 'postgresql',
    none: NO_POSTGRES,
    start: async () => {
      const server = open.use(await startPostgres())
      await server.sql('CREATE TABLE things (id int); INSERT INTO things VALUES (1)')
      return {
        server,
        config: {
          plugin_name: 'postgresql-database-plugin',
          connection_url: server.template,
        },
        creation: [
          `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; GRANT SELECT ON things TO "{{name}}";`,
        ],
        users: async () =>
          (await server.sql(`SELECT rolname FROM pg_roles WHERE rolname ~ '^v-'`)).map((r) =>
            String(r['rolname']),
          ),
        form: /^v-root-reader-[\w]{20}-\d{10}$/,
      }
    },
  },
  {
    family: 'mysql',
    none: NO_MARIADB,
    start: async () => {
      const server = open.use(await startMariadb())
      return {
        server,
        // It has no TLS, and is asked without.
        config: {
          plugin_name: 'mysql-database-plugin',
          connection_url: `${server.template}?tls=preferred`,
        },
        creation: [
          `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON app.* TO '{{name}}'@'%';`,
        ],
        users: async () =>
          (await server.sql(`SELECT user FROM mysql.user WHERE user LIKE 'v-%'`)).map((r) =>
            String(r['user'] ?? r['User']),
          ),
        form: /^v-root-reader-[\w]{18}$/,
      }
    },
  },
  {
    family: 'redis',
    none: NO_REDIS,
    start: async () => {
      const server = open.use(await startRedis())
      return {
        server,
        config: { plugin_name: 'redis-database-plugin', host: '127.0.0.1', port: server.port },
        creation: ['["~*", "+@read"]'],
        users: async () =>
          ((await server.command('ACL', 'USERS')) as string[]).filter((name) =>
            name.startsWith('V_'),
          ),
        form: /^V_ROOT_READER_[\w]{20}_\d{10}$/,
      }
    },
  },
] as const

for (const { family, none, start } of FAMILIES) {
  test(`${family}: a user lives as long as its lease`, { skip: none }, async () => {
    const { server, config, creation, users, form } = await start()
    const { core, ask, clock } = await testCore()
    core.expiry.stop()
    core.rotation.stop()
    // The server judges VALID UNTIL by its own clock.
    clock.advance(Date.now() - clock.now())
    const done = async (...args: Parameters<typeof ask>) => {
      const answer = await ask(...args)
      ok(answer.status < 300, `${args[1]}: ${answer.text}`)
      return answer.body
    }
    await done('write', 'sys/mounts/database', { type: 'database' })
    await done('write', 'database/config/db', {
      ...config,
      ...server.superuser,
      allowed_roles: 'reader',
    })
    await done('write', 'database/roles/reader', {
      db_name: 'db',
      creation_statements: creation,
      default_ttl: '1h',
      max_ttl: '24h',
    })
    const body = await done('read', 'database/creds/reader')
    const { username, password } = body.data as { username: string; password: string }
    match(username, form)
    equal(body['lease_duration'], 3600)
    const takes = (word: string) => server.takes(username, word)
    ok(await takes(password))
    equal(await server.takes(username, `${password}x`), false)
    deepEqual(await users(), [username])
    const inIndex = async () => {
      const { index } = await done('write', 'sys/coffer/fingerprints').then(
        ({ data }) => data as { index: string },
      )
      ok(!index.includes(password))
      const found = openIndex(JSON.parse(index) as FingerprintIndex).find(Buffer.from(password))
      return found.map(({ ref }) => `${nameOf(ref)} ${ref.live} ${ref.lease}`)
    }
    const known = `database/creds/reader#password`
    deepEqual(await inIndex(), [`${known} true ${String(body['lease_id'])}`])

    clock.advance(1_800_000)
    const renewed = await done('write', 'sys/leases/renew', {
      lease_id: body['lease_id'],
      increment: 7200,
    })
    equal(renewed['lease_duration'], 7200)
    clock.advance(7_200_001)
    await core.expiry.pass()
    deepEqual(await users(), [])
    equal(await server.takes(username, password), false)
    deepEqual(await inIndex(), [`${known} false ${String(body['lease_id'])}`])

    const second = await done('read', 'database/creds/reader')
    await done('write', 'sys/leases/revoke', { lease_id: second['lease_id'] })
    deepEqual(await users(), [])
    await core.close()
  })
}
