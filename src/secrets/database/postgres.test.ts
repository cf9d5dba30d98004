/** Static roles and the root user on a real PostgreSQL. */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { databaseHouse, type DatabaseHouse } from '../../../test/support/database-house.ts'
import { NO_POSTGRES, type Postgres, startPostgres } from '../../../test/support/postgres.ts'

const skip = { skip: NO_POSTGRES }
let server: Postgres
before(async () => {
  if (!NO_POSTGRES) server = await startPostgres()
})
after(async () => server?.[Symbol.asyncDispose]())

const PLUGIN = 'postgresql-database-plugin'
/** What lets a rotation end within seconds. */
const QUICK = { quiet: 2, undo_window: 2, max_grace: 60, reader_hold: 1, rotation_period: '24h' }

let next = 0
/** A house whose root user is an admin of its own, and a role to be rotated. */
async function house(): Promise<DatabaseHouse & { app: string; admin: string }> {
  const n = ++next
  const [app, admin] = [`app${n}`, `admin${n}`]
  await server.sql(`CREATE ROLE ${admin} LOGIN SUPERUSER PASSWORD 'first-admin-password'`)
  await server.sql(`CREATE ROLE ${app} LOGIN PASSWORD 'first-app-password'`)
  const made = await databaseHouse({
    plugin_name: PLUGIN,
    connection_url: server.template,
    username: admin,
    password: 'first-admin-password',
  })
  return { ...made, app, admin }
}

test(
  'a static role is served under the owner, and its first login stays for those who hold it',
  skip,
  async () => {
    const { core, done, served, app, pass } = await house()
    const old = await server.connect({ username: app, password: 'first-app-password' })
    await done('write', 'database/static-roles/app', { db_name: 'db', username: app, ...QUICK })
    const first = await served('app')
    equal(first.username, `${app}_a`)
    ok(await server.takes(first.username, first.password))
    ok(await server.takes(app, 'first-app-password'), 'its own login is untouched')
    const client = await server.connect(first)
    deepEqual((await client.query('SELECT current_user, session_user')).rows, [
      { current_user: app, session_user: first.username },
    ])
    await client.end()

    await done('write', 'database/rotate-role/app')
    const second = await served('app')
    equal(second.username, `${app}_b`)
    await pass(12)
    equal(await server.takes(first.username, first.password), false)
    ok(await server.takes(second.username, second.password))
    ok(await server.takes(app, 'first-app-password'), 'a session still holds it')
    await old.end()
    await done('write', 'database/rotate-role/app')
    await pass(12)
    equal(await server.takes(app, 'first-app-password'), false)
    await core.close()
  },
)

test(
  'rotate-root makes a pair, proves each, and ends the password that people know',
  skip,
  async () => {
    const { core, done, admin, refusal } = await house()
    await done('write', 'database/rotate-root/db')
    equal(await server.takes(admin, 'first-admin-password'), false)
    const config = await done('read', 'database/config/db')
    equal((config['connection_details'] as Record<string, unknown>)['username'], admin)
    ok(!JSON.stringify(config).includes('password":'), 'no password is read back')
    await done('write', 'database/reset/db')
    await done('write', 'database/roles/r', {
      db_name: 'db',
      creation_statements: `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
    })
    await done('read', 'database/creds/r')
    await done('write', 'database/rotate-root/db')
    await done('write', 'database/rotate-root/db')
    await done('read', 'database/creds/r')
    match(
      await refusal('write', 'database/rotate-root/none'),
      /failed to find entry for connection/,
    )
    await core.close()
  },
)

test(
  'a static role that is deleted leaves the login that was served last, and no other',
  skip,
  async () => {
    const { core, done, served, app, state } = await house()
    await done('write', 'database/static-roles/app', { db_name: 'db', username: app, ...QUICK })
    const first = await served('app')
    await done('write', 'database/rotate-role/app')
    const second = await served('app')
    ok(await server.takes(first.username, first.password))
    await done('delete', 'database/static-roles/app')
    equal(await state('app'), 'none')
    equal(await server.takes(first.username, first.password), false)
    ok(await server.takes(second.username, second.password))
    await core.close()
  },
)

test('20 migrations by alternating logins leave all in one hand', skip, async () => {
  const { core, done, served, app, pass } = await house()
  await server.sql(
    `CREATE SCHEMA s${app} AUTHORIZATION ${app}; ALTER ROLE ${app} SET search_path = s${app}, public`,
  )
  await done('write', 'database/static-roles/app', { db_name: 'db', username: app, ...QUICK })
  const users = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const login = await served('app')
    users.add(login.username)
    const client = await server.connect(login)
    await client.query(`CREATE TABLE t${i} (id int)`)
    for (let j = 0; j < i; j++) await client.query(`ALTER TABLE t${j} ADD COLUMN c${i} int`)
    await client.end()
    await done('write', 'database/rotate-role/app')
    await pass(12)
  }
  equal(users.size, 2)
  const owners = await server.sql(
    `SELECT DISTINCT tableowner, schemaname FROM pg_tables WHERE schemaname = $1`,
    [`s${app}`],
  )
  deepEqual(owners, [{ tableowner: app, schemaname: `s${app}` }])
  await core.close()
})

test('the log of the server holds no password', skip, async () => {
  const { core, done, served, pass } = await house()
  const { app } = { app: `app${next}` }
  await done('write', 'database/static-roles/app', { db_name: 'db', username: app, ...QUICK })
  const secrets = [(await served('app')).password]
  await done('write', 'database/rotate-role/app')
  secrets.push((await served('app')).password)
  await pass(12)
  await done('write', 'database/roles/r', {
    db_name: 'db',
    creation_statements: `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
  })
  const { username, password } = (await done('read', 'database/creds/r')) as Record<string, string>
  ok(await server.takes(username!, password!))
  secrets.push(password!)
  await done('write', 'database/rotate-root/db')
  const log = server.log()
  ok(log.includes('SCRAM-SHA-256$'), 'statements are logged')
  for (const secret of secrets) {
    notEqual(secret, '')
    ok(!log.includes(secret), 'a password stands in the log')
  }
  await core.close()
})

test(
  'what is open is closed when it is reset, changed, or the server is sealed',
  skip,
  async () => {
    const { core, done, admin } = await house()
    await done('write', 'database/roles/r', {
      db_name: 'db',
      creation_statements: `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'`,
    })
    const open = async () =>
      (await server.sql('SELECT 1 FROM pg_stat_activity WHERE usename = $1', [admin])).length
    const closed = async () => {
      while ((await open()) > 0) await new Promise((later) => setTimeout(later, 20))
    }
    for (const close of [
      () => done('write', 'database/reset/db'),
      () => done('write', 'database/config/db', { verify_connection: false }),
      () => done('write', 'sys/seal'),
    ]) {
      await done('read', 'database/creds/r')
      ok((await open()) > 0)
      await close()
      await closed()
    }
    await core.close()
  },
)
