/** TLS to real databases that demand it: whom they are taken for, and who is taken for them. */
import { doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import {
  authority,
  certificate,
  type CertificateOptions,
  type Issued,
  SERVER_AUTH,
} from '../../../test/support/authority.ts'
import { databaseHouse } from '../../../test/support/database-house.ts'
import { type Mariadb, NO_MARIADB, startMariadb } from '../../../test/support/mariadb.ts'
import { freePort, ownerFor } from '../../../test/support/own-server.ts'
import { NO_POSTGRES, type Postgres, startPostgres } from '../../../test/support/postgres.ts'
import { NO_REDIS, type Redis, startRedis } from '../../../test/support/redis.ts'

const DAY_MS = 86_400_000
const PASSWORD = 'first-root-password'
const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

type Shown = 'good' | 'elsewhere' | 'expired'
const issued = {} as Record<Shown | 'ca' | 'otherCa' | 'client', Issued>
const files = mkdtempSync(join(tmpdir(), 'coffer-tls-'))
open.defer(() => rmSync(files, { recursive: true, force: true }))

before(async () => {
  const dates = (from: number, to: number): CertificateOptions => ({
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS),
  })
  const now = dates(-1, 30)
  issued.ca = await authority('databases', now)
  issued.otherCa = await authority('others', now)
  const shown = (names: CertificateOptions['names'], when = now) =>
    certificate({ subject: 'CN=db', usages: [SERVER_AUTH], names: names!, ...when }, issued.ca)
  const here = [{ type: 'ip', value: '127.0.0.1' } as const]
  issued.good = await shown(here)
  // Whoever checks for `localhost` because an address has no name would take this one.
  issued.elsewhere = await shown(
    ['elsewhere.test', 'localhost'].map((value) => ({ type: 'dns', value })),
  )
  issued.expired = await shown(here, dates(-3, -1))
  issued.client = await certificate({ subject: 'CN=coffer', ...now }, issued.ca)
  chmodSync(files, 0o755)
  for (const [name, { pem, keyPem }] of Object.entries(issued)) {
    writeFileSync(join(files, `${name}.crt`), pem)
    writeFileSync(join(files, `${name}.key`), keyPem, { mode: 0o644 })
  }
})
const at = (name: string) => join(files, name)

type Database = {
  config: Record<string, unknown>
  caName: 'tls_ca' | 'ca_cert'
  /** What a configuration that does not mind TLS differs by. */
  plain: Record<string, unknown>
  plainRefused: RegExp
  role: Record<string, unknown>
  /** What the server shows from now on. */
  show: (which: Shown) => Promise<unknown>
}

/** What holds for every database: it starts with the right authority, and shows the good certificate. */
async function judged(database: Database) {
  const { config, caName, role, show } = database
  const whole = { [caName]: issued.ca.pem, username: 'boss', password: PASSWORD, ...config }
  const { done, refusal } = await databaseHouse(whole)
  let next = 0
  const write = async (over: Record<string, unknown>) => {
    const path = `database/config/other${++next}`
    await done('write', path, { ...whole, ...over })
    doesNotMatch(JSON.stringify(await done('read', path)), /root-password|PRIVATE/)
  }
  const refused = async (over: Record<string, unknown> = {}) => {
    const text = await refusal('write', 'database/config/none', { ...whole, ...over })
    match(text, /^400 error creating database object: /)
    doesNotMatch(text, /root-password|BEGIN|[\w+/]{60}/)
    return text
  }

  match(await refused({ [caName]: issued.otherCa.pem }), /not trusted: set tls_ca/)
  match(await refused({ [caName]: '' }), /not trusted: set tls_ca/)
  match(await refused({ [caName]: PASSWORD }), /must be the PEM of one or more certificates/)
  match(await refused({ [caName]: '', ...database.plain }), database.plainRefused)
  await show('elsewhere')
  match(
    await refused(),
    /is for another host: use a host that stands in it, or set tls_server_name/,
  )
  match(await refused({ tls_server_name: 'third.test' }), /is for another host/)
  match(await refused({ tls_server_name: '127.0.0.2' }), /is for another host/)
  await write({ tls_server_name: 'elsewhere.test' })
  await show('expired')
  match(await refused(), /has expired: the server needs a new one/)
  await show('good')

  await done('write', 'database/roles/app', { db_name: 'db', ...role })
  const first = await done('read', 'database/creds/app')
  await done('write', 'database/rotate-root/db')
  const second = await done('read', 'database/creds/app')
  ok(first['username'] !== second['username'], 'with a password of its own')
  match(await refused(), /password|WRONGPASS|Access denied/, 'the first one has ended')
  const { connection_details: shown } = await done('read', 'database/config/db')
  equal((shown as Record<string, unknown>)[caName], issued.ca.pem)
  return { write, refused }
}

test('PostgreSQL that takes hostssl only', { skip: NO_POSTGRES }, async () => {
  const server: Postgres = open.use(await startPostgres())
  await server.sql(
    `CREATE ROLE boss LOGIN SUPERUSER PASSWORD '${PASSWORD}'; CREATE ROLE shy LOGIN PASSWORD '${PASSWORD}'`,
  )
  const data = join(server.dir, 'data')
  const put = (name: string, text: string) => {
    const { uid, gid } = ownerFor('postgres')
    writeFileSync(join(data, name), text, { mode: 0o600 })
    if (uid !== undefined && gid !== undefined) chownSync(join(data, name), uid, gid)
  }
  put('ca.crt', issued.ca.pem)
  put(
    'pg_hba.conf',
    'hostssl all shy all scram-sha-256 clientcert=verify-ca\nhostssl all all all scram-sha-256\n',
  )
  const show = async (which: Shown) => {
    put('server.crt', issued[which].pem)
    put('server.key', issued[which].keyPem)
    await server.sql('SELECT pg_reload_conf()')
    while ((await serialShown(server.port)) !== issued[which].certificate.serialNumber);
  }
  const url = (mode: string) => `${server.template}?sslmode=${mode}`
  put('server.crt', issued.good.pem)
  put('server.key', issued.good.keyPem)
  await server.sql("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'")
  await server.sql('ALTER SYSTEM SET ssl = on')
  await show('good')

  const { write, refused } = await judged({
    config: { plugin_name: 'postgresql-database-plugin', connection_url: url('verify-full') },
    caName: 'tls_ca',
    plain: { connection_url: url('disable') },
    plainRefused: /no encryption \(SQLSTATE 28000\): set sslmode=verify-full/,
    role: { creation_statements: `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'` },
    show,
  })

  const shy = { username: 'shy', connection_url: url('verify-full') }
  const pair = { tls_certificate: issued.client.pem, private_key: issued.client.keyPem }
  match(await refused(shy), /valid client certificate .*set tls_certificate and private_key/)
  await write({ ...shy, ...pair })
  await write({ ...shy, ...pair, tls_ca: '', connection_url: server.template })
  match(await refused({ ...shy, ...pair, private_key: '' }), /needs private_key beside it/)
  match(await refused({ ...shy, ...pair, tls_certificate: '' }), /needs tls_certificate beside it/)
  match(await refused({ ...shy, ...pair, private_key: issued.good.keyPem }), /belong together/)
  match(
    await refused({ connection_url: `${url('verify-full')}&sslrootcert=/etc/ca.pem` }),
    /must have no sslrootcert.*as tls_ca/,
  )

  await show('elsewhere')
  for (const mode of ['require', 'verify-ca'])
    await write({ ...shy, ...pair, connection_url: url(mode) })
  await write({ ...shy, ...pair, connection_url: url('require'), tls_ca: '' })
  for (const mode of ['require', 'verify-ca', 'prefer']) {
    const over = { connection_url: url(mode), tls_ca: issued.otherCa.pem }
    match(await refused(over), /not trusted/, mode)
  }
})

/** The serial of the certificate that a PostgreSQL server shows; undefined = it has no TLS yet. */
async function serialShown(port: number): Promise<string | undefined> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ host: '127.0.0.1', port, ssl: { rejectUnauthorized: false } })
  client.on('error', () => {})
  const { connection } = client as unknown as {
    connection: { once(event: 'sslconnect', then: () => void): void; stream: TLSSocket }
  }
  const shown = new Promise<string | undefined>((found) => {
    connection.once('sslconnect', () =>
      connection.stream.once('secureConnect', () =>
        found(connection.stream.getPeerCertificate().serialNumber.toLowerCase()),
      ),
    )
    client.connect().catch(() => found(undefined))
  })
  const serial = await shown
  await client.end().catch(() => {})
  return serial
}

test('MariaDB that requires secure transport', { skip: NO_MARIADB }, async () => {
  const live = ['crt', 'key'].map((kind) => join(files, `mariadb.${kind}`))
  const copy = (which: Shown) => {
    writeFileSync(live[0]!, issued[which].pem)
    writeFileSync(live[1]!, issued[which].keyPem)
  }
  copy('good')
  const server: Mariadb = open.use(
    await startMariadb([
      `--ssl-cert=${live[0]}`,
      `--ssl-key=${live[1]}`,
      `--ssl-ca=${at('ca.crt')}`,
    ]),
  )
  for (const [name, demand] of [
    ['boss', ''],
    ['shy', 'REQUIRE X509'],
  ]) {
    await server.sql(`CREATE USER ${name}@'%' IDENTIFIED BY '${PASSWORD}' ${demand}`)
    await server.sql(`GRANT ALL ON *.* TO ${name}@'%' WITH GRANT OPTION`)
  }
  await server.sql('SET GLOBAL require_secure_transport = ON')
  const url = (mode: string) => `${server.template}?tls=${mode}`
  const show = async (which: Shown) => {
    copy(which)
    await server.sql('FLUSH SSL')
  }
  const { write, refused } = await judged({
    config: { plugin_name: 'mysql-database-plugin', connection_url: url('true') },
    caName: 'tls_ca',
    plain: { connection_url: server.template },
    plainRefused:
      /without TLS; where the server demands it, set tls_ca, or tls=true in connection_url/,
    role: { creation_statements: `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'` },
    show,
  })

  const shy = { username: 'shy' }
  const both = `${issued.client.pem}\n${issued.client.keyPem}`
  match(await refused(shy), /Access denied/)
  await write({ ...shy, tls_certificate_key: both })
  match(await refused({ ...shy, tls_certificate_key: issued.client.pem }), /belong together/)
  await show('expired')
  const skipped = { ...shy, tls_certificate_key: both, tls_ca: '' }
  await write({ ...skipped, tls_skip_verify: true })
  await write({ ...skipped, tls_skip_verify: 'true', connection_url: server.template })
  await write({ ...skipped, connection_url: url('skip-verify') })
  match(
    await refused({ connection_url: url('yes'), tls_ca: '' }),
    /must be true, false, skip-verify/,
  )
  await server.sql(`CREATE USER free@'%' IDENTIFIED BY '${PASSWORD}'`)
  await write({ username: 'free', tls_ca: '', connection_url: url('preferred') })
})

test('Redis on a port for TLS', { skip: NO_REDIS }, async () => {
  const server: Redis = open.use(await startRedis())
  const show = (which: Shown) =>
    server.command(
      ...['CONFIG', 'SET', 'tls-cert-file', at(`${which}.crt`), 'tls-key-file', at(`${which}.key`)],
    )
  const port = await freePort()
  await server.command('CONFIG', 'SET', 'tls-ca-cert-file', at('ca.crt'), 'tls-auth-clients', 'no')
  await show('good')
  await server.command('CONFIG', 'SET', 'tls-port', String(port))
  await server.command('ACL', 'SETUSER', 'boss', 'on', `>${PASSWORD}`, '~*', '&*', '+@all')
  const { write, refused } = await judged({
    config: { plugin_name: 'redis-database-plugin', host: '127.0.0.1', port, tls: true },
    caName: 'ca_cert',
    plain: { tls: false },
    plainRefused: /could not be reached .*if the port is for TLS, set tls=true/,
    role: { creation_statements: '["~*", "+@read"]' },
    show,
  })

  await server.command('ACL', 'SETUSER', 'boss', `>${PASSWORD}`)
  await write({ tls: 'true' })
  match(await refused({ tls: null }), /ca_cert needs tls=true/)
  await show('expired')
  await write({ insecure_tls: true, ca_cert: '' })
  await show('good')
  await server.command('CONFIG', 'SET', 'tls-auth-clients', 'yes')
  match(await refused(), /wants a certificate of ours.*set tls_certificate and private_key/)
  await write({ tls_certificate: issued.client.pem, private_key: issued.client.keyPem })
})
