/** From the wish to the published credential, with everything that can go wrong on the target. */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeLogins } from '../../../test/support/fake-engine.ts'
import { type Fault } from '../../../test/support/fake-target.ts'
import { rotationHouse, ways } from '../../../test/support/rotation-house.ts'

/** Statements of a first rotation, in order. */
const STATEMENTS = ['apply', 'probe', 'verify'] as const

for (const [at, statement] of STATEMENTS.entries()) {
  for (const fault of ['before', 'after', 'down'] satisfies Fault[]) {
    test(`a rotation whose ${statement} fails (${fault}) is settled by a login`, async () => {
      const house = await rotationHouse()
      house.target.breakAt(at + 1, fault)
      await house.declare('app').catch(() => {})
      await house.pass(90)
      const { state, current, candidate } = await house.entry('app')
      deepEqual([state, current?.number, candidate], ['IDLE', 1, undefined])
      const { username, password } = await house.served('app')
      ok(house.target.login(username, password))
      ok(house.target.statements.filter((each) => each === 'apply').length <= 2)
    })
  }
}

test('a lost reply is no failure: the candidate is not applied twice', async () => {
  const house = await rotationHouse()
  house.target.breakAt(1, 'after')
  await house.declare('app')
  deepEqual(house.target.statements, ['apply', 'probe', 'verify'])
})

test('a statement that is not answered in time is waited for before anything else is sent', async () => {
  const house = await rotationHouse()
  house.target.breakAt(1, 'slow')
  const declared = house.declare('app').catch((error: Error) => error.message)
  for (let i = 0; i < 100; i++) await new Promise((go) => setImmediate(go))
  house.clock.advance(30_000)
  match(String(await declared), /500 .*the target has not answered in time/)
  const before = house.target.statements.length
  await house.pass(29)
  equal(house.target.statements.length, before, 'it may still be done')
  await house.pass(40)
  equal((await house.entry('app')).current?.number, 1)
})

test('a target that refuses every try keeps what is served, and the rotation is held', async () => {
  const broken = { now: false }
  const house = await rotationHouse({
    kind: (target) => {
      const kind = fakeLogins(target)
      const apply: typeof kind.apply = async (...args) => {
        if (!broken.now) return kind.apply(...args)
        target.statements.push('apply')
        throw new Error(`no: ${String(args[1]['password'])}`)
      }
      return { ...kind, apply }
    },
  })
  await house.declare('app')
  const old = await house.served('app')
  broken.now = true
  const { status, body } = await house.ask('write', 'fake/rotate-role/app')
  equal(status, 500)
  match(
    body.errors![0]!,
    /"fake\/static-creds\/app" is not rotated yet: no: \[secret\]; it is tried/,
  )
  await house.pass(120)
  const entry = await house.entry('app')
  deepEqual([entry.state, entry.held?.reason, entry.current?.number], ['IDLE', 'apply', 1])
  equal(house.target.statements.filter((each) => each === 'apply').length, 1 + 2 * 3)
  equal(house.target.statements.filter((each) => each === 'discard').length, 2)
  ok(house.target.login(old.username, old.password))
  await house.pass(600)
  equal(
    house.target.statements.filter((each) => each === 'apply').length,
    7,
    'it waits for a person',
  )

  broken.now = false
  await house.ask('write', 'sys/coffer/rotate/release/fake/static-creds/app', { because: 'mended' })
  await house.pass(5)
  notEqual((await house.entry('app')).current?.number, 1)
})

test('a candidate that an endpoint refuses is given up, and the target forgets it', async () => {
  const house = await rotationHouse({
    kind: (target) => ({
      ...fakeLogins(target),
      verify: async () => ({ outcome: 'refused', why: 'the replica does not know it' }),
    }),
  })
  await house.declare('app').catch(() => {})
  await house.pass(400)
  const entry = await house.entry('app')
  deepEqual([entry.state, entry.held?.reason, entry.current], ['IDLE', 'verify', undefined])
  ok(house.target.isLocked('app_a'))
})

test('a process that takes over asks the target, and does not believe what it does not know', async () => {
  const house = await rotationHouse()
  house.target.breakAt(2, 'down')
  await house.declare('app').catch(() => {})
  const { state, candidate } = await house.entry('app')
  equal(state, 'APPLYING')
  const next = await house.sibling()
  next.core.expiry.stop()
  next.core.rotation.stop()
  house.clock.advance(16_000)
  const after = ways(next, house.mount)
  await after.pass(150)
  const entry = await after.entry('app')
  equal(entry.current?.number, candidate?.number, 'the same candidate')
  equal(
    house.target.statements.filter((each) => each === 'apply').length,
    1,
    'it was there already',
  )
})

test('a process that has lost the duty changes nothing any more', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const next = await house.sibling()
  next.core.expiry.stop()
  next.core.rotation.stop()
  house.clock.advance(16_000)
  // The other one has something to do, so it takes the duty.
  await ways(next, house.mount).pass(1_000)
  equal((await next.ask('write', 'sys/coffer/rotate/now/fake/static-creds/app')).status, 200)
  const { step } = await house.entry('app')
  await house.core.rotation.pass()
  equal((await house.entry('app')).step, step)
})

test('fifty who ask at once get one rotation', async () => {
  const house = await rotationHouse()
  await house.declare('app')
  const path = 'sys/coffer/rotate/now/fake/static-creds/app'
  const all = await Promise.all(Array.from({ length: 50 }, () => house.ask('write', path)))
  equal((await house.entry('app')).current?.number, 2)
  ok(all.some(({ status }) => status === 200))
  ok(all.every(({ status }) => status === 200 || status === 409))
})

test('what no endpoint has proven is never served', async () => {
  const house = await rotationHouse({
    kind: (target) => ({
      ...fakeLogins(target),
      verify: async () => ({ outcome: 'unreachable', why: 'the replica is away' }),
    }),
  })
  await house.declare('app').catch(() => {})
  await house.pass(1_000)
  const { state, current, trouble } = await house.entry('app')
  deepEqual([state, current, trouble], ['VERIFYING', undefined, 'the replica is away'])
  equal((await house.ask('read', 'fake/static-creds/app')).status, 404)
})

test('what somebody orders while a step is under way is not overwritten by its outcome', async () => {
  const during = { act: async () => {} }
  const house = await rotationHouse({
    kind: (target) => {
      const kind = fakeLogins(target)
      const apply: typeof kind.apply = async (...args) => {
        await during.act()
        return kind.apply(...args)
      }
      return { ...kind, apply }
    },
  })
  await house.declare('app')
  const path = 'sys/coffer/rotate/hold/fake/static-creds/app'
  during.act = async () => {
    during.act = async () => {}
    // Not waited for: it wants to tell how the step has ended.
    void house.ask('write', path, { because: 'stop' })
    for (let i = 0; i < 50; i++) await new Promise((go) => setImmediate(go))
  }
  const { text } = await house.ask('write', 'fake/rotate-role/app')
  match(text, /is not rotated yet: .*it is on hold/)
  await house.pass(60)
  const { state, held, current } = await house.entry('app')
  deepEqual([state, held?.note, current?.number], ['APPLYING', 'stop', 1])
  await house.ask('write', 'sys/coffer/rotate/release/fake/static-creds/app', { because: 'go' })
  await house.pass(10)
  equal((await house.entry('app')).current?.number, 2)
})

test('a step that ends after the duty has gone to another is not kept', async () => {
  const during = { act: async () => {} }
  const house = await rotationHouse({
    kind: (target) => {
      const kind = fakeLogins(target)
      const apply: typeof kind.apply = async (...args) => {
        const act = during.act
        during.act = async () => {}
        await act()
        return kind.apply(...args)
      }
      return { ...kind, apply }
    },
  })
  await house.declare('app')
  const next = await house.sibling()
  next.core.expiry.stop()
  next.core.rotation.stop()
  during.act = async () => {
    house.clock.advance(16_000)
    await next.core.rotation.pass()
  }
  void house.ask('write', 'fake/rotate-role/app')
  for (let i = 0; i < 200; i++) await new Promise((go) => setImmediate(go))
  equal((await house.entry('app')).state, 'APPLYING', 'the other one decides what comes of it')
  await ways(next, house.mount).pass(60)
  const { current } = await house.entry('app')
  equal(current?.number, 2)
})

test('whoever does not wait long enough is told how it stands, and it goes on', async () => {
  const slow = { advance: (_ms: number) => {} }
  const house = await rotationHouse({
    kind: (target) => {
      const kind = fakeLogins(target)
      const apply: typeof kind.apply = (...args) => {
        slow.advance(2_000)
        return kind.apply(...args)
      }
      return { ...kind, apply }
    },
  })
  await house.declare('app')
  const now = 'sys/coffer/rotate/now/fake/static-creds/app'
  for (const [generation, wait] of [
    [2, 'published'],
    [3, 'revoked'],
  ] as const) {
    const { status, body } = await house.ask('write', now, { timeout: 0, wait })
    deepEqual([status, body.data?.['path']], [200, 'fake/static-creds/app'], wait)
    await house.pass(600)
    equal((await house.entry('app')).current?.number, generation)
  }

  slow.advance = (ms) => house.clock.advance(ms)
  const { status, body } = await house.ask('write', now, { timeout: 1 })
  equal(status, 504)
  match(body.errors![0]!, /is not rotated yet: it has come to \w+ so far; it goes on by itself$/)
  await house.pass(1)
  equal((await house.entry('app')).current?.number, 4)
})
