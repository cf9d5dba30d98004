import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { QUICK_ENGINES } from '../../test/support/quick-userpass.ts'
import { remoteStore } from '../../test/support/remote-store.ts'
import { memoryStore } from '../storage/memory.ts'
import { type TestCore, testCore } from '../../test/support/test-core.ts'
import { Failure } from '../kit/kit.ts'
import { ENGINES } from '../server/builtin.ts'
import { type Settings } from './core.ts'
import { countFailure, identifierOf } from './lockout.ts'
import { type Turn } from './turn.ts'

const MINUTE = 60_000
const NONE = { token: undefined }

async function withUsers(
  engines = QUICK_ENGINES,
  settings: Partial<Settings> = {},
): Promise<TestCore> {
  const core = await testCore({ engines, settings, store: remoteStore(memoryStore()) })
  await core.ask('write', 'sys/auth/userpass', { type: 'userpass' })
  await core.ask('write', 'auth/userpass/users/ann', { password: 'right' })
  return core
}

const logIn = ({ ask }: TestCore, password: string, name = 'ann') =>
  ask('write', `auth/userpass/login/${name}`, { password }, NONE)
const statusOf = async (core: TestCore, password: string, name = 'ann') =>
  (await logIn(core, password, name)).status

async function fail(core: TestCore, times: number, name = 'ann'): Promise<void> {
  for (let i = 0; i < times; i++) equal(await statusOf(core, 'wrong', name), 400)
}

/** Stored counters, whether they still count or not. */
async function buckets({ core, ask }: TestCore): Promise<string[]> {
  const { body } = await ask('read', 'sys/auth/userpass')
  const tx = await core.begin(false)
  return tx!.list(`lockout/${String(body.data!['uuid'])}/`)
}

test('S12 five failures lock a user out, who is there or not, in all spellings, and nothing else', async () => {
  const core = await withUsers(ENGINES)
  await core.ask('write', 'auth/userpass/users/bob', { password: 'right' })
  for (const name of ['ann', 'nobody']) {
    await fail(core, 4, name)
    await fail(core, 1, name.toUpperCase())
    for (const spelled of [name, name.toUpperCase(), `${name[0]!.toUpperCase()}${name.slice(1)}`]) {
      const { status, text } = await logIn(core, 'right', spelled)
      deepEqual([status, text], [403, '{"errors":["permission denied"]}\n'])
    }
  }
  equal(await statusOf(core, 'right', 'bob'), 200)
})

test('S12 a lock is there for every process and after a restart', async () => {
  const core = await withUsers()
  const other = await core.sibling()
  await fail(core, 3)
  await fail(other, 2)
  equal(await statusOf(core, 'right'), 403)
  equal(await statusOf(await core.sibling(), 'right'), 403)
})

test('of fifty wrong passwords at once, on two processes, five are looked at', async () => {
  const core = await withUsers()
  const other = await core.sibling()
  const all = Array.from({ length: 50 }, (_, i) =>
    statusOf(i % 2 === 0 ? core : other, `wrong ${i}`, i % 3 === 0 ? 'Ann' : 'ann'),
  )
  const statuses = await Promise.all(all)
  equal(statuses.filter((status) => status === 400).length, 5)
  equal(statuses.filter((status) => status === 403).length, 45)
})

test('a right password that comes among wrong ones does not help once five have failed', async () => {
  const core = await withUsers()
  await fail(core, 4)
  const answers = await Promise.all([logIn(core, 'wrong'), logIn(core, 'right')])
  const statuses = answers.map(({ status }) => status)
  // Either order is right; both at the same time is not.
  if (statuses[1] === 200) equal(await statusOf(core, 'right'), 200)
  else deepEqual(statuses, [400, 403])
})

test('a lock ends after its time, not by more attempts, and then all begins anew', async () => {
  const core = await withUsers()
  await fail(core, 5)
  core.clock.advance(14 * MINUTE)
  equal(await statusOf(core, 'wrong'), 403)
  core.clock.advance(MINUTE - 1)
  equal(await statusOf(core, 'right'), 403)
  core.clock.advance(1)
  await fail(core, 4)
  equal(await statusOf(core, 'right'), 200)
})

test('a success and fifteen quiet minutes forget failures', async () => {
  const core = await withUsers()
  await fail(core, 4)
  equal(await statusOf(core, 'right'), 200)
  deepEqual(await buckets(core), [])
  await fail(core, 4)
  core.clock.advance(15 * MINUTE)
  await fail(core, 4)
  equal(await statusOf(core, 'right'), 200)
})

test('only wrong credentials count', async () => {
  const core = await withUsers()
  const { ask } = core
  const empty = () => ask('write', 'auth/userpass/login/ann', {}, NONE)
  const odd = () => ask('write', 'auth/userpass/login/ann', { password: ['x'] }, NONE)
  for (let i = 0; i < 10; i++) notEqual((await empty()).status, 403)
  for (let i = 0; i < 10; i++) equal((await odd()).status, 400)
  await ask('write', 'auth/userpass/users/elsewhere', { password: 'right' })
  for (let i = 0; i < 10; i++) equal(await statusOf(core, 'right', 'elsewhere'), 403)
  deepEqual(await buckets(core), [])
  equal(await statusOf(core, 'right'), 200)
})

test('approle counts by role id, and only where a secret id is guessed', async () => {
  const core = await testCore()
  const { ask } = core
  await ask('write', 'auth/approle/role/web', {})
  const role_id = (await ask('read', 'auth/approle/role/web/role-id')).body.data!['role_id']
  const made = await ask('write', 'auth/approle/role/web/secret-id')
  const { secret_id } = made.body.data as { secret_id: string }
  const tried = async (data: Record<string, unknown>) =>
    (await ask('write', 'auth/approle/login', data, NONE)).status
  for (let i = 0; i < 10; i++) equal(await tried({ role_id }), 400)
  const spent = '0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f'
  for (let i = 0; i < 10; i++) equal(await tried({ role_id, secret_id: spent }), 400)
  for (let i = 0; i < 5; i++)
    equal(await tried({ role_id: ` ${String(role_id)} `, secret_id: 'x' }), 400)
  equal(await tried({ role_id, secret_id }), 403)
  core.clock.advance(15 * MINUTE)
  equal(await tried({ role_id, secret_id }), 200)
})

test('a mount is tuned to other numbers, or to lock nobody out', async () => {
  const core = await withUsers()
  const tune = (config: Record<string, unknown>) =>
    core.ask('write', 'sys/auth/userpass/tune', { user_lockout_config: config })
  await tune({ lockout_threshold: 2, lockout_duration: '1m', lockout_counter_reset: '10s' })
  await fail(core, 2)
  equal(await statusOf(core, 'right'), 403)
  core.clock.advance(MINUTE)
  await fail(core, 1)
  core.clock.advance(10_000)
  await fail(core, 1)
  equal(await statusOf(core, 'right'), 200)
  await tune({ lockout_disable: true })
  await fail(core, 6)
  equal(await statusOf(core, 'right'), 200)
})

test('the server has defaults for all and for a type, and a mount that is tuned its own', async () => {
  const userLockout = {
    all: { lockout_threshold: 1, lockout_duration: 60 },
    userpass: { lockout_threshold: 2 },
  }
  const core = await withUsers(QUICK_ENGINES, { userLockout })
  await fail(core, 2)
  equal(await statusOf(core, 'right'), 403)
  core.clock.advance(MINUTE)
  await core.ask('write', 'sys/auth/userpass/tune', {
    user_lockout_config: { lockout_threshold: 3 },
  })
  await fail(core, 3)
  equal(await statusOf(core, 'right'), 403)
  core.clock.advance(MINUTE)
  equal(await statusOf(core, 'right'), 200)
  const off = await withUsers(QUICK_ENGINES, { userLockout: { all: { lockout_disable: true } } })
  await fail(off, 6)
  equal(await statusOf(off, 'right'), 200)
})

test('counters are removed when they are over', async () => {
  const core = await withUsers()
  await fail(core, 1, 'a1')
  await fail(core, 5, 'a2')
  equal((await buckets(core)).length, 2)
  core.clock.advance(15 * MINUTE - 1)
  await core.core.expiry.pass()
  equal((await buckets(core)).length, 2)
  core.clock.advance(1)
  await core.core.expiry.pass()
  deepEqual(await buckets(core), [])
})

test('a flood of invented names pushes out the least of a bucket, and never grows it', async () => {
  const core = await withUsers()
  const tx = (await core.core.begin(false))!
  const policy = { threshold: 5, lockMs: 900_000, resetMs: 900_000 }
  const count = async (user: string, now: number) => {
    const turn = { tx, now, refusal: new Failure('bad_request') }
    const attempt = { path: 'lockout/m/1', user, policy }
    await countFailure({ ...turn, attempt } as unknown as Turn)
  }
  for (let i = 0; i < 5; i++) await count('locked', 1)
  for (let i = 0; i < 2; i++) await count('twice', 2)
  for (let i = 0; i < 100; i++) await count(`name ${i}`, 3 + i)
  const { counters } = (await tx.get<{ counters: { user: string }[] }>('lockout/m/1'))!
  equal(counters.length, 32)
  const users = counters.map(({ user }) => user)
  deepEqual(
    ['locked', 'twice', 'name 99'].map((user) => users.includes(user)),
    [true, true, true],
  )
})

test('sys/locked-users lists who is locked, and an unlock lets in again', async () => {
  const core = await withUsers()
  const { ask } = core
  equal((await ask('read', 'sys/locked-users')).status, 204)
  await fail(core, 5)
  await fail(core, 5, 'Zed')
  await fail(core, 4, 'bob')
  const { body: mount } = await ask('read', 'sys/auth/userpass')
  const accessor = String(mount.data!['accessor'])
  const { body } = await ask('read', 'sys/locked-users')
  const expected = { mount_accessor: accessor, counts: 2, alias_identifiers: ['ann', 'zed'] }
  deepEqual(body.data, {
    by_namespace: [
      { namespace_id: 'root', namespace_path: '', counts: 2, mount_accessors: [expected] },
    ],
    total: 2,
  })
  const same = await ask('read', 'sys/locked-users', { mount_accessor: accessor })
  deepEqual(same.body.data, body.data)
  equal((await ask('read', 'sys/locked-users', { mount_accessor: 'other' })).status, 204)
  const unlock = (alias: string, at = accessor) =>
    ask('write', `sys/locked-users/${at}/unlock/${alias}`)
  equal((await unlock('ann', 'other')).status, 400)
  equal((await unlock('nobody')).status, 204)
  equal((await unlock('ANN')).status, 204)
  equal(await statusOf(core, 'right'), 200)
  core.clock.advance(15 * MINUTE)
  equal((await ask('read', 'sys/locked-users')).status, 204)
})

test('identifierOf() has one form for all spellings of a name, and keeps it short', () => {
  const spellings = [
    'Ann',
    ' ann',
    'ann\t',
    'an\0n',
    'ａｎｎ',
    'a\u200bnn',
    'AN\u00a0N',
    'ann\u{e0041}',
  ]
  for (const spelled of spellings) equal(identifierOf(spelled), 'ann')
  equal(identifierOf('e\u200b\u0301'), identifierOf('é'))
  const long = identifierOf('x'.repeat(10_000))
  equal(long.length, 71)
  equal(identifierOf(long), long)
  notEqual(identifierOf('x'.repeat(10_001)), long)
})

test('what a login refuses for another reason than a guess locks nobody out', async () => {
  const core = await testCore()
  await core.ask('write', 'sys/auth/ldap', { type: 'ldap' })
  for (let i = 0; i < 10; i++) {
    const { status, body } = await core.ask(
      'write',
      'auth/ldap/login/alice',
      { password: 'x' },
      NONE,
    )
    equal(status, 400)
    deepEqual(body.errors, ['ldap backend not configured'])
  }
})
