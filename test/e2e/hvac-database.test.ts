/** hvac's calls of the database engine, against a real server of ours and real databases. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { NO_MARIADB, startMariadb } from '../support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { findPython, NO_HVAC } from '../support/python.ts'
import { NO_REDIS, startRedis } from '../support/redis.ts'
import { cleanEnv, startServer } from '../support/server.ts'

const python = findPython()
const skip = (python === undefined && NO_HVAC) || NO_POSTGRES || NO_MARIADB || NO_REDIS

type Login = { username: string; password: string }
type Told = { family: string } & Record<'first' | 'second' | 'dynamic' | 'revoked', Login>

test('hvac does with databases what it does with Vault', { skip }, async () => {
  await using postgres = await startPostgres()
  await using mariadb = await startMariadb()
  await using redis = await startRedis()
  await postgres.sql("CREATE ROLE app LOGIN PASSWORD 'first'")
  await mariadb.sql(`CREATE USER app@'%' IDENTIFIED BY 'first'`)
  await redis.command('ACL', 'SETUSER', 'app', 'on', '>first', '~*', '+@all')
  const databases = [
    {
      family: 'postgres',
      plugin: 'postgresql-database-plugin',
      config: { connection_url: postgres.template, ...postgres.superuser },
      creation: [
        `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
      ],
      rotation: [`ALTER USER "{{name}}" WITH PASSWORD '{{password}}';`],
    },
    {
      family: 'mariadb',
      plugin: 'mysql-database-plugin',
      config: { connection_url: mariadb.template, ...mariadb.superuser },
      creation: [`CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}';`],
      rotation: [`ALTER USER '{{name}}'@'%' IDENTIFIED BY '{{password}}';`],
    },
    {
      family: 'redis',
      plugin: 'redis-database-plugin',
      config: { host: '127.0.0.1', port: redis.port, ...redis.superuser },
      creation: ['["~*", "+@read"]'],
      rotation: [],
    },
  ]
  await using server = await startServer({ kind: 'config', audit: true })
  const child = spawn(python ?? '', [join(import.meta.dirname, 'hvac_database.py')], {
    env: cleanEnv(server.dir, {
      VAULT_ADDR: server.address,
      VAULT_TOKEN: server.rootToken,
      DATABASES: JSON.stringify(databases),
      PYTHONDONTWRITEBYTECODE: '1',
    }),
    timeout: 60_000,
  })
  let [out, errors] = ['', '']
  const servers = { postgres, mariadb, redis }
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  await new Promise((done) => child.once('close', done))
  equal(errors, '')
  const all = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told)
  deepEqual(
    all.map(({ family }) => family),
    databases.map(({ family }) => family),
  )
  for (const { family, first, second, dynamic, revoked } of all) {
    const { takes } = servers[family as keyof typeof servers]
    const works = ({ username, password }: Login) => takes(username, password)
    equal(await works(first), false, `${family}: the one before has ended with its static role`)
    ok(await works(second), `${family}: the password of now`)
    equal(await works(revoked), false, `${family}: a lease that was revoked`)
    equal(await works(dynamic), false, `${family}: the mount is gone, and its users with it`)
  }
})
