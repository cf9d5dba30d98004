import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { rotateWhenDue } from './keys.ts'
import { testCore } from '../../../test/support/test-core.ts'

test('rotate asks for sudo', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/policies/acl/most', {
    policy: 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }',
  })
  const { body } = await ask('write', 'auth/token/create', { policies: ['most'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  equal((await ask('write', 'sys/rotate', {}, { token })).status, 403)
  equal((await ask('read', 'sys/key-status', {}, { token })).body.data!['term'], 1)
})

test('rotate/config refuses what would wear a key out', async () => {
  const { ask } = await testCore()
  for (const [data, text] of [
    [{ max_operations: 999_999 }, /^max_operations must be in the range/],
    [{ max_operations: 3_865_470_567 }, /^max_operations must be in the range/],
    [{ interval: '1h' }, /^interval must be 0/],
    [{ interval: -5 }, /^Field validation failed/],
  ] as const) {
    const { status, body } = await ask('write', 'sys/rotate/config', data)
    equal(status, 400)
    match(body.errors![0]!, text)
  }
})

test('rotate seals with a new key and still opens the old', async () => {
  const { ask, clock } = await testCore()
  await ask('write', 'secret/data/x', { data: { a: 1 } })
  const before = await ask('read', 'sys/key-status')
  equal(before.body['term'], 1)
  equal(before.body.data!['install_time'], '2026-01-01T00:00:00Z')
  clock.advance(60_000)
  equal((await ask('write', 'sys/rotate')).status, 204)
  const after = await ask('read', 'sys/key-status')
  deepEqual(
    [after.body.data!['term'], after.body.data!['install_time']],
    [2, '2026-01-01T00:01:00Z'],
  )
  await ask('write', 'secret/data/y', { data: { b: 2 } })
  const counted = await ask('read', 'sys/key-status')
  equal(Number(counted.body.data!['encryptions']) > 0, true)
  deepEqual((await ask('read', 'secret/data/x')).body.data!['data'], { a: 1 })
  deepEqual((await ask('read', 'secret/data/y')).body.data!['data'], { b: 2 })
})

test('rotate gives everyone a key who asks at once', async () => {
  const { ask } = await testCore()
  const answers = await Promise.all(Array.from({ length: 4 }, () => ask('write', 'sys/rotate')))
  deepEqual(
    answers.map(({ status }) => status),
    [204, 204, 204, 204],
  )
  equal((await ask('read', 'sys/key-status')).body.data!['term'], 5)
})

test('rotate/config keeps what is not given', async () => {
  const { ask } = await testCore()
  equal((await ask('write', 'sys/rotate/config', { interval: '48h' })).status, 204)
  equal((await ask('write', 'sys/rotate/config', { enabled: false })).status, 204)
  deepEqual((await ask('read', 'sys/rotate/config')).body.data, {
    enabled: false,
    max_operations: 3_865_470_566,
    interval: 172_800,
  })
})

test('rotateWhenDue() rotates when the key is old, and only if that is asked for', async () => {
  const { ask, core, clock } = await testCore()
  clock.advance(72 * 3_600_000)
  equal(await rotateWhenDue(core), false)
  await ask('write', 'sys/rotate/config', { interval: '48h', enabled: false })
  equal(await rotateWhenDue(core), false)
  await ask('write', 'sys/rotate/config', { enabled: true })
  equal(await rotateWhenDue(core), true)
  equal(await rotateWhenDue(core), false)
  equal((await ask('read', 'sys/key-status')).body.data!['term'], 2)
  core.keeper.seal()
  equal(await rotateWhenDue(core), false)
})

test('rotateWhenDue() rotates when the key has sealed enough', async () => {
  const { ask, core } = await testCore()
  await ask('write', 'sys/rotate/config', { max_operations: 1_000_000 })
  const { store } = core
  const before = await core.store.get('core/usage/1')
  await store.write([{ key: 'core/usage/1', value: Buffer.from('3000000') }], {
    keys: [{ key: 'core/usage/1', revision: before!.revision }],
    ranges: [],
  })
  equal(await rotateWhenDue(core), true)
})
