/**
 * A client that nobody knew of still has the password before. When that softly ends, its next login
 * is refused, the database's log tells, and the end is undone; nobody else has noticed. With two
 * workers, and a real PostgreSQL.
 */
import { equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { http, startServer } from '../support/server.ts'

const later = () => new Promise((done) => setTimeout(done, 50))

test('an end that somebody misses is undone', { skip: NO_POSTGRES }, async (t) => {
  await using postgres = await startPostgres()
  await postgres.sql("CREATE ROLE app LOGIN PASSWORD 'first'")
  await using server = await startServer({ kind: 'config', workers: 2 })
  const api = http(server.address, { token: server.rootToken })
  const done = async (path: string, body?: unknown) => {
    const { status, text } = await api.write(path, body)
    ok(status < 300, `${path}: ${status} ${text}`)
  }
  await done('sys/mounts/database', { type: 'database' })
  await done('database/config/db', {
    plugin_name: 'postgresql-database-plugin',
    connection_url: postgres.template,
    allowed_roles: '*',
    ...postgres.superuser,
  })
  await done('database/rotate-root/db')
  await done('database/static-roles/app', {
    db_name: 'db',
    username: 'app',
    rotation_period: '24h',
    quiet: 1,
    undo_window: 600,
    reader_hold: 1,
  })
  const served = async () => {
    const answer = await api.read('database/static-creds/app')
    return { ...(answer.body['data'] as { username: string; password: string }), answer }
  }
  const hidden = await served()
  equal(hidden.answer.headers.get('x-coffer-generation'), '1')
  await done('database/rotate-role/app')
  const current = await served()
  const status = async () => {
    const { body } = await api.read('sys/coffer/rotate/status/database/static-creds/app')
    return body['data'] as { state: string; hold_reason?: string; history: { note: string }[] }
  }
  while ((await status()).state !== 'SOFT_REVOKED') await later()
  while (await postgres.takes(hidden.username, hidden.password)) await later()
  const refused = performance.now()
  while (!(await postgres.takes(hidden.username, hidden.password))) await later()
  t.diagnostic(`undone ${Math.round(performance.now() - refused)} ms after the refused login`)
  const after = await status()
  equal(after.state, 'HELD')
  match(JSON.stringify(after.history), /logins with generation 1 were refused/)
  ok(await postgres.takes(current.username, current.password))
})
