/** `fetch` with a key that is rotated, against a server of the test's own that knows its keys. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import {
  ConfigError,
  InvalidRequestError,
  rotatingFetch,
  type RotatingFetchOptions,
} from '../../../src/client/client.ts'
import { disorder, House, later, REF, startWorkers, until } from './house.ts'

const KEY = `${REF}#password`

/** Takes any key that is in the set; waits with the answer while it is held. */
async function vendor(...keys: string[]) {
  const valid = new Set(keys)
  const seen: { key: string; body: string; other: string | undefined }[] = []
  let held: Promise<void> | undefined
  const serve = async (request: IncomingMessage, answer: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { authorization = '', 'x-key': own, 'x-other': other } = request.headers
    const key = String(own ?? authorization.replace('Bearer ', ''))
    seen.push({ key, body: Buffer.concat(chunks).toString(), other: other as string | undefined })
    await held
    if (request.url === '/away') answer.setHeader('location', 'http://127.0.0.1:1/')
    answer.statusCode = !valid.has(key) ? 401 : request.url === '/away' ? 307 : 200
    answer.end('said')
  }
  const server = createServer((request, answer) => void serve(request, answer))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    valid,
    seen,
    origin,
    hold: (until: Promise<void>) => (held = until),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

test('rotatingFetch() lets no 401 through while the key flips', async () => {
  await using house = await House.open({ password: 'key-1' })
  await using api = await vendor('key-1')
  const { origin } = api
  await using call = await rotatingFetch(KEY, { ...house.options(), origin })
  const workers = startWorkers(8, async () => {
    const answer = await call(`${origin}/x`, { method: 'POST', body: 'once' })
    await answer.text()
    equal(answer.status, 200)
  })
  for (let flip = 2; flip <= 12; flip++) {
    api.valid.add(`key-${flip}`)
    const generation = house.publish({ password: `key-${flip}` })
    await house.acked(generation, 'drained')
    api.valid.delete(`key-${flip - 1}`)
    await later(30)
  }
  const { done, errors } = await workers.stop()
  deepEqual(errors, [])
  ok(done > 100)
  deepEqual(disorder(house.acks), [])
})

test('rotatingFetch() asks again after a 401, and sends the same once more', async () => {
  await using house = await House.open({ password: 'old' })
  await using api = await vendor('new')
  const { origin } = api
  const options: RotatingFetchOptions = { ...house.options(600_000), origin, header: 'x-key' }
  await using call = await rotatingFetch(KEY, options)
  house.publish({ password: 'new' })
  const init = { method: 'POST', body: 'text', headers: { 'x-other': 'kept' } }
  equal((await call(new Request(`${origin}/a`, init))).status, 200)
  deepEqual(api.seen, [
    { key: 'old', body: 'text', other: 'kept' },
    { key: 'new', body: 'text', other: 'kept' },
  ])
  api.valid.clear()
  equal((await call(`${origin}/a`)).status, 401)
  // There was nothing newer: the same key is not tried twice.
  equal(api.seen.length, 3)
})

test('rotatingFetch() does not send a stream twice', async () => {
  await using house = await House.open({ password: 'old' })
  await using api = await vendor('new')
  const { origin } = api
  await using call = await rotatingFetch(KEY, { ...house.options(600_000), origin })
  house.publish({ password: 'new' })
  const body = new Blob(['stream']).stream()
  const init = { method: 'POST', body, duplex: 'half' } as RequestInit
  equal((await call(origin, init)).status, 401)
  equal(api.seen.length, 1)
})

test('rotatingFetch() sends the key nowhere else, and follows no redirect', async () => {
  await using house = await House.open({ password: 'canary' })
  await using api = await vendor('canary')
  const { origin } = api
  await using call = await rotatingFetch(KEY, { ...house.options(), origin })
  for (const url of ['http://127.0.0.1:1/', `http://127.0.0.1.example/`, 'http://localhost/']) {
    await rejects(call(url), InvalidRequestError)
  }
  equal((await call(`${origin}/away`)).status, 307)
  for (const bad of ['ftp://x', 'https://x/path', 'x', '']) {
    await rejects(rotatingFetch(KEY, { ...house.options(), origin: bad }), ConfigError)
  }
})

test('rotatingFetch() says drained when what is under way with the old key is done', async () => {
  await using house = await House.open({ password: 'one' })
  await using api = await vendor('one', 'two')
  const { origin } = api
  await using call = await rotatingFetch(KEY, {
    ...house.options(),
    origin: [origin],
    header: (credential) => ({ 'x-key': credential.field('password').reveal() }),
  })
  let go = () => {}
  api.hold(new Promise<void>((resolve) => (go = resolve)))
  const slow = call(origin)
  await until(() => api.seen.length > 0)
  const generation = house.publish({ password: 'two' })
  await house.acked(generation, 'applied')
  await later(60)
  deepEqual(house.states(generation), ['seen', 'applied'])
  go()
  equal((await slow).status, 200)
  await house.acked(generation, 'drained')
})
