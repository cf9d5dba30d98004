import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { remoteStore } from '../../test/support/remote-store.ts'
import { type TestCore, testCore } from '../../test/support/test-core.ts'
import { memoryStore } from '../storage/memory.ts'

const quota = ({ ask }: TestCore, name: string, body: Record<string, unknown>) =>
  ask('write', `sys/quotas/lease-count/${name}`, body)
const counter = async ({ ask }: TestCore, name: string) =>
  (await ask('read', `sys/quotas/lease-count/${name}`)).body.data!['counter']
const make = ({ ask }: TestCore, more: Record<string, unknown> = {}, path = 'create') =>
  ask('write', `auth/token/${path}`, { policies: ['default'], ttl: '1h', ...more })

/** Logs in as a role without a secret. */
async function role(core: TestCore, name: string) {
  await core.ask('write', `auth/approle/role/${name}`, {
    bind_secret_id: false,
    secret_id_bound_cidrs: '127.0.0.1/8',
    token_ttl: '1h',
  })
  const { body } = await core.ask('read', `auth/approle/role/${name}/role-id`)
  return () => core.ask('write', 'auth/approle/login', { role_id: body.data!['role_id'] })
}

test('one token too many is refused with 429, and one that ends makes room', async () => {
  const core = await testCore()
  equal((await quota(core, 'tokens', { path: 'auth/token', max_leases: 2 })).status, 204)
  const first = await make(core)
  equal((await make(core)).status, 200)
  const refused = await make(core)
  equal(refused.status, 429)
  const told = 'request path "auth/token/create": lease count quota exceeded'
  deepEqual(refused.body, { errors: [told] })
  equal(await counter(core, 'tokens'), 2)
  const { accessor } = first.body['auth'] as { accessor: string }
  await core.ask('write', 'auth/token/revoke-accessor', { accessor })
  equal((await make(core)).status, 200)
  equal((await make(core)).status, 429)
  core.clock.advance(3_600_001)
  await core.core.expiry.pass()
  equal(await counter(core, 'tokens'), 0)
  equal((await make(core)).status, 200)
})

test('what is refused leaves nothing: no token, no count', async () => {
  const core = await testCore()
  await quota(core, 'tokens', { path: 'auth/token/', max_leases: 1 })
  await make(core)
  const before = (await core.ask('list', 'auth/token/accessors')).body.data!['keys']
  equal((await make(core)).status, 429)
  deepEqual((await core.ask('list', 'auth/token/accessors')).body.data!['keys'], before)
  equal(await counter(core, 'tokens'), 1)
})

test('what there is already counts, children go with their parent', async () => {
  const core = await testCore()
  const parent = (await make(core, { policies: ['root'] })).body['auth'] as { client_token: string }
  const { client_token: token } = parent
  await core.ask('write', 'auth/token/create', { policies: ['default'], ttl: 60 }, { token })
  await quota(core, 'all', { max_leases: 100 })
  equal(await counter(core, 'all'), 2)
  await core.ask('write', 'auth/token/revoke', { token })
  equal(await counter(core, 'all'), 0)
})

test('root tokens, batch tokens and wrapping tokens do not count', async () => {
  const core = await testCore()
  await quota(core, 'all', { max_leases: 1 })
  equal((await make(core, { ttl: 0, policies: ['root'] })).status, 200)
  equal((await make(core, { type: 'batch' })).status, 200)
  await core.ask('write', 'secret/data/x', { data: { a: 1 } })
  const wrapped = await core.ask('read', 'secret/data/x', {}, { wrapTtlSeconds: 60 })
  ok(wrapped.body['wrap_info'])
  equal(await counter(core, 'all'), 0)
})

test('the most specific quota decides, and all count', async () => {
  const core = await testCore()
  const login = await role(core, 'app')
  await quota(core, 'all', { max_leases: 1 })
  await quota(core, 'logins', { path: 'auth/approle/', max_leases: 3 })
  for (let i = 0; i < 3; i++) equal((await login()).status, 200)
  equal((await login()).status, 429)
  deepEqual([await counter(core, 'all'), await counter(core, 'logins')], [3, 3])
  equal((await make(core)).status, 429)
  await quota(core, 'path', { path: 'auth/approle/login', max_leases: 4 })
  equal((await login()).status, 200)
  equal((await login()).status, 429)
  equal((await core.ask('read', 'sys/mounts')).status, 200)
})

test('a namespace has its own, and those below it when it says so', async () => {
  const core = await testCore()
  await core.ask('write', 'sys/namespaces/team')
  await core.ask('write', 'sys/namespaces/sub', {}, { namespace: 'team' })
  const inside = (namespace: string) =>
    core.ask('write', 'auth/token/create', { policies: ['default'], ttl: 60 }, { namespace })
  await quota(core, 'team', { path: 'team/', max_leases: 1 })
  equal((await inside('team/')).status, 200)
  equal((await inside('team/')).status, 429)
  equal((await inside('team/sub/')).status, 200)
  equal((await quota(core, 'team', { inheritable: true })).status, 204)
  equal(await counter(core, 'team'), 2)
  equal((await inside('team/sub/')).status, 429)
})

test('of fifty at once, on two processes, so many get a token as there is room for', async () => {
  const core = await testCore({ store: remoteStore(memoryStore()) })
  await quota(core, 'tokens', { path: 'auth/token/', max_leases: 7 })
  const other = await core.sibling()
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, i) => make(i % 2 === 0 ? core : other)),
  )
  const statuses = all.map(({ status }) => status)
  equal(statuses.filter((status) => status === 200).length, 7)
  equal(statuses.filter((status) => status === 429).length, 43)
  equal(await counter(core, 'tokens'), 7)
})

test('quotas are listed, read, changed and deleted', async () => {
  const core = await testCore()
  await quota(core, 'b', { path: 'secret', max_leases: 5 })
  await quota(core, 'a', { max_leases: 6 })
  deepEqual((await core.ask('list', 'sys/quotas/lease-count')).body.data, { keys: ['a', 'b'] })
  deepEqual((await core.ask('read', 'sys/quotas/lease-count/b')).body.data, {
    name: 'b',
    path: 'secret/',
    type: 'lease-count',
    role: '',
    max_leases: 5,
    counter: 0,
    inheritable: false,
  })
  equal((await core.ask('delete', 'sys/quotas/lease-count/b')).status, 204)
  equal((await core.ask('read', 'sys/quotas/lease-count/b')).status, 404)
  equal((await core.ask('delete', 'sys/quotas/lease-count/b')).status, 204)
})

test('a quota that cannot be is refused', async () => {
  const core = await testCore()
  await quota(core, 'all', { max_leases: 6 })
  for (const body of [
    {},
    { max_leases: 0 },
    { max_leases: -1 },
    { max_leases: 'many' },
    { max_leases: 1e15 },
    { max_leases: 1, path: 'nowhere/' },
    { max_leases: 1, path: 'a*b' },
    { max_leases: 1, path: '' },
    { max_leases: 1, path: 'secret/', inheritable: true },
    { max_leases: 1, path: 'auth/approle/', role: 'app' },
    { max_leases: 1, path: 'secret/', type: 'rate-limit' },
  ]) {
    equal((await quota(core, 'x', body)).status, 400, JSON.stringify(body))
  }
})
