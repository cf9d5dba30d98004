/** When a rotation comes by itself: not early, not late, and not twice. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { rotationHouse, ways } from '../../../test/support/rotation-house.ts'
import { systemRandom } from '../../lib/random.ts'
import { checkTiming } from './orders.ts'
import { retryPause, rulesOf, windowMissed } from './timing.ts'

const HOUR = 3_600

test('checkTiming() refuses what cannot be', () => {
  throws(() => checkTiming({ periodSeconds: 60, schedule: '0 3 * * *' }), /not both/)
  throws(() => checkTiming({ periodSeconds: 0 }), /1s or more/)
  throws(() => checkTiming({ schedule: 'soon' }), /five fields/)
  throws(() => checkTiming({ windowSeconds: 60 }), /needs a schedule/)
  checkTiming({ schedule: '0 3 * * SAT', windowSeconds: HOUR })
})

test('rulesOf() leaves a short period room for what must come in it', () => {
  const { quietSeconds, undoWindowSeconds } = rulesOf({}, { periodSeconds: 10 })
  ok(quietSeconds + undoWindowSeconds < 10)
  equal(rulesOf({}, {}).quietSeconds, 60)
  equal(rulesOf({ quietSeconds: 7 }, { periodSeconds: 10 }).quietSeconds, 7)
})

test('retryPause() grows from ten seconds to five minutes, never quite the same', () => {
  for (const [failures, most] of [
    [1, 10],
    [2, 20],
    [5, 160],
    [6, 300],
    [50, 300],
  ] as const) {
    const pause = retryPause(failures, systemRandom) / 1000
    ok(pause <= most && pause >= most * 0.8, `${failures}: ${pause}`)
  }
})

test('windowMissed() counts from the time of the schedule', () => {
  const timing = { schedule: '0 3 * * *', windowSeconds: HOUR }
  const at = Date.UTC(2026, 0, 1, 3)
  equal(windowMissed(timing, at, at + HOUR * 1000), false)
  equal(windowMissed(timing, at, at + HOUR * 1000 + 1), true)
  equal(windowMissed({ periodSeconds: 60 }, at, at + 1e9), false)
})

test('a period rotates when it is over, and missed ones do not pile up', async () => {
  const house = await rotationHouse()
  await house.declare('app', { rotation_period: '1h', quiet: 1, undo_window: 1 })
  house.clock.advance((HOUR - 1) * 1000)
  await house.settle()
  equal((await house.entry('app')).current?.number, 1, 'not early')
  await house.pass(2)
  equal((await house.entry('app')).current?.number, 2)
  await house.pass(20)
  house.clock.advance(10 * HOUR * 1000)
  await house.pass(30)
  const { current, nextAt } = await house.entry('app')
  equal(current?.number, 3, 'one for all that were missed')
  ok(nextAt! > house.clock.now() + (HOUR - 60) * 1000)
})

test('a restart rotates nothing early', async () => {
  const house = await rotationHouse()
  await house.declare('app', { rotation_period: '1h' })
  house.clock.advance(1_800_000)
  const next = await house.sibling()
  next.core.expiry.stop()
  next.core.rotation.stop()
  const after = ways(next, house.mount)
  await after.pass(20)
  equal((await after.entry('app')).current?.number, 1)
  house.clock.advance(1_800_000)
  await after.pass(20)
  equal((await after.entry('app')).current?.number, 2)
})

test('a schedule rotates in its window, and waits for the next time when it has missed it', async () => {
  const house = await rotationHouse()
  await house.declare('app', { rotation_schedule: '0 3 * * *', rotation_window: '1h' })
  equal((await house.entry('app')).nextAt, Date.UTC(2026, 0, 1, 3))
  house.clock.advance(3 * HOUR * 1000)
  await house.pass(2)
  equal((await house.entry('app')).current?.number, 2)
  await house.pass(20)
  // Nobody is there at three on the second day, nor for two hours after.
  house.clock.advance(Date.UTC(2026, 0, 2, 5) - house.clock.now())
  await house.pass(5)
  const { current, nextAt } = await house.entry('app')
  deepEqual([current?.number, nextAt], [2, Date.UTC(2026, 0, 3, 3)])
})

test('a period that is changed counts from the last rotation', async () => {
  const house = await rotationHouse()
  await house.declare('app', { rotation_period: '10h' })
  const first = (await house.entry('app')).lastRotationAt!
  house.clock.advance(HOUR * 1000)
  await house.declare('app', { rotation_period: '2h', skip_rotation: true })
  equal((await house.entry('app')).nextAt, first + 2 * HOUR * 1000)
})

test('a rotation whose time comes while the old one is held waits, and says so', async () => {
  const house = await rotationHouse()
  await house.declare('app', { rotation_period: '5m', max_grace: 90_000, reader_hold: 90_000 })
  await house.served('app')
  await house.pass(305)
  equal((await house.entry('app')).state, 'DRAINING')
  await house.pass(310)
  const { current, held } = await house.entry('app')
  deepEqual([current?.number, held?.reason], [2, 'drain'])
})
