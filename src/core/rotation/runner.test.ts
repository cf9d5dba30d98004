/** Rotations from end to end, on the fake clock and a fake target that does what it is told. */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { rotationHouse } from '../../../test/support/rotation-house.ts'

test('a declared rotation is served when the request is answered', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const { username, password } = await house.served('app')
  equal(username, 'app_a')
  ok(house.target.login(username, password))
  const entry = await house.entry('app')
  equal(entry.state, 'IDLE')
  equal(entry.current?.number, 1)
  ok(house.events.includes('rotation.published static-creds/app 1'))
})

test('a second rotation keeps the first credential until nobody holds it', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const old = await house.served('app')
  equal((await house.ask('write', 'fake/rotate-role/app')).status, 204)
  ok(house.target.login(old.username, old.password), 'the root token has read it')
  await house.pass(300)
  ok(house.target.login(old.username, old.password), 'and holds it')
  equal((await house.entry('app')).held?.reason, 'drain')
  const next = await house.served('app')
  notEqual(next.username, old.username)
  await house.pass(12)
  const entry = await house.entry('app')
  equal(entry.state, 'IDLE')
  equal(entry.previous, undefined)
  ok(!house.target.login(old.username, old.password))
  ok(house.target.login(next.username, next.password))
  deepEqual(house.events.slice(-1), ['rotation.state static-creds/app 2'])
})

test('a rotation while the generation before is held is refused, and says by whom', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  await house.served('app')
  equal((await house.ask('write', 'fake/rotate-role/app')).status, 204)
  const { status, body } = await house.ask('write', 'fake/rotate-role/app')
  equal(status, 409)
  match(body.errors![0]!, /generation 1 of "fake\/static-creds\/app" is held by reader root/)
})

test('a role that is declared again is not rotated again, and is not refused while it is held', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  await house.served('app')
  await house.ask('write', 'fake/rotate-role/app')
  await house.declare('app', { rotation_period: '2h' })
  const { current, timing } = await house.entry('app')
  deepEqual([current?.number, timing.periodSeconds], [2, 7_200])
})
