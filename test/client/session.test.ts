/** Login, renewal and login again, on fake time where time matters. */
import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import {
  appRole,
  authFromEnv,
  type Client,
  connect,
  type ConnectOptions,
  DeniedError,
  InvalidRequestError,
  NetworkError,
  SealedError,
  token,
  userpass,
} from '../../src/client/client.ts'
import { badToken, denied, FakeServer, sealed } from './fake-server.ts'

const RENEW = 'auth/token/renew-self'
const LOGIN = 'auth/approle/login'
const role = () => appRole({ roleId: 'fake-role', secretId: 'fake-secret-id' })

/** A client whose timers the test moves. The socket stays real: `settle` lets it work. */
async function onFakeTime(
  t: TestContext,
  options: ConnectOptions,
  grant = { ttl: 3600, renewable: true },
): Promise<{ fake: FakeServer; client: Client; tick: (ms: number) => Promise<void> }> {
  const fake = await FakeServer.start()
  fake.grant = grant
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_800_000_000_000 })
  const quiet = { random: () => 0, env: {}, onError: () => {}, tries: 1 }
  const client = await connect({ address: fake.address, auth: role(), ...quiet, ...options })
  t.after(async () => {
    await client.close()
    t.mock.timers.reset()
    await fake[Symbol.asyncDispose]()
  })
  const tick = async (ms: number) => {
    t.mock.timers.tick(ms)
    await settle()
  }
  return { fake, client, tick }
}

/** Lets what goes over the socket come to an end. setImmediate is not on fake time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await new Promise((done) => setImmediate(done))
}

test('a login that is refused rejects connect() with DeniedError', async () => {
  await using fake = await FakeServer.start()
  const wrong = [
    appRole({ roleId: 'r', secretId: 'canary-wrong' }),
    userpass({ username: 'u', password: 'canary-wrong' }),
    token('canary-wrong'),
    appRole({ roleId: 'r' }),
  ]
  for (const auth of wrong) {
    await rejects(connect({ address: fake.address, auth }), (error) => {
      ok(error instanceof DeniedError)
      equal(JSON.stringify(error).includes('canary'), false)
      return true
    })
  }
  await rejects(connect({ address: fake.address, auth: token(' ') }), InvalidRequestError)
})

test('appRole() refuses two secret ids at once', async () => {
  const make = async () => appRole({ roleId: 'r', secretId: 'a', wrappedSecretId: 'b' })
  await rejects(make(), InvalidRequestError)
})

test('connect() logs in with AppRole, userpass or a token, at the mount given', async () => {
  await using fake = await FakeServer.start()
  const ways = [
    [role(), 'auth/approle/login'],
    [
      appRole({ roleId: () => ' r\n', secretId: () => 'fake-secret-id\n', mount: 'ci' }),
      'auth/ci/login',
    ],
    [userpass({ username: 'ann', password: 'fake-password' }), 'auth/userpass/login/ann'],
    [token(async () => 'fake-root\n'), 'auth/token/lookup-self'],
  ] as const
  for (const [auth, path] of ways) {
    await using client = await connect({ address: fake.address, auth, namespace: 'team' })
    equal(fake.seen.at(-1)?.path, path)
    equal(fake.seen.at(-1)?.headers['x-vault-namespace'], 'team')
    equal(fake.seen.at(-1)?.headers['x-vault-request'], 'true')
    fake.put('secret/app', { a: 'b' })
    equal((await client.kv().read('app')).data['a'], 'b')
  }
  deepEqual(JSON.parse(fake.seen.find((s) => s.path === 'auth/ci/login')!.text), {
    role_id: 'r',
    secret_id: 'fake-secret-id',
  })
})

test('connect() with a token that may not look itself up goes on without renewing it', async () => {
  await using fake = await FakeServer.start()
  fake.next('auth/token/lookup-self', denied)
  await using client = await connect({ address: fake.address, auth: token('fake-root') })
  deepEqual(await client.list('secret/metadata/none'), [])
})

test('a wrapped secret id is opened once, and used again for the next login', async () => {
  await using fake = await FakeServer.start()
  const made = 'auth/approle/role/app/secret-id'
  fake.tokens.set('fake-wrap', { ttl: 60, renewable: false })
  const opened = { status: 200, body: { data: { secret_id: 'fake-secret-id' } } }
  fake.next('sys/wrapping/lookup', { status: 200, body: { data: { creation_path: made } } })
  fake.next('sys/wrapping/unwrap', opened)
  const auth = appRole({ roleId: 'r', wrappedSecretId: 'fake-wrap' })
  await using client = await connect({ address: fake.address, auth })
  fake.tokens.clear()
  await client.list('secret/metadata/none')
  equal(fake.logins, 2)
  equal(fake.count('sys/wrapping/unwrap'), 1)
  equal(fake.seen.find((s) => s.path === 'sys/wrapping/unwrap')?.token, 'fake-wrap')
})

test('a wrapped secret id that is gone, or was wrapped by another path, is refused', async () => {
  await using fake = await FakeServer.start()
  const wrapped = () => appRole({ roleId: 'r', wrappedSecretId: 'fake-wrap' })
  const gone = 'wrapping token is not valid or does not exist'
  fake.next('sys/wrapping/lookup', { status: 400, body: { errors: [gone] } })
  await rejects(connect({ address: fake.address, auth: wrapped() }), (error) => {
    ok(error instanceof DeniedError)
    match(error.message, /someone else opened it/)
    return true
  })
  for (const path of ['cubbyhole/x', 'auth/approle/role/a/b/secret-id', 'sys/wrapping/wrap']) {
    fake.next('sys/wrapping/lookup', { status: 200, body: { data: { creation_path: path } } })
    await rejects(connect({ address: fake.address, auth: wrapped() }), DeniedError)
  }
  equal(fake.count('sys/wrapping/unwrap'), 0)
})

test('authFromEnv() prefers COFFER_ to VAULT_, and a token to a role', async () => {
  await using fake = await FakeServer.start()
  const env = (extra: Record<string, string>) => ({
    COFFER_ADDR: fake.address,
    HOME: '/nowhere',
    ...extra,
  })
  const last = () => fake.seen.at(-1)!
  const ways: [Record<string, string>, path: string, token?: string][] = [
    [{ COFFER_TOKEN: 'fake-root', VAULT_TOKEN: 'x' }, 'auth/token/lookup-self', 'fake-root'],
    [{ VAULT_TOKEN: 'fake-root' }, 'auth/token/lookup-self', 'fake-root'],
    [{ VAULT_ROLE_ID: 'r', VAULT_SECRET_ID: 'fake-secret-id' }, LOGIN],
  ]
  for (const [extra, path, used] of ways) {
    await using _client = await connect({ env: env(extra) })
    equal(last().path, path)
    equal(last().token, used)
  }
  await rejects(connect({ env: env({}) }), InvalidRequestError)
  equal(authFromEnv({ COFFER_ROLE_ID: 'r', COFFER_SECRET_ID_FILE: '/x' }).kind, 'approle')
  equal(authFromEnv({ COFFER_ROLE_ID: 'r', COFFER_WRAPPED_SECRET_ID: 'x' }).kind, 'approle')
})

test('a token is renewed at two thirds of its life, and again, and spread by up to a tenth', async (t) => {
  const { fake, tick } = await onFakeTime(t, {})
  await tick(2_399_000)
  equal(fake.count(RENEW), 0)
  await tick(1_000)
  equal(fake.count(RENEW), 1)
  await tick(2_400_000)
  equal(fake.count(RENEW), 2)
  equal(fake.logins, 1)
})

test('renewal comes a tenth earlier at the other end of the spread', async (t) => {
  const { fake, tick } = await onFakeTime(t, { random: () => 1 })
  await tick(2_159_000)
  equal(fake.count(RENEW), 0)
  await tick(1_000)
  equal(fake.count(RENEW), 1)
})

test('a token at its max ttl is replaced by a new login before it ends', async (t) => {
  const { fake, client, tick } = await onFakeTime(t, {})
  fake.grant = { ttl: 900, renewable: true }
  const { token } = client
  await tick(2_400_000)
  equal(fake.count(RENEW), 1)
  equal(fake.logins, 1)
  await tick(600_000)
  equal(fake.count(RENEW), 1)
  equal(fake.logins, 2)
  notEqual(client.token.reveal(), token.reveal())
})

test('a token that cannot be renewed is replaced by a new login', async (t) => {
  const { fake, tick } = await onFakeTime(t, {}, { ttl: 300, renewable: false })
  await tick(200_000)
  equal(fake.count(RENEW), 0)
  equal(fake.logins, 2)
})

test('a renewal that is refused becomes a login; one that fails is tried again', async (t) => {
  const { fake, tick } = await onFakeTime(t, {})
  fake.next(RENEW, sealed, 'cut')
  await tick(2_400_000)
  equal(fake.count(RENEW), 1)
  await tick(500)
  equal(fake.count(RENEW), 2)
  await tick(1000)
  equal(fake.count(RENEW), 3)
  equal(fake.logins, 1)
  fake.tokens.clear()
  await tick(2_400_000)
  equal(fake.logins, 2)
})

test('a fixed token that cannot be renewed any longer is reported once', async (t) => {
  const errors: unknown[] = []
  const { fake, tick } = await onFakeTime(t, { onError: (error) => errors.push(error) })
  fake.tokens.set('fixed', { ttl: 60, renewable: true })
  const own = { address: fake.address, auth: token('fixed'), env: {}, random: () => 0, tries: 1 }
  const client = await connect({ ...own, onError: (error) => errors.push(error) })
  t.after(() => client.close())
  fake.tokens.delete('fixed')
  await tick(40_000)
  await tick(400_000)
  equal(errors.length, 1)
  ok(errors[0] instanceof DeniedError)
})

test('a token without an end sets no timer, and one of years does not renew at once', async (t) => {
  const { fake, tick } = await onFakeTime(t, {}, { ttl: 10 * 365 * 86400, renewable: true })
  await tick(60_000)
  equal(fake.count(RENEW), 0)
})

test('calls that meet a dead token share one new login, and are sent again', async () => {
  await using fake = await FakeServer.start()
  await using client = await connect({ address: fake.address, auth: role() })
  fake.put('secret/app', { a: 'b' })
  fake.tokens.clear()
  const reads = Array.from({ length: 20 }, () => client.kv().read('app'))
  for (const read of reads) equal((await read).data['a'], 'b')
  equal(fake.logins, 2)
})

test('a refusal by policy causes no login, and no look at the token', async () => {
  await using fake = await FakeServer.start()
  await using client = await connect({ address: fake.address, auth: role() })
  fake.on(({ path }) => (path === 'secret/data/app' ? denied : undefined))
  await rejects(client.read('secret/data/app'), DeniedError)
  equal(fake.count('auth/token/lookup-self'), 0)
  equal(fake.logins, 1)
})

test('a 403 in unknown words is a refusal when the token is alive', async () => {
  await using fake = await FakeServer.start()
  await using client = await connect({ address: fake.address, auth: role() })
  fake.on(({ path }) => {
    return path === 'x' ? { status: 403, body: { errors: ['permission denied'] } } : undefined
  })
  await rejects(client.read('x'), DeniedError)
  equal(fake.count('auth/token/lookup-self'), 1)
  equal(fake.logins, 1)
})

test('a dead token is replaced once for a call; a second 403 is the answer', async () => {
  await using fake = await FakeServer.start()
  await using client = await connect({ address: fake.address, auth: role() })
  fake.on(({ path }) => (/^x$|lookup-self/.test(path) ? badToken : undefined))
  await rejects(client.read('x'), DeniedError)
  equal(fake.count('x'), 2)
  equal(fake.logins, 2)
})

test('wrong credentials are not tried again at every call, so that no account is locked', async () => {
  await using fake = await FakeServer.start()
  await using client = await connect({ address: fake.address, auth: role() })
  fake.tokens.clear()
  fake.secretId = 'another'
  for (let i = 0; i < 5; i++) {
    await rejects(client.read('x'), (error) => {
      ok(error instanceof DeniedError)
      match(error.message, /a new login was refused/)
      return true
    })
  }
  equal(fake.count(LOGIN), 2)
})

test('a login that fails for the moment is reported as that, and tried at the next call', async () => {
  await using fake = await FakeServer.start()
  await using client = await connect({ address: fake.address, auth: role(), tries: 1 })
  fake.tokens.clear()
  fake.next(LOGIN, sealed, 'cut')
  await rejects(client.read('x'), SealedError)
  await rejects(client.read('x'), NetworkError)
  deepEqual(await client.list('secret/metadata/none'), [])
})

test('close({ revoke: true }) makes the server forget the token', async () => {
  await using fake = await FakeServer.start()
  const client = await connect({ address: fake.address, auth: role() })
  equal(fake.tokens.size, 2)
  await client.close({ revoke: true })
  equal(fake.tokens.size, 1)
})

test('a process with an open client and a follower ends when its work is done', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { a: 'b' })
  fake.grant = { ttl: 2, renewable: true }
  const door = new URL('../../src/client/client.ts', import.meta.url).href
  const program = `
    import { appRole, connect } from ${JSON.stringify(door)}
    const auth = appRole({ roleId: 'fake-role', secretId: 'fake-secret-id' })
    const client = await connect({ address: ${JSON.stringify(fake.address)}, auth })
    await client.follow('vault://secret/app#a', () => {}, { intervalMs: 20 }).ready
    await new Promise((done) => setTimeout(done, 100))
    console.log('done')`
  const flags = ['--no-warnings', '--input-type=module', '-e', program]
  const child = spawn(process.execPath, flags, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 8000,
  })
  const [out] = (await once(child.stdout, 'data')) as [Buffer]
  equal(out.toString(), 'done\n')
  const start = Date.now()
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
  equal(code, 0)
  ok(Date.now() - start < 2000)
})

test('a process does not end while it waits for a call that is to be sent again', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { a: 'b' })
  fake.next('secret/data/app', { status: 429, headers: { 'retry-after': '1' } })
  const door = new URL('../../src/client/client.ts', import.meta.url).href
  const program = `
    import { connect, token } from ${JSON.stringify(door)}
    const client = await connect({ address: ${JSON.stringify(fake.address)}, auth: token('fake-root') })
    console.log((await client.kv().read('app')).data.a)`
  const flags = ['--no-warnings', '--input-type=module', '-e', program]
  const child = spawn(process.execPath, flags, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 8000,
  })
  const [out] = (await once(child.stdout, 'data')) as [Buffer]
  equal(out.toString(), 'b\n')
})
