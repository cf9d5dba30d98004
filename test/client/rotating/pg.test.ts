/** The pool of `pg` on a real PostgreSQL, while its login goes back and forth between two users. */
import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { isAuthFailure, rotatingPg } from '../../../src/client/client.ts'
import { NO_POSTGRES, type Postgres, startPostgres } from '../../support/postgres.ts'
import { disorder, House, later, type Login, REF, startWorkers, until } from './house.ts'

const skip = NO_POSTGRES
const FLIPS = 15
let target: Postgres

before(async () => {
  if (skip) return
  target = await startPostgres()
  await target.sql(`CREATE ROLE app_a LOGIN; CREATE ROLE app_b LOGIN`)
})
after(async () => {
  await target?.[Symbol.asyncDispose]()
})

const place = () => ({ host: '127.0.0.1', port: target.port, database: 'postgres' })
let passwords = 0

/** A new password for one of the two users. */
async function give(username: string): Promise<Login> {
  const password = `${username} p@ss/${++passwords}`
  await target.sql(`ALTER ROLE ${username} LOGIN PASSWORD '${password}'`)
  return { username, password }
}
const take = (username: string) => target.sql(`ALTER ROLE ${username} NOLOGIN PASSWORD 'gone'`)

async function sessionsOf(username: string): Promise<number> {
  const found = await target.sql(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = $1`,
    [username],
  )
  return found[0]!['n'] as number
}

test('rotatingPg() lets no error through while users and passwords flip', { skip }, async () => {
  const first = await give('app_a')
  await using house = await House.open(first)
  const pool = await rotatingPg(pg, REF, { ...house.options(), pool: { ...place(), max: 6 } })
  const plain = new pg.Pool({ ...place(), user: first.username, password: first.password })
  const workers = startWorkers(8, async (index) => {
    const client = await pool.connect()
    try {
      await client.query('SELECT 1')
    } finally {
      client.release(index % 2 === 0)
    }
  })
  // What does not follow must fail here, or this test shows nothing.
  const control = startWorkers(1, async () => {
    const client = await plain.connect()
    client.release(true)
  })
  for (let flip = 1; flip <= FLIPS; flip++) {
    const [now, before] = flip % 2 === 1 ? ['app_b', 'app_a'] : ['app_a', 'app_b']
    const generation = house.publish(await give(now))
    await house.acked(generation, 'drained')
    const left = await target.sql(
      `SELECT application_name FROM pg_stat_activity
       WHERE usename = '${before}' AND application_name LIKE 'coffer:%'`,
    )
    deepEqual(left, [])
    await take(before)
    await later(100)
  }
  const { done, errors } = await workers.stop()
  const missed = await control.stop()
  await pool.end()
  await plain.end()
  deepEqual(errors, [])
  ok(done > FLIPS * 8, `${done} connections`)
  ok(missed.errors.length > 0)
  deepEqual(disorder(house.acks), [])
  deepEqual(house.errors, [])
  equal(new Set(house.acks.map(({ instance }) => instance)).size, 1)
})

test(
  'rotatingPg() says drained when the last old connection is closed, not before',
  { skip },
  async () => {
    await using house = await House.open(await give('app_a'))
    // Nothing but the rotation closes the idle one.
    const options = { ...house.options(), pool: { ...place(), idleTimeoutMillis: 0 } }
    const pool = await rotatingPg(pg, REF, options)
    const busy = await pool.connect()
    const idle = await pool.connect()
    idle.release()
    await busy.query('BEGIN')
    const generation = house.publish(await give('app_b'))
    await house.acked(generation, 'applied')
    // The idle one is closed at once, without anybody asking for it.
    await until(async () => (await sessionsOf('app_a')) <= 1)
    const fresh = await pool.query<{ who: string; name: string }>(
      `SELECT session_user AS who, current_setting('application_name') AS name`,
    )
    equal(fresh.rows[0]?.who, 'app_b')
    match(fresh.rows[0].name, /^coffer:shop:[0-9a-f]{8}$/)
    equal(fresh.rows[0].name.slice(-8), house.acks[0]?.instance.slice(0, 8))
    deepEqual(house.states(generation), ['seen', 'applied'])
    await busy.query('COMMIT')
    busy.release()
    await house.acked(generation, 'drained')
    equal(await sessionsOf('app_a'), 0)
    await pool.end()
    await take('app_a')
  },
)

test(
  'rotatingPg() asks again when a login is refused, and the app sees no error',
  { skip },
  async () => {
    await using house = await House.open(await give('app_a'))
    // No look will come in time: only the refusal can tell.
    const options = { ...house.options(600_000), pool: { ...place(), max: 20 } }
    const pool = await rotatingPg(pg, REF, options)
    await house.acked(1, 'applied')
    house.publish(await give('app_b'))
    await take('app_a')
    const asked = Array.from({ length: 10 }, async () => {
      const { rows } = await pool.query<{ who: string }>('SELECT session_user AS who')
      return rows[0]?.who
    })
    deepEqual(new Set(await Promise.all(asked)), new Set(['app_b']))
    const called = once(pool, 'remove')
    pool.connect((error, client, release) => {
      equal(error, undefined)
      ok(client)
      release(true)
    })
    await called
    await pool.end()
  },
)

test(
  'rotatingPg() gives the refusal to the app when there is nothing newer',
  { skip },
  async () => {
    await using house = await House.open(await give('app_a'))
    const pool = await rotatingPg(pg, REF, { ...house.options(), pool: place() })
    await house.acked(1, 'applied')
    await take('app_a')
    await rejects(pool.query('SELECT 1'), isAuthFailure)
    await pool.end()
  },
)

test(
  'rotatingPg() stays with what works when a new login is refused, and says so',
  { skip },
  async () => {
    await using house = await House.open(await give('app_a'))
    const pool = await rotatingPg(pg, REF, { ...house.options(), pool: place() })
    const broken = house.publish({ username: 'app_b', password: 'canary never set' })
    await house.acked(broken, 'nack')
    const { rows } = await pool.query<{ who: string }>('SELECT session_user AS who')
    equal(rows[0]?.who, 'app_a')
    deepEqual(house.states(broken), ['seen', 'nack'])
    equal(JSON.stringify(house.acks).includes('canary'), false)
    const next = house.publish(await give('app_b'))
    await house.acked(next, 'drained')
    await pool.end()
  },
)

test('rotatingPg() takes a connection string', { skip }, async () => {
  await using house = await House.open(await give('app_a'))
  const connectionString = `postgres://nobody:wrong@127.0.0.1:${target.port}/postgres`
  const pool = await rotatingPg(pg, REF, { ...house.options(), pool: { connectionString } })
  const { rows } = await pool.query<{ who: string; name: string }>(
    `SELECT session_user AS who, current_setting('application_name') AS name`,
  )
  equal(rows[0]?.who, 'app_a')
  match(rows[0].name, /^coffer:shop:/)
  await pool.end()
  const strange = { ...house.options(), pool: { connectionString: 'not a URL' } }
  await rejects(rotatingPg(pg, REF, strange), TypeError)
})

test(
  'rotatingPg() without a server to ask rejects, and keeps nothing alive',
  { skip },
  async () => {
    const connect = { address: 'http://127.0.0.1:1', env: { VAULT_TOKEN: 'x' }, tries: 1 }
    await rejects(rotatingPg(pg, REF, { connect, pool: place() }))
  },
)

test('two pools are two holders', { skip }, async () => {
  await using house = await House.open(await give('app_a'))
  const pools = await Promise.all(
    [1, 2].map(() => rotatingPg(pg, REF, { ...house.options(), pool: place() })),
  )
  await house.acked(1, 'drained')
  for (const pool of pools) await pool.end()
  const [one, two] = new Set(house.acks.map(({ instance }) => instance))
  notEqual(one, two)
  ok(two)
})
