/** Following one credential: leases on fake time, acks, push, and a start without the server. */
import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { inspect, promisify } from 'node:util'
import {
  appRole,
  ConfigError,
  connect,
  InvalidRequestError,
  OfflineCacheError,
  rotatingCredential,
  type RotatingOptions,
  token,
  type Watch,
} from '../../../src/client/client.ts'
import { denied, type FakeAnswer, FakeServer, sealed, type Seen } from '../fake-server.ts'
import { House, later, REF, until } from './house.ts'

const CREDS = 'vault://database/creds/app'
const RENEW = 'sys/leases/renew'
const REVOKE = 'sys/leases/revoke'

function data(
  fields: object,
  above: object = {},
  headers: Record<string, string> = {},
): FakeAnswer {
  return { status: 200, body: { request_id: 'fake', data: fields, ...above }, headers }
}

/** A database mount that makes a user for each reader. */
function dynamic(fake: FakeServer, { ttl = 3600, renewable = true } = {}) {
  const world = { made: 0, ttl, renewable, renewed: (): FakeAnswer | undefined => undefined }
  fake.on(({ path }: Seen) => {
    if (path.startsWith('sys/internal/ui/mounts/database')) {
      return data({ path: 'database/', type: 'database', options: null })
    }
    if (path === RENEW) {
      const lease = { lease_duration: world.ttl, renewable: true }
      return world.renewed() ?? data({}, { lease_id: `lease-${world.made}`, ...lease })
    }
    if (path === REVOKE) return { status: 204 }
    if (path !== 'database/creds/app') return undefined
    const number = ++world.made
    const lease = { lease_id: `lease-${number}`, lease_duration: world.ttl }
    return data(
      { username: `v-${number}`, password: `p-${number}` },
      { ...lease, renewable: world.renewable },
    )
  })
  return world
}

async function onFakeTime(t: TestContext, options: RotatingOptions = {}) {
  const fake = await FakeServer.start()
  const world = dynamic(fake)
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_800_000_000_000 })
  const client = await connect({
    address: fake.address,
    auth: token('fake-root'),
    env: {},
    tries: 1,
  })
  const errors: unknown[] = []
  const common = { client, random: () => 0, onError: (error: unknown) => void errors.push(error) }
  const source = () => rotatingCredential(CREDS, { ...common, ...options })
  t.after(async () => {
    await client.close()
    t.mock.timers.reset()
    await fake[Symbol.asyncDispose]()
  })
  const tick = async (ms: number) => {
    t.mock.timers.tick(ms)
    await settle()
  }
  return { fake, world, source, errors, tick }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 60; i++) await new Promise((done) => setImmediate(done))
}
const revoked = (fake: FakeServer) =>
  fake.seen.filter(({ path }) => path === REVOKE).map(({ text }) => JSON.parse(text).lease_id)

test('a lease is renewed at two thirds of its life, again and again', async (t) => {
  const { fake, source, tick } = await onFakeTime(t)
  const credential = await source()
  await settle()
  await tick(2_399_000)
  equal(fake.count(RENEW), 0)
  await tick(1_000)
  equal(fake.count(RENEW), 1)
  deepEqual(JSON.parse(fake.seen.at(-1)!.text), { lease_id: 'lease-1', increment: 3600 })
  await tick(2_400_000)
  equal(fake.count(RENEW), 2)
  equal(credential.current.username, 'v-1')
  await credential.close()
  deepEqual(revoked(fake), ['lease-1'])
})

test('a lease that met its maximum is replaced while it lives, and revoked once it is drained', async (t) => {
  const { fake, world, source, tick } = await onFakeTime(t)
  const credential = await source()
  const changes: (string | undefined)[] = []
  credential.onChange(({ username }) => changes.push(username))
  await settle()
  world.renewed = () => data({}, { lease_id: 'lease-1', lease_duration: 1200, renewable: true })
  await tick(2_400_000)
  deepEqual(changes, ['v-2'])
  // The old one is still in use somewhere.
  deepEqual(revoked(fake), [])
  credential.tell(credential.current, 'drained')
  await settle()
  deepEqual(revoked(fake), ['lease-1'])
  await credential.close()
  deepEqual(revoked(fake), ['lease-1', 'lease-2'])
})

test('a lease that cannot be renewed, is not found or is denied is replaced', async (t) => {
  const answers: (FakeAnswer | undefined)[] = [
    undefined,
    { status: 400, body: { errors: ['lease not found'] } },
    denied,
  ]
  for (const [index, answer] of answers.entries()) {
    t.mock.timers.reset()
    const { world, source, errors, tick } = await onFakeTime(t)
    world.renewable = index !== 0
    world.renewed = () => answer
    const credential = await source()
    await settle()
    await tick(2_399_000)
    equal(credential.current.username, 'v-1')
    await tick(1_000)
    equal(credential.current.username, 'v-2')
    deepEqual(errors, [])
    await credential.close()
  }
})

test('a renewal is tried again while the server is sealed, and the lease replaced when it is over', async (t) => {
  const { fake, world, source, tick } = await onFakeTime(t)
  const credential = await source()
  await settle()
  world.renewed = () => sealed
  await tick(2_400_000)
  equal(fake.count(RENEW), 1)
  await tick(1_000)
  equal(fake.count(RENEW), 2)
  for (let i = 0; i < 45; i++) await tick(30_000)
  ok(fake.count(RENEW) > 20)
  equal(credential.current.username, 'v-2')
  await credential.close()
})

test('a lease that may not be revoked is left to its end, without a word', async (t) => {
  const { fake, source, errors } = await onFakeTime(t)
  fake.on(({ path }) => (path === REVOKE ? denied : undefined))
  const credential = await source()
  await settle()
  await credential.close()
  deepEqual(revoked(fake), ['lease-1'])
  deepEqual(errors, [])
})

test('a lease without an end is left alone', async (t) => {
  const { fake, world, source, tick } = await onFakeTime(t)
  world.ttl = 0
  const credential = await source()
  await settle()
  await tick(3_600_000_000)
  equal(fake.count(RENEW), 0)
  equal(world.made, 1)
  await credential.close()
})

test('reads and acks say who it is; a server that knows no acks is told once', async () => {
  await using house = await House.open({ username: 'u', password: 'one' })
  for (const refusal of [
    { status: 404, body: { errors: [] } },
    denied,
    { status: 405, body: { errors: ['unsupported operation'] } },
  ]) {
    let asked = 0
    house.fake.on(({ path }) => (path === 'sys/coffer/ack' && ++asked ? refusal : undefined))
    await using source = await rotatingCredential(REF, house.options())
    await until(() => asked > 0)
    source.tell(source.current, 'applied')
    source.tell(source.current, 'drained')
    await later(60)
    equal(asked, 1)
    deepEqual(house.errors, [])
    const read = house.fake.seen.findLast(({ path }) => path === 'secret/data/app')!
    equal(read.headers['x-coffer-instance'], source.instance)
    equal(read.headers['x-coffer-app'], 'shop')
    const ack = house.fake.seen.findLast(({ path }) => path === 'sys/coffer/ack')!
    const { instance } = source
    const state = { path: 'secret/app', generation: 1, state: 'seen' }
    deepEqual(JSON.parse(ack.text), { ...state, instance, app: 'shop' })
    // Somebody may have set up a rotation meanwhile.
    house.fake.put('secret/app', { password: 'two' })
    await until(() => asked > 1)
    house.fake.versions.get('secret/app')!.length = 1
  }
})

test('the last word is said again every 30 seconds, until it is gone', async (t) => {
  const fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  fake.on(({ path }) => (path === 'sys/coffer/ack' ? { status: 204 } : undefined))
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_800_000_000_000 })
  const client = await connect({ address: fake.address, auth: token('fake-root'), env: {} })
  const source = await rotatingCredential(REF, { client, intervalMs: 1e9, random: () => 0.5 })
  source.tell(source.current, 'applied')
  await settle()
  const states = () =>
    fake.seen
      .filter(({ path }) => path === 'sys/coffer/ack')
      .map(({ text }) => JSON.parse(text).state)
  deepEqual(states(), ['seen', 'applied'])
  for (let beat = 1; beat <= 3; beat++) {
    t.mock.timers.tick(29_999)
    await settle()
    equal(states().length, 1 + beat)
    t.mock.timers.tick(1)
    await settle()
    deepEqual(states().at(-1), 'applied')
    equal(states().length, 2 + beat)
  }
  const closing = source.close()
  await settle()
  await closing
  t.mock.timers.tick(300_000)
  await settle()
  deepEqual(states().slice(4), ['applied', 'gone'])
  await client.close()
  t.mock.timers.reset()
  await fake[Symbol.asyncDispose]()
})

test('an ack that met trouble is sent again, in its place', async () => {
  await using house = await House.open({ password: 'one' })
  let refusals = 5
  house.fake.on(({ path, text }) => {
    if (path !== 'sys/coffer/ack' || !text.includes('"seen"')) return undefined
    return refusals-- > 0 ? (refusals === 3 ? 'cut' : sealed) : undefined
  })
  await using source = await rotatingCredential(REF, house.options())
  source.tell(source.current, 'applied')
  await house.acked(1, 'applied')
  deepEqual(house.states(1), ['seen', 'applied'])
})

test('push makes it look at once, and what is pushed of others does not', async () => {
  await using house = await House.open({ password: 'one' })
  const pushed: { path: string; type: string }[] = []
  const watch: Watch = async function* (prefix, { signal, onState }) {
    equal(prefix, 'secret/app')
    onState(true)
    while (!signal.aborted) {
      await until(() => pushed.length > 0 || signal.aborted)
      yield* pushed.splice(0)
    }
  }
  const push = (path: string, type = 'kv.write') => void pushed.push({ path, type })
  await using source = await rotatingCredential(REF, { ...house.options(600_000), watch })
  // One look, when it is connected: nobody was told of what came before.
  await until(() => house.fake.count('secret/metadata/app') === 1)
  house.publish({ password: 'two' })
  push('secret/app/other')
  await later(40)
  equal(source.current.password.reveal(), 'one')
  const changed = new Promise((resolve) => source.onChange(resolve))
  push('secret/app')
  await changed
  equal(source.current.password.reveal(), 'two')
  house.publish({ password: 'three' })
  const again = new Promise((resolve) => source.onChange(resolve))
  push('', 'reset')
  await again
  equal(source.current.password.reveal(), 'three')
})

test('a push that breaks off leaves the looking as it was', async () => {
  await using house = await House.open({ password: 'one' })
  let asked = 0
  const watch: Watch = () => {
    asked++
    throw new InvalidRequestError({ hint: 'no push here' })
  }
  await using source = await rotatingCredential(REF, { ...house.options(), watch })
  house.publish({ password: 'two' })
  await until(() => source.current.password.reveal() === 'two')
  equal(asked, 1)
})

test('a credential of the server comes with its generation, which a look asks for alone', async () => {
  await using fake = await FakeServer.start()
  let generation = 4
  fake.on(({ path }) => {
    if (path.startsWith('sys/internal/ui/mounts/db')) return denied
    if (path === 'db/static-creds/app/generation') return data({ generation, state: 'idle' })
    if (path === 'sys/coffer/ack') return { status: 204 }
    if (path !== 'db/static-creds/app') return undefined
    const fields = { username: `u${generation}`, password: 'p', ttl: Math.random() }
    return data(fields, {}, { 'X-Coffer-Generation': String(generation) })
  })
  const auth = token('fake-root')
  await using source = await rotatingCredential('vault://db/static-creds/app', {
    connect: { address: fake.address, auth, env: {} },
    intervalMs: 10,
  })
  equal(source.current.generation, 4)
  await until(() => fake.count('db/static-creds/app/generation') > 2)
  equal(fake.count('db/static-creds/app'), 1)
  generation = 5
  await until(() => source.current.username === 'u5')
  equal(fake.count('db/static-creds/app'), 2)
})

test('a plain Vault, which tells no generation, is followed by what it serves', async () => {
  await using fake = await FakeServer.start()
  let password = 'one'
  fake.on(({ path }) => {
    if (path.startsWith('sys/internal/ui/mounts/db')) return denied
    if (path === 'db/static-creds/app') return data({ username: 'u', password, ttl: Math.random() })
    return undefined
  })
  await using source = await rotatingCredential('vault://db/static-creds/app', {
    connect: { address: fake.address, auth: token('fake-root'), env: {} },
    intervalMs: 10,
  })
  let changes = 0
  source.onChange(() => changes++)
  await later(60)
  equal(changes, 0)
  password = 'two'
  await until(() => changes > 0)
  equal(source.current.password.reveal(), 'two')
  equal(source.current.generation, undefined)
  equal(fake.count('sys/coffer/ack'), 0)
})

test('what it has in hand prints nothing secret', async () => {
  await using house = await House.open({ username: 'u', password: 'canary-1', key: 'x' } as never)
  await using source = await rotatingCredential(REF, {
    ...house.options(),
    fields: { username: 'nobody', password: 'key' },
  })
  const { current } = source
  for (const shown of [
    inspect(current, { depth: 9, showHidden: true }),
    JSON.stringify(current),
    String(current),
  ]) {
    equal(shown.includes('canary'), false)
  }
  match(inspect(current), /^\[credential secret\/app generation 1\]$/)
  equal(inspect(current.field('password')), '[secret secret/app#password v1]')
  equal(current.password.reveal(), 'x')
  equal(current.username, undefined)
  await rejects(async () => current.field('none'), /no such field/)
})

test('a reference with a version, or without a path, is refused at once', async () => {
  for (const ref of [
    'vault://secret/app?version=1',
    'vault://secret',
    'secret/app',
    'vault://a/b#',
  ]) {
    await rejects(
      rotatingCredential(ref, { connect: { address: 'http://127.0.0.1:1' } }),
      ConfigError,
    )
  }
})

test('an app starts from the offline cache, and goes on with the server when it is back', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-source-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const offline = { file: join(dir, 'cache') }
  const auth = () => appRole({ roleId: 'fake-role', secretId: 'fake-secret-id' })
  const common = { offline, intervalMs: 10, onError: () => {} }
  let address: string
  {
    await using house = await House.open({ username: 'u', password: 'one' })
    address = house.fake.address
    const own = { address, auth: auth(), env: {}, tries: 1 }
    await using source = await rotatingCredential(REF, { ...common, connect: own })
    equal(source.current.username, 'u')
  }
  equal(readFileSync(offline.file).includes('one'), false)
  const down = { address, env: {}, tries: 1 }
  await using source = await rotatingCredential(REF, {
    ...common,
    connect: { ...down, auth: auth() },
  })
  equal(source.current.password.reveal(), 'one')
  await rejects(
    rotatingCredential(REF, { ...common, connect: { ...down, auth: token('other') } }),
    OfflineCacheError,
  )
  await using back = await FakeServer.start(Number(new URL(address).port))
  back.put('secret/app', { username: 'u', password: 'one' })
  back.put('secret/app', { username: 'u', password: 'two' })
  await until(() => source.current.password.reveal() === 'two')
  const bytes = readFileSync(offline.file)
  bytes[50]! ^= 1
  writeFileSync(offline.file, bytes)
  const errors: unknown[] = []
  const loud = { ...common, onError: (error: unknown) => void errors.push(error) }
  await using up = await rotatingCredential(REF, { ...loud, connect: { ...down, auth: auth() } })
  equal(up.current.password.reveal(), 'two')
  ok(errors[0] instanceof OfflineCacheError)
  notEqual(readFileSync(offline.file).toString('hex'), bytes.toString('hex'))
})

test('what was kept from before never replaces what the server has said', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-source-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'cache')
  const fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  const own = { address: fake.address, auth: token('fake-root'), env: {}, tries: 1 }
  const options = { connect: own, offline: { file }, intervalMs: 5, onError: () => {} }
  await using source = await rotatingCredential(REF, options)
  const old = readFileSync(file)
  fake.put('secret/app', { password: 'two' })
  await until(() => source.current.password.reveal() === 'two')
  writeFileSync(file, old)
  await fake[Symbol.asyncDispose]()
  equal((await source.refreshNow()).password.reveal(), 'two')
  equal(source.current.password.reveal(), 'two')
})

test('nothing of it keeps a process alive', async () => {
  await using fake = await FakeServer.start()
  dynamic(fake)
  fake.put('secret/app', { password: 'one' })
  const program = `
    import { connect, openSecrets, rotatingCredential, token } from ${JSON.stringify(DOOR)}
    const own = { address: ${JSON.stringify(fake.address)}, auth: token('fake-root') }
    const client = await connect(own)
    const watch = async function* () { await new Promise(() => {}) }
    await rotatingCredential('${REF}', { client, watch })
    await rotatingCredential('${REF}', { connect: own, intervalMs: 1 })
    await rotatingCredential('${CREDS}', { client })
    const secrets = openSecrets({ client, softTtlMs: 1 })
    await secrets.get('${REF}#password')
    console.log('done')`
  equal(await printed(program), 'done\n')
})

test('who waits for its end is there to see it, also when the server says nothing', async () => {
  await using fake = await FakeServer.start()
  fake.put('secret/app', { password: 'one' })
  fake.on(({ path }) => (path === 'sys/coffer/ack' ? 'hang' : undefined))
  const program = `
    import { rotatingCredential, token } from ${JSON.stringify(DOOR)}
    const own = { address: ${JSON.stringify(fake.address)}, auth: token('fake-root') }
    const source = await rotatingCredential('${REF}', { connect: own, onError: () => {} })
    await source.close()
    console.log('closed')`
  equal(await printed(program), 'closed\n')
})

const DOOR = new URL('../../../src/client/client.ts', import.meta.url).href

async function printed(program: string): Promise<string> {
  const flags = ['--no-warnings', '--input-type=module', '-e', program]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 20_000 })
  return stdout
}
