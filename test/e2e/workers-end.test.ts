/** How a server of two workers ends, and how it lets go of its log file. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { at, type Client } from '../torture/client.ts'
import { NO_PROC, pair, perWorker } from '../torture/family.ts'
import {
  type Coffer,
  endAll,
  isRunning,
  newHome,
  open,
  ROOT_FOLDER,
  within,
} from '../torture/process.ts'

after(endAll)

test('workers that cannot start are not started for ever', () => {
  const script = join(ROOT_FOLDER, 'test/torture/failing-family.ts')
  const { stdout, status } = spawnSync(process.execPath, ['--no-warnings', script], {
    encoding: 'utf8',
    timeout: 5_000,
  })
  equal(stdout.trim(), 'a worker could not start')
  equal(status, 0)
})

/** Half of a write: the head and the first byte of its body. */
async function beginWrite(
  coffer: Coffer,
  path: string,
  connection = 'close',
): Promise<{ finish(): Promise<string> }> {
  const body = '{"data":{"a":1}}'
  const head = [
    `POST /v1/${path} HTTP/1.1`,
    'Host: localhost',
    `X-Vault-Token: ${coffer.home.root}`,
    `Content-Length: ${body.length}`,
    `Connection: ${connection}`,
  ]
  const socket: Socket = connect(coffer.port, '127.0.0.1')
  let got = ''
  socket.setEncoding('utf8').on('data', (text: string) => (got += text))
  const ended = new Promise((done) => socket.once('close', done))
  socket.on('error', () => {})
  await new Promise<void>((done) => socket.once('connect', () => done()))
  socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, 1)}`)
  return {
    async finish() {
      socket.write(body.slice(1))
      await ended
      return got
    },
  }
}

test('SIGTERM lets what is in flight finish, then ends with 0', async () => {
  const coffer = await open(newHome(), { workers: 2 })
  const workers = coffer.workers()
  const writes = await Promise.all(
    Array.from({ length: 6 }, (_, i) =>
      beginWrite(coffer, `secret/data/late-${i}`, i % 2 ? 'keep-alive' : 'close'),
    ),
  )
  await sleep(100)
  const code = coffer.stop()
  await sleep(200)
  const refused = await coffer.root.ask('GET', 'sys/seal-status').catch((e: unknown) => e)
  ok(refused instanceof Error, 'a new connection was accepted after SIGTERM')
  const answers = await Promise.all(writes.map((write) => write.finish()))
  deepEqual(
    answers.map((answer) => answer.slice(0, 15)),
    writes.map(() => 'HTTP/1.1 200 OK'),
  )
  equal(await code, 0)
  deepEqual(workers.filter(isRunning), [])

  const again = await open(coffer.home, { workers: 2 })
  for (let i = 0; i < 6; i++) {
    equal((await again.root.ask('GET', `secret/data/late-${i}`)).status, 200)
  }
  equal(await again.stop(), 0)
})

test('SIGTERM ends an idle server at once', async () => {
  const coffer = await open(newHome(), { workers: 2 })
  const idle = coffer.root
  await Promise.all(Array.from({ length: 8 }, () => idle.ask('GET', 'sys/seal-status')))
  const from = performance.now()
  equal(await coffer.stop(), 0)
  ok(performance.now() - from < 3_000)
})

test('a parent that is killed takes its workers and its port with it', async () => {
  const coffer = await open(newHome(), { workers: 2 })
  const workers = coffer.workers()
  equal(workers.length, 2)
  process.kill(coffer.pid, 'SIGKILL')
  const gone = () => !workers.some(isRunning)
  ok(await within(2_000, gone), 'a worker serves on without its parent')
  const refused = await coffer.root.ask('GET', 'sys/seal-status').catch((e: unknown) => e)
  ok(refused instanceof Error, 'the port still answers')
  await coffer.exited
})

const requestsIn = (file: string, path: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"type":"request"') && line.includes(`"path":"${path}"`)).length

test('SIGHUP makes both workers write a new audit file', { skip: NO_PROC }, async () => {
  const coffer = await open(newHome(), { workers: 2, audit: true })
  const { auditFile } = coffer.home
  const clients = await pair(coffer)
  const readBy = (client: Client, path: string) => client.ask('GET', path)
  for (const client of clients) await readBy(client, 'secret/data/before')
  const old = `${auditFile}.1`
  renameSync(auditFile, old)
  for (const client of clients) await readBy(client, 'secret/data/between')
  equal(requestsIn(old, 'secret/data/between'), 2, 'before the signal the old file is written')
  process.kill(coffer.pid, 'SIGHUP')
  ok(await within(5_000, () => bothWriteTo(auditFile, clients)))
  const settled = requestsIn(old, 'secret/data/probe')
  for (const client of clients) await readBy(client, 'secret/data/after')
  equal(requestsIn(auditFile, 'secret/data/after'), 2)
  equal(requestsIn(old, 'secret/data/after'), 0)
  equal(requestsIn(old, 'secret/data/probe'), settled)
  for (const client of clients) client.close()
  await coffer.kill()
})

/** Asks once through each worker and looks whether both lines are in the file. */
async function bothWriteTo(file: string, clients: readonly Client[]): Promise<boolean> {
  try {
    const before = requestsIn(file, 'secret/data/probe')
    for (const client of clients) await client.ask('GET', 'secret/data/probe')
    return requestsIn(file, 'secret/data/probe') === before + clients.length
  } catch {
    return false
  }
}

test('a worker outlives a SIGHUP that reaches the whole group', { skip: NO_PROC }, async () => {
  const coffer = await open(newHome(), { workers: 2 })
  for (let round = 0; round < 3; round++) {
    const workers = coffer.workers()
    for (const pid of [coffer.pid, ...workers]) process.kill(pid, 'SIGHUP')
    await sleep(200)
    deepEqual(workers.filter(isRunning), workers)
  }
  const clients = await perWorker(coffer)
  for (const client of clients.values()) {
    equal(at((await client.ask('GET', 'sys/seal-status')).body, 'sealed'), false)
    client.close()
  }
  await coffer.kill()
})

test('a reload in the moment a worker dies does not end the parent', async () => {
  const coffer = await open(newHome(), { workers: 2 })
  for (let round = 0; round < 3; round++) {
    ok(await within(5_000, () => coffer.workers().length === 2))
    process.kill(coffer.workers()[0]!, 'SIGKILL')
    for (let i = 0; i < 20; i++) process.kill(coffer.pid, 'SIGHUP')
    await sleep(100)
    ok(isRunning(coffer.pid))
  }
  await coffer.kill()
})

test('workers whose port is taken say so and end, instead of hanging', async () => {
  const taken = createServer()
  await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done))
  const { port } = taken.address() as AddressInfo
  const folder = mkdtempSync(join(tmpdir(), 'coffer-taken-'))
  const config = join(folder, 'c.hcl')
  writeFileSync(
    config,
    `storage "sqlite" { path = "${join(folder, 'coffer.db')}" }
listener "tcp" {
  address = "127.0.0.1:${port}"
  tls_disable = true
}
workers = 2
`,
  )
  const { status, stderr } = spawnSync('bin/coffer', ['server', `-config=${config}`], {
    cwd: ROOT_FOLDER,
    encoding: 'utf8',
    timeout: 15_000,
  })
  taken.close()
  rmSync(folder, { recursive: true })
  equal(status, 1)
  match(stderr, /in use/)
})
