/** `sys/monitor` over real connections, and what becomes of a client that does not read. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { after, before, test } from 'node:test'
import { firstEntries } from '../core/bootstrap.ts'
import { type Log } from './log.ts'
import { openCore, type RunningServer, serve } from './server.ts'
import { sendStream } from './stream.ts'

let running: RunningServer
let root = ''
before(async () => {
  const log: Log = () => {}
  const at = { host: '127.0.0.1', port: 0 }
  const options = { storage: { type: 'inmem' } as const, listeners: [at], log }
  const open = openCore(options)
  const made = await open.core.keeper.initialize({ shares: 1, threshold: 1 }, (tx) =>
    firstEntries(open.core, tx),
  )
  await open.core.keeper.offer(made.keys[0]!)
  root = made.rootToken
  running = await serve(open, options)
})
after(() => running.close())

type Reading = { asked: ClientRequest; answer: IncomingMessage; text: () => string }

async function monitor(query = '', token = root): Promise<Reading> {
  const { port } = running.listeners[0]!.address
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const path = `/v1/sys/monitor${query}`
  const headers = { 'X-Vault-Token': token }
  const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, resolve)
  asked.on('error', reject)
  asked.end()
  const answer = await promise
  let text = ''
  answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
  answer.on('error', () => {})
  return { asked, answer, text: () => text }
}

/** Waits for something that will happen, and fails with the test when it does not. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((done) => setImmediate(done))
}

test('sys/monitor refuses strangers, and levels and formats there are not', async () => {
  equal((await monitor('', 'hvs.none')).answer.statusCode, 403)
  equal((await monitor('?log_level=loud')).answer.statusCode, 400)
  equal((await monitor('?log_format=xml')).answer.statusCode, 400)
})

test('sys/monitor hands on what is logged, from its level up, in its format', async () => {
  const plain = await monitor()
  const json = await monitor('?log_level=error&log_format=json')
  deepEqual([plain.answer.statusCode, plain.answer.headers['content-type']], [200, 'text/plain'])
  equal(plain.answer.headers['transfer-encoding'], 'chunked')
  running.core.log('info', 'something happened')
  running.core.log('error', 'something broke')
  await until(() => plain.text().includes('broke') && json.text().includes('broke'))
  match(plain.text(), /\[INFO\] something happened\n.*\[ERROR\] something broke\n$/)
  const [line, ...more] = json.text().trimEnd().split('\n')
  deepEqual(more, [])
  equal((JSON.parse(line!) as Record<string, unknown>)['@message'], 'something broke')
  plain.asked.destroy()
  json.asked.destroy()
})

test('sys/monitor is for so many at a time; one that goes makes room', async () => {
  const statusOf = async () => {
    const one = await monitor()
    return { ...one, status: one.answer.statusCode }
  }
  const open: Reading[] = []
  for (;;) {
    const one = await statusOf()
    if (one.status === 503) break
    equal(one.status, 200)
    open.push(one)
    ok(open.length <= 10)
  }
  for (const { asked } of open) asked.destroy()
  let again: Awaited<ReturnType<typeof statusOf>>
  do again = await statusOf()
  while (again.status === 503)
  again.asked.destroy()
})

test('a listener that closes ends the answers that go on', async () => {
  const { answer } = await monitor()
  const ended = new Promise((done) => answer.once('end', done))
  await running.listeners[0]!.close(60_000)
  await ended
})

test('sendStream() drops a client that does not read, and tells who writes', () => {
  let stopped = 0
  let destroyed = false
  const written: string[] = []
  const response = Object.assign(new EventEmitter(), {
    writableLength: 0,
    writableEnded: false,
    destroyed: false,
    socket: null,
    flushHeaders() {},
    write: (text: string) => written.push(text),
    end() {},
    destroy() {
      destroyed = true
      response.destroyed = true
      response.emit('close')
    },
  })
  let write: ((text: string) => void) | undefined
  const open = new Set<() => void>()
  sendStream(
    response as unknown as ServerResponse,
    (to) => {
      write = to.write
      return () => void stopped++
    },
    open,
  )
  write!('a')
  response.writableLength = 1024 * 1024
  write!('b')
  write!('c')
  deepEqual([written, destroyed, stopped, open.size], [['a'], true, 1, 0])
})
