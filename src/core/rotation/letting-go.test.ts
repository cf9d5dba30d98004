/** The old credential goes when it has been let go, and comes back when it is missed. */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeLogins } from '../../../test/support/fake-engine.ts'
import { type House, rotationHouse } from '../../../test/support/rotation-house.ts'

const PATH = 'fake/static-creds/app'

async function rotated(more: Record<string, unknown> = {}) {
  const house = await rotationHouse()
  await house.declare('app', more)
  const old = await house.served('app', { 'X-Coffer-Instance': 'web-1', 'X-Coffer-App': 'web' })
  equal((await house.ask('write', 'fake/rotate-role/app')).status, 204)
  const works = () => house.target.login(old.username, old.password)
  return { ...house, old, works }
}

const ack = (house: House, state: string, generation: number, more = {}) =>
  house.ask('write', 'sys/coffer/ack', {
    path: PATH,
    state,
    generation,
    instance: 'web-1',
    ...more,
  })

const order = (house: House, what: string, data = {}) =>
  house.ask('write', `sys/coffer/rotate/${what}/${PATH}`, data)

const status = async (house: House) =>
  (await house.ask('read', `sys/coffer/rotate/status/${PATH}`)).body.data as Record<
    string,
    never
  > & {
    holders: { name: string; state: string; blocks: boolean; kind: string }[]
  }

test('a client holds the old credential until it says that its pool is drained', async () => {
  const house = await rotated()
  for (let i = 0; i < 8; i++) {
    await house.pass(20)
    equal((await ack(house, 'applied', 2)).status, 204)
  }
  ok(house.works(), 'it may still use the old one')
  equal((await house.entry('app')).state, 'DRAINING')
  await ack(house, 'drained', 2)
  await house.pass(7)
  equal((await house.entry('app')).state, 'SOFT_REVOKED')
  await house.pass(8)
  equal((await house.entry('app')).state, 'IDLE')
  ok(!house.works())
})

test('a client that has stopped reporting still counts as long as a reader would', async () => {
  const house = await rotated({ reader_hold: 300 })
  await house.pass(250)
  ok(house.works())
  equal((await status(house)).holders[0]?.state, 'lapsed')
  await house.pass(100)
  ok(!house.works())
})

test('laggards are told of by name, once, and never revoked by time', async () => {
  const house = await rotated({ max_grace: 30, reader_hold: 90_000 })
  await house.pass(35)
  const { state, hold_reason, hold_note } = await status(house)
  deepEqual([state, hold_reason], ['HELD', 'drain'])
  match(String(hold_note), /generation 1 is held by client web web-1 \(127\.0\.0\.1\)/)
  equal(house.events.filter((each) => each.startsWith('rotation.held')).length, 1)
  equal(house.logs.filter((each) => each.includes('web-1')).length, 1)
  for (let i = 0; i < 20; i++) {
    house.clock.advance(3_000_000)
    await ack(house, 'applied', 2)
    await house.settle()
  }
  ok(house.works())
})

test('release lets the old one go although it is held, and says why', async () => {
  const house = await rotated()
  equal((await order(house, 'release')).status, 400, 'because is missing')
  equal((await order(house, 'release', { because: 'web-1 is gone' })).status, 200)
  await house.pass(12)
  const { state, history } = await house.entry('app')
  equal(state, 'IDLE')
  ok(history.some(({ note }) => note.includes('web-1 is gone')))
})

test('a nack undoes the soft revocation', async () => {
  const house = await rotated()
  await ack(house, 'drained', 2)
  await house.pass(7)
  ok(!house.works(), 'softly revoked')
  await ack(house, 'nack', 2, { reason: 'permission denied for table users' })
  await house.pass(2)
  ok(house.works())
  const entry = await house.entry('app')
  deepEqual([entry.state, entry.held?.reason], ['DRAINING', 'nack'])
  await house.pass(60)
  ok(house.works(), 'and it stays so')
  await ack(house, 'drained', 2)
  await house.pass(15)
  equal((await house.entry('app')).state, 'IDLE')
})

test('somebody whom nobody knew of is missed by a refused login, within two seconds', async () => {
  const house = await rotated({ undo_window: 60 })
  await ack(house, 'drained', 2)
  await house.pass(10)
  ok(!house.works(), 'this is the hidden one')
  await house.pass(2)
  ok(house.works())
  const entry = await house.entry('app')
  deepEqual([entry.state, entry.held?.reason], ['DRAINING', 'refused'])
  await house.pass(600)
  ok(house.works(), 'until a person says what that was')
  await order(house, 'release', { because: 'a forgotten cron job, now ended' })
  await house.pass(70)
  equal((await house.entry('app')).state, 'IDLE')
})

test('open sessions hold the old one, and are shown though nobody has registered them', async () => {
  const house = await rotated()
  const session = house.target.connect({ user: 'app_a', application: 'psql', address: '10.0.0.9' })
  await ack(house, 'drained', 2)
  await house.pass(30)
  ok(house.works())
  const shown = (await status(house)).holders.find(({ kind }) => kind === 'session')
  deepEqual([shown?.name, shown?.state, shown?.blocks], ['psql', 'unregistered', true])
  house.target.disconnect(session.id)
  await house.pass(20)
  equal((await house.entry('app')).state, 'IDLE')
})

test('a session of a client that has let go keeps nobody waiting, however it calls itself', async () => {
  const house = await rotated()
  const connect = (application: string) =>
    house.target.connect({ user: 'app_a', application, address: '10.0.0.9:4711' })
  const shown = async () =>
    (await status(house)).holders
      .filter(({ kind }) => kind === 'session')
      .map(({ name, state, blocks }) => [name, state, blocks])
  const own = connect('coffer:web:web-1')
  connect('web-1')
  const [app, other] = [connect('web'), connect('coffer:web:web-2')]
  const both = [
    ['coffer:web:web-1', 'connected'],
    ['web-1', 'connected'],
  ]
  await ack(house, 'applied', 2)
  deepEqual(await shown(), [
    ...both.map((each) => [...each, true]),
    ['web', 'connected', true],
    ['coffer:web:web-2', 'unregistered', true],
  ])
  await ack(house, 'drained', 2)
  deepEqual((await shown()).slice(0, 2), [...both.map((each) => [...each, false])])
  await house.pass(30)
  equal((await house.entry('app')).state, 'DRAINING', 'held by those that are somebody else')
  house.target.disconnect(app.id)
  house.target.disconnect(other.id)
  await house.pass(20)
  equal((await house.entry('app')).state, 'IDLE')
  ok(
    house.target.sessions('app_a').some(({ id }) => id === own.id),
    'nobody has ended it',
  )
})

test('a reader holds until its token has ended', async () => {
  const house = await rotationHouse()
  await house.declare('app', { reader_hold: 100_000 })
  await house.ask('write', 'sys/policies/acl/app', {
    policy: 'path "fake/*" { capabilities = ["read"] }',
  })
  const made = await house.ask('write', 'auth/token/create', { policies: ['app'], ttl: '60s' })
  const token = (made.body['auth'] as { client_token: string }).client_token
  const { body } = await house.ask('read', PATH, {}, { token })
  await house.ask('write', 'fake/rotate-role/app')
  const { username, password } = body.data as { username: string; password: string }
  await house.pass(50)
  ok(house.target.login(username, password))
  await house.pass(40)
  ok(!house.target.login(username, password))
})

test('a held rotation goes nowhere until it is released', async () => {
  const house = await rotated()
  await ack(house, 'drained', 2)
  await order(house, 'hold', { because: 'release day' })
  await house.pass(100)
  equal((await house.entry('app')).state, 'DRAINING')
  const refused = await house.ask('write', 'fake/rotate-role/app')
  deepEqual(
    [refused.status, refused.body.errors],
    [409, ['the rotation is on hold: release day; release it first']],
  )
  await order(house, 'release', { because: 'over' })
  await house.pass(15)
  equal((await house.entry('app')).state, 'IDLE')
})

test('a hold undoes a soft revocation', async () => {
  const house = await rotated({ undo_window: 100 })
  await ack(house, 'drained', 2)
  await house.pass(8)
  ok(!house.target.passwordsOf('app_a').length || house.target.isLocked('app_a'))
  await order(house, 'hold', { because: 'wait' })
  await house.pass(3)
  ok(!house.target.isLocked('app_a'))
})

test('a rollback serves the old one again, and lets the new one go as carefully', async () => {
  const house = await rotated({ undo_window: 60 })
  const next = await house.served('app')
  await ack(house, 'drained', 2)
  await house.pass(8)
  equal((await house.entry('app')).state, 'SOFT_REVOKED')
  const { status: told } = await order(house, 'rollback')
  equal(told, 200)
  deepEqual(await house.served('app'), house.old)
  ok(house.works())
  ok(house.target.login(next.username, next.password), 'web-1 holds it')
  await house.pass(3)
  await ack(house, 'drained', 1)
  await house.pass(80)
  const entry = await house.entry('app')
  deepEqual([entry.state, entry.current?.number, entry.previous], ['IDLE', 1, undefined])
  ok(!house.target.login(next.username, next.password))
  equal((await order(house, 'rollback')).status, 400, 'nothing is left to go back to')
  equal((await house.ask('write', 'fake/rotate-role/app')).status, 204)
  equal((await house.entry('app')).current?.number, 3, 'no number is used twice')
})

test('an emergency waits so long and no longer, and ends the sessions', async () => {
  const house = await rotated({ reader_hold: 90_000 })
  house.target.connect({ user: 'app_a', application: 'psql', address: '10.0.0.9' })
  const { body } = await house.ask('read', `sys/coffer/rotate/plan/${PATH}`)
  const cuts = (body.data as { emergency_cuts: string[] }).emergency_cuts
  ok(
    cuts.some((each) => each.includes('web-1')) && cuts.some((each) => each.includes('psql')),
    'told before',
  )
  const asked = await order(house, 'now', { emergency: true, grace: 10, wait: 'none' })
  equal(asked.status, 200)
  await house.pass(8)
  ok(house.works())
  await house.pass(4)
  ok(!house.works())
  equal(house.target.sessions('app_a').length, 0)
  await house.pass(15)
  const entry = await house.entry('app')
  deepEqual(
    [entry.state, entry.current?.number, entry.emergency],
    ['IDLE', 3, undefined],
    'and rotates',
  )
  notEqual((await house.served('app')).password, house.old.password)
})

test('readers whose token has ended are forgotten, and those who live are not', async () => {
  const house = await rotationHouse()
  await house.declare('app', { drift: 60, reader_hold: 90_000 })
  await house.ask('write', 'sys/policies/acl/app', {
    policy: 'path "fake/*" { capabilities = ["read"] }',
  })
  for (const ttl of ['30s', '30s', '10h']) {
    const made = await house.ask('write', 'auth/token/create', { policies: ['app'], ttl })
    const { client_token: token } = made.body['auth'] as { client_token: string }
    await house.ask('read', PATH, {}, { token })
  }
  equal((await status(house)).holders.length, 3)
  await house.pass(130)
  equal((await status(house)).holders.length, 1)
})

for (const after of [4_000, 5_000, 6_000]) {
  test(`a holder that appears at the last moment is seen by the transaction (${after} ms)`, async () => {
    const late = { act: async () => {} }
    const house = await rotationHouse({
      kind: (target) => {
        const kind = fakeLogins(target)
        const sessions: typeof kind.sessions = async (...args) => {
          await late.act()
          return kind.sessions!(...args)
        }
        return { ...kind, sessions }
      },
    })
    await house.declare('app')
    equal((await house.ask('write', 'fake/rotate-role/app')).status, 204)
    const from = house.clock.now()
    // The holders have been looked at when the sessions are asked for.
    late.act = async () => {
      if (house.clock.now() < from + after) return
      await ack(house, 'applied', 2, { instance: 'late-1' })
    }
    for (let i = 0; i < 20; i++) {
      await house.pass(1)
      ok(!house.target.isLocked('app_a'))
    }
    const { state, history } = await house.entry('app')
    equal(state, 'DRAINING')
    ok(!history.some((line) => line.state === 'SOFT_REVOKED'), 'not even for a moment')
  })
}
