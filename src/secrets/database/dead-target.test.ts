/**
 * Two hundred leases end while their database is away: none is forgotten, all are revoked within a
 * minute of its return, and the leases of another mount are not kept waiting.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { after, test } from 'node:test'
import { databaseHouse } from '../../../test/support/database-house.ts'
import { NO_POSTGRES, startPostgres } from '../../../test/support/postgres.ts'
import { NO_REDIS, startRedis } from '../../../test/support/redis.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const LEASES = 200

test(
  '200 leases of a database that is away for a minute',
  { skip: NO_POSTGRES || NO_REDIS },
  async () => {
    const server = open.use(await startPostgres())
    const other = open.use(await startRedis())
    const { core, clock, done, ask } = await databaseHouse({
      plugin_name: 'postgresql-database-plugin',
      connection_url: server.template,
      ...server.superuser,
    })
    await done('write', 'sys/mounts/second', { type: 'database' })
    await done('write', 'second/config/db', {
      plugin_name: 'redis-database-plugin',
      host: '127.0.0.1',
      port: other.port,
      allowed_roles: '*',
      ...other.superuser,
    })
    await done('write', 'database/roles/r', {
      db_name: 'db',
      creation_statements: `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
      default_ttl: '1m',
    })
    await done('write', 'second/roles/r', { db_name: 'db', default_ttl: '1m' })
    for (let i = 0; i < LEASES; i++) await done('read', 'database/creds/r')
    await done('read', 'second/creds/r')
    const users = async () =>
      (await server.sql(`SELECT 1 FROM pg_roles WHERE rolname ~ '^v-'`)).length
    const others = async () =>
      ((await other.command('ACL', 'USERS')) as string[]).filter((name) => name.startsWith('V_'))
    const left = async () => {
      const { body } = await ask('list', 'sys/leases/lookup/database/creds/r')
      return ((body.data?.['keys'] ?? []) as string[]).length
    }
    equal(await users(), LEASES)
    equal(await left(), LEASES)

    await server.stop()
    clock.advance(60_001)
    await core.expiry.pass()
    deepEqual(await others(), [], 'the other mount has not waited')
    equal(await left(), LEASES, 'none is forgotten')
    for (let second = 0; second < 60; second += 10) {
      clock.advance(10_000)
      await core.expiry.pass()
    }
    equal(await left(), LEASES)

    await server.start()
    await server.sql('SELECT 1')
    for (let second = 0; second < 60; second += 10) {
      clock.advance(10_000)
      await core.expiry.pass()
    }
    const { body } = await ask('read', 'sys/leases', { type: 'irrevocable' })
    const irrevocable = Number(body.data?.['lease_count'] ?? 0)
    equal(irrevocable, 0, 'a minute is short enough for all')
    deepEqual([await users(), await left()], [0, 0])
    await core.close()
  },
)
