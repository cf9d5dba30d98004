/** Two processes behind one port are one server: what one has done, the other knows at once. */
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { at, type Client } from '../torture/client.ts'
import { NO_PROC, pair, perWorker } from '../torture/family.ts'
import {
  type Coffer,
  endAll,
  isRunning,
  launch,
  newHome,
  open,
  within,
} from '../torture/process.ts'
import { races } from '../torture/race.ts'

const ROUNDS = 200

let coffer: Coffer
before(async () => {
  coffer = await open(newHome(), { workers: 2 })
})
after(endAll)

const skip = NO_PROC
const sealedOf = async (client: Client) =>
  at((await client.ask('GET', 'sys/seal-status')).body, 'sealed')

/** Runs `act` for every round, with the two workers taking turns as first and second. */
async function inTurns(act: (one: Client, other: Client, round: number) => Promise<void>) {
  // One after another: connections go to the workers in turn, so lanes in step could miss one.
  const pairs: [Client, Client][] = []
  while (pairs.length < 4) pairs.push(await pair(coffer))
  const lanes = pairs.map(async ([a, b], lane) => {
    for (let round = lane; round < ROUNDS; round += 4) {
      await (round % 8 < 4 ? act(a, b, round) : act(b, a, round))
    }
    a.close()
    b.close()
  })
  await Promise.all(lanes)
}

test('both workers read and write', { skip }, async () => {
  const clients = await perWorker(coffer)
  equal(clients.size, 2)
  deepEqual(new Set(clients.keys()), new Set(coffer.workers()))
  ok(!clients.has(coffer.pid), 'the parent serves nothing itself')
  for (const [pid, client] of clients) {
    equal((await client.ask('POST', `secret/data/of-${pid}`, { data: { pid } })).status, 200)
    const { body } = await client.ask('GET', `secret/data/of-${pid}`)
    equal(at(body, 'data', 'data', 'pid'), pid)
    client.close()
  }
})

test('a secret written through one worker is read through the other', { skip }, async () => {
  await inTurns(async (one, other, round) => {
    const path = `secret/data/turns-${round % 4}`
    const written = await one.ask('POST', path, { data: { round } })
    const seen = await other.ask('GET', path)
    equal(at(seen.body, 'data', 'data', 'round'), round)
    equal(at(seen.body, 'data', 'metadata', 'version'), at(written.body, 'data', 'version'))
    await other.ask('DELETE', path)
    equal((await one.ask('GET', path)).status, 404)
  })
})

test('a token revoked through one worker is refused by the other', { skip }, async () => {
  await inTurns(async (one, other) => {
    const made = await one.ask('POST', 'auth/token/create', { policies: ['default'], ttl: '5m' })
    const token = at(made.body, 'auth', 'client_token') as string
    const use = () => other.ask('GET', 'auth/token/lookup-self', undefined, { token })
    equal((await use()).status, 200)
    equal((await one.ask('POST', 'auth/token/revoke', { token })).status, 204)
    equal((await use()).status, 403)
  })
})

test('a policy changed through one worker binds the other', { skip }, async () => {
  await coffer.root.ask('POST', 'secret/data/guarded', { data: { a: 1 } })
  const tokens = await Promise.all(
    [0, 1, 2, 3].map(async (lane) => {
      const wanted = { policies: [`lane-${lane}`], ttl: '5m' }
      const { body } = await coffer.root.ask('POST', 'auth/token/create', wanted)
      return at(body, 'auth', 'client_token') as string
    }),
  )
  await inTurns(async (one, other, round) => {
    const allowed = (round >> 2) % 3 > 0
    const capability = allowed ? 'read' : 'deny'
    const policy = `path "secret/data/guarded" { capabilities = ["${capability}"] }`
    await one.ask('PUT', `sys/policies/acl/lane-${round % 4}`, { policy })
    const token = tokens[round % 4]
    const { status } = await other.ask('GET', 'secret/data/guarded', undefined, { token })
    equal(status, allowed ? 200 : 403)
  })
})

test('fifty requests at once spend what can be used once exactly once', async () => {
  const { won, refused, wrong } = await races(coffer, 5)
  deepEqual(wrong, [])
  equal(won, 15)
  equal(refused, 15 * 49)
})

test('shares given through different workers count together, and open both', { skip }, async () => {
  const sealed = await launch(newHome(), { workers: 2 })
  const [a, b] = await pair(sealed, '')
  const made = await a.ask('PUT', 'sys/init', { secret_shares: 3, secret_threshold: 2 })
  const [first, second] = made.body['keys'] as string[]
  const root = made.body['root_token'] as string
  deepEqual([await sealedOf(a), await sealedOf(b)], [true, true])
  const progress = await a.ask('PUT', 'sys/unseal', { key: first })
  equal(at(progress.body, 'progress'), 1)
  equal(at((await b.ask('GET', 'sys/seal-status')).body, 'progress'), 1)
  equal(at((await b.ask('PUT', 'sys/unseal', { key: second })).body, 'sealed'), false)
  equal(await sealedOf(a), false)
  for (const client of [a, b]) {
    const self = await client.ask('GET', 'auth/token/lookup-self', undefined, { token: root })
    equal(self.status, 200)
  }
  equal((await a.ask('PUT', 'sys/seal', undefined, { token: root })).status, 204)
  deepEqual([await sealedOf(a), await sealedOf(b)], [true, true])
  const refused = await b.ask('GET', 'auth/token/lookup-self', undefined, { token: root })
  equal(refused.status, 503)
  for (const client of [a, b]) client.close()
  await sealed.kill()
})

test('a killed worker is replaced by an open one while the other serves', { skip }, async () => {
  const clients = await perWorker(coffer)
  const [[killed, gone], [, left]] = [...clients] as [[number, Client], [number, Client]]
  await left.ask('POST', 'secret/data/kept', { data: { a: 1 } })
  process.kill(killed, 'SIGKILL')
  for (let i = 0; i < 50; i++) {
    equal((await left.ask('GET', 'secret/data/kept')).status, 200)
    equal((await left.ask('POST', 'secret/data/kept', { data: { i } })).status, 200)
  }
  ok(await within(10_000, () => coffer.workers().length === 2 && !isRunning(killed)))
  const again = await perWorker(coffer)
  for (const [pid, client] of again) {
    notEqual(pid, killed)
    const { body } = await client.ask('GET', 'secret/data/kept')
    equal(at(body, 'data', 'data', 'i'), 49)
    client.close()
  }
  gone.close()
  left.close()
})

test('fifty writers of one key all get their version, none is sent away', async () => {
  const writers = Array.from({ length: 50 }, () => coffer.client(1))
  const answers = await Promise.all(
    writers.map((writer, i) => writer.ask('POST', 'secret/data/hot', { data: { i } })),
  )
  for (const writer of writers) writer.close()
  deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  equal(new Set(answers.map(({ body }) => at(body, 'data', 'version'))).size, 50)
})
