/** References in a config, resolved against the fake server. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import {
  ClosedError,
  ConfigError,
  connect,
  type Client,
  loadConfig,
  MissingError,
  NetworkError,
  reveal,
  Secret,
  token,
} from '../../src/client/client.ts'
import { denied, FakeServer } from './fake-server.ts'

const CANARY = 'canary-55d0'

async function withClient(run: (client: Client, fake: FakeServer) => Promise<void>): Promise<void> {
  await using fake = await FakeServer.start()
  const auth = token('fake-root')
  await using client = await connect({ address: fake.address, auth, env: {}, random: () => 0 })
  await run(client, fake)
}

/** The problems of a config that does not load, as `at: reason`. */
async function problemsOf(input: unknown, client: Client): Promise<string[]> {
  const error: unknown = await loadConfig(input, { client }).catch((e: unknown) => e)
  ok(error instanceof ConfigError, 'loaded')
  equal(inspect(error, { depth: 9, showHidden: true }).includes(CANARY), false)
  return error.problems.map(({ at, reason }) => `${at}: ${reason}`)
}

test('loadConfig() reports every failure in one error, and no value in it', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', {
      pw: CANARY,
      nil: null,
      ref: 'vault://secret/app#pw',
      half: '\ud800',
      empty: '',
    })
    fake.put('secret/gone', { a: CANARY })
    fake.versions.get('secret/gone')![0]!.deleted = true
    fake.put('secret/huge', '{"n":1e999}')
    fake.on(({ path }) => (path === 'secret/data/denied' ? denied : undefined))
    const input = {
      ok: 'vault://secret/app#pw',
      a: 'vault://secret/app#absent',
      b: ['x', { c: 'vault://secret/app#nil' }],
      'odd key': 'vault://secret/missing#f',
      denied: 'vault://secret/denied#f',
      gone: 'vault://secret/gone#a',
      version: 'vault://secret/app#pw?version=9',
      twice: 'vault://secret/app#ref',
      url: `postgres://u:${CANARY}@h/vault://secret/app#pw`,
      bad: 'vault://secret#pw',
      half: 'https://h/${vault://secret/app#half}',
      closed: 'a va${vault://secret/app#empty}ult://x',
      data: 'vault://secret/data/app#pw',
      huge: 'vault://secret/huge#n',
      deep: 'vault://secret/app#/pw/x',
      both: '${vault://secret/app#absent}${vault://secret/app#nil}',
      v1: 'vault://old/app?version=1#f',
    }
    const problems = await problemsOf(input, client)
    const expected = [
      /^a: the secret has no such field$/,
      /^b\[1\]\.c: the field is null$/,
      /^\["odd key"\]: GET secret\/data\/missing: 404$/,
      /^denied: GET secret\/data\/denied: 403 .*permission denied$/,
      /^gone: .*404: version 1 is deleted$/,
      /^version: .*404$/,
      /^twice: the value is a reference itself/,
      /^url: stands inside a longer text/,
      /^bad: names no secret/,
      /^half: the value cannot stand in a URL/,
      /^closed: the text around the value closes up to a reference/,
      /^data: .*404; leave out "data\/"/,
      /^huge: the number in the field is too large/,
      /^deep: the secret has no such field$/,
      /^both: the secret has no such field$/,
      /^both: the field is null$/,
      /^v1: old: this mount is KV version 1/,
    ]
    equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries()) match(problems[index] ?? '', pattern)
    await rejects(loadConfig({ a: 'vault://secret/missing#f' }, { client }), (error) => {
      ok(error instanceof ConfigError && error.cause instanceof MissingError)
      equal(error.message, 'a: vault://secret/missing#f: GET secret/data/missing: 404')
      return true
    })
  }))

test('loadConfig() refuses a reference inside an object that it cannot copy', () =>
  withClient(async (client) => {
    class Settings {
      password = 'vault://secret/app#pw'
    }
    const hidden = [
      new Settings(),
      new Map([['a', 'vault://secret/app#pw']]),
      new Set([['vault://secret/app#pw']]),
      new URL('vault://secret/app#pw'),
      Object.assign(new Date(), { deep: { er: ['vault://x'] } }),
    ]
    for (const value of hidden) {
      const [problem = ''] = await problemsOf({ it: [value] }, client)
      match(problem, /^it\[0\].*inside an object that cannot be copied/)
    }
  }))

test('loadConfig() says for each reference that the server is away, and lets an abort through', async () => {
  const input = { a: 'vault://secret/app#pw', b: ['vault://secret/app#x', 'vault://bad'] }
  const options = { address: 'http://127.0.0.1:1', auth: token('x'), random: () => 0, env: {} }
  await rejects(loadConfig(input, options), (error) => {
    ok(error instanceof ConfigError && error.cause instanceof NetworkError)
    deepEqual(
      error.problems.map(({ at }) => at),
      ['a', 'b[0]', 'b[1]'],
    )
    return true
  })
  const signal = AbortSignal.abort()
  await rejects(loadConfig(input, { ...options, signal }), { name: 'AbortError' })
})

test('loadConfig() needs no server for a config without references, and leaves it as it is', async () => {
  const date = new Date(0)
  const run = () => 1
  const own = new Secret('x')
  const key = Symbol('key')
  const input = { a: 1, b: [true, null, undefined], date, run, own, [key]: 'k', n: 10n, e: '' }
  const loaded = await loadConfig(input, { address: 'http://127.0.0.1:1', env: {} })
  deepEqual(loaded, input)
  equal(loaded.date, date)
  equal(loaded.own, own)
})

/** A password that must be escaped in a URL. */
const ODD = 'p@ss/w:rd?#%'

test('loadConfig() gives a Secret for a whole value, and for a text with references in it', () =>
  withClient(async (client, fake) => {
    fake.put('secret/db', `{"user":"ann","pw":"${ODD}","port":5432,"big":12345678901234567890}`)
    fake.put('team/kv/a b', { 'odd?': { deep: ['x', { y: 'z' }] }, on: true, empty: '' })
    fake.plain.set('old/app', '{"f":"one"}')
    const config = await loadConfig(
      {
        host: 'localhost',
        password: 'vault://secret/db#pw',
        alias: 'ref+vault://secret/db#/pw',
        url: 'postgres://${vault://secret/db#user}:${vault://secret/db#pw}@h/db',
        dsn: 'user=${vault://secret/db#user} password=${vault://secret/db#pw}',
        list: ['vault://secret/db#port', '${vault://secret/db#big}'],
        nested: {
          odd: 'vault://team/kv/a%20b#odd%3F',
          y: 'vault://team/kv/a%20b#/odd%3F/deep/1/y',
        },
        on: 'vault://team/kv/a%20b#on',
        empty: 'vault://team/kv/a%20b#empty',
        v1: 'vault://old/app#f',
      } as const,
      { client },
    )
    ok(config.password instanceof Secret)
    deepEqual(reveal(config), {
      host: 'localhost',
      password: ODD,
      alias: ODD,
      url: 'postgres://ann:p%40ss%2Fw%3Ard%3F%23%25@h/db',
      dsn: `user=ann password=${ODD}`,
      list: ['5432', '12345678901234567890'],
      nested: { odd: '{"deep":["x",{"y":"z"}]}', y: 'z' },
      on: 'true',
      empty: '',
      v1: 'one',
    })
    const url = new URL(reveal(config.url))
    equal(decodeURIComponent(url.password), ODD)
    equal(inspect(config.password), '[secret secret/db#pw v1]')
    equal(config.url.label, 'secret/db#user v1, secret/db#pw v1')
    equal(JSON.stringify(config).includes('p@ss'), false)
    equal(inspect(config, { depth: 9, showHidden: true }).includes('p@ss'), false)
  }))

test('loadConfig() reads each secret once, and an older version beside it once', () =>
  withClient(async (client, fake) => {
    fake.put('secret/db', { pw: 'one', user: 'ann' })
    fake.put('secret/db', { pw: 'two', user: 'ann' })
    const loaded = await loadConfig(
      {
        a: 'vault://secret/db#pw',
        b: 'vault://secret/db#user',
        c: 'x${vault://secret/db#pw}${vault://secret/db#user}',
        d: 'vault://secret/db?version=1#pw',
        e: 'vault://secret/db#user?version=1',
      },
      { client },
    )
    deepEqual(reveal(loaded), { a: 'two', b: 'ann', c: 'xtwoann', d: 'one', e: 'ann' })
    equal(fake.count('secret/data/db'), 2)
    equal(fake.count('sys/internal/ui/mounts/secret/db'), 1)
  }))

test('loadConfig() takes the environment, a single text, cycles and a key named __proto__', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'it' })
    process.env['FAKE_REFERENCE'] = 'vault://secret/app#pw'
    try {
      const env = await loadConfig(process.env, { client })
      equal(reveal(env['FAKE_REFERENCE']), 'it')
      equal(env['PATH'], process.env['PATH'])
    } finally {
      delete process.env['FAKE_REFERENCE']
    }
    equal((await loadConfig('vault://secret/app#pw', { client })).reveal(), 'it')
    const cycle: { self?: unknown; pw: string } = { pw: 'vault://secret/app#pw' }
    cycle.self = cycle
    const loaded = await loadConfig(cycle, { client })
    equal(loaded.self, loaded)
    equal(reveal(loaded.pw), 'it')
    const odd = await loadConfig(
      JSON.parse('{"__proto__":{"pw":"vault://secret/app#pw"}}') as Record<string, unknown>,
      { client },
    )
    deepEqual(Object.keys(odd), ['__proto__'])
    equal(Object.getPrototypeOf(odd), Object.prototype)
  }))

test('loadConfig() closes the client it made, and no other', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'it' })
    const auth = token('fake-root')
    const input = { a: 'vault://secret/app#pw' }
    equal(reveal((await loadConfig(input, { address: fake.address, auth })).a), 'it')
    await loadConfig(input, { client })
    equal((await client.kv().read('app')).data['pw'], 'it')
    await client.close()
    await rejects(loadConfig(input, { client }), (error) => {
      ok(error instanceof ConfigError && error.cause instanceof ClosedError)
      return true
    })
  }))

test('loadConfig() tells the hook of every value, with a label that has no value', () => {
  const told = new Map<string, string>()
  const onSecret = (value: string, label: string) => void told.set(value, label)
  return withClient(async (_client, fake) => {
    fake.put('secret/app', { pw: CANARY, deep: { pin: 1234 }, on: true })
    const options = { address: fake.address, auth: token('fake-root'), onSecret }
    await loadConfig({ a: 'vault://secret/app#pw' }, options)
    deepEqual(Object.fromEntries(told), {
      'fake-root': 'token',
      [CANARY]: 'secret/app#pw v1',
      1234: 'secret/app#deep/pin v1',
    })
  })
})

test('loadConfig() never lets a reference through, whatever the text around it', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'it', empty: '' })
    const part = fc.constantFrom(
      ...[
        'vault://',
        'ref+vault://',
        'VAULT://',
        '${',
        '}',
        'secret/app',
        '#pw',
        '#empty',
        '?version=1',
      ],
      ...[
        '${vault://secret/app#pw}',
        '${vault://secret/app#empty}',
        'va',
        'ult://',
        ' ',
        'http://h/',
        '\n',
      ],
    )
    const text = fc.array(fc.oneof(part, fc.string({ maxLength: 3 })), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          text.map((parts) => parts.join('')),
          { maxLength: 3 },
        ),
        async (input) => {
          const loaded = await loadConfig(input, { client }).catch((error: unknown) => error)
          if (loaded instanceof ConfigError) return
          ok(Array.isArray(loaded))
          for (const entry of loaded as (string | Secret)[]) {
            equal(/vault:\/\//i.test(reveal(entry)), false)
          }
        },
      ),
      { numRuns: 300 },
    )
  }))
