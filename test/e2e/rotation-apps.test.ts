/**
 * Apps and a rotation on a real server and a real PostgreSQL: word of it is pushed, pools follow, who
 * holds the old login is known by name, and the old one is gone only when nobody has it any more.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { connect, rotatingPg, token } from '../../src/client/client.ts'
import { NO_POSTGRES, type Postgres, startPostgres } from '../support/postgres.ts'
import { REF, rotatingServer, type RotatingServer } from '../support/rotating-server.ts'

const skip = { skip: NO_POSTGRES }

/** Looks once an hour: whatever it learns sooner was pushed. */
async function startPool(at: RotatingServer, postgres: Postgres) {
  const errors: unknown[] = []
  const onError = (error: unknown) => void errors.push(error)
  const own = await at.appToken()
  const client = await connect({ address: at.server.address, auth: token(own), env: {} })
  const pool = await rotatingPg(pg, REF, {
    client,
    app: 'shop',
    intervalMs: 3_600_000,
    onError,
    pool: { host: '127.0.0.1', port: postgres.port, database: 'postgres', max: 4 },
  })
  const whoAmI = async () => {
    const { rows } = await pool.query('SELECT session_user AS login, current_user AS acts')
    return rows[0] as { login: string; acts: string }
  }
  return {
    pool,
    errors,
    whoAmI,
    async [Symbol.asyncDispose]() {
      await pool.end()
      await client.close()
    },
  }
}

test('word of a rotation is pushed: the pool follows, and the old login ends', skip, async () => {
  await using postgres = await startPostgres()
  await using at = await rotatingServer(postgres)
  await using app = await startPool(at, postgres)
  deepEqual(await app.whoAmI(), { login: 'app_a', acts: 'app' })
  // Somebody has stolen it, and is no holder.
  const stolen = (await at.until(({ holders }) => holders.some((each) => each.state === 'drained')))
    .holders
  deepEqual(
    stolen.map(({ kind, app: name, state, blocks }) => [kind, name, state, blocks]),
    [['client', 'shop', 'drained', false]],
  )
  equal((await at.rotate()).status, 204)
  const after = await at.until(({ state, generation }) => state === 'IDLE' && generation === 2)
  deepEqual(await app.whoAmI(), { login: 'app_b', acts: 'app' })
  deepEqual(
    after.holders.map(({ kind, state, blocks }) => [kind, state, blocks]),
    [['client', 'drained', false]],
  )
  const [old] = await postgres.sql(
    `SELECT rolcanlogin AS login, rolpassword FROM pg_authid WHERE rolname = 'app_a'`,
  )
  deepEqual(old, { login: false, rolpassword: null })
  deepEqual(app.errors, [])
  ok(!/FATAL:  (?:role|password)/.test(postgres.log()), 'nobody was refused')
})

test('a second rotation at once is refused, and says who has to let go', skip, async () => {
  await using postgres = await startPostgres()
  await using at = await rotatingServer(postgres)
  await using app = await startPool(at, postgres)
  const reader = await at.appToken()
  await at.served(reader)
  const busy = await app.pool.connect()
  await at.until(({ holders }) =>
    holders.some(({ kind, state }) => kind === 'client' && state === 'drained'),
  )
  equal((await at.rotate()).status, 204)
  const again = await at.rotate()
  equal(again.status, 409)
  const [text = ''] = again.errors
  match(text, /generation 1 of "database\/static-creds\/app" is held by/)
  match(text, /client shop [0-9a-f-]{36} \(127\.0\.0\.1\)/)
  match(text, /reader token \(127\.0\.0\.1\)/)
  match(text, /session shop coffer:shop:[0-9a-f]{8} \(127\.0\.0\.1\)/)
  equal((await at.status()).generation, 2, 'nothing has begun')

  equal((await busy.query('SELECT 1 AS one')).rows[0].one, 1)
  busy.release()
  await at.until(({ holders }) => !holders.some(({ kind, blocks }) => kind !== 'reader' && blocks))
  match((await at.rotate()).errors.join(), /is held by reader token \(127\.0\.0\.1\): rotate when/)
  equal((await at.served(reader)).generation, 2)
  await at.until(({ state }) => state === 'IDLE')
  equal((await at.rotate()).status, 204)
  equal((await at.status()).generation, 3)
  deepEqual(app.errors, [])
})
