/**
 * Fifty at once, through two cores on one store: what may happen once happens once, whoever asks,
 * and the others are told so. Two real processes do the same in workers.test.ts.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { remoteStore } from '../support/remote-store.ts'
import { type Answered, testCore } from '../support/test-core.ts'
import { memoryStore } from '../../src/storage/memory.ts'

const RACERS = 50

async function pair() {
  const first = await testCore({ store: remoteStore(memoryStore()) })
  const other = await first.sibling()
  return { ask: first.ask, askOther: other.ask }
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

test('S46 a token of one use is used once', async (t) => {
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

test('S46 what is wrapped is unwrapped once', async (t) => {
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

test('S46 a secret id for one login logs in once', async (t) => {
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
  // Five have failed, and the others find the role locked out.
  oneWinner(t, answers, [400, 403])
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
