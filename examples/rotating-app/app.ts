/**
 * An app under load: it opens new connections to PostgreSQL all the time, and keeps some busy, while its
 * login is rotated. The pool is an ordinary `pg.Pool`; where it logs in follows by itself.
 *
 *   VAULT_ADDR=… VAULT_TOKEN=… PGHOST=127.0.0.1 PGPORT=5432 npx node examples/rotating-app/app.ts
 */
import pg from 'pg'
import { rotatingPg } from 'coffer/client'

const reference = process.env['APP_LOGIN'] ?? 'vault://database/static-creds/shop'
const pool = await rotatingPg(pg, reference, {
  app: 'shop',
  pool: { database: process.env['PGDATABASE'] ?? 'postgres', max: 5 },
})

let [connections, errors, login] = [0, 0, '']
const ending = new AbortController()

/** A new connection, some work, and away with it. */
async function work(): Promise<void> {
  try {
    const client = await pool.connect()
    try {
      const { rows } = await client.query<{ login: string }>('SELECT session_user AS login')
      connections++
      if (rows[0].login !== login) {
        login = rows[0].login
        console.log(`new connections log in as ${login}`)
      }
      await client.query('SELECT pg_sleep(0.02)')
    } finally {
      client.release(true)
    }
  } catch (error) {
    errors++
    console.log(`a connection failed: ${(error as Error).message}`)
  }
}

async function worker(): Promise<void> {
  while (!ending.signal.aborted) await work()
}

console.log('under load')
const workers = [worker(), worker(), worker()]
process.once('SIGTERM', () => ending.abort())
await Promise.all(workers)
await pool.end()
console.log(`${connections} connections, ${errors} errors`)
