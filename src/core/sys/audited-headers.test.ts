/** Which headers the audit log shows, and that a token is never among what it shows in clear. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'

const BASE = 'sys/config/auditing/request-headers'

test('config/auditing/request-headers is read, changed and deleted', async () => {
  const { ask } = await testCore()
  const headers = async () => (await ask('read', BASE)).body.data!['headers'] as object
  deepEqual(Object.keys(await headers()), ['correlation-id', 'user-agent', 'x-correlation-id'])
  const missing = await ask('read', `${BASE}/x-mine`)
  deepEqual([missing.status, missing.body.errors], [400, ['Could not find header in config']])
  equal((await ask('write', `${BASE}/no header`)).status, 400)
  equal((await ask('write', `${BASE}/X-Mine`, { hmac: true })).status, 204)
  deepEqual((await ask('read', `${BASE}/x-MINE`)).body.data, { 'x-mine': { hmac: true } })
  equal((await ask('delete', `${BASE}/User-Agent`)).status, 204)
  deepEqual(Object.keys(await headers()), ['correlation-id', 'x-correlation-id', 'x-mine'])
})

test('audit entries show what was asked for, and tokens only as HMACs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-headers-'))
  try {
    const file = join(folder, 'audit.log')
    const { ask, root } = await testCore()
    await ask('write', 'sys/audit/file', { type: 'file', options: { file_path: file } })
    const secret = ['x-vault-token', 'authorization', 'cookie', 'x-vault-inline-auth-parameter-1']
    for (const name of [...secret, 'x-mine']) await ask('write', `${BASE}/${name}`, { hmac: false })
    await ask('write', `${BASE}/x-hidden`, { hmac: true })
    const sent = { 'X-Vault-Token': root, Authorization: `Bearer ${root}`, Cookie: root }
    await ask(
      'read',
      'sys/mounts',
      {},
      {
        headers: {
          ...sent,
          'X-Vault-Inline-Auth-Parameter-1': root,
          'User-Agent': 'tester "1"',
          'X-Mine': 'a',
          'x-mine': 'b',
          'X-Hidden': 'value',
          'X-Other': 'other',
        },
      },
    )
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    ok(!lines.at(-1)!.includes(root))
    const { request } = JSON.parse(lines.at(-2)!) as {
      request: { headers: object; client_token: string }
    }
    const { 'x-hidden': hidden, ...shown } = request.headers as Record<string, string[]>
    ok(hidden![0]!.startsWith('hmac-sha256:'))
    for (const name of secret) ok(shown[name]![0]!.startsWith('hmac-sha256:'), name)
    equal(shown['x-vault-token']![0], request.client_token)
    deepEqual(shown['user-agent'], ['tester "1"'])
    deepEqual(shown['x-mine'], ['a', 'b'])
    deepEqual(shown['x-other'], undefined)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
