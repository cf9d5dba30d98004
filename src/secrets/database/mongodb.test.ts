/** MongoDB against a fake of its wire protocol: test/support/fake-mongodb.ts says what that shows. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { databaseHouse, type Login } from '../../../test/support/database-house.ts'
import { fakeMongo } from '../../../test/support/fake-mongodb.ts'
import { systemRandom } from '../../lib/random.ts'
import { openMongo } from './targets/mongodb.ts'

const QUICK = { quiet: 2, undo_window: 2, max_grace: 60, reader_hold: 1, rotation_period: '24h' }

async function house() {
  const server = await fakeMongo()
  const made = await databaseHouse({
    plugin_name: 'mongodb-database-plugin',
    connection_url: `mongodb://{{username}}:{{password}}@127.0.0.1:${server.port}/admin`,
    ...server.superuser,
  })
  const target = await openMongo({
    plugin: '',
    details: { connection_url: `mongodb://127.0.0.1:${server.port}/admin` },
    login: server.superuser,
    random: systemRandom,
  })
  const takes = async (login: Login) => (await target.probe(login)).outcome === 'works'
  return { ...made, server, takes }
}

test('a fake mongodb: a user lives as long as its lease', async () => {
  const { core, server, done, refusal, takes } = await house()
  await using _ = server
  await done('write', 'database/roles/r', {
    db_name: 'db',
    creation_statements: '{"db":"app","roles":[{"role":"readWrite"},{"role":"read","db":"logs"}]}',
    revocation_statements: '{"db":"app"}',
  })
  const { username, password } = (await done('read', 'database/creds/r')) as Login
  match(username, /^v-root-r-\w{20}-\d{10}$/)
  ok(await takes({ username, password }))
  equal(await takes({ username, password: 'another' }), false)
  deepEqual(server.users.get(username)?.roles, ['readWrite', { role: 'read', db: 'logs' }])
  await done('write', 'sys/leases/revoke-prefix/database')
  equal(await takes({ username, password }), false)
  deepEqual(server.said.at(-1), { dropUser: username, $db: 'app' })
  for (const wrong of ['no json', '{"db":"app"}', '{"roles":"x"}', '{"db":"app","roles":[]}']) {
    await done('write', 'database/roles/r', { db_name: 'db', creation_statements: [wrong] })
    match(await refusal('read', 'database/creds/r'), /^500 [^]*(JSON document|roles)/)
  }
  await core.close()
})

test('a fake mongodb: two users take turns, with the roles of the one that was given', async () => {
  const { core, server, done, served, pass, takes } = await house()
  await using _ = server
  server.users.set('app', { pwd: 'first', roles: [{ role: 'readWrite', db: 'app' }] })
  await done('write', 'database/static-roles/app', { db_name: 'db', username: 'app', ...QUICK })
  const first = await served('app')
  equal(first.username, 'app_a')
  deepEqual(server.users.get('app_a')?.roles, [{ role: 'readWrite', db: 'app' }])
  await done('write', 'database/rotate-role/app')
  const second = await served('app')
  equal(second.username, 'app_b')
  ok((await takes(first)) && (await takes(second)))
  await pass(12)
  equal(await takes(first), false)
  ok(await takes(second))
  await core.close()
})

test('a fake mongodb: rotate-root ends the password that people know', async () => {
  const { core, server, done } = await house()
  await using _ = server
  const { password } = server.superuser
  await done('write', 'database/rotate-root/db')
  ok(server.users.get('admin')?.pwd !== password)
  await done('write', 'database/reset/db')
  await done('write', 'database/rotate-root/db')
  await core.close()
})
