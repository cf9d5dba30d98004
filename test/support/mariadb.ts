/** A real MariaDB: fresh, on a free port. */
import { mkdirSync } from 'node:fs'
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection } from 'mysql2/promise'
import {
  freePort,
  ownerFor,
  ownFolder,
  ownServer,
  type OwnServer,
  programAt,
  runOnce,
} from './own-server.ts'

const SERVER = programAt('/usr/sbin/mariadbd', '/usr/libexec/mariadbd', '/usr/bin/mariadbd')
const INSTALL = programAt('/usr/bin/mariadb-install-db', '/usr/local/bin/mariadb-install-db')

/** Why a test that needs it is skipped; false when it can run. */
export const NO_MARIADB: string | false =
  SERVER && INSTALL ? false : 'mariadb-server is not installed: run .ci/run once'

export type Mariadb = OwnServer & {
  readonly port: number
  readonly superuser: { username: string; password: string }
  readonly template: string
  connect(as?: { username: string; password: string }): Promise<Connection>
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
  takes: (username: string, password: string) => Promise<boolean>
}

const SUPERUSER = { username: 'admin', password: 'superuser-password' }

export async function startMariadb(settings: readonly string[] = []): Promise<Mariadb> {
  const owner = ownerFor('mysql')
  const dir = ownFolder('mariadb', owner)
  const port = await freePort()
  const datadir = join(dir, 'data')
  // In the shared one, servers that start at the same moment delete each other's temporary tables.
  const tmpdir = join(dir, 'tmp')
  for (const folder of [datadir, tmpdir]) {
    mkdirSync(folder)
    if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid)
  }
  runOnce(
    [
      ...[INSTALL!, '--no-defaults', `--datadir=${datadir}`, '--skip-test-db'],
      `--tmpdir=${tmpdir}`,
      ...['--auth-root-authentication-method=normal', '--innodb-flush-method=nosync'],
      ...['--innodb-log-file-size=4M', '--skip-name-resolve'],
    ],
    { ...owner, dir },
  )
  const argv = [
    ...[SERVER!, '--no-defaults', `--datadir=${datadir}`, `--port=${port}`],
    ...['--bind-address=127.0.0.1', `--socket=${join(dir, 'sock')}`, '--skip-name-resolve'],
    ...['--innodb-flush-method=nosync', '--innodb-flush-log-at-trx-commit=0'],
    ...['--innodb-buffer-pool-size=16M', '--userstat=1', `--pid-file=${join(dir, 'pid')}`],
    ...['--innodb-log-file-size=4M', `--tmpdir=${tmpdir}`, ...settings],
  ]
  const server = await ownServer({ argv, dir, port, signal: 'KILL', owner })
  const mysql = await import('mysql2/promise')
  const connect: Mariadb['connect'] = async (as = SUPERUSER) => {
    const connection = await mysql.createConnection({
      host: '127.0.0.1',
      port,
      user: as.username,
      password: as.password,
      multipleStatements: true,
    })
    connection.on('error', () => {})
    return connection
  }
  const first = await connect({ username: 'root', password: '' })
  await first.query(
    `CREATE USER admin@'%' IDENTIFIED BY '${SUPERUSER.password}';` +
      `GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION; CREATE DATABASE app;`,
  )
  await first.end()
  let admin: Connection | undefined
  return {
    ...server,
    port,
    superuser: SUPERUSER,
    template: `{{username}}:{{password}}@tcp(127.0.0.1:${port})/`,
    connect,
    async sql(text, values) {
      admin ??= await connect()
      const [rows] = await admin.query(text, values)
      return rows as Record<string, unknown>[]
    },
    async takes(username, password) {
      try {
        await (await connect({ username, password })).end()
        return true
      } catch (error) {
        const { errno } = error as { errno?: number }
        if (errno === 1045 || errno === 4151 || errno === 1698) return false
        throw error
      }
    },
    async stop(signal) {
      admin?.destroy()
      admin = undefined
      await server.stop(signal)
    },
    async [Symbol.asyncDispose]() {
      admin?.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}
