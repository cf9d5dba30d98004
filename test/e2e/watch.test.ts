/** Watching a real server of two processes, over lines that are cut and through a kill. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, connect, token, type WatchEvent } from '../../src/client/client.ts'
import { createScrubber } from '../../src/scrub/scrubber.ts'
import { cuttingProxy } from '../support/cutting-proxy.ts'
import { type Api, auditLines, http, startServer, type TestServer } from '../support/server.ts'
import { freshSeed, seeded } from '../torture/seeded.ts'

const CUTS = 1_000
const WATCHERS = 8
const WRITERS = 4
const HEAD_BYTES = 900

let server: TestServer
let api: Api
before(async () => {
  server = await startServer({ kind: 'config', workers: 2, audit: true })
  api = http(server.address, { token: server.rootToken })
  equal(
    (await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })).status,
    204,
  )
})
after(() => server[Symbol.asyncDispose]())

const clientAt = (address: string) =>
  connect({ address, auth: token(server.rootToken), env: {}, onError: () => {} })

/** The place in the log now. */
async function placeNow(): Promise<string> {
  const { body } = await api.read('sys/coffer/watch', { query: { poll: '1' } })
  return (body['data'] as { last: string }).last
}

/** All that there is behind a place, over a line that is not cut. */
async function allAfter(place: string): Promise<WatchEvent[]> {
  const all: WatchEvent[] = []
  for (let at = place; ;) {
    const query = { poll: '1', wait: 0, after: at, prefix: 'secret/' }
    const { body } = await api.read('sys/coffer/watch', { query })
    const { events, last } = body['data'] as { events: WatchEvent[]; last: string }
    all.push(...events)
    if (events.length === 0) return all
    at = last
  }
}

/** What a client has been told, until the promise that `stop` gives is fulfilled. */
function reading(client: Client, place: string) {
  const controller = new AbortController()
  const events: WatchEvent[] = []
  const done = (async () => {
    const { signal } = controller
    try {
      for await (const event of client.watch('secret/', { after: place, signal })) {
        events.push(event)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  })()
  return {
    events,
    stop: async () => {
      controller.abort()
      await done
    },
  }
}

const idsOf = (events: readonly WatchEvent[]) => events.map(({ id }) => id)

async function until(isTrue: () => boolean, what: string, ms = 60_000): Promise<void> {
  const end = Date.now() + ms
  while (!isTrue()) {
    if (Date.now() > end) throw new Error(`did not come true: ${what}`)
    await new Promise((done) => setTimeout(done, 10))
  }
}

const random = seeded(freshSeed())

test(`${CUTS} cuts and a kill: no event is lost, none comes twice, the order stays`, async (t) => {
  t.diagnostic(`COFFER_SEED=${random.seed}`)
  const port = Number(new URL(server.address).port)
  await using proxy = await cuttingProxy(port, () => ({
    // Some in the head of the answer, most in its events.
    afterBytes:
      random.below(8) === 0 ? 1 + random.below(HEAD_BYTES) : HEAD_BYTES + random.below(4_000),
    how: random.pick(['end', 'reset']),
  }))
  const place = await placeNow()
  const clients = await Promise.all(Array.from({ length: WATCHERS }, () => clientAt(proxy.address)))
  const readers = clients.map((client) => reading(client, place))
  const acknowledged: string[] = []
  const stopped = new AbortController()
  const writers = Array.from({ length: WRITERS }, async (_, who) => {
    for (let i = 0; !stopped.signal.aborted; i++) {
      const path = `w${who}/k${i % 5}`
      const ask = { data: { pw: `CANARY-${i}` } }
      const made = await api.write(`secret/data/${path}`, ask).catch(() => undefined)
      if (made?.status === 200)
        acknowledged.push(`secret/${path} ${String(made.at('data.version'))}`)
      // So that there is something to tell for as long as lines are cut.
      await new Promise((next) => setTimeout(next, made ? 5 : 100))
    }
  })
  await until(() => proxy.cuts >= CUTS / 2, 'the first half of the cuts', 120_000)
  await server.kill('SIGKILL')
  await server.restart()
  await until(() => proxy.cuts >= CUTS, 'all cuts', 120_000)
  stopped.abort()
  await Promise.all(writers)
  proxy.heal()
  const all = await allAfter(place)
  for (const [n, { events, stop }] of readers.entries()) {
    await until(() => events.length >= all.length, `reader ${n} is told all`)
    await stop()
    deepEqual(idsOf(events), idsOf(all), `reader ${n}`)
    deepEqual(events, all)
  }
  // In order, and each acknowledged write exactly once.
  deepEqual(idsOf(all), idsOf(all).toSorted())
  const told = new Map<string, number>()
  for (const { path, version } of all) {
    const name = `${path} ${version}`
    told.set(name, (told.get(name) ?? 0) + 1)
  }
  deepEqual(
    acknowledged.filter((name) => told.get(name) !== 1),
    [],
  )
  deepEqual(
    [...told].filter(([, times]) => times > 1),
    [],
  )
  ok(all.length > 100 && !JSON.stringify(all).includes('CANARY'))
  t.diagnostic(
    `${proxy.cuts} cuts, ${all.length} events, ${acknowledged.length} acknowledged writes`,
  )
  for (const client of clients) await client.close()
})

test('a follower learns a new version by being told, and asks for nothing in between', async () => {
  await using client = await clientAt(server.address)
  await api.write('secret/data/followed', { data: { pw: 'one' } })
  const got: string[] = []
  const { ready, stop } = client.follow(
    'vault://secret/followed#pw',
    (secret, { version }) => {
      got.push(`${version}:${secret.reveal()}`)
    },
    { intervalMs: 600_000 },
  )
  await ready
  // Told through either process, in a time that no poll would have had.
  for (let i = 2; i <= 12; i++) {
    await api.write('secret/data/followed', { data: { pw: `v${i}` } })
    await until(() => got.at(-1) === `${i}:v${i}`, `version ${i}`)
  }
  stop()
})

test('SIGTERM ends those who watch, at once, and they are in the audit log', async () => {
  await using client = await clientAt(server.address)
  const states: boolean[] = []
  const controller = new AbortController()
  const watched = (async () => {
    const onState = (connected: boolean) => void states.push(connected)
    for await (const _ of client.watch('', { signal: controller.signal, onState }));
  })().catch(() => {})
  await until(() => states.length > 0, 'connected')
  equal(await server.stop(), 0)
  await until(() => states.at(-1) === false, 'not connected any more')
  const ends = auditLines(server)
    .map(({ response }) => (Object(response) as { data?: { ended?: string } }).data?.ended)
    .filter((ended) => ended !== undefined)
  ok(ends.includes('by the server'), ends.slice(-3).join())
  await server.restart()
  await until(() => states.at(-1) === true, 'connected again')
  controller.abort()
  await watched
})

test('a value that changes while a process runs is hidden from its output by the next event', async () => {
  const [first, other] = [1, 2].map((version) => `Word-of-it-${version}`)
  await api.write('secret/data/hidden', { data: { password: first } })
  const scrubber = createScrubber()
  const onSecret = (value: string, name: string) => void scrubber.add({ value, name })
  const client = await connect({
    address: server.address,
    auth: token(server.rootToken),
    env: {},
    onSecret,
  })
  const changed = Promise.withResolvers<void>()
  // Looking by itself comes hours later: what is seen has been told.
  const following = client.follow(
    'vault://secret/hidden#password',
    (_, { version }) => void (version === 2 && changed.resolve()),
    { intervalMs: 36_000_000 },
  )
  await following.ready
  const stop = new AbortController()
  const connected = Promise.withResolvers<void>()
  const onState = (is: boolean) => void (is && connected.resolve())
  const watch = client.watch('secret/hidden', { signal: stop.signal, onState })
  const told = watch[Symbol.asyncIterator]().next()
  await connected.promise
  await api.write('secret/data/hidden', { data: { password: other } })
  await changed.promise
  await told
  equal(
    scrubber.text(`was ${first}, is ${other}`),
    'was [secret secret/hidden#password v1], is [secret secret/hidden#password v2]',
  )
  stop.abort()
  following.stop()
  await client.close()
})
