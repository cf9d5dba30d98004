import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { testCore } from '../../../test/support/test-core.ts'
import {
  dataOf,
  memoryEntries,
  testEngine,
  type TestEngineOptions,
} from '../../../test/support/test-engine.ts'
import { type Call, TOKEN_SETTINGS } from '../../kit/kit.ts'
import { memoryStore } from '../../storage/memory.ts'
import { StoreConflict } from '../../storage/store.ts'
import userpass from './engine.ts'
import { loginEndpoint, renewLogin } from './login.ts'

const INVALID = { status: 400, message: 'invalid username or password' }
/** Of `U*U`, with a cost of 10. */
const IMPORTED = '$2y$10$CCCCCCCCCCCCCCCCCCCCC.KgQljzbljH4iwhlg3oTf8buusOTZRX6'

async function engineWith(user: Record<string, unknown> = {}, options: TestEngineOptions = {}) {
  const engine = testEngine(userpass, options)
  await engine.write('users/ann', { password: 'right', ...user })
  const logIn = async (password: unknown, name = 'ann') =>
    (await engine.write(`login/${name}`, { password }))?.login
  return { engine, logIn }
}

test('S13 login refuses a wrong password and an unknown user with one answer', async () => {
  const { logIn } = await engineWith()
  for (const password of ['wrong', 'Right', 'right ', ' right', 'right\0']) {
    await rejects(logIn(password), INVALID)
    await rejects(logIn(password, 'nobody'), INVALID)
  }
  await rejects(logIn('right', 'nobody'), INVALID)
})

test('login without a password says so, whoever is named', async () => {
  const { engine, logIn } = await engineWith()
  for (const name of ['ann', 'nobody']) {
    await rejects(logIn('', name), { status: 500, message: 'missing password' })
    await rejects(engine.write(`login/${name}`), { status: 500, message: 'missing password' })
  }
})

test('S13 login does the same work for a missing user as for a wrong password', async () => {
  const { engine } = await engineWith()
  for (const [name, hashes] of [
    ['ann', 1],
    ['nobody', 1],
  ] as const) {
    let done = 0
    const call = {
      data: { username: name, password: 'wrong' },
      store: memoryEntries(engine.entries()),
      once: (_key: unknown, work: () => Promise<unknown>) => (done++, work()),
    } as unknown
    await rejects(async () => loginEndpoint.write?.(call as Call<never>), INVALID)
    equal(done, hashes, name)
  }
})

test('a user has one spelling, and what is no name has no path', async () => {
  const { engine, logIn } = await engineWith({ token_policies: 'a' })
  await engine.write('users/ANN', { token_policies: 'b' })
  deepEqual(dataOf(await engine.list('users')), { keys: ['ann'] })
  for (const name of ['ann', 'Ann', 'ANN']) {
    const grant = await logIn('right', name)
    deepEqual([grant?.alias, grant?.displayName, grant?.token.policies], ['ann', 'ann', ['b']])
    const call = { data: { username: name, password: 'wrong' } } as unknown
    equal(loginEndpoint.userOf?.(call as Call<never>), 'ann')
  }
  const odd = [
    ' ann',
    'ann ',
    'ann\t',
    'ann\0',
    'ann.',
    '.ann',
    '-ann',
    'änn',
    'ａｎｎ',
    'ann\u200b',
  ]
  for (const name of odd) await rejects(logIn('right', name), { status: 404 }, name)
})

test('login gives a token with the settings of the user', async () => {
  const options = { remoteAddress: '10.1.0.1' }
  const user = { token_policies: 'b,a', token_ttl: 60, token_bound_cidrs: '10.0.0.0/8' }
  const { logIn } = await engineWith(user, options)
  deepEqual(await logIn('right'), {
    alias: 'ann',
    displayName: 'ann',
    metadata: { username: 'ann' },
    token: {
      policies: ['a', 'b'],
      ttlSeconds: 60,
      maxTtlSeconds: 0,
      explicitMaxTtlSeconds: 0,
      periodSeconds: 0,
      numUses: 0,
      noDefaultPolicy: false,
      type: 'default',
      boundCidrs: ['10.0.0.0/8'],
    },
    internal: { username: 'ann', policies: ['a', 'b'] },
  })
  options.remoteAddress = '11.0.0.1'
  await rejects(logIn('right'), { status: 403 })
  // From the wrong address, a wrong password still learns nothing.
  await rejects(logIn('wrong'), INVALID)
})

test('a user is made with a password or its hash, one of them', async () => {
  const engine = testEngine(userpass)
  const both = { password: 'x', password_hash: IMPORTED }
  for (const [body, message] of [
    [{}, 'missing password'],
    [{ password: '' }, 'missing password'],
    [both, 'give password or password_hash, not both'],
    [{ password: 'x'.repeat(73) }, 'password length exceeds 72 bytes'],
    [{ password: 'ä'.repeat(37) }, 'password length exceeds 72 bytes'],
    [{ password: 'x', token_policies: 'root' }, 'auth methods cannot create root tokens'],
  ] as const) {
    await rejects(engine.write('users/ann', body), { status: 400, message })
  }
  for (const hash of ['x', 'plain password', IMPORTED.replace('$10$', '$09$')]) {
    await rejects(engine.write('users/ann', { password_hash: hash }), { status: 400 })
  }
  await rejects(engine.write('users/ann', { password_hash: IMPORTED.replace('$10$', '$15$') }), {
    status: 400,
  })
  equal(engine.entries().size, 0)
  equal(await engine.write('users/ann', { password: 'ä'.repeat(36) }), undefined)
  ok(await engine.write('login/ann', { password: 'ä'.repeat(36) }))
})

test('an imported hash lets its password in', async () => {
  const { engine, logIn } = await engineWith()
  await engine.write('users/ann/password', { password_hash: IMPORTED })
  ok(await logIn('U*U'))
  await rejects(logIn('right'), INVALID)
})

test('a read shows the token settings, and neither password nor hash', async () => {
  const { engine } = await engineWith({ policies: 'p', ttl: 60 })
  deepEqual(dataOf(await engine.read('users/ann')), {
    ...TOKEN_SETTINGS,
    token_policies: ['p'],
    token_ttl: 60,
    policies: ['p'],
    ttl: 60,
  })
  equal(await engine.read('users/nobody'), undefined)
  const stored = JSON.stringify([...engine.entries()])
  ok(!stored.includes('right'))
})

test('password and policies are changed by themselves, of users who are there', async () => {
  const { engine, logIn } = await engineWith({ token_policies: 'a', token_ttl: 60 })
  const message = 'username does not exist'
  for (const path of ['users/nobody/password', 'users/nobody/policies']) {
    await rejects(engine.write(path, { password: 'x' }), { status: 400, message })
  }
  await rejects(engine.write('users/ann/password'), { status: 400, message: 'missing password' })
  await engine.write('users/ann/password', { password: 'new' })
  await engine.write('users/ann/policies', { policies: ['C'] })
  await rejects(logIn('right'), INVALID)
  const grant = await logIn('new')
  deepEqual([grant?.token.policies, grant?.token.ttlSeconds], [['c'], 60])
  equal(dataOf(await engine.read('users/ann'))['token_ttl'], 60)
  // A user is changed without a password.
  await engine.write('users/ann', { token_ttl: 90 })
  equal((await logIn('new'))?.token.ttlSeconds, 90)
})

test('a user who was deleted is unknown', async () => {
  const { engine, logIn } = await engineWith()
  equal(await engine.delete('users/Ann'), undefined)
  equal(await engine.delete('users/ann'), undefined)
  await rejects(logIn('right'), INVALID)
})

test('renewLogin() ends with the user, or when the policies have changed', async () => {
  const { engine, logIn } = await engineWith({ token_policies: 'a', token_ttl: 60 })
  const internal = (await logIn('right'))?.internal ?? {}
  const renew = () => renewLogin({ store: memoryEntries(engine.entries()) }, internal)
  await engine.write('users/ann', { token_ttl: 90 })
  equal((await renew())?.ttlSeconds, 90)
  await engine.write('users/ann', { token_policies: 'a,b' })
  await rejects(renew(), { status: 400, message: /policies have changed/ })
  await engine.delete('users/ann')
  equal(await renew(), undefined)
})

test('a login through the whole core, with one body for a wrong password and a missing user', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/auth/people', { type: 'userpass' })
  equal((await ask('write', 'auth/people/users/Ann', { password: 'right' })).status, 204)
  const user = { token: undefined }
  const wrong = await ask('write', 'auth/people/login/ann', { password: 'wrong' }, user)
  const missing = await ask('write', 'auth/people/login/bob', { password: 'wrong' }, user)
  deepEqual([wrong.status, wrong.body], [400, { errors: ['invalid username or password'] }])
  deepEqual([missing.status, missing.text], [wrong.status, wrong.text])
  const right = await ask('write', 'auth/people/login/ANN', { password: 'right' }, user)
  equal(right.status, 200)
  const auth = right.body['auth'] as Record<string, unknown>
  deepEqual([auth['metadata'], auth['orphan']], [{ username: 'ann' }, true])
  const token = auth['client_token'] as string
  const self = await ask('read', 'auth/token/lookup-self', {}, { token })
  equal(self.body.data?.['display_name'], 'people-ann')
  equal((await ask('write', 'auth/token/renew-self', {}, { token })).status, 200)
  await ask('write', 'auth/people/users/ann', { token_policies: 'new' })
  const refused = await ask('write', 'auth/token/renew-self', {}, { token })
  equal(refused.status, 400)
})

test('many logins at once are each decided, none twice', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/auth/userpass', { type: 'userpass' })
  await ask('write', 'auth/userpass/users/ann', { password: 'right' })
  const passwords = Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? 'right' : 'wrong'))
  const answers = await Promise.all(
    passwords.map((password) =>
      ask('write', 'auth/userpass/login/ann', { password }, { token: undefined }),
    ),
  )
  deepEqual(
    answers.map(({ status }) => status),
    passwords.map((password) => (password === 'right' ? 200 : 400)),
  )
})

test('a login that has to run again does not hash again', async (t) => {
  const store = memoryStore()
  const write = store.write.bind(store)
  let refusals = 0
  const { ask } = await testCore({
    store: {
      ...store,
      write: async (batch, expect) => {
        if (refusals-- > 0) throw new StoreConflict()
        return await write(batch, expect)
      },
    },
  })
  await ask('write', 'sys/auth/userpass', { type: 'userpass' })
  await ask('write', 'auth/userpass/users/ann', { password: 'right' })
  const asked = t.mock.method(Worker.prototype, 'postMessage')
  refusals = 3
  const path = 'auth/userpass/login/ann'
  equal((await ask('write', path, { password: 'right' }, { token: undefined })).status, 200)
  deepEqual([refusals, asked.mock.callCount()], [-1, 1])
  refusals = 3
  equal((await ask('write', 'auth/userpass/users/bob', { password: 'new' })).status, 204)
  deepEqual([refusals, asked.mock.callCount()], [-1, 2])
})
