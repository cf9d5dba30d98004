/** Ceremonies over several processes of one server: what one is told, the others know. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type TestCore, testCore } from '../../../test/support/test-core.ts'
import { uuid } from '../../lib/random.ts'
import { memoryStore } from '../../storage/memory.ts'
import { type Store } from '../../storage/store.ts'
import { canonicalPath } from '../canonical-path.ts'
import { createCore, type Core } from '../core.ts'
import { ownEngines } from '../own-engines.ts'

type Body = Record<string, unknown> & { errors?: string[] }

/** Asks a core as somebody without a token. */
async function post(core: Core, path: string, data: Record<string, unknown> = {}) {
  const { status, body } = await core.handle({
    id: uuid(),
    verb: 'write',
    path: canonicalPath(`sys/${path}`),
    data,
    token: undefined,
    wrapTtlSeconds: 0,
    remoteAddress: '127.0.0.1',
    remotePort: 4321,
    rawHeaders: [],
    receivedAt: core.clock.now(),
  })
  return { status, body: JSON.parse(Buffer.from(body).toString() || '{}') as Body }
}

type Pair = TestCore & { store: Store; other: Core; keys: string[] }

/** Two cores on one store, opened by two of three keys. */
async function pair(): Promise<Pair> {
  const store = memoryStore()
  const made = await testCore({ store })
  const { nonce } = (await post(made.core, 'rekey/init', { secret_shares: 3, secret_threshold: 2 }))
    .body
  const done = await post(made.core, 'rekey/update', { nonce, key: made.unsealKeys[0] })
  const keys = done.body['keys'] as string[]
  const other = createCore({
    store,
    engines: made.core.engines.filter(
      ({ type }) => !['system', 'token', 'identity'].includes(type),
    ),
    ownEngines,
    auditTypes: [],
    clock: made.clock,
  })
  for (const key of keys.slice(0, 2)) await other.keeper.offer(Buffer.from(key, 'hex'))
  for (const core of [made.core, other]) core.expiry.stop()
  return { ...made, store, other, keys }
}

/** Everything the store holds, as text. */
async function stored(store: Store, under = ''): Promise<string> {
  let text = ''
  for (const name of await store.list(under)) {
    if (name.endsWith('/')) text += await stored(store, under + name)
    else text += Buffer.from((await store.get(under + name))!.value).toString('latin1')
  }
  return text
}

test('a rekey goes on in whichever process a holder reaches', async () => {
  const { core, other, keys } = await pair()
  const started = await post(core, 'rekey/init', { secret_shares: 1, secret_threshold: 1 })
  const { nonce } = started.body
  deepEqual((await post(other, 'rekey/init', { secret_shares: 1, secret_threshold: 1 })).body, {
    errors: ['rekey already in progress'],
  })
  equal((await post(other, 'rekey/update', { nonce, key: keys[0] })).body['progress'], 1)
  const twice = await post(core, 'rekey/update', { nonce, key: keys[0] })
  equal(twice.status, 400, 'the same share again')
  const done = await post(core, 'rekey/update', { nonce, key: keys[1] })
  equal(done.body['complete'], true)
  const [fresh] = done.body['keys'] as string[]
  equal(await other.keeper.proves([Buffer.from(fresh!, 'hex')]), true)
  equal((await post(other, 'rekey/update', { nonce, key: keys[2] })).status, 400)
})

test('of two last shares in two processes at once, one makes the new keys', async () => {
  for (let round = 0; round < 10; round++) {
    const { core, other, keys } = await pair()
    const { nonce } = (await post(core, 'rekey/init', { secret_shares: 1, secret_threshold: 1 }))
      .body
    await post(core, 'rekey/update', { nonce, key: keys[0] })
    const answers = await Promise.all([
      post(core, 'rekey/update', { nonce, key: keys[1] }),
      post(other, 'rekey/update', { nonce, key: keys[2] }),
    ])
    const complete = answers.filter(({ body }) => body['complete'] === true)
    equal(complete.length, 1)
    const [fresh] = complete[0]!.body['keys'] as string[]
    equal(await core.keeper.proves([Buffer.from(fresh!, 'hex')]), true)
    equal(await core.keeper.proves(keys.slice(0, 2).map((key) => Buffer.from(key, 'hex'))), false)
  }
})

test('a verification is finished by another process, which never saw the new keys', async () => {
  const { core, other, keys } = await pair()
  const wanted = { secret_shares: 3, secret_threshold: 2, require_verification: true }
  const { nonce } = (await post(core, 'rekey/init', wanted)).body
  await post(core, 'rekey/update', { nonce, key: keys[0] })
  const done = await post(other, 'rekey/update', { nonce, key: keys[1] })
  const fresh = done.body['keys'] as string[]
  const verification = { nonce: done.body['verification_nonce'] }
  equal((await post(core, 'rekey/verify', { ...verification, key: fresh[0] })).status, 200)
  const last = await post(core, 'rekey/verify', { ...verification, key: fresh[2] })
  equal(last.body['complete'], true)
  equal(await other.keeper.proves(fresh.slice(0, 2).map((key) => Buffer.from(key, 'hex'))), true)
})

test('a root token is made by shares given to two processes', async () => {
  const { core, other, keys } = await pair()
  const { nonce, otp } = (await post(core, 'generate-root/attempt')).body
  ok(otp)
  await post(other, 'generate-root/update', { nonce, key: keys[0] })
  const done = await post(core, 'generate-root/update', { nonce, key: keys[2] })
  equal(done.body['complete'], true)
  equal((await core.tokens.accessors((await core.begin(false))!)).length, 2)
})

test('shares that do not fit are forgotten in every process', async () => {
  const { core, other, keys } = await pair()
  const { nonce } = (await post(core, 'generate-root/attempt')).body
  await post(core, 'generate-root/update', { nonce, key: keys[0] })
  const wrong = await post(other, 'generate-root/update', { nonce, key: `${'ab'.repeat(32)}07` })
  equal(wrong.status, 400)
  equal((await post(core, 'generate-root/update', { nonce, key: keys[0] })).body['progress'], 1)
})

test('the store never holds a share in clear, and after its time not at all', async () => {
  const { core, store, clock, keys } = await pair()
  const { nonce, otp } = (await post(core, 'generate-root/attempt')).body
  await post(core, 'generate-root/update', { nonce, key: keys[0] })
  const text = await stored(store)
  const bytes = Buffer.from(keys[0]!, 'hex').toString('latin1')
  for (const secret of [keys[0]!, bytes, String(otp)]) ok(!text.includes(secret))
  const held = async () => (await core.begin(false))!.list('sys/ceremony/')
  deepEqual(await held(), ['generate-root'])
  clock.advance(601_000)
  await core.expiry.pass()
  deepEqual(await held(), [])
})
