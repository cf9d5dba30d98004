/** The pools of `mysql2` on a real MariaDB, while their login goes back and forth. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import mysqlCallback from 'mysql2'
import mysql from 'mysql2/promise'
import { isAuthFailure, rotatingMysql2 } from '../../../src/client/client.ts'
import { type Mariadb, NO_MARIADB, startMariadb } from '../../support/mariadb.ts'
import { disorder, House, later, type Login, REF, startWorkers, until } from './house.ts'

const skip = NO_MARIADB
const FLIPS = 12
let target: Mariadb

before(async () => {
  if (skip) return
  target = await startMariadb()
  for (const name of ['app_a', 'app_b']) {
    await target.sql(`CREATE USER ${name} IDENTIFIED BY 'none'; GRANT ALL ON app.* TO ${name}`)
  }
})
after(async () => {
  await target?.[Symbol.asyncDispose]()
})

const place = () => ({ host: '127.0.0.1', port: target.port, database: 'app' })
let passwords = 0

async function give(username: string): Promise<Login> {
  const password = `${username} p@ss/${++passwords}`
  await target.sql(`ALTER USER ${username} IDENTIFIED BY '${password}' ACCOUNT UNLOCK`)
  return { username, password }
}
const take = (username: string) =>
  target.sql(`ALTER USER ${username} IDENTIFIED BY 'gone' ACCOUNT LOCK`)

async function sessionsOf(username: string): Promise<number> {
  const text = `SELECT count(*) AS n FROM information_schema.processlist WHERE user = ?`
  return Number((await target.sql(text, [username]))[0]!['n'])
}

test(
  'rotatingMysql2() lets no error through while users and passwords flip',
  { skip },
  async () => {
    const first = await give('app_a')
    await using house = await House.open(first)
    const options = { ...house.options(), pool: { ...place(), connectionLimit: 6 } }
    const pool = await rotatingMysql2(mysql, REF, options)
    const control = startWorkers(1, async () => {
      const { username: user, password } = first
      await (await mysql.createConnection({ ...place(), ...(user && { user }), password })).end()
    })
    const useOne = async (index: number) => {
      const connection = await pool.getConnection()
      await connection.query('SELECT 1')
      if (index % 2 === 0) connection.destroy()
      else connection.release()
    }
    const workers = startWorkers(8, async (index) => {
      if (index < 3) await pool.query('SELECT 1')
      else await useOne(index)
    })
    for (let flip = 1; flip <= FLIPS; flip++) {
      const [now, before] = flip % 2 === 1 ? ['app_b', 'app_a'] : ['app_a', 'app_b']
      const generation = house.publish(await give(now))
      await house.acked(generation, 'drained')
      await take(before)
      await later(100)
    }
    const { done, errors } = await workers.stop()
    const missed = await control.stop()
    await pool.end()
    deepEqual(errors, [])
    ok(done > FLIPS * 8, `${done} uses`)
    ok(missed.errors.length > 0)
    deepEqual(disorder(house.acks), [])
    deepEqual(house.errors, [])
  },
)

test(
  'rotatingMysql2() says drained when the last old connection is closed, not before',
  { skip },
  async () => {
    await using house = await House.open(await give('app_a'))
    const pool = await rotatingMysql2(mysqlCallback, REF, { ...house.options(), pool: place() })
    const get = () =>
      new Promise<mysqlCallback.PoolConnection>((resolve, reject) => {
        pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)))
      })
    const [busy, idle] = [await get(), await get()]
    idle.release()
    const generation = house.publish(await give('app_b'))
    await house.acked(generation, 'applied')
    await until(async () => (await sessionsOf('app_a')) <= 1)
    const fresh = await get()
    const [rows] = await fresh
      .promise()
      .query<mysqlCallback.RowDataPacket[]>('SELECT user() AS who, connection_id() AS id')
    match(rows[0]!['who'] as string, /^app_b@/)
    deepEqual(house.states(generation), ['seen', 'applied'])
    busy.release()
    await house.acked(generation, 'drained')
    await until(async () => (await sessionsOf('app_a')) <= 0)
    await new Promise((resolve) => pool.end(resolve))
    await take('app_a')
  },
)

test('rotatingMysql2() hands an old connection to nobody who waits for one', { skip }, async () => {
  await using house = await House.open(await give('app_a'))
  const options = { ...house.options(), pool: { ...place(), connectionLimit: 1 } }
  const pool = await rotatingMysql2(mysql, REF, options)
  const busy = await pool.getConnection()
  const waiting = pool.query<mysql.RowDataPacket[]>('SELECT user() AS who')
  const generation = house.publish(await give('app_b'))
  await house.acked(generation, 'applied')
  busy.release()
  match((await waiting)[0][0]!['who'] as string, /^app_b@/)
  await house.acked(generation, 'drained')
  await pool.end()
})

test(
  'rotatingMysql2() asks again when a login is refused, and the app sees no error',
  { skip },
  async () => {
    await using house = await House.open(await give('app_a'))
    const pool = await rotatingMysql2(mysql, REF, { ...house.options(600_000), pool: place() })
    await house.acked(1, 'applied')
    house.publish(await give('app_b'))
    await take('app_a')
    const asked = Array.from({ length: 8 }, async () => {
      const [rows] = await pool.execute<mysql.RowDataPacket[]>('SELECT user() AS who')
      return (rows[0]!['who'] as string).split('@')[0]
    })
    deepEqual(new Set(await Promise.all(asked)), new Set(['app_b']))
    await take('app_b')
    const taken = await pool.getConnection()
    taken.destroy()
    await rejects(
      Promise.all(Array.from({ length: 10 }, () => pool.query('DO SLEEP(0.2)'))),
      isAuthFailure,
    )
    await pool.end()
  },
)

for (const [name, driver] of [
  ['mysql2/promise', mysql],
  ['mysql2', mysqlCallback],
] as const) {
  test(`a pool of ${name} ends well while a login of it is refused`, { skip }, async () => {
    await using house = await House.open(await give('app_a'))
    const pool = await rotatingMysql2(driver, REF, { ...house.options(600_000), pool: place() })
    await house.acked(1, 'applied')
    await take('app_a')
    // Its handshake has begun and its refusal comes while the pool ends.
    pool.getConnection(() => {})?.catch(() => {})
    if (driver === mysql) return pool.end()
    equal(await new Promise((done) => void pool.end(done)), undefined)
  })
}

test('rotatingMysql2() says so when the driver keeps its login elsewhere', async () => {
  await using house = await House.open({ username: 'u', password: 'canary' })
  const strange = { createPool: () => ({ config: {} }), createConnection: () => ({}) }
  const made = rotatingMysql2(strange, REF, house.options())
  await rejects(made, (error) => {
    ok(error instanceof TypeError)
    equal(error.message.includes('canary'), false)
    return true
  })
})
