/** What the API refuses and shows, without a database behind it. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Verb } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import engine from './engine.ts'

const URL = 'postgresql://{{username}}:{{password}}@db.invalid:5432/app?sslmode=disable'
const CONFIG = {
  plugin_name: 'postgresql-database-plugin',
  connection_url: URL,
  username: 'root',
  password: 'a-root-password',
  verify_connection: false,
  allowed_roles: 'app*,one',
}

async function made(config: Record<string, unknown> = {}) {
  const db = testEngine(engine)
  await db.write('config/db', { ...CONFIG, ...config })
  const refusal = async (
    verb: Exclude<Verb, 'patch' | 'list' | 'scan'>,
    path: string,
    body = {},
  ) => {
    try {
      await db[verb](path, body)
    } catch (error) {
      if (error instanceof Failure) return `${error.status} ${error.message}`
      throw error
    }
    return 'not refused'
  }
  return { db, refusal }
}

test('config refuses what no plugin can use', async () => {
  const { refusal } = await made()
  const told = (body: Record<string, unknown>) => refusal('write', 'config/new', body)
  equal(await told({}), '400 empty plugin name')
  match(
    await told({ plugin_name: 'oracle-database-plugin' }),
    /^400 error creating database object: .*plugin not found in the catalog$/,
  )
  match(await told({ plugin_name: 'constructor' }), /not found in the catalog/)
  const pg = { plugin_name: 'postgresql-database-plugin', verify_connection: false }
  match(await told(pg), /connection_url cannot be empty/)
  match(await told({ ...pg, connection_url: 'nonsense' }), /connection_url must be/)
  match(
    await told({ ...CONFIG, username_template: '{{ oops }}' }),
    /unable to initialize username template/,
  )
  match(await told({ ...CONFIG, connection_url: URL.replace('disable', 'odd') }), /sslmode must be/)
  match(await told({ plugin_name: 'redis-database-plugin' }), /host cannot be empty/)
  match(
    await told({ plugin_name: 'mysql-database-plugin', connection_url: 'x' }),
    /must be user:password@tcp/,
  )
  match(
    await told({ plugin_name: 'mongodb-database-plugin', connection_url: 'x' }),
    /must be a mongodb:/,
  )
})

test('config refuses addresses that a driver would wait at for ever, and quotes none', async () => {
  const { refusal } = await made()
  const noPort = /the port must be a number from 1 to 65535$/
  const noHost = /the host must be a name, an address, or the path of a socket$/
  const noUrl = /connection_url must (?:be|hold) [^']+$/
  for (const [plugin, url, why] of [
    ['postgresql', 'postgresql://{{username}}:{{password}}@/app', noUrl],
    ['postgresql', 'postgresql://u:swordfish@[::1:1/app', noUrl],
    ['postgresql', 'postgresql://%00/app', noHost],
    ['postgresql', 'postgresql://u:swordfish@db/app%00user', noUrl],
    ['postgresql', 'postgresql://u%00:swordfish@db/app', noUrl],
    ['postgresql', 'host=db\0 password=swordfish', noUrl],
    ['postgresql', "host='a b' password=swordfish", noHost],
    ['postgresql', 'host=db port=-1 password=swordfish', noPort],
    ['postgresql', 'host=db port=99999 password=swordfish', noPort],
    ['mysql', 'u:swordfish@tcp(db:0)/', noPort],
    ['mysql', 'u:swordfish@tcp(db:99999)/', noPort],
    ['mysql', 'u:swordfish@unix()/', noUrl],
    ['mysql', 'u:swordfish@tcp(a b)/', noUrl],
    ['redis', 'rediss://u:swordfish@db:99999', noPort],
    ['mongodb', 'mongodb://u:%E0%A4%A@db/', /must be percent-encoded$/],
  ] as const) {
    const told = await refusal('write', 'config/new', {
      ...CONFIG,
      plugin_name: `${plugin}-database-plugin`,
      connection_url: url,
    })
    match(told, why, url)
    ok(told.startsWith('400 ') && !told.includes('secret'), told)
  }
  const nul = await refusal('write', 'config/new', { ...CONFIG, username: 'root\0database\0x' })
  equal(nul, '400 username must hold no NUL')
})

test('config says that a database is away, and neither its password nor its URL', async () => {
  const { refusal } = await made()
  const inline = 'inline-password'
  const told = await refusal('write', 'config/new', {
    ...CONFIG,
    connection_url: `postgresql://root:${inline}@127.0.0.1:1/app`,
    verify_connection: true,
  })
  match(told, /^400 error creating database object: error verifying connection: .*ECONNREFUSED/)
  ok(!/inline-password|a-root-password|postgresql:\/\//.test(told), told)
})

test('config keeps what a second write leaves out, and shows no password', async () => {
  const { db } = await made({
    max_open_connections: 2,
    service_account_json: 'a-key',
    password_policy: 'p',
  })
  await db.write('config/db', { root_rotation_statements: 'a; b', verify_connection: false })
  const shown = dataOf(await db.read('config/db'))
  deepEqual(shown, {
    plugin_name: 'postgresql-database-plugin',
    plugin_version: '',
    connection_details: { connection_url: URL, username: 'root', max_open_connections: 2 },
    allowed_roles: ['app*', 'one'],
    root_credentials_rotate_statements: ['a; b'],
    password_policy: 'p',
    verify_connection: false,
    skip_static_role_import_rotation: false,
  })
  deepEqual(dataOf(await db.list('config')), { keys: ['db'] })
  await db.delete('config/db')
  equal(await db.read('config/db'), undefined)
})

test('config of another kind of database asks for nothing of the one before', async () => {
  const { db } = await made({ password_policy: 'p', root_rotation_statements: 'a' })
  const redis = { plugin_name: 'redis-database-plugin', verify_connection: false }
  await db.write('config/db', { ...redis, host: '127.0.0.1', username: 'admin' })
  const shown = dataOf(await db.read('config/db'))
  deepEqual(
    [shown['connection_details'], shown['root_credentials_rotate_statements']],
    [{ host: '127.0.0.1', username: 'admin' }, []],
  )
  deepEqual([shown['allowed_roles'], shown['password_policy']], [['app*', 'one'], 'p'])
  await db.write('config/db', CONFIG)
  deepEqual(dataOf(await db.read('config/db'))['connection_details'], {
    connection_url: URL,
    username: 'root',
  })
})

test('config warns of a password in the URL, and masks it', async () => {
  for (const [url, masked] of [
    [
      'postgresql://root:p%40ss@h/app?sslmode=disable',
      'postgresql://root:*****@h/app?sslmode=disable',
    ],
    ['host=h user=root password=secret', 'host=h user=root password=*****'],
    ["host=h password='a b' user=root", 'host=h password=***** user=root'],
  ] as const) {
    const db = testEngine(engine)
    const reply = await db.write('config/db', { ...CONFIG, connection_url: url })
    match(String(reply?.warnings), /Password found in connection_url/)
    const details = dataOf(await db.read('config/db'))['connection_details']
    equal((details as Record<string, unknown>)['connection_url'], masked)
  }
})

test('roles and creds refuse in the words of Vault', async () => {
  const { db, refusal } = await made()
  equal(await refusal('write', 'roles/app'), '400 empty database name attribute')
  equal(await refusal('read', 'creds/none'), '400 unknown role: none')
  const role = { db_name: 'db', credential_type: 'magic' }
  equal(await refusal('write', 'roles/app', role), '400 invalid credential_type "magic"')
  await db.write('roles/app', { db_name: 'db', default_ttl: '1h' })
  equal(await refusal('read', 'creds/app'), '500 empty creation statements')
  await db.write('roles/other', { db_name: 'db', creation_statements: 'x' })
  equal(await refusal('read', 'creds/other'), '500 "other" is not an allowed role')
  await db.write('roles/lost', { db_name: 'nowhere', creation_statements: 'x' })
  match(
    await refusal('read', 'creds/lost'),
    /^500 failed to find entry for connection with name: "nowhere"/,
  )
  deepEqual(dataOf(await db.read('roles/app')), {
    db_name: 'db',
    creation_statements: [],
    revocation_statements: [],
    rollback_statements: [],
    renew_statements: [],
    default_ttl: 3600,
    max_ttl: 0,
    credential_type: 'password',
  })
  match(await refusal('write', 'reset/none'), /failed to find entry/)
})

test('a statement may have commas, and stay one', async () => {
  const { db } = await made()
  const statement = 'GRANT SELECT, INSERT ON things TO "{{name}}"'
  await db.write('roles/app', { db_name: 'db', creation_statements: statement })
  deepEqual(dataOf(await db.read('roles/app'))['creation_statements'], [statement])
})

test('static roles refuse in the words of Vault', async () => {
  const { db, refusal } = await made()
  const role = { db_name: 'db', username: 'app' }
  for (const [body, words] of [
    [{}, 'empty database name attribute'],
    [{ db_name: 'db' }, 'username is a required field to create a static account'],
    [{ ...role, username: 'a\0b' }, 'username must hold no NUL, and at most 1024 characters'],
    [
      { ...role, username: 'u'.repeat(10_240) },
      'username must hold no NUL, and at most 1024 characters',
    ],
    [
      role,
      'one of rotation_schedule or rotation_period must be provided to create a static account',
    ],
    [{ ...role, rotation_period: 4 }, 'rotation_period must be 5 seconds or more'],
    [
      { ...role, rotation_period: 60, rotation_schedule: '0 0 * * *' },
      'mutually exclusive fields rotation_period and rotation_schedule',
    ],
    [
      { ...role, rotation_period: 60, rotation_window: '2h' },
      'rotation_window is invalid with use of rotation_period',
    ],
    [
      { ...role, rotation_schedule: '0 0 * * *', rotation_window: '1h0s1' },
      'Field validation failed',
    ],
    [
      { ...role, rotation_schedule: '0 0 * * *', rotation_window: 60 },
      'rotation_window must be 3600 seconds or more',
    ],
    [{ ...role, rotation_schedule: 'often' }, 'could not parse rotation_schedule'],
    [
      { ...role, rotation_period: 60, credential_type: 'rsa_private_key' },
      'static roles rotate passwords',
    ],
    [{ ...role, rotation_period: 60, endpoints: 'nowhere' }, 'endpoints must be host:port'],
    [
      { ...role, rotation_period: 60, rotation_strategy: 'dual' },
      'rotation_strategy for postgresql is ab or single',
    ],
    [{ ...role, rotation_period: 60, rotation_strategy: 'single' }, 'or say accept_gap=true'],
    [
      { ...role, rotation_period: 60, rotation_statements: 'SELECT change()' },
      'or say accept_gap=true',
    ],
    [{ ...role, rotation_period: 60, self_managed_password: 'x' }, 'or say accept_gap=true'],
  ] as const) {
    const told = await refusal('write', 'static-roles/app', body)
    ok(told.startsWith('400 ') && told.includes(words), `${JSON.stringify(body)}: ${told}`)
  }
  equal(
    await refusal('write', 'static-roles/b', { ...role, rotation_period: 60 }),
    '500 "b" is not an allowed role',
  )
  equal(await refusal('read', 'static-creds/none'), '400 unknown role: none')
  equal(await refusal('write', 'rotate-role/none'), '400 no static role found for role name')
  await db.write('static-roles/app', { ...role, rotation_period: '1m' })
  equal(
    await refusal('write', 'static-roles/app', { username: 'x' }),
    '400 cannot update static account username',
  )
  match(await refusal('read', 'static-creds/app'), /^400 the static role has no password yet/)
})

test('what Vault clients usually write is taken, and is rotated without a gap', async () => {
  const { db } = await made()
  for (const statement of [
    `ALTER USER "{{name}}" WITH PASSWORD '{{password}}';`,
    `ALTER ROLE "{{username}}" PASSWORD '{{password}}'`,
    `alter user "{{name}}" with encrypted password '{{password}}'`,
  ]) {
    const reply = await db.write('static-roles/app', {
      db_name: 'db',
      username: 'app',
      rotation_period: 86400,
      rotation_statements: [statement],
    })
    const order = reply?.rotation
    equal(order?.act === 'declare' && order.kind, 'ab', statement)
    await db.delete('static-roles/app')
  }
})

test('static roles tell their schedule, and order what core has to do', async () => {
  const { db } = await made()
  const reply = await db.write('static-roles/app', {
    db_name: 'db',
    username: 'app',
    rotation_schedule: '0 3 * * SAT',
    rotation_window: '2h',
    skip_import_rotation: true,
    password: 'as-it-is',
    quiet: '10s',
  })
  const order = reply?.rotation
  ok(order?.act === 'declare')
  deepEqual(order.timing, { schedule: '0 3 * * SAT', windowSeconds: 7200 })
  deepEqual([order.rotate, order.imported], [false, { username: 'app', password: 'as-it-is' }])
  deepEqual(order.rules, { quietSeconds: 10 })
  const shown = dataOf(await db.read('static-roles/app'))
  deepEqual(
    [shown['rotation_schedule'], shown['rotation_window'], shown['rotation_period']],
    ['0 3 * * SAT', 7200, undefined],
  )
  ok(!JSON.stringify(shown).includes('as-it-is'))
  const gone = await db.delete('static-roles/app')
  deepEqual(gone?.rotation, { act: 'retire', kind: 'ab', name: 'app' })
})

test('rotate-root needs a user and a password', async () => {
  const { refusal } = await made({ username: '', password: '' })
  match(
    await refusal('write', 'rotate-root/db'),
    /^500 unable to rotate root credentials: no username/,
  )
})

test('a server that has no database loads no driver', () => {
  const at = join(import.meta.dirname, '../../server/builtin.ts')
  const script = `import { createRequire } from 'node:module'
    await import(${JSON.stringify(at)})
    const { cache } = createRequire(import.meta.url)
    const drivers = /node_modules.(pg|mysql2|redis|@redis|mongodb|bson|croner)\\b/
    console.log(Object.keys(cache).filter((path) => drivers.test(path)).length)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  equal(stdout.trim(), '0', stderr)
})
