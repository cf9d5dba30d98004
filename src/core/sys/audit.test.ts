import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'
import { type AuditTable, AUDIT_PATH } from '../audit.ts'
import { ownEngines } from '../own-engines.ts'

const folder = mkdtempSync(join(tmpdir(), 'audit-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `log-${++files}`)

const lines = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>)
    .filter((entry) => (entry['type'] as unknown) !== 'checkpoint')

test('enable refuses devices that could not write, and enters none of them', async () => {
  const { ask } = await testCore()
  for (const [body, text] of [
    [{}, /^unknown backend type: ""$/],
    [{ type: 'nope' }, /^unknown backend type: "nope"$/],
    [{ type: 'file' }, /^file_path is required$/],
    [
      { type: 'file', options: { file_path: join(folder, 'none/x') } },
      /^sanity check failed; unable/,
    ],
    [{ type: 'file', options: { file_path: folder } }, /^sanity check failed; unable/],
    [{ type: 'file', options: { file_path: newFile(), mode: 'rw' } }, /^mode must be/],
  ] as const) {
    const { status, body: answer } = await ask('write', 'sys/audit/a', body)
    equal(status, 400)
    match(answer.errors![0]!, text)
  }
  deepEqual((await ask('read', 'sys/audit')).body.data, {})
  equal((await ask('write', 'sys/audit', { type: 'file' })).status, 405)
})

test('enable refuses what only the configuration file may set', async () => {
  const { ask } = await testCore()
  for (const [options, text] of [
    [{ log_raw: 'true' }, /^log_raw cannot/],
    [{ log_raw: 'yes' }, /^log_raw cannot/],
    [{ prefix: '#!/bin/sh\n' }, /^prefix cannot/],
    [{ mode: '0755' }, /^mode must not/],
    [{ mode: '0610' }, /^mode must not/],
    [{ file_path: 'relative/log' }, /^file_path must be an absolute/],
    [{ file_path: `${folder}/../x` }, /^file_path must be an absolute/],
    [{ path: `${folder}/../x`, file_path: '' }, /^path must be an absolute/],
  ] as const) {
    const file = newFile()
    const { status, body } = await ask('write', 'sys/audit/a', {
      type: 'file',
      options: { file_path: file, ...options },
    })
    equal(status, 400, JSON.stringify(options))
    match(body.errors![0]!, text)
    ok(!existsSync(file))
  }
})

test('enable stays inside the audit directory where there is one', async () => {
  const { ask } = await testCore({
    ownEngines: (self) => ownEngines(self, { auditDirectory: join(folder, 'audit') }),
  })
  for (const file_path of [newFile(), join(folder, 'audit-not')]) {
    const { status, body } = await ask('write', 'sys/audit/a', {
      type: 'file',
      options: { file_path },
    })
    equal(status, 400)
    match(body.errors![0]!, /^file_path must lie in the directory/)
  }
  const stdout = { type: 'file', options: { file_path: 'discard' } }
  equal((await ask('write', 'sys/audit/a', stdout)).status, 204)
})

test('audit endpoints ask for sudo', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/policies/acl/most', {
    policy: 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }',
  })
  const { body } = await ask('write', 'auth/token/create', { policies: ['most'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  const device = { type: 'file', options: { file_path: 'discard' } }
  equal((await ask('read', 'sys/audit', {}, { token })).status, 403)
  equal((await ask('write', 'sys/audit/a', device, { token })).status, 403)
  equal((await ask('delete', 'sys/audit/a', {}, { token })).status, 403)
})

test('a device is listed, writes from its own answer on, and is removed', async () => {
  const { ask, root } = await testCore()
  const file = newFile()
  const options = { file_path: file }
  const body = { type: 'file', description: 'all', options }
  equal((await ask('write', 'sys/audit/main', body)).status, 204)
  equal(statSync(file).mode & 0o777, 0o600)
  const [trial, first] = lines(file)
  equal(trial!['request']!['operation'], 'test')
  equal(first!['type'], 'response')
  equal(first!['request']!['path'], 'sys/audit/main')
  deepEqual((await ask('write', 'sys/audit/main', body)).body.errors, ['path already in use'])
  deepEqual((await ask('write', 'sys/audit/main/deep', body)).body.errors, ['path already in use'])

  const listed = await ask('read', 'sys/audit')
  const shown = { type: 'file', path: 'main/', description: 'all', options, local: false }
  deepEqual(listed.body.data, { 'main/': shown })
  deepEqual(listed.body['main/'], shown)

  await ask('read', 'secret/data/none')
  const before = lines(file).length
  equal((await ask('delete', 'sys/audit/main')).status, 204)
  equal((await ask('delete', 'sys/audit/main')).status, 204)
  await ask('read', 'secret/data/none')
  equal(lines(file).length, before + 1)
  ok(!readFileSync(file, 'utf8').includes(root))
})

test('audit-hash refuses an unknown device and an empty value', async () => {
  const { ask } = await testCore()
  deepEqual((await ask('write', 'sys/audit-hash/x', { input: 'a' })).body.errors, [
    'unknown audit backend "x/"',
  ])
  deepEqual((await ask('write', 'sys/audit-hash/x', {})).body.errors, [
    'the "input" parameter is empty',
  ])
})

test('audit-hash gives what stands in the lines', async () => {
  const { ask, core, root } = await testCore()
  const file = newFile()
  await ask('write', 'sys/audit/main', { type: 'file', options: { file_path: file } })
  const { body } = await ask('write', 'sys/audit-hash/main', { input: root })
  const hash = body.data!['hash'] as string
  equal(body['hash'], hash)
  equal(lines(file).at(-1)!['auth']!['client_token'], hash)
  const table = await (await core.begin(false))!.get<AuditTable>(AUDIT_PATH)
  const hmac = createHmac('sha256', table!.devices[0]!.salt).update(root).digest('hex')
  equal(hash, `hmac-sha256:${hmac}`)
})
