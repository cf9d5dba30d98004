/** Hostile names on real servers: each changes the one user that is meant, or nothing at all. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { NO_MARIADB, startMariadb } from '../../../test/support/mariadb.ts'
import { NO_POSTGRES, startPostgres } from '../../../test/support/postgres.ts'
import { NO_REDIS, startRedis } from '../../../test/support/redis.ts'
import { systemRandom } from '../../lib/random.ts'
import { openMysql } from './targets/mysql.ts'
import { openPostgres } from './targets/postgres.ts'
import { openRedis } from './targets/redis.ts'
import { postgresAb } from './rotation/postgres-ab.ts'
import { mariadbDual } from './rotation/mariadb-dual.ts'
import { type Target } from './target.ts'

const open = new AsyncDisposableStack()
after(() => open.disposeAsync())

const PIECES = [
  ...[
    `'`,
    `"`,
    '`',
    '\\',
    ';',
    '--',
    '/*',
    '*/',
    '$$',
    '$x$',
    '\n',
    ' ',
    'é',
    '😀',
    '%',
    '@',
    '{{name}}',
  ],
  ...[
    'DROP ROLE victim',
    `"; DROP ROLE victim; --`,
    `'; DROP ROLE victim; --`,
    '" CASCADE; --',
    'a',
  ],
  ...[`'@'%'; DROP USER victim; -- `, '\u0000', 'x'.repeat(30), 'x'.repeat(62), '\ud800', '-', '0'],
]

/** The same names each time, and different for each seed. */
function names(count: number, seed: number): string[] {
  let state = seed
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const found = new Set<string>()
  while (found.size < count) {
    const parts = Array.from({ length: 1 + next(4) }, () => PIECES[next(PIECES.length)]!)
    found.add(parts.join(''))
  }
  return [...found]
}

type Server = { target: Target; users: () => Promise<string[]>; creation: string[]; proof: string }

/** Makes and drops a user of each name; in between, that user and no other is there. */
async function tryAll({ target, users, creation, proof }: Server, all: readonly string[]) {
  const before = await users()
  ok(before.includes('victim'))
  let made = 0
  for (const username of all) {
    const user = {
      username,
      password: proof,
      statements: creation,
      expiresAt: Date.UTC(2090, 0, 1),
    }
    const there = await target.create(user).then(
      () => true,
      () => false,
    )
    const now = await users()
    const expected = there ? [...before, username] : before
    deepEqual(now.toSorted(), expected.toSorted(), JSON.stringify(username))
    if (!there) continue
    made++
    // A login costs both sides some thousand hashes: not each is tried.
    if (made % 10 === 1) {
      const { outcome } = await target.probe({ username, password: proof })
      equal(outcome, 'works', JSON.stringify(username))
    }
    await target.drop({ username, statements: [] })
    deepEqual((await users()).toSorted(), before.toSorted(), JSON.stringify(username))
  }
  return made
}

test('500 hostile names on PostgreSQL', { skip: NO_POSTGRES }, async () => {
  const server = open.use(await startPostgres())
  await server.sql('CREATE ROLE victim; CREATE TABLE things (id int)')
  const target = await openPostgres({
    plugin: '',
    details: { connection_url: server.template },
    login: server.superuser,
    random: systemRandom,
  })
  const users = async () =>
    (await server.sql('SELECT rolname FROM pg_roles')).map((row) => String(row['rolname']))
  const creation = [
    `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'; GRANT SELECT ON things TO "{{name}}"`,
    `COMMENT ON ROLE "{{name}}" IS '{{name}}'`,
  ]
  const made = await tryAll({ target, users, creation, proof: `pw'"\\$$;{{name}}` }, names(500, 1))
  ok(made > 200, `${made} were made`)

  // As owners of a rotation, whose name stands in more statements.
  const before = await users()
  let rotated = 0
  for (const owner of names(40, 2)) {
    const quoted = `"${owner.replaceAll('"', '""')}"`
    if (owner.includes('\0') || !owner.isWellFormed() || Buffer.byteLength(owner) > 61) continue
    await server.sql(
      `CREATE ROLE ${quoted} LOGIN; ALTER ROLE ${quoted} SET search_path = "$user", public`,
    )
    const rotor = postgresAb(target, owner)
    const held = { current: undefined, previous: undefined }
    const login = { username: rotor.nextUsername(held), password: 'new' }
    await rotor.apply(login, held)
    equal(await rotor.differs!(login, held), undefined)
    await rotor.softRevoke(login, { username: 'none', password: '' })
    equal((await target.probe(login)).outcome, 'refused')
    await rotor.discard(login, held)
    deepEqual((await users()).toSorted(), [...before, owner, login.username].toSorted())
    await target.drop({ username: login.username, statements: [] })
    await target.drop({ username: owner, statements: [] })
    rotated++
  }
  ok(rotated > 10, `${rotated} were rotated`)
  await target.close()
})

test('100 hostile names on MariaDB', { skip: NO_MARIADB }, async () => {
  const server = open.use(await startMariadb())
  await server.sql(`CREATE USER victim@'%'`)
  const target = await openMysql({
    plugin: '',
    details: { connection_url: server.template },
    login: server.superuser,
    random: systemRandom,
  })
  const users = async () =>
    (await server.sql(`SELECT user FROM mysql.global_priv WHERE host = '%'`)).map((row) =>
      String(row['user'] ?? row['User']),
    )
  const creation = [`CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`]
  const proof = `pw'"\\;--`
  const made = await tryAll({ target, users, creation, proof }, names(100, 3))
  ok(made > 40, `${made} were made`)
  for (const username of names(20, 4)) {
    const user = { username, password: 'first', statements: creation, expiresAt: 0 }
    if (
      !(await target.create(user).then(
        () => true,
        () => false,
      ))
    )
      continue
    const rotor = mariadbDual(target, username)
    const held = { current: undefined, previous: undefined }
    await rotor.apply({ username, password: 'second' }, held)
    equal((await target.probe({ username, password: 'first' })).outcome, 'works')
    equal((await target.probe({ username, password: 'second' })).outcome, 'works')
    await target.drop({ username, statements: [] })
  }
  await target.close()
})

test('100 hostile names on Redis', { skip: NO_REDIS }, async () => {
  const server = open.use(await startRedis())
  await server.command('ACL', 'SETUSER', 'victim')
  const target = await openRedis({
    plugin: '',
    details: { host: '127.0.0.1', port: server.port },
    login: server.superuser,
    random: systemRandom,
  })
  const users = async () => (await server.command('ACL', 'USERS')) as string[]
  const creation = ['["~*", "+@all"]']
  const made = await tryAll({ target, users, creation, proof: `pw'" > ~*` }, names(100, 5))
  ok(made > 30, `${made} were made`)
  await server.stop()
  await server.start()
  ok((await users()).includes('victim'), 'the file of users can be read')
  await target.close()
})
