/** A real PostgreSQL: fresh, on a free port, fast and not safe; its log is kept and shown. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'
import { freePort, ownerFor, ownFolder, ownServer, type OwnServer, runOnce } from './own-server.ts'

const BIN = globSync('/usr/lib/postgresql/*/bin/initdb').toSorted().at(-1)?.replace('/initdb', '')

/** Why a test that needs it is skipped; false when it can run. */
export const NO_POSTGRES: string | false = BIN
  ? false
  : 'postgresql is not installed: run .ci/run once'

export type Postgres = OwnServer & {
  readonly port: number
  readonly superuser: { username: string; password: string }
  /** As coffer's configuration has it, to be filled in. */
  readonly template: string
  connect(as?: { username: string; password: string }): Promise<Client>
  /** Runs statements as the superuser; the rows of the last. */
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
  /** Whether this login is taken. */
  takes: (username: string, password: string) => Promise<boolean>
  /** All that the server has logged. */
  log(): string
}

const SUPERUSER = { username: 'postgres', password: 'superuser-password' }

export async function startPostgres(settings: readonly string[] = []): Promise<Postgres> {
  const owner = ownerFor('postgres')
  const dir = ownFolder('postgres', owner)
  const port = await freePort()
  const pwfile = join(dir, 'pw')
  writeFileSync(pwfile, SUPERUSER.password, { mode: 0o644 })
  const initdb = ['-D', join(dir, 'data'), '--no-sync', '--no-instructions', '-E', 'UTF8']
  runOnce(
    [
      `${BIN}/initdb`,
      ...initdb,
      ...['--locale=C', '-A', 'scram-sha-256', '-U', SUPERUSER.username, `--pwfile=${pwfile}`],
    ],
    { ...owner, dir },
  )
  const given = [
    ...['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=60'],
    ...['logging_collector=on', 'log_directory=log', 'log_filename=postgresql.log'],
    ...['log_statement=all', 'log_connections=on', `unix_socket_directories=${dir}`],
    ...['listen_addresses=127.0.0.1', `port=${port}`, 'shared_buffers=16MB', ...settings],
  ]
  const argv = [`${BIN}/postgres`, '-D', join(dir, 'data'), ...given.flatMap((one) => ['-c', one])]
  const server = await ownServer({ argv, dir, port, signal: 'QUIT', owner })
  const { default: pg } = await import('pg')
  let admin: Promise<Client> | undefined

  const connect: Postgres['connect'] = async (as = SUPERUSER) => {
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: as.username,
      password: as.password,
      database: 'postgres',
    })
    // A connection that is cut while nobody asks would end the test.
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const made: Postgres = {
    ...server,
    port,
    superuser: SUPERUSER,
    template: `postgresql://{{username}}:{{password}}@127.0.0.1:${port}/postgres`,
    connect,
    async sql(text, values) {
      admin ??= readyFor(connect)
      const result = await (await admin).query(text, values)
      return (Array.isArray(result) ? result.at(-1) : result).rows as Record<string, unknown>[]
    },
    async takes(username, password) {
      try {
        await (await connect({ username, password })).end()
        return true
      } catch (error) {
        if (/^(28|08)/.test(String((error as { code?: unknown }).code))) return false
        throw error
      }
    },
    log() {
      const at = join(dir, 'data', 'log')
      return readdirSync(at)
        .map((name) => readFileSync(join(at, name), 'utf8'))
        .join('')
    },
    async stop(signal) {
      await (await admin?.catch(() => undefined))?.end().catch(() => {})
      admin = undefined
      await server.stop(signal)
    },
    async [Symbol.asyncDispose]() {
      await (await admin?.catch(() => undefined))?.end().catch(() => {})
      await server[Symbol.asyncDispose]()
    },
  }
  // The port is open before the server takes logins.
  await made.sql('SELECT 1')
  return made
}

async function readyFor(connect: () => Promise<Client>): Promise<Client> {
  for (const end = performance.now() + 10_000; ;) {
    try {
      return await connect()
    } catch (error) {
      // 57P03: the database system is starting up.
      if ((error as { code?: unknown }).code !== '57P03' || performance.now() > end) throw error
      await new Promise((later) => setTimeout(later, 20))
    }
  }
}
