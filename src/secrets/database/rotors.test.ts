/** What a rotor does on a real PostgreSQL, step by step; and MySQL 8's statements, with no server. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NO_POSTGRES, type Postgres, startPostgres } from '../../../test/support/postgres.ts'
import { systemRandom } from '../../lib/random.ts'
import { mysqlDual } from './rotation/mysql-dual.ts'
import { postgresAb } from './rotation/postgres-ab.ts'
import { restorePair, rotatePair } from './rotation/root-pair.ts'
import { type Login } from './target.ts'
import { openPostgres, type PostgresTarget } from './targets/postgres.ts'

const skip = { skip: NO_POSTGRES }
let server: Postgres
before(async () => {
  if (!NO_POSTGRES) server = await startPostgres()
})
after(async () => server?.[Symbol.asyncDispose]())

const NONE = { current: undefined, previous: undefined }
const open = (login: Login) =>
  openPostgres({
    plugin: '',
    details: { connection_url: server.template },
    login,
    random: systemRandom,
  })

let next = 0
/** An admin who may make roles and is no superuser, and an app with a past. */
async function setup(): Promise<{ target: PostgresTarget; app: string; admin: Login }> {
  const n = ++next
  const [app, username] = [`app${n}`, `admin${n}`]
  await server.sql(`CREATE ROLE ${username} LOGIN CREATEROLE PASSWORD 'admin-password';
    CREATE ROLE ${app} LOGIN PASSWORD 'first';
    ALTER ROLE ${app} CONNECTION LIMIT 7;
    ALTER ROLE ${app} SET search_path = "$user", public, 'Odd, one';
    ALTER ROLE ${app} IN DATABASE postgres SET work_mem = '5MB'`)
  const admin = { username, password: 'admin-password' }
  return { target: await open(admin), app, admin }
}

test('postgres: a slot logs in as its owner, with its settings and its limit', skip, async () => {
  const { target, app } = await setup()
  const rotor = postgresAb(target, app)
  const login = { username: rotor.nextUsername(NONE), password: 'second' }
  await rotor.apply(login, NONE)
  await rotor.apply(login, NONE)
  const client = await server.connect(login)
  const { rows } = await client.query(
    `SELECT current_user, current_setting('search_path') AS path, current_setting('work_mem') AS mem`,
  )
  deepEqual(rows, [{ current_user: app, path: '"$user", public, "Odd, one"', mem: '5MB' }])
  const [role] = await server.sql('SELECT rolconnlimit FROM pg_roles WHERE rolname = $1', [
    login.username,
  ])
  equal(role!['rolconnlimit'], 7)
  await client.end()
  await target.close()
})

test('postgres: a role that is not ours is never taken for a slot', skip, async () => {
  const { target, app } = await setup()
  await server.sql(`CREATE ROLE ${app}_a LOGIN PASSWORD 'mine'`)
  const rotor = postgresAb(target, app)
  await rejects(rotor.apply({ username: `${app}_a`, password: 'x' }, NONE), /is somebody else's/)
  ok(await server.takes(`${app}_a`, 'mine'))
  await rejects(
    postgresAb(target, 'nobody').apply({ username: 'nobody_a', password: 'x' }, NONE),
    /no role "nobody"/,
  )
  await target.close()
})

test('postgres: slots that may do different things are told apart', skip, async () => {
  const { target, app } = await setup()
  const rotor = postgresAb(target, app)
  const [one, two] = ['a', 'b'].map((slot) => ({ username: `${app}_${slot}`, password: 'x' }))
  await rotor.apply(one!, NONE)
  equal(await rotor.differs!(one!, NONE), undefined)
  await rotor.apply(two!, NONE)
  equal(await rotor.differs!(two!, NONE), undefined)
  await server.sql(`CREATE ROLE extra${next}; GRANT extra${next} TO ${app}_a`)
  match((await rotor.differs!(two!, NONE))!, /differ in its memberships/)
  await target.close()
})

test(
  'postgres: a soft end refuses new logins, keeps sessions, is missed, and is undone',
  skip,
  async () => {
    const { app } = await setup()
    // The log may be read by few.
    const target = await open(server.superuser)
    const rotor = postgresAb(target, app)
    const old = { username: `${app}_a`, password: 'old' }
    const current = { username: `${app}_b`, password: 'current' }
    await rotor.apply(old, NONE)
    await rotor.apply(current, NONE)
    const session = await server.connect(old)
    await session.query(`SET application_name = 'billing'`)
    const [seen, ...more] = await rotor.sessions!(old, undefined)
    deepEqual(
      [seen!.user, seen!.application, seen!.address, more],
      [old.username, 'billing', '127.0.0.1', []],
    )
    ok(Math.abs(seen!.since - Date.now()) < 60_000)

    const since = Date.now() - 1
    equal(await rotor.refusedSince!(old, since), 0)
    await rotor.softRevoke(old, current)
    equal((await session.query('SELECT 1 AS one')).rows[0].one, 1)
    equal(await server.takes(old.username, old.password), false)
    // The server writes its log when it comes to it.
    while ((await rotor.refusedSince!(old, since)) === 0) await new Promise(setImmediate)
    equal(await rotor.refusedSince!(old, since), 1)
    equal(await rotor.refusedSince!(old, Date.now() + 3_600_000), 0)
    equal(await rotor.refusedSince!(current, since), 0)
    await rotor.undoSoftRevoke(old, current)
    ok(await server.takes(old.username, old.password))

    await rotor.revoke(old, current)
    equal(await rotor.terminate!(old, undefined), 1)
    await rejects(session.query('SELECT 1'))
    ok(await server.takes(current.username, current.password))
    await rotor.discard(current, NONE)
    equal(await server.takes(current.username, current.password), false)
    await target.close()
  },
)

test('postgres: who may not read the log is told of no refusal', skip, async () => {
  const { target, app } = await setup()
  const rotor = postgresAb(target, app)
  equal(await rotor.refusedSince!({ username: `${app}_a`, password: '' }, 0), 0)
  await target.close()
})

/** The pair of root logins, stopped after so many steps. */
for (const stop of [0, 1, 2]) {
  for (const hadPartner of [false, true]) {
    const when = `after step ${stop}${hadPartner ? ', with a pair before' : ''}`
    test(`postgres: a root rotation that dies ${when} is taken back`, skip, async () => {
      const { target: first, admin } = await setup()
      const name = `${admin.username}_root`
      const partner = hadPartner ? { username: name, password: 'stored-partner' } : undefined
      const stored = { root: admin, partner }
      if (partner)
        await rotatePair(first, { root: admin, partner: undefined }, { root: admin, partner })
      const tried = {
        root: { ...admin, password: 'tried-root' },
        partner: { username: name, password: 'tried-partner' },
      }
      let steps = 0
      const dying: PostgresTarget = {
        ...first,
        asUser: (login, work, address) =>
          steps++ < stop ? first.asUser(login, work, address) : Promise.reject(new Error('killed')),
        probe: async () => ({ outcome: 'works' }),
      }
      if (stop === 2) await rotatePair(dying, stored, tried)
      else await rejects(rotatePair(dying, stored, tried), /killed/)
      equal(await server.takes(admin.username, 'tried-root'), stop === 2)

      const again = await open(admin)
      await restorePair(again, stored, tried)
      await restorePair(again, stored, tried)
      ok(await server.takes(admin.username, admin.password))
      equal(await server.takes(admin.username, 'tried-root'), false)
      equal(await server.takes(name, 'tried-partner'), false)
      equal(await server.takes(name, 'stored-partner'), hadPartner)
      for (const target of [first, again]) await target.close()
    })
  }
}

test('mysql 8: the statements alone, without a server: two passwords, and which one is kept', async () => {
  const said: string[] = []
  const works = new Set(['first'])
  const target = {
    label: 'mysql',
    async query(text: string, values: readonly unknown[] = []) {
      if (text.startsWith('SELECT host')) return [{ host: '%' }, { host: 'localhost' }]
      said.push(`${text} <- ${values.join(' ')}`)
      return []
    },
    probe: async ({ password }: Login) =>
      works.has(password)
        ? ({ outcome: 'works' } as const)
        : ({ outcome: 'refused', why: 'no' } as const),
  }
  const rotor = mysqlDual(target, 'app')
  const [first, second] = ['first', 'second'].map((password) => ({ username: 'app', password }))
  await rotor.apply(second!, NONE)
  works.add('second')
  await rotor.apply(second!, NONE)
  await rotor.softRevoke(first!, second!)
  works.delete('first')
  await rotor.undoSoftRevoke(first!, second!)
  await rotor.discard(second!, { current: first, previous: undefined })
  const retain = 'ALTER USER ?@? IDENTIFIED BY ? RETAIN CURRENT PASSWORD <- app'
  const discard = 'ALTER USER ?@? DISCARD OLD PASSWORD <- app'
  const both = (text: string, word = '') =>
    ['%', 'localhost'].map((host) => `${text} ${host}${word}`)
  deepEqual(said, [
    ...both(retain, ' second'),
    ...both(discard),
    ...both(retain, ' first'),
    ...both(retain, ' second'),
    ...both(retain, ' first'),
    ...both(discard),
  ])
})
