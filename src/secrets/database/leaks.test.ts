/** What a database answers may quote what it was told: no password, verifier or URL comes back. */
import { deepEqual, match, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { databaseHouse } from '../../../test/support/database-house.ts'
import { NO_MARIADB, startMariadb } from '../../../test/support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../../../test/support/postgres.ts'
import { systemRandom } from '../../lib/random.ts'
import { openMysql } from './targets/mysql.ts'
import { openPostgres } from './targets/postgres.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const PASSWORD = 'pw-that-must-not-be-told'

test(
  'postgresql: an error quotes neither password nor verifier',
  { skip: NO_POSTGRES },
  async () => {
    const server = open.use(await startPostgres())
    const { username } = server.superuser
    const target = await openPostgres({
      plugin: '',
      details: { connection_url: server.template },
      login: server.superuser,
      random: systemRandom,
    })
    for (const [statement, words] of [
      [`SELECT '{{password}}'::int`, /invalid input syntax for type integer: "\[secret\]"/],
      [`SELEC '{{password}}'`, /a syntax error in a statement \(SQLSTATE 42601\)/],
      [`SELECT "{{password}}"`, /does not exist/],
      [`DO $$ BEGIN RAISE '%', '{{password}}'; END $$`, /\[secret\]/],
    ] as const) {
      const told = await target
        .create({ username: 'u', password: PASSWORD, statements: [statement], expiresAt: 0 })
        .then(() => 'no error', String)
      match(told, words)
      ok(!told.includes(PASSWORD) && !told.includes('SCRAM-SHA-256$4096'), told)
    }
    const { outcome, ...why } = await target.probe({ username, password: PASSWORD })
    ok(outcome === 'refused' && !JSON.stringify(why).includes(PASSWORD), JSON.stringify(why))
    await target.close()
  },
)

test('mysql: an error quotes no password', { skip: NO_MARIADB }, async () => {
  const server = open.use(await startMariadb())
  const target = await openMysql({
    plugin: '',
    details: { connection_url: server.template },
    login: server.superuser,
    random: systemRandom,
  })
  for (const [statement, words] of [
    [`CREATE USERS '{{password}}'`, /a syntax error in a statement \(error 1064\)/],
    ['SELECT `{{password}}`', /Unknown column '\[secret\]'/],
    [`SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{{password}}'`, /\[secret\]/],
  ] as const) {
    const told = await target
      .create({ username: 'u', password: PASSWORD, statements: [statement], expiresAt: 0 })
      .then(() => 'no error', String)
    match(told, words)
    ok(!told.includes(PASSWORD), told)
  }
  await target.close()
})

test(
  'a statement that arrives very late finds its session closed',
  { skip: NO_POSTGRES || NO_MARIADB },
  async () => {
    const mariadb = open.use(await startMariadb())
    const mysql = await openMysql({
      plugin: '',
      details: { connection_url: mariadb.template },
      login: mariadb.superuser,
      random: systemRandom,
    })
    deepEqual(await mysql.query('SELECT @@SESSION.wait_timeout AS seconds'), [{ seconds: 20 }])
    await mysql.close()
    const postgres = open.use(await startPostgres())
    const target = await openPostgres({
      plugin: '',
      details: { connection_url: postgres.template },
      login: postgres.superuser,
      random: systemRandom,
    })
    const shown = await target.sql('SHOW idle_in_transaction_session_timeout')
    deepEqual(shown, [{ idle_in_transaction_session_timeout: '20s' }])
    await target.close()
  },
)

test(
  'a rollback statement is run when a user was made only in part',
  { skip: NO_POSTGRES },
  async () => {
    const server = open.use(await startPostgres())
    await server.sql('CREATE TABLE notes (name text)')
    const { core, done, refusal, logs } = await databaseHouse({
      plugin_name: 'postgresql-database-plugin',
      connection_url: server.template,
      ...server.superuser,
    })
    await done('write', 'database/roles/r', {
      db_name: 'db',
      creation_statements: [`CREATE ROLE "{{name}}"; SELECT 1/0`],
      rollback_statements: [`INSERT INTO notes VALUES ('{{name}}')`],
    })
    const told = await refusal('read', 'database/creds/r')
    match(told, /division by zero/)
    const notes = await server.sql('SELECT name FROM notes')
    match(String(notes[0]?.['name']), /^v-root-r-/)
    for (const secret of [server.superuser.password, 'postgresql://']) {
      ok(!told.includes(secret) && !logs.some((line) => line.includes(secret)))
    }
    await core.close()
  },
)
