/** The key-value store and the generic calls, against the fake server. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import {
  type Client,
  ConflictError,
  connect,
  InvalidRequestError,
  MissingError,
  Secret,
  token,
  UnavailableError,
} from '../../src/client/client.ts'
import { denied, FakeServer } from './fake-server.ts'

async function withClient(
  run: (client: Client, fake: FakeServer, told: string[]) => Promise<void>,
): Promise<void> {
  await using fake = await FakeServer.start()
  const told: string[] = []
  const onSecret = (value: string, label: string) => void told.push(`${label}=${value}`)
  const options = { auth: token('fake-root'), env: {}, random: () => 0, tries: 1, onSecret }
  await using client = await connect({ address: fake.address, ...options })
  await run(client, fake, told)
}

test('write() refuses a version that is not the current one', () =>
  withClient(async (client) => {
    await client.kv().write('app', { a: 1 }, { cas: 0 })
    await rejects(client.kv().write('app', { a: 2 }, { cas: 0 }), ConflictError)
    equal((await client.kv().write('app', { a: 2 }, { cas: 1 })).version, 2)
  }))

test('read() of a deleted version is MissingError and says so', () =>
  withClient(async (client) => {
    const kv = client.kv()
    await kv.write('app', { a: 1 })
    await kv.delete('app')
    const message = 'GET secret/data/app: 404: version 1 is deleted'
    await rejects(kv.read('app'), (error) => {
      ok(error instanceof MissingError)
      equal(error.message, message)
      return true
    })
  }))

test('what only version 2 can do is refused on version 1', () =>
  withClient(async (client) => {
    const old = client.kv('old')
    const calls = [
      () => old.read('app', { version: 1 }),
      () => old.write('app', {}, { cas: 0 }),
      () => old.patch('app', {}),
      () => old.delete('app', { versions: [1] }),
      () => old.undelete('app', [1]),
      () => old.destroy('app', [1]),
      () => old.metadata('app'),
      () => old.setMetadata('app', {}),
      () => old.deleteMetadata('app'),
    ]
    for (const call of calls) await rejects(call(), InvalidRequestError)
  }))

test('one code reads and writes version 1 and 2, and mounts of several segments', () =>
  withClient(async (client, fake) => {
    for (const mount of ['secret', 'old', 'team/kv', '/team/kv/']) {
      const kv = client.kv(mount)
      await kv.write('a/b', { text: 'x', n: 1 })
      deepEqual((await kv.read('/a/b')).data, { text: 'x', n: 1 })
      deepEqual(await kv.list(), ['a/'])
      deepEqual(await kv.list('a/'), ['b'])
      deepEqual(await kv.list('none'), [])
    }
    equal(fake.seen.filter((s) => s.path.startsWith('sys/internal')).length, 3)
    equal((await client.kv('old').read('a/b')).version, undefined)
    equal((await client.kv().read('a/b')).version, 1)
  }))

test('a mount that may not be asked for is taken for version 2, one segment long', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { a: 'b' })
    fake.on(({ path }) => (path.startsWith('sys/internal') ? denied : undefined))
    equal((await client.kv().read('app')).data['a'], 'b')
    equal(fake.count('auth/token/lookup-self'), 1)
    fake.on(({ path }) => (path.startsWith('sys/internal') ? { status: 500, body: {} } : undefined))
    await rejects(client.kv().read('app'), UnavailableError)
  }))

test('a mount is asked for again when it answers as if it were another', () =>
  withClient(async (client, fake) => {
    await client.kv('old').write('app', { a: 'b' })
    const warnings = ['Invalid path for a versioned K/V secrets engine.']
    fake.next('old/app', { status: 404, body: { data: null, warnings } })
    await rejects(client.kv('old').read('app'), MissingError)
    equal(fake.count('sys/internal/ui/mounts/old/app'), 1)
    await client.kv('old').read('app')
    equal(fake.count('sys/internal/ui/mounts/old/app'), 2)
  }))

test('integers of any size and secrets come out as they went in', () =>
  withClient(async (client, fake) => {
    const data = { big: 12345678901234567890n, pw: new Secret('x'), near: 9007199254740991 }
    await client.kv().write('app', data)
    const { text } = fake.seen.at(-1)!
    equal(text, '{"data":{"big":12345678901234567890,"pw":"x","near":9007199254740991}}')
    deepEqual((await client.kv().read('app')).data, { ...data, pw: 'x' })
  }))

test('patch, undelete, destroy and metadata send what the API expects', () =>
  withClient(async (client, fake) => {
    const kv = client.kv()
    await kv.write('app', { a: 1 })
    const last = () => {
      const { method, path, text, headers } = fake.seen.at(-1)!
      return [method, path, headers['content-type'], text]
    }
    const json = 'application/json'
    fake.on(({ method, path }) => {
      return method !== 'GET' && path !== 'secret/data/app' ? { status: 204 } : undefined
    })
    equal((await kv.patch('app', { b: null }, { cas: 1 })).version, 2)
    const patch = '{"data":{"b":null},"options":{"cas":1}}'
    deepEqual(last(), ['PATCH', 'secret/data/app', 'application/merge-patch+json', patch])
    await kv.delete('app', { versions: [1] })
    deepEqual(last(), ['POST', 'secret/delete/app', json, '{"versions":[1]}'])
    await kv.undelete('app', [1])
    deepEqual(last(), ['POST', 'secret/undelete/app', json, '{"versions":[1]}'])
    await kv.destroy('app', [1, 2])
    deepEqual(last(), ['POST', 'secret/destroy/app', json, '{"versions":[1,2]}'])
    await kv.setMetadata('app', { maxVersions: 5, customMetadata: { a: 'b' } })
    const settings = '{"max_versions":5,"custom_metadata":{"a":"b"}}'
    deepEqual(last(), ['POST', 'secret/metadata/app', json, settings])
    await kv.deleteMetadata('app')
    deepEqual(last(), ['DELETE', 'secret/metadata/app', undefined, ''])
    const { currentVersion, versions, customMetadata } = await kv.metadata('app')
    deepEqual(
      [currentVersion, Object.keys(versions), customMetadata],
      [2, ['1', '2'], { owner: 'fake' }],
    )
  }))

test('read() and write() of any path give data, lease, tokens and warnings', () =>
  withClient(async (client, fake, told) => {
    const body = {
      request_id: 'x',
      lease_id: 'database/creds/app/1',
      lease_duration: 60,
      renewable: true,
      data: { username: 'u', password: 'canary' },
      warnings: ['w'],
      wrap_info: { token: 'wrap-canary', accessor: 'a', ttl: 60, creation_path: 'p' },
      auth: { client_token: 'auth-canary', lease_duration: 5, policies: ['p'] },
    }
    fake.next('database/creds/app', { status: 200, body })
    fake.next('sys/health', { status: 200, body: { sealed: false } })
    const reply = await client.read('database/creds/app', {
      wrapTtl: '5m',
      query: { a: 'b c', d: 1 },
    })
    const { headers, query } = fake.seen.at(-1)!
    equal(headers['x-vault-wrap-ttl'], '5m')
    equal(query.toString(), 'a=b+c&d=1')
    deepEqual([reply.leaseId, reply.leaseSeconds, reply.warnings], [body.lease_id, 60, ['w']])
    equal(reply.wrapInfo?.token.reveal(), 'wrap-canary')
    equal(reply.auth?.token.reveal(), 'auth-canary')
    equal(/(auth|wrap)-canary/.test(inspect(reply, { depth: 9 })), false)
    deepEqual(told.slice(1), [
      'token=auth-canary',
      'wrapping token=wrap-canary',
      'database/creds/app#username=u',
      'database/creds/app#password=canary',
    ])
    deepEqual((await client.read('sys/health')).data, { sealed: false })
    equal((await client.delete('old/none')).data, undefined)
    fake.next('sys/wrapping/unwrap', { status: 200, body: { request_id: '', data: { a: 1 } } })
    deepEqual((await client.unwrap(new Secret('t'))).data, { a: 1 })
    equal(fake.seen.at(-1)?.text, '{"token":"t"}')
  }))

test('a credential that the server rotates is told to who hides values, and what stands beside it is not', () =>
  withClient(async (client, fake, told) => {
    const password = ['first', 'Word', 1].join('-')
    const data = {
      username: 'app_a',
      password,
      ttl: 3600,
      rotation_period: 86400,
      last_vault_rotation: '2026-01-01T00:00:00Z',
    }
    const body = { request_id: 'r', lease_id: '', data }
    fake.on(({ path }) => (/static-cred/.test(path) ? { status: 200, body } : undefined))
    const before = told.length
    for (const path of ['database/static-creds/app', 'ad/static-cred/app', 'static-creds/a/b'])
      await client.read(path)
    deepEqual(told.slice(before), [
      `database/static-creds/app#password=${password}`,
      `ad/static-cred/app#password=${password}`,
    ])
  }))
