/** No answer without its entry: devices that fail, devices that come back, and what was made. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { ALWAYS, fakeAudit, HEALTHY, ON_ANSWERS } from '../../test/support/fake-audit.ts'
import { testCore, type TestCore } from '../../test/support/test-core.ts'
import { type Engine, type Verb } from '../kit/engine.ts'
import { kvV2 } from '../secrets/kv/v2.ts'
import { cubbyhole } from '../secrets/cubbyhole/engine.ts'
import approle from '../auth/approle/engine.ts'
import { memoryStore } from '../storage/memory.ts'
import { type Store, StoreConflict } from '../storage/store.ts'

async function audited(options: Parameters<typeof testCore>[0] = {}) {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type], ...options })
  await t.ask('write', 'secret/data/old', { data: { a: 'old-value' } })
  const { status } = await t.ask('write', 'sys/audit/one', {
    type: 'fake',
    options: { name: 'one' },
  })
  equal(status, 204)
  return { ...t, audit }
}

type Asked = readonly [verb: Verb, path: string, data?: Record<string, unknown>, wrap?: number]
const EVERYTHING: readonly Asked[] = [
  ['write', 'secret/data/a', { data: { a: 1 } }],
  ['patch', 'secret/data/old', { data: { a: 2 } }],
  ['delete', 'secret/data/old'],
  ['delete', 'secret/metadata/old'],
  ['read', 'secret/data/old'],
  ['list', 'secret/metadata'],
  ['read', 'secret/data/old', {}, 60],
  ['write', 'sys/wrapping/wrap', { a: 1 }, 60],
  ['write', 'auth/token/create', { policies: ['default'] }],
  ['write', 'auth/token/create', { policies: ['default'] }, 60],
  ['write', 'sys/policies/acl/p', { policy: 'path "a" { capabilities = ["read"] }' }],
  ['write', 'sys/mounts/other', { type: 'kv' }],
  ['delete', 'sys/mounts/secret'],
  ['write', 'sys/auth/other', { type: 'approle' }],
  ['write', 'auth/approle/role/r', {}],
  ['write', 'auth/token/revoke-self'],
  ['write', 'sys/rotate'],
  ['delete', 'sys/audit/one'],
  ['read', 'sys/mounts'],
  ['write', 'sys/seal'],
  ['read', 'nowhere/x'],
]

test('handle() refuses everything and changes nothing when no device takes the request', async () => {
  const { ask, audit, core } = await audited()
  const before = await core.store.revision()
  audit.failWhen = ALWAYS
  for (const [verb, path, data, wrapTtlSeconds = 0] of EVERYTHING) {
    const { status, body, text } = await ask(verb, path, data ?? {}, { wrapTtlSeconds })
    equal(status, 500, path)
    deepEqual(body, { errors: ['internal error'] })
    ok(!text.includes('old-value'))
  }
  equal(await core.store.revision(), before)
  audit.failWhen = HEALTHY
  equal((await ask('read', 'secret/data/old')).status, 200)
})

test('handle() does not spend a use of a token for a request that is not audited', async () => {
  const { ask, audit } = await audited()
  const made = await ask('write', 'auth/token/create', { policies: ['default'], num_uses: 1 })
  const { client_token: token } = made.body['auth'] as Record<string, string>
  audit.failWhen = ALWAYS
  equal((await ask('read', 'auth/token/lookup-self', {}, { token })).status, 500)
  audit.failWhen = HEALTHY
  equal((await ask('read', 'auth/token/lookup-self', {}, { token })).status, 200)
  equal((await ask('read', 'auth/token/lookup-self', {}, { token })).status, 403)
})

test('handle() gives nothing and ends what was made when the answer cannot be audited', async () => {
  const { ask, audit } = await audited()
  await ask('write', 'auth/approle/role/r', { token_policies: ['default'] })
  const role = await ask('read', 'auth/approle/role/r/role-id')
  const login = async () => {
    const secret = await ask('write', 'auth/approle/role/r/secret-id')
    const { secret_id } = secret.body.data as Record<string, string>
    return { role_id: role.body.data!['role_id'], secret_id }
  }
  const wrapped = await ask('write', 'sys/wrapping/wrap', { a: 'inside' }, { wrapTtlSeconds: 60 })
  const { token: wrapping } = wrapped.body['wrap_info'] as Record<string, string>
  const making: readonly (readonly [Verb, string, Record<string, unknown>, number])[] = [
    ['write', 'auth/token/create', { policies: ['default'] }, 0],
    ['write', 'auth/token/create-orphan', {}, 0],
    ['write', 'auth/token/create', { policies: ['default'] }, 60],
    ['write', 'auth/approle/login', await login(), 0],
    ['write', 'auth/approle/login', await login(), 60],
    ['write', 'sys/wrapping/wrap', { a: 1 }, 60],
    ['read', 'secret/data/old', {}, 60],
    ['list', 'secret/metadata', {}, 60],
    ['write', 'sys/wrapping/rewrap', { token: wrapping }, 0],
  ]
  const tokens = async () =>
    (await ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]
  const before = new Set(await tokens())
  for (const [verb, path, data, wrapTtlSeconds] of making) {
    audit.failWhen = ON_ANSWERS
    const { status, body } = await ask(verb, path, data, { wrapTtlSeconds })
    equal(status, 500, path)
    deepEqual(body, { errors: ['internal error'] })
    audit.failWhen = HEALTHY
    for (const accessor of await tokens()) ok(before.has(accessor), `${path} left a token`)
  }
})

test('handle() gives nothing of a read whose answer cannot be audited', async () => {
  const { ask, audit } = await audited()
  audit.failWhen = ON_ANSWERS
  const { status, text } = await ask('read', 'secret/data/old')
  equal(status, 500)
  ok(!text.includes('old-value'))
})

test('handle() makes no root token that the log does not know of', async () => {
  const { ask, audit, unsealKeys } = await audited()
  const started = await ask('write', 'sys/generate-root/attempt', {}, { token: undefined })
  audit.failWhen = ON_ANSWERS
  const { nonce } = started.body as Record<string, unknown>
  const given = { key: unsealKeys[0], nonce }
  const ended = await ask('write', 'sys/generate-root/update', given, { token: undefined })
  equal(ended.status, 500)
  audit.failWhen = HEALTHY
  const roots = (await ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]
  equal(roots.length, 1)
})

test('handle() works while one of two devices takes its entries', async () => {
  const { ask, audit, logs } = await audited()
  await ask('write', 'sys/audit/two', { type: 'fake', options: { name: 'two' } })
  audit.failWhen = (_text, name) => name === 'one'
  equal((await ask('write', 'secret/data/a', { data: { a: 1 } })).status, 200)
  equal((await ask('read', 'secret/data/a')).status, 200)
  equal(audit.entries('two').slice(-4).length, 4)
  ok(logs.some((line) => /audit device one\/ failed: no space left/.test(line)))
})

test('handle() leaves one entry of each kind for every request, refused and failed ones too', async () => {
  const { ask, audit, core } = await audited()
  const from = audit.entries().length
  let asked = 0
  const mixed = async ([verb, path, data, wrapTtlSeconds = 0]: Asked, token?: string) => {
    if (path === 'sys/seal' || path === 'sys/audit/one' || path === 'auth/token/revoke-self') return
    asked++
    await ask(verb, path, data ?? {}, token === undefined ? { wrapTtlSeconds } : { token })
  }
  for (let round = 0; round < 3; round++) {
    await Promise.all(EVERYTHING.map((each) => mixed(each)))
    await Promise.all(EVERYTHING.map((each) => mixed(each, 'hvs.unknown')))
  }
  // The same entry, many at once: those that meet must do it again, and leave no second entry.
  await ask('write', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
  asked++
  const writes = Array.from(
    { length: 30 },
    (_, i) => ['write', 'kv/data/x', { data: { i } }] as const,
  )
  await Promise.all(writes.map((each) => mixed(each)))
  equal((await core.store.revision()) > 0, true)
  const entries = audit.entries().slice(from)
  const ids = new Map<string, string[]>()
  for (const { type, request } of entries) {
    const { id } = request as { id: string }
    ids.set(id, [...(ids.get(id) ?? []), String(type)])
  }
  equal(ids.size, asked)
  for (const types of ids.values()) deepEqual(types, ['request', 'response'])
})

/** A store where the next writes meet somebody else's. */
function contested() {
  const store = memoryStore()
  let conflicts = 0
  const wrapped: Store = Object.assign(Object.create(store) as Store, {
    write: (...given: Parameters<Store['write']>) => {
      if (conflicts === 0) return store.write(...given)
      conflicts--
      throw new StoreConflict()
    },
  })
  return { store: wrapped, conflict: (times: number) => void (conflicts = times) }
}

test('handle() audits a request that gives up because others are always first', async () => {
  const { store, conflict } = contested()
  const { ask, audit } = await audited({ store })
  const write = () => ask('write', 'secret/data/x', { data: { a: 1 } })
  for (const [times, status] of [
    [3, 200],
    [20, 503],
  ] as const) {
    const from = audit.entries().length
    conflict(times)
    equal((await write()).status, status)
    const entries = audit.entries().slice(from)
    deepEqual(
      entries.map(({ type }) => type),
      ['request', 'response'],
    )
    if (status === 503) match(String(entries[1]!['error']), /changed too often/)
  }
  conflict(20)
  audit.failWhen = ON_ANSWERS
  equal((await write()).status, 500)
})

test('handle() tells nothing of a request that was under way when the server was sealed', async () => {
  let arrived = () => {}
  let goOn = () => {}
  const there = new Promise<void>((done) => (arrived = done))
  const slow = new Promise<void>((done) => (goOn = done))
  const slowKv: Engine = {
    ...kvV2,
    endpoints: kvV2.endpoints.map((endpoint) => ({
      ...endpoint,
      ...(endpoint.read && {
        async read(call: never) {
          const answer = await endpoint.read!(call)
          arrived()
          await slow
          return answer
        },
      }),
    })) as Engine['endpoints'],
  }
  const { ask } = await audited({ engines: [cubbyhole, slowKv, approle] })
  const read = ask('read', 'secret/data/old')
  await there
  equal((await ask('write', 'sys/seal')).status, 204)
  goOn()
  const { status, text } = await read
  equal(status, 503)
  ok(!text.includes('old-value'))
})

test('auditLog() opens a device again when it is told to, and refuses until then', async () => {
  const audit = fakeAudit()
  const store = memoryStore()
  const first = await testCore({ auditTypes: [audit.type], store })
  await first.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  await first.ask('write', 'sys/seal')
  audit.closed = true
  await unseal(first)
  equal((await first.ask('read', 'sys/mounts')).status, 500)
  first.core.audit.reopen()
  equal((await first.ask('read', 'sys/mounts')).status, 500)
  audit.closed = false
  first.core.audit.reopen()
  equal((await first.ask('read', 'sys/mounts')).status, 200)
})

async function unseal({ core, unsealKeys }: TestCore): Promise<void> {
  await core.keeper.offer(Buffer.from(unsealKeys[0]!, 'hex'))
}
