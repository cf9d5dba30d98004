/** The servers that tests start: each kind starts, stops, and comes back with what it had. */
import { equal, match, ok } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { auditLines, http, startServer } from '../support/server.ts'

const SECRET = { data: { password: 'swordfish' } }

test('startServer() tells what the server said when it does not start', async () => {
  let said = ''
  await startServer({ kind: 'config', hcl: 'adress = "x"' }).catch((error: Error) => {
    said = error.message
  })
  match(said, /ended with 1/)
  match(said, /unknown key "adress"/)
})

test('startServer() of a dev server keeps nothing', async () => {
  let { pid, dir } = { pid: 0, dir: '' }
  {
    await using server = await startServer()
    ;({ pid, dir } = server)
    const api = http(server.address, { token: server.rootToken })
    equal((await api.write('secret/data/a', SECRET)).status, 200)
    equal(String((await api.list('secret/metadata')).at('data.keys')), 'a')
    equal(await server.stop(), 0)
    await server.restart()
    const after = http(server.address, { token: server.rootToken })
    equal((await after.read('secret/data/a')).status, 404)
    pid = server.pid
  }
  equal(existsSync(dir), false)
  let gone = false
  try {
    process.kill(pid, 0)
  } catch {
    gone = true
  }
  ok(gone)
})

test('startServer() with dev-data comes back with its data and its tokens', async () => {
  await using server = await startServer({ kind: 'dev-data' })
  const api = http(server.address, { token: server.rootToken })
  await api.write('secret/data/a', SECRET)
  await server.kill('SIGKILL')
  await server.restart()
  equal((await api.read('secret/data/a')).at('data.data.password'), 'swordfish')
})

test('startServer() with a configuration, workers and an audit file unseals at each start', async () => {
  await using server = await startServer({
    kind: 'config',
    workers: 2,
    audit: true,
    shares: 3,
    threshold: 2,
  })
  equal(server.unsealKeys.length, 3)
  const api = http(server.address, { token: server.rootToken })
  equal((await api.write('sys/mounts/kv', { type: 'kv', options: { version: '2' } })).status, 204)
  equal((await api.write('kv/data/a', SECRET)).status, 200)
  await server.restart({ unseal: false })
  equal((await api.read('kv/data/a')).status, 503)
  await server.unseal()
  equal((await api.read('kv/data/a')).at('data.data.password'), 'swordfish')
  ok(auditLines(server).length >= 4)
  equal(await server.stop(), 0)
})
