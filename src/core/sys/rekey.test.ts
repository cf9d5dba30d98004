import { deepEqual, equal, match, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { type Answered, type TestCore, testCore } from '../../../test/support/test-core.ts'
import { type AuditDevice } from '../../kit/audit-device.ts'

const nobody = { token: undefined }
const wrongKey = 'ab'.repeat(32)

const post = ({ ask }: TestCore, path: string, data: Record<string, unknown> = {}) =>
  ask('write', `sys/${path}`, data, nobody)

async function start(core: TestCore, more: Record<string, unknown> = {}, base = 'rekey') {
  const answer = await post(core, `${base}/init`, {
    secret_shares: 3,
    secret_threshold: 2,
    ...more,
  })
  equal(answer.status, 200)
  return answer.body['nonce'] as string
}

/** A server with three unseal keys, two of which open it. */
async function threeKeys(): Promise<TestCore & { keys: string[] }> {
  const core = await testCore()
  const nonce = await start(core)
  const done = await post(core, 'rekey/update', { nonce, key: core.unsealKeys[0] })
  return { ...core, keys: done.body['keys'] as string[] }
}

const refused = ({ status, body }: Answered) => [status, body.errors?.[0]]

async function opensWith({ core, ask }: TestCore, keys: readonly string[]): Promise<boolean> {
  if (core.keeper.space) equal((await ask('write', 'sys/seal')).status, 204)
  await core.keeper.forgetShares()
  for (const key of keys) await ask('write', 'sys/unseal', { key }, nobody)
  return core.keeper.space !== undefined
}

test('rekey refuses splits that could not be put together and what it cannot encrypt', async () => {
  const core = await testCore()
  for (const [data, text] of [
    [{}, 'invalid rekey seal configuration: shares must be at least one'],
    [
      { secret_shares: 2, secret_threshold: 3 },
      'invalid rekey seal configuration: threshold cannot be larger than shares',
    ],
    [
      { secret_shares: 1, secret_threshold: 1, pgp_keys: 'x' },
      'pgp_keys: encrypting keys with PGP is not supported by this build',
    ],
    [
      { secret_shares: 1, secret_threshold: 1, backup: true },
      'cannot request a backup of the new keys without providing PGP keys for encryption',
    ],
  ] as const) {
    deepEqual(refused(await post(core, 'rekey/init', data)), [400, text])
  }
  deepEqual(refused(await post(core, 'rekey-recovery-key/init', { secret_shares: 1 })), [
    400,
    'recovery rekeying not supported',
  ])
  deepEqual(refused(await post(core, 'rekey/update', { key: wrongKey, nonce: 'x' })), [
    400,
    'no barrier rekey in progress',
  ])
  deepEqual(refused(await post(core, 'rekey/verify', { key: wrongKey, nonce: 'x' })), [
    400,
    'no rekey verification in progress',
  ])
  deepEqual(refused(await core.ask('read', 'sys/rekey/backup')), [400, 'no backed-up keys found'])
})

test('rekey refuses a second start, a wrong nonce, the same key twice and what is no key', async () => {
  const core = await threeKeys()
  const nonce = await start(core)
  const again = { secret_shares: 1, secret_threshold: 1 }
  deepEqual(refused(await post(core, 'rekey/init', again)), [400, 'rekey already in progress'])
  const [key] = core.keys
  deepEqual(refused(await post(core, 'rekey/update', { key, nonce: 'x' })), [
    400,
    `incorrect nonce supplied; nonce for this rekey operation is "${nonce}"`,
  ])
  equal((await post(core, 'rekey/update', { nonce })).status, 400)
  equal((await post(core, 'rekey/update', { nonce, key: 'short' })).status, 400)
  equal((await post(core, 'rekey/update', { key, nonce })).body['progress'], 1)
  deepEqual(refused(await post(core, 'rekey/update', { key, nonce })), [
    400,
    'given key has already been provided during this rekey operation',
  ])
})

test('rekey refuses keys that do not fit, and changes nothing', async () => {
  const core = await threeKeys()
  const nonce = await start(core)
  const [one, two] = core.keys
  await post(core, 'rekey/update', { key: one, nonce })
  const wrong = await post(core, 'rekey/update', { key: `${'ab'.repeat(32)}07`, nonce })
  match(wrong.body.errors![0]!, /^rekey failed: the keys do not fit/)
  const status = await core.ask('read', 'sys/rekey/init', {}, nobody)
  deepEqual([status.body['started'], status.body['progress']], [true, 0])
  equal(await opensWith(core, [one!, two!]), true)
})

test('rekey is cancelled by its nonce before a key was given, and by sudo later', async () => {
  const core = await threeKeys()
  const cancel = async (data: object, as: object = nobody) =>
    (await core.ask('delete', 'sys/rekey/init', { ...data }, as)).status
  equal(await cancel({}), 204)
  const first = await start(core)
  equal(await cancel({}), 403)
  equal(await cancel({ nonce: 'x' }), 403)
  equal(await cancel({}, { token: 'hvs.nope' }), 403)
  equal(await cancel({ nonce: first }), 204)
  const nonce = await start(core)
  await post(core, 'rekey/update', { key: core.keys[0], nonce })
  equal(await cancel({ nonce }), 403)
  await core.ask('write', 'sys/policies/acl/most', {
    policy: 'path "sys/rekey/*" { capabilities = ["read", "update", "delete"] }',
  })
  const { body } = await core.ask('write', 'auth/token/create', { policies: ['most'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  equal(await cancel({ nonce }, { token }), 403)
  equal(await cancel({}, { token: core.root }), 204)
  equal((await core.ask('read', 'sys/rekey/init', {}, nobody)).body['started'], false)
})

test('rekey completes while others try to cancel it', async () => {
  const core = await threeKeys()
  const nonce = await start(core)
  for (const key of core.keys.slice(0, 2)) {
    const cancels = Array.from({ length: 100 }, () =>
      core.ask('delete', 'sys/rekey/init', {}, nobody),
    )
    const [given] = await Promise.all([post(core, 'rekey/update', { key, nonce }), ...cancels])
    equal(given.status, 200)
  }
  equal((await core.ask('read', 'sys/rekey/init', {}, nobody)).body['started'], false)
})

test('rekey lapses when nobody goes on with it, and when the server is sealed', async () => {
  const core = await threeKeys()
  const started = async () => (await core.ask('read', 'sys/rekey/init', {}, nobody)).body['started']
  await start(core)
  core.clock.advance(599_000)
  equal(await started(), true)
  core.clock.advance(2000)
  equal(await started(), false)
  await start(core)
  equal(await opensWith(core, core.keys.slice(1)), true)
  equal(await started(), false)
})

test('rekey replaces the keys: new ones open, old ones do not', async () => {
  const core = await testCore()
  const before = await core.ask('read', 'sys/rekey/init', {}, nobody)
  deepEqual(before.body, {
    nonce: '',
    started: false,
    t: 0,
    n: 0,
    progress: 0,
    required: 1,
    pgp_fingerprints: null,
    backup: false,
    verification_required: false,
  } as never)
  const nonce = await start(core)
  const done = await post(core, 'rekey/update', { nonce, key: core.unsealKeys[0] })
  deepEqual([done.body['complete'], done.body['nonce']], [true, nonce])
  const keys = done.body['keys'] as string[]
  deepEqual(
    done.body['keys_base64'],
    keys.map((key) => Buffer.from(key, 'hex').toString('base64')),
  )
  await core.ask('write', 'secret/data/x', { data: { a: 1 } })
  equal(await opensWith(core, [core.unsealKeys[0]!]), false)
  equal(await opensWith(core, [keys[2]!, keys[0]!]), true)
  deepEqual((await core.ask('read', 'secret/data/x')).body.data!['data'], { a: 1 })
  const status = await core.ask('read', 'sys/seal-status', {}, nobody)
  deepEqual([status.body['n'], status.body['t']], [3, 2])
})

test('rekey gives its new keys to one of many who bring the last share', async () => {
  const core = await threeKeys()
  const nonce = await start(core)
  await post(core, 'rekey/update', { key: core.keys[0], nonce })
  const answers = await Promise.all(
    core.keys.slice(1).map((key) => post(core, 'rekey/update', { key, nonce })),
  )
  equal(answers.filter(({ body }) => body['complete'] === true).length, 1)
})

test('rekey with verification waits for the new keys', async () => {
  const core = await threeKeys()
  const nonce = await start(core, { require_verification: true })
  await post(core, 'rekey/update', { key: core.keys[0], nonce })
  const done = await post(core, 'rekey/update', { key: core.keys[1], nonce })
  const verification = done.body['verification_nonce'] as string
  const fresh = done.body['keys'] as string[]
  match(
    (await post(core, 'rekey/update', { key: core.keys[2], nonce })).text,
    /wait to be verified/,
  )
  const wrong = [fresh[0], core.keys[0]]
  for (const key of wrong) await post(core, 'rekey/verify', { key, nonce: verification })
  const status = await core.ask('read', 'sys/rekey/verify', {}, nobody)
  deepEqual(status.body, { nonce: verification, started: true, t: 2, n: 3, progress: 0 } as never)

  equal((await core.ask('delete', 'sys/rekey/verify', {}, nobody)).status, 403)
  const anew = await core.ask('delete', 'sys/rekey/verify')
  notEqual(anew.body['nonce'], verification)
  const next = { nonce: anew.body['nonce'] as string }
  equal((await post(core, 'rekey/verify', { ...next, key: fresh[0] })).body['progress'], 1)
  const last = await post(core, 'rekey/verify', { ...next, key: fresh[2] })
  deepEqual(last.body, { nonce: next.nonce, complete: true } as never)
  equal(await opensWith(core, core.keys.slice(0, 2)), false)
  await core.ask('write', 'sys/unseal', { reset: true }, nobody)
  equal(await opensWith(core, fresh.slice(0, 2)), true)
})

test('rekey without verification keeps the old keys until then', async () => {
  const core = await threeKeys()
  const nonce = await start(core, { require_verification: true })
  for (const key of core.keys.slice(0, 2)) await post(core, 'rekey/update', { key, nonce })
  equal(await opensWith(core, core.keys.slice(0, 2)), true)
})

test('rekey puts the old seal back when its answer cannot be audited', async () => {
  let left = Infinity
  const device: AuditDevice = {
    write() {
      if (left-- <= 0) throw new Error('disk full')
    },
    reopen() {},
    close() {},
  }
  const core = await testCore({ auditTypes: [{ type: 'test', open: () => device }] })
  await core.ask('write', 'sys/audit/a', { type: 'test' })
  const nonce = await start(core)
  left = 1
  const lost = await post(core, 'rekey/update', { nonce, key: core.unsealKeys[0] })
  equal(lost.status, 500)
  left = Infinity
  await new Promise((done) => setImmediate(() => setImmediate(done)))
  equal(await opensWith(core, core.unsealKeys), true)
})

test('rekey-recovery-key makes new recovery keys for a seal that opens by itself', async () => {
  const staticKeys = [{ id: 'k1', key: Buffer.alloc(32, 7) }]
  const core = await testCore({ staticKeys })
  match((await post(core, 'rekey/init', { secret_shares: 1 })).text, /opens by itself/)
  const nonce = await start(core, {}, 'rekey-recovery-key')
  const wrong = await post(core, 'rekey-recovery-key/update', { nonce, key: wrongKey })
  match(wrong.body.errors![0]!, /^rekey failed/)
  const key = core.unsealKeys[0]
  const done = await post(core, 'rekey-recovery-key/update', { nonce, key })
  equal(done.body['complete'], true)
  const next = await start(core, {}, 'rekey-recovery-key')
  for (const given of (done.body['keys'] as string[]).slice(1)) {
    await post(core, 'rekey-recovery-key/update', { nonce: next, key: given })
  }
  const status = await core.ask('read', 'sys/rekey-recovery-key/init', {}, nobody)
  deepEqual([status.body['started'], status.body['required']], [false, 2])
  core.core.keeper.seal()
  equal(await core.core.keeper.openItself(), true)
})
