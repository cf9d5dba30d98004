/** Errors, retries, time limits and aborts, over a real socket to the fake server. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { inspect } from 'node:util'
import {
  type Client,
  ClosedError,
  CofferError,
  ConflictError,
  connect,
  type ConnectOptions,
  DeniedError,
  InvalidRequestError,
  MissingError,
  NetworkError,
  RateLimitedError,
  SealedError,
  token,
  UnavailableError,
} from '../../src/client/client.ts'
import { denied, type FakeAnswer, FakeServer, sealed } from './fake-server.ts'

const fast = { auth: token('fake-root'), random: () => 0, env: {} }
const open = (fake: FakeServer, options: ConnectOptions = {}) =>
  connect({ address: fake.address, ...fast, ...options })

/** Runs with a fake server and a client on it, both closed at the end. */
async function withClient(
  run: (client: Client, fake: FakeServer) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  await using fake = await FakeServer.start()
  await using client = await open(fake, options)
  await run(client, fake)
}

const said = (status: number, ...errors: string[]): FakeAnswer => ({ status, body: { errors } })
const kinds: [
  name: string,
  answer: FakeAnswer,
  kind: new (...a: never[]) => CofferError,
  code: string,
][] = [
  ['403', denied, DeniedError, 'denied'],
  ['404', said(404), MissingError, 'missing'],
  ['503 sealed', sealed, SealedError, 'sealed'],
  ['503', said(503, 'node is not active'), UnavailableError, 'unavailable'],
  ['500', said(500, 'internal error'), UnavailableError, 'unavailable'],
  ['502 of a proxy', { status: 502, body: '<html>' }, UnavailableError, 'unavailable'],
  ['200 of something else', { status: 200, body: '<html>' }, UnavailableError, 'unavailable'],
  ['a cut line', 'cut', NetworkError, 'network'],
  ['409', said(409, 'changed'), ConflictError, 'conflict'],
  [
    '400 for cas',
    said(400, 'check-and-set parameter did not match the current version'),
    ConflictError,
    'conflict',
  ],
  ['429', said(429, 'quota'), RateLimitedError, 'rate_limited'],
  ['400', said(400, 'no data provided'), InvalidRequestError, 'invalid_request'],
  ['405', said(405, 'unsupported operation'), InvalidRequestError, 'invalid_request'],
]

for (const [name, answer, kind, code] of kinds) {
  test(`a call rejects with ${kind.name} for ${name}`, () =>
    withClient(async (client, fake) => {
      fake.on(({ path }) => (path === 'secret/data/app' ? answer : undefined))
      await rejects(client.kv().read('app'), (error) => {
        ok(error instanceof kind && error instanceof CofferError && error instanceof Error)
        equal(error.code, code)
        equal(error.name, kind.name)
        match(error.message, /^GET secret\/data\/app: /)
        return true
      })
    }))
}

test('an error names method, path, status and what the server said, on one line', () =>
  withClient(async (client, fake) => {
    fake.next('secret/data/app', denied)
    const message = 'GET secret/data/app: 403 1 error occurred: * permission denied'
    await rejects(client.kv().read('app'), { message, status: 403, path: 'secret/data/app' })
  }))

test('no error and no printed form of the client tells a value, a token or a body', () =>
  withClient(async (client, fake) => {
    const canary = 'canary-91c2'
    fake.tokens.set(`hvs.${canary}aaaaaaaaaaaaaaaaaaaa`, { ttl: 0, renewable: false })
    const auth = token(`hvs.${canary}aaaaaaaaaaaaaaaaaaaa`)
    await using own = await open(fake, { auth })
    fake.on(({ path, query, text, token }) => {
      if (path.startsWith('sys/')) return undefined
      if (path.includes('json')) return { status: 200, body: `{"${canary}` }
      const quoted = text.includes(canary) ? `bad ${canary}` : `bad ${path} ${query.get('q')}`
      return said(400, `bad value '${text}'`, quoted, `bad token ${token}`)
    })
    const calls = [
      () => own.kv().write('app', { password: canary }),
      () => own.kv().write('app', { deep: [{ [`x`]: canary }] }, { cas: 1 }),
      () => own.write('auth/token/renew', { token: canary }),
      () => own.read(`auth/token/lookup/hvs.${canary}aaaaaaaaaaaaaaaaaaaa`),
      () => own.read('some/json', { query: { q: canary } }),
      () => own.read('some/query', { query: { q: canary } }),
      () => connect({ ...fast, address: `http://u:${canary}@h` }),
      () => open(fake, { auth: token(`${canary}\u00e9`) }),
    ]
    for (const call of calls) {
      const error = await call().catch((e: unknown) => e)
      ok(error instanceof CofferError)
      const shown = `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`
      equal(shown.includes(canary), false, shown)
    }
    const shown = inspect([own, client, auth], { depth: 9, showHidden: true })
    equal(shown.includes(canary), false)
  }))

test('a read is sent again after 429, 503 and a cut line, three times in all', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { a: 'b' })
    fake.next('secret/data/app', said(429), sealed)
    deepEqual((await client.kv().read('app')).data, { a: 'b' })
    equal(fake.count('secret/data/app'), 3)
    fake.next('secret/data/app', 'cut', 'cut')
    deepEqual((await client.kv().read('app')).data, { a: 'b' })
    fake.next('secret/data/app', 'cut', 'cut', 'cut')
    await rejects(client.kv().read('app'), NetworkError)
  }))

test('a call is not sent again for a 500 or a 400', () =>
  withClient(async (client, fake) => {
    for (const status of [500, 400]) {
      fake.seen.length = 0
      fake.next('secret/data/app', said(status))
      await rejects(client.kv().read('app'), CofferError)
      equal(fake.count('secret/data/app'), 1)
    }
  }))

test('a write is not sent again when it may have arrived', () =>
  withClient(async (client, fake) => {
    fake.next('secret/data/app', 'cut')
    await rejects(client.kv().write('app', { a: 'b' }), NetworkError)
    equal(fake.count('secret/data/app'), 1)
    fake.next('secret/data/app', said(429), sealed)
    equal((await client.kv().write('app', { a: 'b' })).version, 1)
    equal(fake.count('secret/data/app'), 4)
  }))

test('a write is sent again when there was no connection, also through a given fetch', async () => {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  let tries = 0
  const counting = (url: string, init: RequestInit) => {
    tries++
    return fetch(url, init)
  }
  const address = `http://127.0.0.1:${port}`
  const auth = { kind: 'x', repeatable: false, login: login(true) }
  await rejects(connect({ ...fast, address, auth, fetch: counting }), (error) => {
    ok(error instanceof NetworkError)
    match(error.message, /ECONNREFUSED/)
    return true
  })
  equal(tries, 3)
  await rejects(connect({ ...fast, address, auth }), NetworkError)
})

/** A login that writes. */
function login(write: boolean) {
  return async (send: Parameters<ReturnType<typeof token>['login']>[0]) => {
    await send({ method: write ? 'POST' : 'GET', path: 'auth/x/login', body: {} })
    throw new Error('not reached')
  }
}

test('Retry-After is kept to, and an error when it lies past the time limit', () =>
  withClient(
    async (client, fake) => {
      fake.put('secret/app', { a: 'b' })
      const busy = (after: string): FakeAnswer => ({
        status: 429,
        headers: { 'retry-after': after },
      })
      const start = Date.now()
      fake.next('secret/data/app', busy('1'))
      await client.kv().read('app')
      ok(Date.now() - start >= 990)
      fake.next('secret/data/app', busy('60'))
      await rejects(client.kv().read('app'), RateLimitedError)
      fake.next('secret/data/app', busy(new Date(Date.now() + 90_000).toUTCString()))
      await rejects(client.kv().read('app'), RateLimitedError)
    },
    { timeoutMs: 4000 },
  ))

test('a call ends with TimeoutError at the time limit, and with AbortError at an abort', () =>
  withClient(
    async (client, fake) => {
      await client.kv().list()
      fake.on(({ path }) => (path.startsWith('secret/') ? 'hang' : undefined))
      await rejects(client.kv().read('app'), { name: 'TimeoutError' })
      const signal = AbortSignal.timeout(20)
      await rejects(client.kv().read('app', { signal }), signal.reason ?? { name: 'TimeoutError' })
      const controller = new AbortController()
      const call = client.kv().write('app', {}, { signal: controller.signal })
      controller.abort()
      await rejects(call, { name: 'AbortError' })
      await rejects(client.read('x', { signal: AbortSignal.abort() }), { name: 'AbortError' })
    },
    { timeoutMs: 150 },
  ))

test('close() ends calls under way and refuses new ones', () =>
  withClient(async (client, fake) => {
    fake.on(({ path }) => (path.startsWith('secret/') ? 'hang' : undefined))
    const call = client.read('secret/data/app')
    await client.close()
    await rejects(call, ClosedError)
    await rejects(client.read('secret/data/app'), ClosedError)
    await client.close()
  }))

test('a path that a server could read as another is refused before it is sent', () =>
  withClient(async (client, fake) => {
    const before = fake.seen.length
    for (const path of ['', 'a/../b', 'a//b', './a', 'a/\n', 'a/\ud800']) {
      await rejects(client.read(path), InvalidRequestError, path)
    }
    equal(fake.seen.length, before)
    fake.next('some/a b?#%2F', { status: 200, body: { request_id: '', data: { it: 1 } } })
    deepEqual((await client.read('some/a b?#%2F')).data, { it: 1 })
  }))

test('a standby is followed to the active node, with token and body, once', () =>
  withClient(async (client, fake) => {
    await using active = await FakeServer.start()
    const location = `${active.address}/v1/secret/data/app`
    fake.next('secret/data/app', { status: 307, headers: { location } })
    equal((await client.kv().write('app', { a: 1 })).version, 1)
    equal(active.seen[0]?.token, 'fake-root')
    active.next('secret/data/app', { status: 307, headers: { location } })
    fake.next('secret/data/app', { status: 307, headers: { location } })
    await rejects(client.kv().write('app', { a: 1 }), InvalidRequestError)
  }))

test('an address that is no plain URL, or tls beside fetch, is refused', async () => {
  for (const address of ['', 'localhost:8200', 'ftp://x', 'http://u:p@x', 'http://x?y=1']) {
    const env = { COFFER_ADDR: address || 'nonsense' }
    await rejects(connect({ auth: token('x'), env }), InvalidRequestError, address)
  }
  await rejects(connect({ ...fast, fetch, tls: { ca: 'x' } }), InvalidRequestError)
  await rejects(connect({ ...fast, env: { VAULT_CACERT: '/nowhere.pem' } }), InvalidRequestError)
})
