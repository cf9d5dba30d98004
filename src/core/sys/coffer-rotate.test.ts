/** The endpoints of rotation: who may, where, and what goes with the mount. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { rotationHouse } from '../../../test/support/rotation-house.ts'

const DAY = 86_400_000

test('report() tells how old everything is, stale ones first, to those who may read it', async () => {
  const house = await rotationHouse()
  const { ask, clock } = house
  await ask('write', 'secret/data/old', { data: { a: 'b' } })
  await ask('write', 'secret/data/short', { data: { a: 'b' } })
  await ask('write', 'secret/metadata/short', { custom_metadata: { max_age: '24d' } })
  await ask('write', 'kv1/plain', { a: 'b' })
  clock.advance(80 * DAY)
  await house.declare('app')
  await ask('write', 'sys/coffer/rotate/config/secret/made', { kind: 'generated', field: 'p' })
  const report = async (more = {}, options = {}) => {
    const { body, status } = await ask('read', 'sys/coffer/rotate/report', more, options)
    if (status !== 200) return []
    const { entries } = body.data as { entries: { path: string; state: string; age: number }[] }
    return entries.map(({ path, state }) => `${path} ${state}`)
  }
  deepEqual(await report(), [
    'secret/short stale',
    'kv1/plain unknown',
    'secret/old due',
    'secret/made ok',
    'fake/static-creds/app ok',
  ])
  deepEqual(await report({ max_age: '30d', prefix: 'secret/' }), [
    'secret/old stale',
    'secret/short stale',
    'secret/made ok',
  ])
  await ask('write', 'sys/policies/acl/few', {
    policy:
      'path "sys/coffer/rotate/report" { capabilities = ["read"] } path "secret/metadata/*" { capabilities = ["list"] } path "secret/metadata/old" { capabilities = ["read"] }',
  })
  const { body } = await ask('write', 'auth/token/create', { policies: ['few'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  deepEqual(await report({}, { token }), ['secret/old due'])
})

test('what the policy of a path does not grant is refused', async () => {
  const house = await rotationHouse()
  const { ask } = house
  await house.declare('app')
  await ask('write', 'sys/policies/acl/look', {
    policy: 'path "sys/coffer/rotate/status/fake/*" { capabilities = ["read"] }',
  })
  const { body } = await ask('write', 'auth/token/create', { policies: ['look'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  equal(
    (await ask('read', 'sys/coffer/rotate/status/fake/static-creds/app', {}, { token })).status,
    200,
  )
  for (const act of ['now', 'hold', 'release', 'rollback', 'reconcile', 'activate', 'config']) {
    const path = `sys/coffer/rotate/${act}/fake/static-creds/app`
    equal((await ask('write', path, { because: 'x' }, { token })).status, 403, act)
  }
  equal(
    (await ask('read', 'sys/coffer/rotate/plan/fake/static-creds/app', {}, { token })).status,
    403,
  )
})

test('a rotation belongs to its namespace', async () => {
  const house = await rotationHouse()
  const { ask } = house
  for (const name of ['a', 'c']) await ask('write', `sys/namespaces/${name}`)
  await ask(
    'write',
    'sys/mounts/secret',
    { type: 'kv', options: { version: '2' } },
    { namespace: 'a' },
  )
  const path = 'sys/coffer/rotate/config/secret/app'
  const made = await ask(
    'write',
    path,
    { kind: 'generated', field: 'p', period: '1h' },
    { namespace: 'a' },
  )
  equal(made.status, 204, made.text)
  deepEqual((await ask('list', 'sys/coffer/rotate', {}, { namespace: 'a' })).body.data?.['keys'], [
    'secret/app',
  ])
  equal((await ask('list', 'sys/coffer/rotate')).status, 404)
  equal((await ask('list', 'sys/coffer/rotate', {}, { namespace: 'c' })).status, 404)
  const version = async () => {
    const { body } = await ask('read', 'secret/data/app', {}, { namespace: 'a' })
    return (body.data as { metadata: { version: number } }).metadata.version
  }
  equal(await version(), 1)
  house.clock.advance(3_601_000)
  await house.pass(3)
  equal(await version(), 2, 'and rotates by itself')
})

test('a mount that goes takes its rotations along, and one that moves keeps them', async () => {
  const house = await rotationHouse()
  const { ask, target } = house
  await house.declare('app')
  equal((await ask('write', 'sys/remount', { from: 'fake', to: 'moved' })).status, 200)
  equal((await ask('read', 'sys/coffer/rotate/status/moved/static-creds/app')).status, 200)
  equal((await ask('delete', 'sys/mounts/moved')).status, 204)
  house.clock.advance(1_000_000)
  await house.pass(3)
  equal(await house.core.rotation.ask.entry(undefined, 'x'), undefined)
  deepEqual((await ask('list', 'sys/coffer/rotate')).status, 404)
  ok(target.statements.length > 0)
})

test('a role that is deleted is taken away on the target, and may come again', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  await house.served('app')
  equal((await house.ask('delete', 'fake/static-roles/app')).status, 204)
  deepEqual(house.target.users(), [])
  equal((await house.ask('read', 'sys/coffer/rotate/status/fake/static-creds/app')).status, 404)
  await house.declare('app')
  equal((await house.entry('app')).current?.number, 1)
})

test('a role that is deleted while its target is away is given up on after some tries', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  house.target.switchOff(true)
  equal((await house.ask('delete', 'fake/static-roles/app')).status, 204)
  equal((await house.ask('write', 'fake/static-roles/app')).status, 409, 'still being retired')
  for (let i = 0; i < 10; i++) {
    house.clock.advance(301_000)
    await house.settle()
  }
  ok(house.logs.some((each) => each.includes('given up to retire')))
  house.target.switchOff(false)
  await house.declare('app')
})

test('now waits for what it was told to wait for', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const path = 'sys/coffer/rotate/now/fake/static-creds/app'
  const soon = await house.ask('write', path, { wait: 'none' })
  equal(soon.body.data?.['generation'], 1)
  await house.pass(20)
  equal((await house.entry('app')).state, 'IDLE')
  const waiting = house.ask('write', path, { wait: 'revoked' })
  for (let i = 0; i < 30; i++) {
    for (let j = 0; j < 40; j++) await new Promise((go) => setImmediate(go))
    house.clock.advance(1_000)
  }
  const { body } = await waiting
  deepEqual(
    [body.data?.['state'], body.data?.['generation'], body.data?.['previous_generation']],
    ['IDLE', 3, 0],
  )
})
