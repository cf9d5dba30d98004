/** What is served is tried again and again; what is found is told, and set right when asked. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type House, rotationHouse } from '../../../test/support/rotation-house.ts'

const order = (house: House, data = {}) =>
  house.ask('write', 'sys/coffer/rotate/reconcile/fake/static-creds/app', data)

async function declared(more = {}) {
  const house = await rotationHouse()
  await house.declare('app', { drift: 60, ...more })
  await house.pass(2)
  return house
}

test('a password that was changed behind our back is told of within one interval', async () => {
  const house = await declared()
  equal((await house.entry('app')).drift.state, 'in_sync')
  house.target.setPassword('app_a', 'somebody-elses')
  await house.pass(61)
  equal((await house.entry('app')).drift.state, 'target_changed')
  equal(house.events.filter((each) => each === 'rotation.drift static-creds/app 1').length, 1)
  ok(house.logs.some((each) => each.includes('target_changed')))
  await house.pass(200)
  equal(house.events.filter((each) => each.startsWith('rotation.drift')).length, 1, 'once')

  const { status, body } = await order(house)
  deepEqual([status, body.data?.['drift'], body.data?.['trouble']], [200, 'in_sync', ''])
  const { username, password } = await house.served('app')
  ok(house.target.login(username, password))
})

test('a target that is away is told apart from one that has changed', async () => {
  const house = await declared()
  house.target.switchOff(true)
  await house.pass(61)
  equal((await house.entry('app')).drift.state, 'target_down')
  const { body } = await order(house)
  match(String(body.data?.['trouble']), /nobody is there/)
  house.target.switchOff(false)
  await house.pass(61)
  equal((await house.entry('app')).drift.state, 'in_sync')
})

test('what somebody has set there is adopted only if it logs in', async () => {
  const house = await declared()
  house.target.setPassword('app_a', 'set-by-hand')
  const wrong = await order(house, { adopt: { password: 'not-this-one' } })
  match(String(wrong.body.data?.['trouble']), /the given credential does not work/)
  ok(!wrong.text.includes('not-this-one'))
  const { body } = await order(house, { adopt: { password: 'set-by-hand' } })
  deepEqual([body.data?.['generation'], body.data?.['drift']], [2, 'in_sync'])
  equal((await house.served('app')).password, 'set-by-hand')
  ok(
    (await house.entry('app')).spent.some(({ number }) => number === 1),
    'the old one is remembered',
  )
})

test('a credential that was imported is served as it is, and tried at once', async () => {
  const house = await rotationHouse()
  house.target.setPassword('app_a', 'brought-along')
  await house.declare('app', { skip_rotation: true, username: 'app_a', password: 'brought-along' })
  equal((await house.served('app')).password, 'brought-along')
  await house.pass(2)
  equal((await house.entry('app')).drift.state, 'in_sync')
  await house.declare('web', { skip_rotation: true, username: 'web_a', password: 'wrong' })
  await house.pass(2)
  equal((await house.entry('web')).drift.state, 'target_changed')
})

test('drift is looked for while a rotation waits for holders, too', async () => {
  const house = await declared({ reader_hold: 90_000 })
  await house.served('app')
  await house.ask('write', 'fake/rotate-role/app')
  house.target.setPassword('app_b', 'somebody-elses')
  await house.pass(65)
  const { state, drift } = await house.entry('app')
  deepEqual([state, drift.state], ['DRAINING', 'target_changed'])
})
