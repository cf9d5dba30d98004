/** Following a secret, against the fake server. */
import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict'
import { once } from 'node:events'
import { type ServerResponse } from 'node:http'
import { test } from 'node:test'
import {
  type Client,
  ConfigError,
  connect,
  DeniedError,
  InvalidRequestError,
  MissingError,
  SealedError,
  token,
} from '../../src/client/client.ts'
import { denied, FakeServer, sealed } from './fake-server.ts'

const REF = 'vault://secret/app#pw'
const METADATA = 'secret/metadata/app'
const DATA = 'secret/data/app'

async function withClient(run: (client: Client, fake: FakeServer) => Promise<void>): Promise<void> {
  await using fake = await FakeServer.start()
  const options = { auth: token('fake-root'), env: {}, random: () => 0, tries: 1 }
  await using client = await connect({ address: fake.address, ...options })
  await run(client, fake)
}

async function until(isTrue: () => boolean): Promise<void> {
  const end = Date.now() + 5000
  while (!isTrue()) {
    if (Date.now() > end) throw new Error('did not come true within 5 s')
    await new Promise((done) => setTimeout(done, 5))
  }
}

/** Follows and keeps what came; `errors` too. */
function record(client: Client, ref = REF) {
  const got: string[] = []
  const errors: unknown[] = []
  const { ready, stop } = client.follow(
    ref,
    (secret, { version }) => void got.push(`${version}:${secret.reveal()}`),
    { intervalMs: 10, onError: (error) => errors.push(error) },
  )
  return { got, errors, ready, stop }
}

test('follow() refuses a reference it cannot read, at once', () =>
  withClient(async (client) => {
    throws(() => client.follow('vault://secret', () => {}), ConfigError)
  }))

test('follow() calls once for each version, however often it looks', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    const { got, ready, stop } = record(client)
    await ready
    await until(() => fake.count(METADATA) >= 3)
    deepEqual(got, ['1:one'])
    equal(fake.count(DATA), 1)
    fake.put('secret/app', { pw: 'two' })
    await until(() => got.length === 2)
    fake.put('secret/app', { pw: 'two' })
    await until(() => got.length === 3)
    const looks = fake.count(METADATA)
    await until(() => fake.count(METADATA) >= looks + 3)
    deepEqual(got, ['1:one', '2:two', '3:two'])
    equal(fake.count(DATA), 3)
    stop()
    const { length } = fake.seen
    await new Promise((done) => setTimeout(done, 50))
    ok(fake.seen.length <= length + 1)
  }))

test('follow() calls again when the secret was removed and made anew with the same number', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    const { got, ready, stop } = record(client)
    await ready
    fake.versions.set('secret/app', [{ text: '{"pw":"new"}', created: '2030', deleted: false }])
    await until(() => got.length === 2)
    deepEqual(got, ['1:one', '1:new'])
    stop()
  }))

test('follow() reads the data when the policy allows nothing else', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    fake.on(({ path }) => (path === DATA ? undefined : denied))
    const { got, errors, ready, stop } = record(client)
    await ready
    fake.put('secret/app', { pw: 'two' })
    await until(() => got.length === 2)
    await until(() => fake.count(DATA) >= 5)
    deepEqual(got, ['1:one', '2:two'])
    equal(fake.count(METADATA), 1)
    deepEqual(errors, [])
    stop()
  }))

test('follow() on version 1 calls for each new value', () =>
  withClient(async (client, fake) => {
    fake.plain.set('old/app', '{"pw":"one"}')
    const { got, ready, stop } = record(client, 'vault://old/app#pw')
    await ready
    await until(() => fake.count('old/app') >= 3)
    fake.plain.set('old/app', '{"pw":"two"}')
    await until(() => got.length === 2)
    deepEqual(got, ['undefined:one', 'undefined:two'])
    stop()
  }))

test('follow() with a version calls once and looks no more', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    fake.put('secret/app', { pw: 'two' })
    const { got, ready } = record(client, `${REF}?version=1`)
    await ready
    await new Promise((done) => setTimeout(done, 60))
    deepEqual(got, ['1:one'])
    equal(fake.count(DATA) + fake.count(METADATA), 1)
  }))

test('follow() goes on after cuts, a sealed server and a 500, and reports a run of them once', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    fake.next(DATA, sealed, 'cut')
    const { got, errors, ready, stop } = record(client)
    await ready
    equal(errors.length, 1)
    ok(errors[0] instanceof SealedError)
    fake.next(METADATA, 'cut', sealed, { status: 500, body: { errors: [] } })
    await until(() => errors.length === 2)
    fake.put('secret/app', { pw: 'two' })
    await until(() => got.length === 2)
    equal(errors.length, 2)
    stop()
  }))

test('follow() waits for a secret or field that is missing or denied, and reports it once', () =>
  withClient(async (client, fake) => {
    const { got, errors, ready, stop } = record(client)
    await until(() => fake.count(DATA) >= 3)
    deepEqual(
      errors.map((error) => (error as Error).constructor),
      [MissingError],
    )
    fake.put('secret/app', { other: 1 })
    fake.put('secret/app', { pw: 'now' })
    await ready
    deepEqual(got, ['2:now'])
    const second = record(client, 'vault://secret/app#none')
    await until(() => second.errors.length === 1)
    ok(second.errors[0] instanceof InvalidRequestError)
    second.stop()
    fake.on(({ path }) => (path === DATA ? denied : undefined))
    const third = record(client)
    await until(() => third.errors.length === 1)
    ok(third.errors[0] instanceof DeniedError)
    third.stop()
    stop()
  }))

test('follow() never calls while a call runs, and again when it failed', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    let running = 0
    let most = 0
    const got: (number | undefined)[] = []
    const errors: unknown[] = []
    const fn = async (_secret: unknown, { version }: { version: number | undefined }) => {
      most = Math.max(most, ++running)
      await new Promise((done) => setTimeout(done, 40))
      running--
      got.push(version)
      if (got.length === 1) throw new Error('pool is not ready')
    }
    const onError = (error: unknown) => errors.push(error)
    const following = client.follow(REF, fn, { intervalMs: 5, onError })
    await following.ready
    for (let i = 2; i <= 4; i++) fake.put('secret/app', { pw: String(i) })
    await until(() => got.at(-1) === 4)
    equal(most, 1)
    deepEqual(got.slice(0, 2), [1, 1])
    equal((errors[0] as Error).message, 'pool is not ready')
    following.stop()
  }))

test('follow() ends with its signal, with stop() and with its client', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'one' })
    const aborted = client.follow(REF, () => {}, { signal: AbortSignal.abort() })
    await rejects(aborted.ready, { name: 'AbortError' })
    const stopped = client.follow(REF, () => {})
    stopped.stop()
    await rejects(stopped.ready, { name: 'AbortError' })
    equal(fake.count(DATA), 0)
    const { ready } = record(client)
    await ready
    await client.close()
    const { length } = fake.seen
    await new Promise((done) => setTimeout(done, 40))
    ok(fake.seen.length <= length + 1)
  }))

test('follow() without onError warns on the process, and does not quote the function', () =>
  withClient(async (client, fake) => {
    fake.put('secret/app', { pw: 'canary-one' })
    const fail = (secret: { reveal(): string }) => {
      throw new Error(`no login with ${secret.reveal()}`)
    }
    const { stop } = client.follow(REF, fail, { intervalMs: 5 })
    const [warning] = (await once(process, 'warning')) as [Error]
    equal(warning.name, 'CofferWarning')
    match(warning.message, /^vault:\/\/secret\/app#pw: the function that follows it failed$/)
    stop()
  }))

/** The fake tells what a test puts into `told`, as the real server does. */
function tells(fake: FakeServer) {
  const streams = new Set<ServerResponse>()
  fake.onRaw(({ path, query }, answer) => {
    if (path !== 'sys/coffer/watch' || query.has('poll')) return false
    answer.writeHead(200, { 'content-type': 'text/event-stream' }).write('id: 0\n\n')
    streams.add(answer)
    answer.once('close', () => streams.delete(answer))
    return true
  })
  const say = (type: string, path: string) => {
    const data = JSON.stringify({ id: '1', type, path, time: '' })
    for (const stream of streams) stream.write(`id: 1\nevent: ${type}\ndata: ${data}\n\n`)
  }
  return { streams, say }
}

test('follow() looks when it is told to, and not in between', () =>
  withClient(async (client, fake) => {
    const { streams, say } = tells(fake)
    fake.put('secret/app', { pw: 'one' })
    fake.put('secret/other', { pw: 'other' })
    const { got, ready, stop } = record(client)
    const other = record(client, 'vault://secret/other#pw')
    await Promise.all([ready, other.ready])
    await until(() => streams.size === 1)
    equal(
      fake.seen.findLast(({ path }) => path === 'sys/coffer/watch')?.query.get('prefix'),
      'secret/',
    )
    // Each is woken once when the watch is there, for what happened before it was.
    await new Promise((done) => setTimeout(done, 100))
    const { length } = fake.seen
    await new Promise((done) => setTimeout(done, 150))
    equal(fake.seen.length, length)
    fake.put('secret/app', { pw: 'two' })
    say('kv.write', 'secret/app')
    await until(() => got.length === 2)
    deepEqual(got, ['1:one', '2:two'])
    equal(other.got.length, 1)
    say('reset', 'secret/')
    await until(() => fake.count('secret/metadata/other') >= 2)
    stop()
    await until(() => streams.size === 1)
    other.stop()
    await until(() => streams.size === 0)
  }))

test('follow() looks by itself again as soon as it is not told any more', () =>
  withClient(async (client, fake) => {
    const { streams } = tells(fake)
    fake.put('secret/app', { pw: 'one' })
    const { got, ready, stop } = record(client)
    await ready
    await until(() => streams.size === 1)
    fake.on(({ path }) => (path === 'sys/coffer/watch' ? denied : undefined))
    fake.onRaw(() => false)
    for (const stream of streams) stream.destroy()
    await until(() => fake.count(METADATA) >= 4)
    fake.put('secret/app', { pw: 'two' })
    await until(() => got.length === 2)
    stop()
  }))
