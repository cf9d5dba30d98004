/**
 * Fifty at once, through two cores on one store: what may happen once happens once, whoever asks,
 * and the others are told so. Two real processes do the same in workers.test.ts.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type Answered, type AskOptions, testCore } from '../support/test-core.ts'
import { memoryStore } from '../../src/storage/memory.ts'
import { createCore } from '../../src/core/core.ts'
import { canonicalPath } from '../../src/core/canonical-path.ts'
import { cubbyhole } from '../../src/secrets/cubbyhole/engine.ts'
import { kvV1 } from '../../src/secrets/kv/v1.ts'
import { kvV2 } from '../../src/secrets/kv/v2.ts'
import approle from '../../src/auth/approle/engine.ts'
import { type Verb } from '../../src/kit/engine.ts'
import { type Store } from '../../src/storage/store.ts'
import { uuid } from '../../src/lib/random.ts'
import { ownEngines } from '../../src/core/own-engines.ts'

const RACERS = 50

/** A store that is a moment away, so that requests of one core meet each other too. */
function remote(store: Store): Store {
  const soon = () => new Promise<void>((done) => setImmediate(done))
  return Object.assign(Object.create(store) as Store, {
    async get(key: string) {
      await soon()
      return store.get(key)
    },
    async write(...given: Parameters<Store['write']>) {
      await soon()
      return store.write(...given)
    },
  })
}

async function pair() {
  const store = memoryStore()
  const first = await testCore({ store: remote(store) })
  const other = createCore({
    store: remote(store),
    engines: [cubbyhole, kvV1, kvV2, approle],
    ownEngines,
    auditTypes: [],
    clock: first.clock,
  })
  await other.keeper.offer(Buffer.from(first.unsealKeys[0]!, 'hex'))
  const askOther = async (
    verb: Verb,
    path: string,
    data: Record<string, unknown> = {},
    ask: AskOptions = {},
  ): Promise<Answered> => {
    const {
      status,
      body,
      headers = {},
    } = await other.handle({
      id: uuid(),
      verb,
      path: canonicalPath(path),
      data,
      token: 'token' in ask ? ask.token : first.root,
      wrapTtlSeconds: ask.wrapTtlSeconds ?? 0,
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      rawHeaders: [],
      receivedAt: first.clock.now(),
    })
    const text = Buffer.from(body).toString()
    const parsed = (text === '' ? null : JSON.parse(text)) as Answered['body']
    return { status, text, headers, body: parsed }
  }
  return { ask: first.ask, askOther }
}

type Pair = Awaited<ReturnType<typeof pair>>

/** Everyone at once, every other one through the other core. */
async function race(
  { ask, askOther }: Pair,
  run: (through: Pair['ask'], racer: number) => Promise<Answered>,
): Promise<Answered[]> {
  return Promise.all(
    Array.from({ length: RACERS }, (_, racer) => run(racer % 2 ? askOther : ask, racer)),
  )
}

/** Exactly one of them has won, and nobody else was told that something broke. */
function oneWinner(t: TestContext, answers: Answered[], refusals: readonly number[]): Answered {
  const count: Record<number, number> = {}
  for (const { status } of answers) count[status] = (count[status] ?? 0) + 1
  t.diagnostic(JSON.stringify(count))
  const won = answers.filter(({ status }) => status < 300)
  equal(won.length, 1, JSON.stringify(count))
  // Who met others too often is asked to come again, and would be refused then.
  ok(answers.every(({ status }) => status < 300 || [...refusals, 503].includes(status)))
  return won[0]!
}

test('a token of one use is used once', async (t) => {
  const both = await pair()
  await both.ask('write', 'secret/data/a', { data: { a: 1 } })
  const made = await both.ask('write', 'auth/token/create', { policies: ['root'], num_uses: 1 })
  const { client_token: token } = made.body['auth'] as Record<string, string>
  const answers = await race(both, (ask) => ask('read', 'secret/data/a', {}, { token }))
  oneWinner(t, answers, [403])
  equal((await both.ask('read', 'secret/data/a', {}, { token })).status, 403)
})

test('a token of five uses is used five times', async () => {
  const both = await pair()
  const made = await both.ask('write', 'auth/token/create', { policies: ['default'], num_uses: 5 })
  const { client_token: token } = made.body['auth'] as Record<string, string>
  const used: number[] = []
  // Those who met too often come again, as clients do.
  for (let round = 0; round < 20 && used.length < 5; round++) {
    const answers = await race(both, (ask) => ask('read', 'auth/token/lookup-self', {}, { token }))
    for (const { status, body } of answers) {
      if (status === 200) used.push(body.data!['num_uses'] as number)
    }
  }
  deepEqual(
    used.toSorted((a, b) => a - b),
    [-1, 1, 2, 3, 4],
  )
  equal((await both.ask('read', 'auth/token/lookup-self', {}, { token })).status, 403)
})

test('what is wrapped is unwrapped once', async (t) => {
  const both = await pair()
  for (const own of [true, false]) {
    const wrapped = await both.ask('write', 'sys/wrapping/wrap', { a: 1 }, { wrapTtlSeconds: 60 })
    const { token } = wrapped.body['wrap_info'] as { token: string }
    const answers = await race(both, (ask) =>
      own
        ? ask('write', 'sys/wrapping/unwrap', {}, { token })
        : ask('write', 'sys/wrapping/unwrap', { token }),
    )
    deepEqual(oneWinner(t, answers, [400, 403]).body.data, { a: 1 })
  }
})

test('a secret id for one login logs in once', async (t) => {
  const both = await pair()
  await both.ask('write', 'auth/approle/role/r', { secret_id_num_uses: 1 })
  const role = await both.ask('read', 'auth/approle/role/r/role-id')
  const secret = await both.ask('write', 'auth/approle/role/r/secret-id')
  const login = { role_id: role.body.data!['role_id'], secret_id: secret.body.data!['secret_id'] }
  const count = async () =>
    ((await both.ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]).length
  const before = await count()
  const answers = await race(both, (ask) =>
    ask('write', 'auth/approle/login', login, { token: undefined }),
  )
  oneWinner(t, answers, [400])
  equal((await count()) - before, 1, 'and one token was made')
})

test('a key that must be new is made once, and a version follows once', async (t) => {
  const both = await pair()
  for (const cas of [0, 1]) {
    const answers = await race(both, (ask, racer) =>
      ask('write', 'secret/data/cas', { data: { racer }, options: { cas } }),
    )
    const winner = oneWinner(t, answers, [400])
    const { body } = await both.ask('read', 'secret/data/cas')
    const { metadata, data } = body.data as Record<string, Record<string, unknown>>
    equal(metadata!['version'], cas + 1)
    equal(winner.body.data!['version'], cas + 1)
    equal(answers[data!['racer'] as number], winner)
  }
})

test('fifty writers of one key on one core all write', async () => {
  const { ask } = await testCore()
  const writes = Array.from({ length: RACERS }, (_, i) =>
    ask('write', 'secret/data/busy', { data: { i } }),
  )
  for (const { status } of await Promise.all(writes)) equal(status, 200)
  const { body } = await ask('read', 'secret/metadata/busy')
  equal(body.data!['current_version'], RACERS)
})

test('a mount path is taken once', async (t) => {
  const both = await pair()
  const answers = await race(both, (ask) => ask('write', 'sys/mounts/once', { type: 'kv' }))
  oneWinner(t, answers, [400])
})
