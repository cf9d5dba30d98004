import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { after, before, test } from 'node:test'
import {
  type FreeRadius,
  NO_FREERADIUS,
  SHARED,
  startFreeRadius,
} from '../../../test/support/freeradius.ts'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { TOKEN_SETTINGS } from '../../kit/kit.ts'
import radius from './engine.ts'
import { renewLogin } from './login.ts'

const skip = NO_FREERADIUS
const DENIED = { status: 400, message: 'access denied by the authentication server' }
const LONG = 'a password that is longer than one block of sixteen bytes'

let server: FreeRadius
before(async () => {
  if (!skip) server = await startFreeRadius({ ann: 'right', long: LONG, 'ann@example.com': 'mail' })
})
after(async () => {
  if (!skip) await server[Symbol.asyncDispose]()
})

async function engineWith(
  config: Record<string, unknown> = {},
  options: { remoteAddress?: string } = {},
) {
  const engine = testEngine(radius, options)
  await engine.write('config', {
    host: '127.0.0.1',
    port: skip ? 1 : server.port,
    secret: SHARED,
    unregistered_user_policies: 'others',
    ...config,
  })
  const logIn = async (username: string, password: string) =>
    (await engine.write('login', { username, password }))?.login
  return { engine, logIn }
}

test('login refuses a wrong password and an unknown user alike', { skip }, async () => {
  const { engine, logIn } = await engineWith()
  await engine.write('users/ann', { policies: 'hers' })
  const pairs = [
    ['ann', 'wrong'],
    ['ann', 'right '],
    ['ann', `right${'x'.repeat(200)}`],
    ['nobody', 'right'],
    ['long', LONG.slice(0, 16)],
    ['ann\0', 'right'],
    ['x'.repeat(300), 'right'],
  ] as const
  for (const [name, password] of pairs) await rejects(logIn(name, password), DENIED, name)
})

test('login lets in whom the server accepts, under one name', { skip }, async () => {
  const { engine, logIn } = await engineWith({ token_policies: 'base', token_ttl: 60 })
  await engine.write('users/Ann', { policies: 'hers' })
  for (const name of ['ann', 'ANN', ' ann ', 'ａｎｎ']) {
    const grant = await logIn(name, 'right')
    deepEqual([grant?.alias, grant?.displayName], ['ann', 'ann'])
    deepEqual(grant?.metadata, { username: 'ann', policies: 'hers' })
    deepEqual([grant?.token.policies, grant?.token.ttlSeconds], [['base', 'hers'], 60])
    ok(!JSON.stringify(grant).includes('right'))
  }
  const byPath = await engine.write('login/ann', { password: 'right' })
  equal(byPath?.login?.alias, 'ann')
  ok(await logIn('long', LONG))
  equal((await logIn('ann@example.com', 'mail'))?.alias, 'ann@example.com')
})

test('a user who is not known here needs policies for such users', { skip }, async () => {
  const { engine, logIn } = await engineWith({ unregistered_user_policies: '' })
  await rejects(logIn('ann', 'right'), { status: 400, message: /unregistered_user_policies/ })
  // Who does not know the password does not learn who is known here.
  await rejects(logIn('ann', 'wrong'), DENIED)
  await engine.write('users/ann', {})
  deepEqual((await logIn('ann', 'right'))?.token.policies, [])
})

test(
  'an answer without a Message-Authenticator is taken only when that is allowed',
  { skip },
  async () => {
    const strict = await engineWith({ port: server.plainPort })
    for (const password of ['right', 'wrong']) {
      await rejects(strict.logIn('ann', password), {
        status: 500,
        message: /no Message-Authenticator/,
      })
    }
    const lax = await engineWith({ port: server.plainPort, require_message_authenticator: false })
    ok(await lax.logIn('ann', 'right'))
    await rejects(lax.logIn('ann', 'wrong'), DENIED)
  },
)

test('a server with another secret has not answered', { skip }, async () => {
  const { logIn } = await engineWith({ secret: 'another', read_timeout: 1 })
  await rejects(logIn('ann', 'right'), {
    status: 500,
    message: 'radius operation failed: the server did not answer',
  })
})

test('a server that is silent, not there or has no name is a 500 without a value', async () => {
  const silent = createSocket('udp4')
  await new Promise<void>((done) => silent.bind(0, '127.0.0.1', done))
  let asked = 0
  silent.on('message', (_bytes, { port, address }) => {
    asked++
    silent.send('nonsense', port, address)
  })
  try {
    const quiet = await engineWith({ port: silent.address().port, read_timeout: 1 })
    await rejects(quiet.logIn('ann', 'right'), { status: 500, message: /did not answer/ })
    equal(asked, 3)
  } finally {
    silent.close()
  }
  const gone = await engineWith({ port: 1, read_timeout: 1 })
  await rejects(gone.logIn('ann', 'right'), { status: 500, message: /radius operation failed/ })
  const nameless = await engineWith({ host: `${'x'.repeat(64)}.invalid`, dial_timeout: 1 })
  await rejects(nameless.logIn('ann', 'right'), { status: 500, message: /has no address/ })
})

test('login says what is missing', async () => {
  const { engine, logIn } = await engineWith()
  await rejects(logIn('', 'x'), { status: 400, message: 'username cannot be empty' })
  await rejects(logIn('ann', ''), { status: 400, message: 'password cannot be empty' })
  await rejects(testEngine(radius).write('login/ann', { password: 'x' }), {
    status: 400,
    message: 'radius backend not configured',
  })
  ok(await engine.read('config'))
})

test(
  'login from an address that the token could not be used from is refused',
  { skip },
  async () => {
    const options = { remoteAddress: '10.1.0.1' }
    const { logIn } = await engineWith({ token_bound_cidrs: '10.0.0.0/8' }, options)
    ok(await logIn('ann', 'right'))
    options.remoteAddress = '11.0.0.1'
    await rejects(logIn('ann', 'right'), { status: 403 })
  },
)

test('renewLogin() ends with the user, or when the policies have changed', { skip }, async () => {
  const { engine, logIn } = await engineWith({ token_ttl: 60 })
  await engine.write('users/ann', { policies: 'a' })
  const internal = (await logIn('ann', 'right'))?.internal ?? {}
  const renew = () => renewLogin({ store: memoryEntries(engine.entries()) }, internal)
  equal((await renew())?.ttlSeconds, 60)
  await engine.write('users/ann', { policies: 'a,b' })
  await rejects(renew(), { status: 400, message: /policies have changed/ })
  await engine.delete('users/ann')
  await rejects(renew(), { status: 400, message: /policies have changed/ })
  await engine.write('config', { unregistered_user_policies: '' })
  equal(await renew(), undefined)
})

test('the settings are refused when they cannot work, and never show the secret', async () => {
  const engine = testEngine(radius)
  const host = { host: 'radius.example.com' }
  const rows: [Record<string, unknown>, RegExp][] = [
    [{}, /`host` cannot be empty/],
    [host, /`secret` cannot be empty/],
    [{ ...host, secret: 's', port: 65_536 }, /'port'/],
    [{ ...host, secret: 's', nas_port: -1 }, /'nas_port'/],
    [{ ...host, secret: 's', nas_identifier: 'x'.repeat(254) }, /'nas_identifier'/],
    [{ ...host, secret: 's', read_timeout: 0 }, /timeouts/],
    [{ ...host, secret: 's', unregistered_user_policies: 'a, Root' }, /root policy cannot/],
    [{ ...host, secret: 's', token_policies: 'root' }, /root tokens/],
  ]
  for (const [body, message] of rows) {
    await rejects(engine.write('config', body), { status: 400, message })
  }
  equal(await engine.read('config'), undefined)
  await engine.write('config', { ...host, secret: 'canary', unregistered_user_policies: 'b,a' })
  await engine.write('config', { read_timeout: '5s' })
  deepEqual(dataOf(await engine.read('config')), {
    ...TOKEN_SETTINGS,
    ...host,
    port: 1812,
    unregistered_user_policies: ['a', 'b'],
    dial_timeout: 10,
    read_timeout: 5,
    nas_port: 10,
    nas_identifier: '',
    require_message_authenticator: true,
  })
})

test('users are written, listed and read by any case', async () => {
  const engine = testEngine(radius)
  await engine.write('users/Ann', { policies: 'B,a' })
  deepEqual(dataOf(await engine.read('users/ANN')), { policies: ['a', 'b'] })
  deepEqual(dataOf(await engine.list('users')), { keys: ['ann'] })
  await rejects(engine.write('users/x', { policies: 'Root' }), { status: 400 })
  await engine.delete('users/aNN')
  equal(await engine.read('users/ann'), undefined)
})
