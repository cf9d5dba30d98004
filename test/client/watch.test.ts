/** Watching from the client, against the fake server and lines that do odd things to streams. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { commonFolder } from '../../src/client/pushed.ts'
import {
  type Client,
  connect,
  DeniedError,
  InvalidRequestError,
  MissingError,
  token,
  type WatchEvent,
} from '../../src/client/client.ts'
import { denied, FakeServer } from './fake-server.ts'

type Answer = (query: URLSearchParams, answer: ServerResponse, request: IncomingMessage) => void

/** A server of which `answer` does `sys/coffer/watch`, and the queries it got. */
async function watchServer(answer: Answer) {
  const queries: URLSearchParams[] = []
  const server = createServer((request, response) => {
    const { searchParams, pathname } = new URL(request.url ?? '/', 'http://fake')
    if (pathname.endsWith('/watch')) {
      queries.push(searchParams)
      answer(searchParams, response, request)
    } else response.end('{"data":{"ttl":0,"v":1}}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

const clientOf = (address: string, more: object = {}): Promise<Client> =>
  connect({ address, auth: token('fake-root'), env: {}, random: () => 0, tries: 1, ...more })

const event = (n: number): WatchEvent => ({
  id: `id-${n}`,
  type: 'kv.write',
  path: 'secret/app',
  version: n,
  time: '2026-01-01T00:00:00Z',
})
const block = (n: number) => `id: id-${n}\nevent: kv.write\ndata: ${JSON.stringify(event(n))}\n\n`
const streaming = (answer: ServerResponse) =>
  answer.writeHead(200, { 'content-type': 'text/event-stream' })
const polled = (answer: ServerResponse, events: WatchEvent[], last: string) =>
  answer
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ data: { events, last } }))

async function take(
  client: Client,
  count: number,
  { slowly = false, ...options }: { slowly?: boolean } & Parameters<Client['watch']>[1] = {},
): Promise<WatchEvent[]> {
  const taken: WatchEvent[] = []
  // Nothing of a watch keeps a process alive, and this one is to wait.
  const alive = setInterval(() => {}, 1_000)
  try {
    for await (const each of client.watch('secret/', options)) {
      taken.push(each)
      if (slowly && taken.length % 500 === 0) await new Promise((done) => setTimeout(done, 30))
      if (taken.length >= count) break
    }
    return taken
  } finally {
    clearInterval(alive)
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((done) => setTimeout(done, 5))
}

test('watch() refuses what will not pass: no such endpoint, no right, an answer of another kind', async () => {
  await using fake = await FakeServer.start()
  await using client = await clientOf(fake.address)
  await rejects(take(client, 1), MissingError)
  fake.on(({ path }) => (path === 'sys/coffer/watch' ? denied : undefined))
  await rejects(take(client, 1), DeniedError)
  await using odd = await watchServer((_, answer) => answer.end('{"data":{"keys":[]}}'))
  await using other = await clientOf(odd.address)
  await rejects(take(other, 1), InvalidRequestError)
  await using garbage = await watchServer((_, answer) => {
    streaming(answer).end('data: {"no":"event"}\n\n')
  })
  await using third = await clientOf(garbage.address)
  await rejects(take(third, 1), InvalidRequestError)
})

test('watch() goes on behind the last whole event, from the head on', async () => {
  await using server = await watchServer((query, answer) => {
    const from = Number(query.get('after')?.slice(3) ?? 0)
    // Two whole ones and one that is cut.
    streaming(answer).write(block(from + 1) + block(from + 2) + block(from + 3).slice(0, -7))
    setTimeout(() => answer.destroy(), 5)
  })
  await using client = await clientOf(server.address)
  const states: boolean[] = []
  const onState = (connected: boolean) => void states.push(connected)
  const events = await take(client, 9, { onState })
  deepEqual(
    events,
    Array.from({ length: 9 }, (_, i) => event(i + 1)),
  )
  deepEqual(
    server.queries.slice(0, 3).map((query) => [query.get('prefix'), query.get('after')]),
    [
      ['secret/', null],
      ['secret/', 'id-2'],
      ['secret/', 'id-4'],
    ],
  )
  deepEqual(states.slice(0, 3), [true, false, true])
  deepEqual(await take(client, 1, { after: 'id-7' }), [event(8)])
})

test('watch() remembers a place that came without an event', async () => {
  await using server = await watchServer((query, answer) => {
    streaming(answer)
    if (query.get('after') === 'quiet') answer.write(block(1))
    else answer.end('id: quiet\n\n: heartbeat\nid: cut')
  })
  await using client = await clientOf(server.address)
  deepEqual(await take(client, 1), [event(1)])
})

test('watch() polls where streams come to nothing, and loses nothing when it changes over', async () => {
  let streams = 0
  await using server = await watchServer((query, answer) => {
    const after = query.get('after')
    if (query.has('poll')) {
      const from = after === null ? undefined : Number(after.slice(3))
      if (from === undefined) polled(answer, [], 'id-3')
      else polled(answer, [event(from + 1), event(from + 2)], `id-${from + 2}`)
      return
    }
    streams++
    streaming(answer).flushHeaders()
    setTimeout(() => answer.destroy(), 5)
  })
  await using client = await clientOf(server.address)
  deepEqual(
    (await take(client, 5)).map(({ version }) => version),
    [4, 5, 6, 7, 8],
  )
  equal(streams, 3)
  ok(server.queries.some((query) => query.get('wait') === '20s'))
})

test('watch() takes up a stream again that it let go because nobody read', async () => {
  const most = 5_000
  await using server = await watchServer((query, answer) => {
    const from = Number(query.get('after')?.slice(3) ?? 0)
    streaming(answer)
    for (let n = from + 1; n <= most; n++) answer.write(block(n))
  })
  await using client = await clientOf(server.address)
  const events = await take(client, most, { slowly: true })
  deepEqual(
    events.map(({ version }) => version),
    Array.from({ length: most }, (_, i) => i + 1),
  )
  ok(server.queries.length > 1)
})

test('watch() ends with its signal and with its client, and breaks off its stream', async () => {
  let open = 0
  await using server = await watchServer((_, answer, request) => {
    open++
    request.socket.once('close', () => open--)
    streaming(answer).write('id: id-0\n\n')
  })
  const client = await clientOf(server.address)
  const controller = new AbortController()
  const reason = new Error('enough')
  const onState = () => setTimeout(() => controller.abort(reason), 5)
  await rejects(take(client, 1, { signal: controller.signal, onState }), reason)
  await rejects(take(client, 1, { signal: AbortSignal.abort(reason) }), reason)
  await until(() => open === 0)
  const closing = take(client, 1, { onState: () => setTimeout(() => void client.close(), 5) })
  await rejects(closing, { name: 'ClosedError' })
})

test('many watches leave the sockets of other calls alone', async () => {
  await using server = await watchServer((_, answer) => streaming(answer).write('id: id-0\n\n'))
  await using client = await clientOf(server.address, { timeoutMs: 3_000 })
  const controller = new AbortController()
  const { signal } = controller
  let connected = 0
  const watches = Array.from({ length: 40 }, () =>
    take(client, 1, { signal, onState: () => void connected++ }).catch(() => {}),
  )
  await until(() => connected === 40)
  ok(await client.read('any/path'))
  controller.abort()
  await Promise.all(watches)
})

test('a watch over a fetch that was given streams too', async () => {
  await using server = await watchServer((query, answer) => {
    const from = Number(query.get('after')?.slice(3) ?? 0)
    streaming(answer).write(block(from + 1))
    setTimeout(() => answer.destroy(), 20)
  })
  await using client = await clientOf(server.address, {
    fetch: (url: string, init: RequestInit) => fetch(url, init),
  })
  deepEqual(
    (await take(client, 3)).map(({ version }) => version),
    [1, 2, 3],
  )
})

test('a watch does not keep a process alive', async () => {
  await using server = await watchServer((_, answer) => streaming(answer).write('id: id-0\n\n'))
  const door = resolve(import.meta.dirname, '../../src/client/client.ts')
  const script = `
    const { connect, token } = await import(${JSON.stringify(door)})
    const client = await connect({ address: '${server.address}', auth: token('t'), env: {} })
    const onState = () => { console.log('connected'); setTimeout(() => console.log('over'), 50) }
    void (async () => { for await (const _ of client.watch('', { onState })); })()
    // Long enough to be connected, and not longer.
    setTimeout(() => {}, 2000)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const [code] = (await once(child, 'exit')) as [number]
  deepEqual([code, out], [0, 'connected\nover\n'])
})

test('commonFolder() is the narrowest that holds all', () => {
  const cases: [string[], string][] = [
    [['secret/a'], 'secret/a'],
    [['secret/a', 'secret/a'], 'secret/a'],
    [['secret/a', 'secret/b'], 'secret/'],
    [['secret/a', 'secret/ab'], 'secret/'],
    [['secret/a/x', 'secret/a/y/z'], 'secret/a/'],
    [['secret/a', 'secret/a/b'], 'secret/a'],
    [['secret/a', 'kv/a'], ''],
    [['secret/a', 'secret/b', 'kv/a'], ''],
    [[], ''],
  ]
  for (const [paths, folder] of cases) {
    equal(commonFolder(paths), folder, paths.join())
  }
})
