/** Real sockets: lines arrive whole and in order, a lost connection is a failure and is made anew. */
import { deepEqual, equal, rejects, throws } from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { socketAudit } from './socket.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-socket-'))
after(() => rmSync(folder, { recursive: true, force: true }))

type Sink = { server: Server; sockets: Socket[]; taken(wanted: string): Promise<void> }

/** Takes lines until they are what is wanted; `taken` never resolves otherwise. */
async function sink(where: { port: number; host: string } | { path: string }): Promise<Sink> {
  const sockets: Socket[] = []
  let text = ''
  let told: () => unknown = () => {}
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      told()
    })
  })
  server.listen(where)
  await once(server, 'listening')
  return {
    server,
    sockets,
    taken: (wanted) =>
      new Promise((done) => {
        told = () => text === wanted && done()
        told()
      }),
  }
}

const LOOPBACK = { port: 0, host: '127.0.0.1' }
const addressOf = ({ server }: Sink) => `127.0.0.1:${(server.address() as AddressInfo).port}`

test('open() refuses what it could not write to, by name', () => {
  throws(() => socketAudit.open({}), /address is required/)
  for (const address of ['nowhere', 'host:0', 'host:65536', ':1', '[x]:1', '::1:80', 'a:b:c']) {
    throws(() => socketAudit.open({ address }), /address must be host:port/, address)
  }
  const address = '127.0.0.1:1'
  throws(() => socketAudit.open({ address, socket_type: 'sctp' }), /tcp, udp or unix/)
  for (const write_timeout of ['0', '-1s', '61s', 'soon']) {
    throws(() => socketAudit.open({ address, write_timeout }), /write_timeout/, write_timeout)
  }
})

test('lines arrive over TCP in order, over one connection', async () => {
  const to = await sink(LOOPBACK)
  const device = socketAudit.open({ address: addressOf(to) })
  await device.write('one\n')
  await Promise.all([device.write('two\nthree\n'), device.write('four\n')])
  await to.taken('one\ntwo\nthree\nfour\n')
  equal(to.sockets.length, 1)
  device.close()
  to.server.close()
})

test('lines arrive over a Unix socket', async () => {
  const path = join(folder, 'audit.sock')
  const to = await sink({ path })
  const device = socketAudit.open({ address: path, socket_type: 'unix' })
  await device.write('one\n')
  await to.taken('one\n')
  device.close()
  to.server.close()
})

test('lines arrive over UDP, each in a datagram', async () => {
  const receiver = createSocket('udp4')
  receiver.bind(0, '127.0.0.1')
  await once(receiver, 'listening')
  const address = `127.0.0.1:${receiver.address().port}`
  const device = socketAudit.open({ address, socket_type: 'udp' })
  const got: string[] = []
  const all = new Promise<void>((done) => {
    receiver.on('message', (bytes) => {
      got.push(bytes.toString())
      if (got.length === 2) done()
    })
  })
  await device.write('one\ntwo\n')
  await all
  deepEqual(got.sort(), ['one\n', 'two\n'])
  await rejects(async () => device.write(`${'x'.repeat(70_000)}\n`), /too long/)
  device.close()
  receiver.close()
})

test('write() fails when nobody listens, and works when somebody does again', async () => {
  const first = await sink(LOOPBACK)
  const address = addressOf(first)
  first.server.close()
  const device = socketAudit.open({ address })
  await rejects(async () => device.write('lost\n'))
  const [host, port] = address.split(':') as [string, string]
  const second = await sink({ host, port: Number(port) })
  await device.write('found\n')
  await second.taken('found\n')
  device.close()
  second.server.close()
})

test('write() fails when the other end takes nothing for too long', async () => {
  const to = await sink(LOOPBACK)
  to.server.on('connection', (socket) => socket.pause())
  const device = socketAudit.open({ address: addressOf(to), write_timeout: '1s' })
  // More than both kernels buffer.
  await rejects(async () => device.write(`${'x'.repeat(64 * 1024 * 1024)}\n`), /in time/)
  for (const socket of to.sockets) socket.destroy()
  device.close()
  to.server.close()
})
