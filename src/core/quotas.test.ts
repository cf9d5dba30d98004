import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { remoteStore } from '../../test/support/remote-store.ts'
import { type TestCore, testCore } from '../../test/support/test-core.ts'
import { readFileSync, rmSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore } from '../storage/memory.ts'

const HERE = { remoteAddress: '10.0.0.1' }

const quota = ({ ask }: TestCore, name: string, body: Record<string, unknown>) =>
  ask('write', `sys/quotas/rate-limit/${name}`, body)

/** How many of `times` requests are not refused by a rate limit. */
async function through(
  { ask }: TestCore,
  path: string,
  { times = 10, verb = 'read', data = {}, ...asked }: Record<string, unknown> = {},
): Promise<number> {
  let count = 0
  for (let i = 0; i < (times as number); i++) {
    const options = { ...HERE, ...asked }
    const { status } = await ask(verb as 'read', path, data as Record<string, unknown>, options)
    if (status !== 429) count++
  }
  return count
}

test('a request too many is refused with 429, before anybody asks who it is', async () => {
  const core = await testCore()
  await core.ask('write', 'secret/data/x', { data: { a: 1 } })
  equal((await quota(core, 'all', { rate: 3 })).status, 204)
  for (const [i, token] of [core.root, undefined, 'hvs.wrong'].entries()) {
    const address = `10.1.0.${i}`
    equal(await through(core, 'secret/data/x', { token, remoteAddress: address }), 3)
  }
  equal(await through(core, 'nowhere/at/all', { remoteAddress: '10.2.0.1' }), 3)
  equal(await through(core, 'sys/mounts', { help: true, remoteAddress: '10.2.0.2' }), 3)
  equal(await through(core, 'sys/health', { token: undefined, remoteAddress: '10.2.0.3' }), 10)
  const refused = await core.ask('read', 'nowhere/at/all', {}, { remoteAddress: '10.2.0.1' })
  deepEqual(refused.body, { errors: ['request path "nowhere/at/all": rate limit quota exceeded'] })
  core.clock.advance(1000)
  equal(await through(core, 'secret/data/x', { remoteAddress: '10.2.0.1' }), 3)
})

test('of fifty at once those are let through that the rate allows, done again or not', async () => {
  const core = await testCore({ store: remoteStore(memoryStore()) })
  await quota(core, 'all', { path: 'secret/', rate: 20 })
  const all = Array.from({ length: 50 }, (_, i) =>
    core.ask('write', 'secret/data/same', { data: { i } }, HERE),
  )
  const statuses = (await Promise.all(all)).map(({ status }) => status)
  equal(statuses.filter((status) => status === 429).length, 30)
  equal(statuses.filter((status) => status === 200).length, 20)
})

test('the most specific quota counts, and it alone', async () => {
  const core = await testCore()
  await core.ask('write', 'auth/approle/role/web', {})
  await core.ask('write', 'auth/approle/role/db', {})
  const roleId = async (name: string) =>
    (await core.ask('read', `auth/approle/role/${name}/role-id`)).body.data!['role_id']
  const [web, db] = [await roleId('web'), await roleId('db')]
  await core.ask('write', 'sys/namespaces/team')
  await core.ask('write', 'sys/namespaces/team/sub')
  for (const [name, body] of [
    ['mount', { path: 'secret', rate: 2 }],
    ['glob', { path: 'secret/data/a*', rate: 3 }],
    ['longer', { path: 'secret/data/app/*', rate: 4 }],
    ['exact', { path: 'secret/data/app/db', rate: 5 }],
    ['login', { path: 'auth/approle/', rate: 6 }],
    ['role', { path: 'auth/approle/', role: 'web', rate: 7 }],
    ['team', { path: 'team/', rate: 8 }],
    // Last, as it counts for this as well.
    ['all', { rate: 1 }],
  ] as const) {
    equal((await quota(core, name, body)).status, 204, name)
  }
  const logIn = (role_id: unknown) => ({ verb: 'write', data: { role_id, secret_id: 'x' } })
  for (const [path, expected, asked] of [
    ['kv1/x', 1, {}],
    ['secret/data/x', 2, {}],
    ['secret/metadata/x', 0, {}],
    ['secret/data/ab', 3, {}],
    ['secret/data/app/x', 4, {}],
    ['secret/data/app/db', 5, {}],
    ['auth/approle/login', 7, logIn(web)],
    ['auth/approle/login', 6, logIn(db)],
    ['auth/approle/login', 0, logIn('nobody')],
    ['team/sys/mounts', 8, {}],
    ['team/sub/sys/mounts', 0, {}],
  ] as const) {
    equal(await through(core, path, asked), expected, path)
  }
  await quota(core, 'team', { rate: 8, inheritable: true })
  equal(await through(core, 'team/sub/sys/mounts'), 8)
  equal(await through(core, 'team/sys/mounts'), 0)
})

test('headers tell what is left, when they are wanted', async () => {
  const core = await testCore()
  await quota(core, 'all', { path: 'secret/', rate: 2, interval: '1m' })
  const get = () => core.ask('read', 'secret/data/x', {}, HERE)
  deepEqual((await get()).headers, {})
  await core.ask('write', 'sys/quotas/config', { enable_rate_limit_response_headers: true })
  deepEqual((await get()).headers, {
    'X-Ratelimit-Limit': '2',
    'X-Ratelimit-Remaining': '0',
    'X-Ratelimit-Reset': '60',
  })
  const refused = await get()
  equal(refused.status, 429)
  equal(refused.headers['Retry-After'], '30')
})

test('who asks too often is blocked where a block is set, and a change of the quota ends it', async () => {
  const core = await testCore()
  const body = { path: 'secret/', rate: 2, block_interval: 60 }
  await quota(core, 'all', body)
  equal(await through(core, 'secret/data/x'), 2)
  core.clock.advance(59_000)
  equal(await through(core, 'secret/data/x'), 0)
  await quota(core, 'all', body)
  equal(await through(core, 'secret/data/x'), 2)
  await core.ask('delete', 'sys/quotas/rate-limit/all')
  equal(await through(core, 'secret/data/x'), 10)
})

test('exempt paths are not counted, and what operators need never is', async () => {
  const core = await testCore()
  await core.ask('write', 'sys/quotas/config', {
    rate_limit_exempt_paths: ['secret/data/free/*', 'kv1/free'],
    absolute_rate_limit_exempt_paths: 'kv1/absolute',
  })
  await quota(core, 'all', { rate: 1 })
  for (const path of ['secret/data/free/x', 'kv1/free', 'kv1/absolute', 'sys/seal-status']) {
    equal(await through(core, path), 10, path)
  }
  equal(await through(core, 'kv1/freedom'), 1)
})

test('a refused request is in the audit log only when that is wanted', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-quota-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const core = await testCore()
  const file_path = join(folder, 'audit.log')
  await core.ask('write', 'sys/audit/file', { type: 'file', options: { file_path } })
  await quota(core, 'all', { path: 'secret/', rate: 1 })
  const lines = () => readFileSync(file_path, 'utf8').split('\n').length
  await through(core, 'secret/data/x', { times: 1 })
  const before = lines()
  equal(await through(core, 'secret/data/x'), 0)
  equal(lines(), before)
  await core.ask('write', 'sys/quotas/config', { enable_rate_limit_audit_logging: true })
  const then = lines()
  equal(await through(core, 'secret/data/x', { times: 1 }), 0)
  equal(lines(), then + 2)
})

test('sys/quotas refuses limits that limit nothing, or everything', async () => {
  const core = await testCore()
  for (const bad of [
    {},
    { rate: 0 },
    { rate: -1 },
    { rate: 1e9 },
    { rate: '1e9' },
    { rate: '0' },
    { rate: 'NaN' },
    { rate: 'Infinity' },
    { rate: Number.NaN },
    { rate: Number.POSITIVE_INFINITY },
    { rate: [1] },
    { rate: true },
    { rate: '' },
    { rate: 1, interval: 0 },
    { rate: 1, interval: -1 },
    { rate: 1, interval: '100000h' },
    { rate: 1, block_interval: -1 },
    { rate: 1, path: 'nowhere/' },
    { rate: 1, path: '/secret' },
    { rate: 1, path: 'secret//x' },
    { rate: 1, path: 'se*cret/' },
    { rate: 1, path: '*' },
    { rate: 1, path: `secret/${'x'.repeat(600)}` },
    { rate: 1, path: 'secret/', role: 'r' },
    { rate: 1, path: 'secret/', inheritable: true },
    { rate: 1, type: 'lease-count' },
  ]) {
    equal((await quota(core, 'q', bad)).status, 400, JSON.stringify(bad))
  }
  equal((await core.ask('read', 'sys/quotas/rate-limit/q')).status, 404)
  equal((await core.ask('list', 'sys/quotas/rate-limit')).status, 404)
})

test('sys/quotas reads back what was written, with its defaults', async () => {
  const core = await testCore()
  const { ask } = core
  const body = { path: 'secret', rate: '10.5', interval: '1m', type: 'rate-limit' }
  equal((await quota(core, 'q', body)).status, 204)
  deepEqual((await ask('read', 'sys/quotas/rate-limit/q')).body.data, {
    name: 'q',
    path: 'secret/',
    role: '',
    type: 'rate-limit',
    rate: 10.5,
    interval: 60,
    block_interval: 0,
    inheritable: false,
  })
  equal((await quota(core, 'again', { path: 'secret/', rate: 1 })).status, 400)
  equal((await quota(core, 'q', { rate: 2 })).status, 204)
  const { data } = (await ask('read', 'sys/quotas/rate-limit/q')).body
  deepEqual([data!['rate'], data!['interval'], data!['path']], [2, 60, 'secret/'])
  await quota(core, 'server', { rate: 100 })
  equal((await ask('read', 'sys/quotas/rate-limit/server')).body.data!['inheritable'], true)
  deepEqual((await ask('list', 'sys/quotas/rate-limit')).body.data, { keys: ['q', 'server'] })
  deepEqual((await ask('read', 'sys/quotas/config')).body.data, {
    rate_limit_exempt_paths: [],
    absolute_rate_limit_exempt_paths: [],
    enable_rate_limit_audit_logging: false,
    enable_rate_limit_response_headers: false,
  })
  await ask('write', 'sys/namespaces/team')
  const inside = await ask('read', 'sys/quotas/config', {}, { namespace: 'team' })
  ok(inside.status === 400)
})
