/** The cache of secrets as a program uses it, against the fake server. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  ClosedError,
  ConfigError,
  DeniedError,
  isAuthFailure,
  MissingError,
  NetworkError,
  openSecrets,
  type SecretsOptions,
  token,
  UnsafeFileError,
} from '../../src/client/client.ts'
import { denied, FakeServer } from './fake-server.ts'

const DATA = 'secret/data/app'
const REF = 'vault://secret/app'

function open({ address }: { address: string }, options: SecretsOptions = {}) {
  const own = { address, auth: token('fake-root'), env: {}, tries: 1 }
  return openSecrets({ connect: own, ...options })
}

const refused = (code = '28P01') => Object.assign(new Error('login refused'), { code })

test('get() reads a secret once, with all its fields', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { username: 'u', password: 'one' })
  await using secrets = open(fake)
  const [one, two] = await Promise.all([
    secrets.get(`${REF}#password`),
    secrets.credential(REF),
    secrets.get(`${REF}#username`),
  ])
  equal(one.reveal(), 'one')
  equal(two.username, 'u')
  equal(fake.count(DATA), 1)
  fake.put('secret/app', { username: 'u', password: 'two' })
  equal((await secrets.get(`${REF}#password`)).reveal(), 'one')
  await secrets.refreshNow()
  equal((await secrets.get(`${REF}#password`)).reveal(), 'two')
  equal(fake.count(DATA), 2)
  await rejects(secrets.get(REF), ConfigError)
  await rejects(secrets.get('vault://secret/none#x'), MissingError)
})

test('withFreshCredentials() reads anew after a refusal, and calls once more', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  await using secrets = open(fake)
  await secrets.get(`${REF}#password`)
  fake.put('secret/app', { password: 'two' })
  const tried: string[] = []
  const logIn = async (code?: string) =>
    secrets.withFreshCredentials(REF, ({ password }) => {
      tried.push(password.reveal())
      if (password.reveal() !== 'two') throw refused(code)
      return 'in'
    })
  equal(await logIn(), 'in')
  deepEqual(tried, ['one', 'two'])
  equal(await logIn(), 'in')
  equal(fake.count(DATA), 2)
})

test('withFreshCredentials() does not try the same again, nor after any other error', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  await using secrets = open(fake)
  for (const [error, reads] of [
    [refused(), 2],
    [new Error('the target is away'), 2],
  ] as const) {
    let calls = 0
    const work = secrets.withFreshCredentials(REF, () => {
      calls++
      throw error
    })
    await rejects(work, error)
    equal(calls, 1)
    equal(fake.count(DATA), reads)
  }
})

test('withFreshCredentials() gives the refusal when the server is away', async () => {
  const fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  await using secrets = open(fake)
  await secrets.get(`${REF}#password`)
  await fake[Symbol.asyncDispose]()
  const error = refused()
  await rejects(
    secrets.withFreshCredentials(REF, () => Promise.reject(error)),
    error,
  )
})

test('isAuthFailure() knows what drivers say, and takes nothing else for it', () => {
  const refusals = [
    refused('28P01'),
    refused('28000'),
    refused('ER_ACCESS_DENIED_ERROR'),
    { errno: 1045 },
    { errno: 4151 },
    new Error('WRONGPASS invalid username-password pair or user is disabled.'),
    new Error('NOAUTH Authentication required.'),
    new Response('', { status: 401 }),
    { statusCode: 401 },
    { response: { status: 401 } },
  ]
  for (const one of refusals) equal(isAuthFailure(one), true)
  const others = [
    refused('ECONNREFUSED'),
    refused('57P03'),
    { errno: 1040 },
    new Error('NOPERM this user has no permissions'),
    new Response('', { status: 403 }),
    'WRONGPASS',
    null,
    undefined,
    401,
  ]
  for (const one of others) equal(isAuthFailure(one), false)
})

test('a lease is no secret to cache', async () => {
  await using fake = await FakeServer.start()
  fake.on(({ path }) => {
    if (path.startsWith('sys/internal/ui/mounts/')) return { status: 403, body: { errors: ['no'] } }
    if (path !== 'db/creds/app') return undefined
    const data = { username: 'u', password: 'p' }
    return { status: 200, body: { request_id: 'x', lease_id: 'l', lease_duration: 60, data } }
  })
  await using secrets = open(fake)
  await rejects(secrets.credential('vault://db/creds/app'), ConfigError)
})

test('a program starts without the server when it has an offline cache, and only then', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-secrets-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const offline = { file: join(dir, 'cache') }
  const fake = await FakeServer.start()
  fake.put('secret/app', { password: 'kept' })
  {
    await using secrets = open(fake, { offline })
    await secrets.get(`${REF}#password`)
  }
  const down = { address: fake.address }
  await fake[Symbol.asyncDispose]()
  await using without = open(down)
  await rejects(without.get(`${REF}#password`), NetworkError)
  await using secrets = open(down, { offline })
  equal((await secrets.get(`${REF}#password`)).reveal(), 'kept')
  await rejects(secrets.get('vault://secret/other#x'), NetworkError)
})

test('a refusal is an answer: what was kept is not given to whoever may not read it any more', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-secrets-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const offline = { file: join(dir, 'cache') }
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'kept' })
  {
    await using secrets = open(fake, { offline })
    await secrets.get(`${REF}#password`)
  }
  fake.on(({ path }) => (path === DATA ? denied : undefined))
  await using secrets = open(fake, { offline })
  await rejects(secrets.get(`${REF}#password`), DeniedError)
})

test('a start waits only so long for a server that hangs', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-secrets-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const offline = { file: join(dir, 'cache'), waitMs: 20 }
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'kept' })
  {
    await using secrets = open(fake, { offline: { ...offline, waitMs: 10_000 } })
    await secrets.get(`${REF}#password`)
  }
  fake.on(() => 'hang')
  await using secrets = open(fake, { offline })
  equal((await secrets.get(`${REF}#password`)).reveal(), 'kept')
})

test('an offline file that is not safe is told of while the server is up, and no reason to stop', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-secrets-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const errors: unknown[] = []
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  await using secrets = open(fake, {
    // A folder where the file should be.
    offline: { file: dir },
    onError: (error) => void errors.push(error),
  })
  equal((await secrets.get(`${REF}#password`)).reveal(), 'one')
  ok(errors[0] instanceof UnsafeFileError)
})

test('close() ends it', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  const secrets = open(fake)
  await secrets.get(`${REF}#password`)
  await secrets.close()
  await rejects(secrets.refreshNow(REF), ClosedError)
})
