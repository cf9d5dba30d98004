/** Watching over real sockets: what a client costs that does not read, and what two processes tell. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { sseReader } from '../client/sse.ts'
import { firstEntries, newMountEntry } from '../core/bootstrap.ts'
import { systemRandom } from '../lib/random.ts'
import { openCore, type RunningServer, serve } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-watch-'))
let one: RunningServer
let two: RunningServer
let root = ''
before(async () => {
  const path = join(folder, 'coffer.db')
  const at = { host: '127.0.0.1', port: 0 }
  const options = { storage: { type: 'sqlite', path } as const, listeners: [at], log: () => {} }
  const open = openCore(options)
  const kv = { path: 'secret/', class: 'secret', type: 'kv', options: { version: '2' } } as const
  const made = await open.core.keeper.initialize({ shares: 1, threshold: 1 }, (tx) =>
    firstEntries(open.core, tx, { extra: [newMountEntry(kv, systemRandom)] }),
  )
  root = made.rootToken
  await open.core.keeper.offer(made.keys[0]!)
  one = await serve(open, options)
  const other = openCore(options)
  await other.core.keeper.offer(made.keys[0]!)
  two = await serve(other, options)
})
let closing: Promise<void> | undefined
const closeTwo = () => (closing ??= two.close())
after(async () => {
  await Promise.all([one.close(), closeTwo()])
  rmSync(folder, { recursive: true })
})

const address = ({ listeners }: RunningServer) => `http://127.0.0.1:${listeners[0]!.address.port}`

async function ask(server: RunningServer, method: string, path: string, body?: unknown) {
  const answer = await fetch(`${address(server)}/v1/${path}`, {
    method,
    headers: { 'X-Vault-Token': root, connection: 'close' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${text}`)
  return text === '' ? {} : (JSON.parse(text) as Record<string, never>)
}

type Event = { id: string; type: string; path: string; version: number }

async function watch(server: RunningServer, token = root, query = '') {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const url = `${address(server)}/v1/sys/coffer/watch${query}`
  const asked = request(url, { headers: { 'X-Vault-Token': token }, agent: false }, resolve)
  asked.on('error', reject)
  asked.end()
  const answer = await promise
  const events: Event[] = []
  const seen = { answer, events, id: '', ended: false, cut: () => void asked.destroy() }
  const reader = sseReader({
    onId: (id) => void (seen.id = id),
    onMessage: ({ data }) => void events.push(JSON.parse(data) as Event),
  })
  answer.on('data', (chunk: Buffer) => reader.feed(chunk))
  answer.on('error', () => {})
  answer.once('close', () => (seen.ended = true))
  await until(() => seen.id !== '')
  return seen
}

async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((done) => setImmediate(done))
}

test('a watch is a stream that no proxy should keep or hold back', async () => {
  const { answer, cut } = await watch(one)
  const { headers } = answer
  deepEqual(
    [headers['content-type'], headers['cache-control'], headers['x-accel-buffering']],
    ['text/event-stream', 'no-store', 'no'],
  )
  equal(headers['transfer-encoding'], 'chunked')
  cut()
})

test('what one process writes is told by the other, in the same order with the same ids', async () => {
  const [a, b] = [await watch(one), await watch(two)]
  for (let i = 0; i < 20; i++) {
    await ask(i % 2 === 0 ? one : two, 'POST', `secret/data/k${i % 3}`, { data: { i } })
  }
  await until(() => a.events.length === 20 && b.events.length === 20)
  deepEqual(a.events, b.events)
  const rest = await watch(two, root, `?after=${a.events[7]!.id}`)
  await until(() => rest.events.length === 12)
  deepEqual(rest.events, a.events.slice(8))
  for (const { cut } of [a, b, rest]) cut()
})

test('a policy and a token that are taken away through one process count in the other', async () => {
  const policy = (path: string) =>
    `path "sys/coffer/watch" { capabilities = ["read"] }\npath "${path}" { capabilities = ["read"] }`
  await ask(one, 'POST', 'sys/policies/acl/w', { policy: policy('secret/data/mine') })
  const made = await ask(one, 'POST', 'auth/token/create', { policies: ['w'] })
  const { client_token: token } = made['auth'] as unknown as { client_token: string }
  const seen = await watch(two, token)
  await ask(two, 'POST', 'secret/data/mine', { data: { v: 1 } })
  await until(() => seen.events.length === 1)
  await ask(one, 'POST', 'sys/policies/acl/w', { policy: policy('secret/data/other') })
  await ask(two, 'POST', 'secret/data/mine', { data: { v: 2 } })
  await ask(two, 'POST', 'secret/data/other', { data: { v: 1 } })
  await until(() => seen.events.length === 2)
  deepEqual(
    seen.events.map(({ path, version }) => `${path} ${version}`),
    ['secret/mine 1', 'secret/other 1'],
  )
  await ask(one, 'POST', 'auth/token/revoke', { token })
  await until(() => seen.ended)
})

test('a client that does not read has a bounded part of it waiting, and gets all when it reads', async () => {
  const seen = await watch(one)
  seen.answer.pause()
  const waiting = () => Math.max(...sockets().map(({ writableLength }) => writableLength))
  const count = 12_000
  // In the log at once, so that there is more than any buffer on the way would hold.
  const long = 'x'.repeat(900)
  for (let n = 0; n < count; n += 1_000) {
    const tx = (await one.core.begin(false))!
    const mount = (await one.core.mounts.at(tx, 'secret/'))!
    for (let i = n; i < n + 1_000; i++) {
      const event = { type: 'kv.write', path: `${long}/${i}`, mount: mount.entry.uuid, at: 0 }
      tx.tell(event)
    }
    await one.core.commit(tx)
  }
  const before = seen.events.length
  for (let i = 0; i < 50; i++) await new Promise((done) => setTimeout(done, 5))
  ok(waiting() < 4 * 1024 * 1024, `${waiting()} bytes wait`)
  ok(seen.events.length - before < count)
  seen.answer.resume()
  await until(() => seen.events.length >= count)
  deepEqual(
    seen.events.slice(-count).map(({ path }) => Number(path.split('/').at(-1))),
    Array.from({ length: count }, (_, i) => i),
  )
  seen.cut()
})

/** Sockets of this process that a server writes to. */
function sockets() {
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles()
  type Writing = { writableLength: number; server?: unknown }
  return handles.filter(
    (handle): handle is Writing =>
      typeof handle === 'object' &&
      handle !== null &&
      'writableLength' in handle &&
      'server' in handle,
  )
}

test('a listener that closes ends its watches at once', async () => {
  const seen = await watch(two)
  const closed = closeTwo()
  await until(() => seen.ended)
  await closed
  equal(seen.answer.complete, true)
})
