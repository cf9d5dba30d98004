/** The audit log of a real server: complete, closed when it cannot be written, turned over by SIGHUP. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { readFileSync, renameSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { auditRefused } from '../../src/core/audit-refused.ts'
import { Failure } from '../../src/kit/failure.ts'
import { ALWAYS, fakeAudit } from '../support/fake-audit.ts'
import { raw, request } from '../support/raw-http.ts'
import { testCore } from '../support/test-core.ts'
import { auditLines, http, type StartOptions, startServer } from '../support/server.ts'

const idOf = (line: Record<string, unknown>) => (line['request'] as { id: string }).id

const failing = fakeAudit()

test('a server whose only device is full refuses everything and has done nothing', async () => {
  const options: StartOptions = { kind: 'config' }
  await using server = await startServer(options)
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  await api.write('secret/data/app', { data: { password: 'swordfish' } })
  const made = await api.write('auth/token/create', { policies: ['default'] })
  const accessors = (await api.list('auth/token/accessors')).at('data.keys') as string[]
  const full = { type: 'file', options: { file_path: '/dev/full' } }
  // One that takes nothing is not enabled by a request that could not be taken back.
  const refusedDevice = await api.write('sys/audit/full', full)
  equal(refusedDevice.status, 400)
  match(String(refusedDevice.errors[0]), /takes no entries: ENOSPC/)
  options.hcl = `audit "file" "full" {\n  options { file_path = "/dev/full" }\n}\n`
  await server.restart()

  const token = String(made.at('auth.client_token'))
  for (const refused of await Promise.all([
    api.read('secret/data/app'),
    api.list('secret/metadata'),
    api.write('secret/data/app', { data: { password: 'other' } }),
    api.write('secret/data/new', { data: { a: 1 } }),
    api.delete('secret/metadata/app'),
    api.write('auth/token/create', {}),
    api.write('auth/token/revoke', { token }),
    api.read('secret/data/app', { headers: { 'x-vault-wrap-ttl': '60' } }),
    api.write('sys/policies/acl/p', { policy: 'path "a" {}' }),
    api.write('sys/mounts/other', { type: 'kv' }),
    api.delete('sys/audit/full'),
    api.write('sys/seal'),
    api.read('sys/mounts', { token: 'hvs.unknown' }),
  ])) {
    equal(refused.status, 500)
    deepEqual(refused.errors, ['internal error'])
    ok(!refused.text.includes('swordfish'))
  }
  equal((await api.read('sys/seal-status')).at('sealed'), false)
  ok(!server.output().includes('swordfish') && !server.output().includes(token))

  // The way out: another start, whose configuration puts a device in the place of the full one.
  options.hcl = `audit "file" "full" {\n  options { file_path = "${server.auditFile}" }\n}\n`
  await server.restart()
  equal((await api.read('secret/data/app')).at('data.data.password'), 'swordfish')
  deepEqual((await api.list('secret/metadata')).at('data.keys'), ['app'])
  deepEqual((await api.list('auth/token/accessors')).at('data.keys'), accessors)
  equal((await api.read('auth/token/lookup-self', { token })).status, 200)
  ok(auditLines(server).length >= 8)
})

test('a server writes both entries of every answer, whatever the answer is', async () => {
  await using server = await startServer({ kind: 'config', audit: true })
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  const before = auditLines(server).length
  let asked = 0
  const count = async (answers: Promise<{ status: number; body: Record<string, unknown> }>[]) => {
    asked += answers.length
    return Promise.all(answers)
  }
  const ids: string[] = []
  for (let round = 0; round < 10; round++) {
    const answers = await count([
      api.write('secret/data/a', { data: { round } }),
      api.write('secret/data/a', { data: { round }, options: { cas: 0 } }),
      api.read('secret/data/a'),
      api.read('secret/data/none'),
      api.list('secret/metadata'),
      api.send('LIST', 'secret/metadata'),
      api.patch('secret/data/a', { data: { patched: round } }),
      api.delete('secret/data/a'),
      api.read('secret/data/a', { token: 'hvs.unknown' }),
      api.read('nowhere/a'),
      api.read('sys/mounts', { headers: { 'x-vault-wrap-ttl': '60' } }),
      api.write('auth/token/create', { policies: ['default'] }),
      api.read('secret/data/a', { query: { help: 1 } }),
      api.send('DELETE', 'sys/mounts'),
      api.write('secret/data/a', { data: 'not an object' }),
    ])
    for (const { body } of answers) if (body['request_id']) ids.push(body['request_id'] as string)
  }
  const lines = auditLines(server).slice(before)
  equal(lines.length, 2 * asked)
  const types = new Map<string, string[]>()
  for (const line of lines)
    types.set(idOf(line), [...(types.get(idOf(line)) ?? []), line['type'] as string])
  equal(types.size, asked)
  for (const each of types.values()) deepEqual(each, ['request', 'response'])
  for (const id of ids) ok(types.has(id), 'the id in an answer is that of its entries')
})

test('a server turns its audit file over at SIGHUP and hashes as it says', async () => {
  await using server = await startServer({ kind: 'config', audit: true, workers: 2 })
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  const old = `${server.auditFile}.1`
  renameSync(server.auditFile, old)
  await api.write('secret/data/before', { data: { a: 'one' } })
  await server.kill('SIGHUP')
  for (let tries = 0; tries < 50; tries++) {
    await new Promise((done) => setTimeout(done, 20))
    // Both workers must have it: some requests land on each.
    await Promise.all(Array.from({ length: 8 }, () => api.read('sys/mounts')))
    try {
      if (statSync(server.auditFile).size > 0) break
    } catch {
      // Not yet there.
    }
  }
  await new Promise((done) => setTimeout(done, 300))
  const size = statSync(old).size
  for (let i = 0; i < 8; i++) {
    equal((await api.write(`secret/data/after-${i}`, { data: { a: 'two' } })).status, 200)
  }
  equal(statSync(old).size, size, 'nothing more goes to the old file')
  equal(statSync(server.auditFile).mode & 0o777, 0o600)
  match(readFileSync(old, 'utf8'), /secret\/data\/before/)
  const lines = auditLines(server).filter(
    ({ type, request: asked }) =>
      type === 'request' && (asked as { path: string }).path.startsWith('secret/data/after'),
  )
  equal(lines.length, 8)
  const hash = (await api.write('sys/audit-hash/file', { input: 'two' })).at('data.hash')
  for (const line of lines) {
    const { data } = line['request'] as { data: { data: { a: string } } }
    equal(data.data.a, hash)
  }
})

test('requests whose form is refused leave their path in the audit log, and nothing of them elsewhere', async () => {
  await using server = await startServer({ kind: 'config', audit: true })
  const port = Number(new URL(server.address).port)
  const before = readFileSync(server.auditFile, 'utf8')
  const body = '{"data": {"a": "CANARY-VALUE"'
  const asked = [
    ['GET /v1/secret/data/../a', ''],
    ['GET /v1/a%00', ''],
    ['POST /v1/secret/data/a', body],
    ['PATCH /v1/secret/data/a', body],
  ] as const
  for (const [line, text] of asked) {
    const { status } = await raw(port, [request(line, { 'X-Vault-Token': 'CANARY-TOKEN' }, text)])
    equal(status, 400, line)
  }
  const written = readFileSync(server.auditFile, 'utf8').slice(before.length)
  const entries = written.split('\n').filter((line) => line.includes('"error":'))
  equal(entries.length, asked.length * 2)
  ok(entries[0]!.includes('"path":"secret/data/../a"'))
  ok(!written.includes('CANARY'))
  ok(!server.output().includes('CANARY'))
})

test('a request whose form is refused is not answered without its entry', async () => {
  const core = await testCore({ auditTypes: [failing.type] })
  await core.ask('write', 'sys/audit/one', { type: 'fake' })
  failing.failWhen = ALWAYS
  const asked = { id: 'one', verb: 'read', path: '../a', token: undefined } as const
  const from = { remoteAddress: '127.0.0.1', remotePort: 1 }
  const refusal = new Failure('bad_request', 'relative paths not supported')
  await rejects(auditRefused(core.core, { ...asked, ...from }, refusal), { code: 'audit_failed' })
})
