import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/support/test-core.ts'
import { type Answered, type Asked, createLeaseCache, type Renewable } from './lease-cache.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const answerOf = (body: unknown): Answered => ({
  status: 200,
  headers: JSON_TYPE,
  body: Buffer.from(JSON.stringify(body)),
})
const askedOf = (path: string, token = 't1', body = ''): Asked => ({
  ...{ method: 'GET', target: `/v1/${path}`, token, namespace: '' },
  body: Buffer.from(body),
})
const lease = (id: string) => answerOf({ lease_id: id, lease_duration: 100, data: {} })
const renewable = (seconds: number) =>
  answerOf({ lease_id: 'l', lease_duration: seconds, renewable: true, data: {} })
const settled = () => new Promise((resolve) => setImmediate(resolve))

function house(answer: (tries: number) => Answered | 'away' = () => 'away') {
  const clock = fakeClock()
  const renewals: string[] = []
  const renew = async ({ token, leaseId, made, namespace }: Renewable) => {
    renewals.push([token, leaseId, made, namespace].join(' '))
    const told = answer(renewals.length)
    if (told === 'away') throw new Error('away')
    return told
  }
  const cache = createLeaseCache({ clock, renew, random: () => 0 })
  const pass = async (seconds: number) => {
    clock.advance(seconds * 1000)
    await settled()
  }
  let sent = 0
  const ask = async (asked: Asked, answer: Answered) => {
    const { hit } = await cache.ask(asked, async () => {
      sent++
      return answer
    })
    return hit
  }
  return { clock, cache, ask, sent: () => sent, pass, renewals }
}

test('a lease is renewed at two thirds of its life, until it comes back shorter', async () => {
  const { ask, pass, renewals } = house((tries) => renewable(tries < 3 ? 100 : 50))
  const creds = askedOf('database/creds/app')
  await ask(creds, renewable(100))
  await pass(66)
  deepEqual(renewals, [])
  await pass(1)
  deepEqual(renewals, ['t1 l  '])
  await pass(67)
  await pass(67)
  equal(renewals.length, 3)
  equal(await ask(creds, lease('other')), true, 'kept long past its first life')
  await pass(44)
  equal(await ask(creds, lease('other')), true)
  await pass(2)
  deepEqual([renewals.length, await ask(creds, lease('other'))], [3, false])
})

test('a renewal that nobody answers is tried again, and one that is refused ends what was kept', async () => {
  const away = house((tries) => (tries === 1 ? 'away' : { ...renewable(100), status: 503 }))
  await away.ask(askedOf('a'), renewable(100))
  for (const [seconds, tries] of [
    [67, 1],
    [10, 2],
    [10, 3],
  ] as const) {
    await away.pass(seconds)
    equal(away.renewals.length, tries)
  }
  equal(await away.ask(askedOf('a'), lease('x')), true)
  await away.pass(4)
  equal(await away.ask(askedOf('a'), lease('x')), false)
  const gone = house(() => ({ ...answerOf({ errors: ['lease not found'] }), status: 400 }))
  await gone.ask(askedOf('a'), renewable(100))
  await gone.pass(67)
  equal(await gone.ask(askedOf('a'), lease('x')), false)
})

test('a token that was made renews itself, and what is revoked meanwhile is renewed no more', async () => {
  const made = (seconds: number) =>
    answerOf({ auth: { client_token: 'made', lease_duration: seconds, renewable: true } })
  const { ask, pass, renewals, cache } = house(() => made(100))
  await ask({ ...askedOf('auth/token/create'), namespace: 'n' }, made(100))
  await pass(67)
  deepEqual(renewals, ['t1  made n'])
  cache.clear()
  await pass(300)
  equal(renewals.length, 1)
  let dropAll = () => {}
  const late = house(() => {
    dropAll()
    return renewable(100)
  })
  dropAll = () => late.cache.clear()
  await late.ask(askedOf('a'), renewable(100))
  await late.pass(67)
  equal(await late.ask(askedOf('a'), lease('x')), false)
  await late.pass(67)
  equal(late.renewals.length, 1)
})

test('a lease is given again to the same caller until nine tenths of its life', async () => {
  const { clock, ask } = house()
  const creds = askedOf('database/creds/app')
  equal(await ask(creds, lease('l1')), false)
  clock.advance(89_000)
  equal(await ask(creds, lease('l2')), true)
  clock.advance(2_000)
  equal(await ask(creds, lease('l3')), false)
})

test('nothing is given to another token, namespace, method or body', async () => {
  const { ask } = house()
  await ask(askedOf('a'), lease('l1'))
  const others = [askedOf('a', 't2'), askedOf('a', 't1', '{}'), askedOf('b')]
  for (const other of [
    ...others,
    { ...askedOf('a'), namespace: 'x' },
    { ...askedOf('a'), method: 'PUT' },
  ]) {
    equal(await ask(other, lease('l2')), false)
  }
})

test('what has no lease, no life, few uses or is no success is asked anew', async () => {
  const { ask } = house()
  const answers = [
    answerOf({ lease_id: '', lease_duration: 100 }),
    answerOf({ lease_id: 'l', lease_duration: 0 }),
    answerOf({ auth: { client_token: 't', lease_duration: 100, num_uses: 2 } }),
    { ...lease('l'), status: 403 },
    { ...lease('l'), headers: { 'content-type': 'text/plain' } },
  ]
  for (const [i, answer] of answers.entries()) {
    deepEqual(
      [await ask(askedOf(`p${i}`), answer), await ask(askedOf(`p${i}`), answer)],
      [false, false],
    )
  }
})

test('what is asked at the same time is sent once when it is a lease', async () => {
  const { ask, sent } = house()
  const hits = await Promise.all([1, 2, 3].map(() => ask(askedOf('a'), lease('l1'))))
  deepEqual([hits, sent()], [[false, true, true], 1])
  await Promise.all([1, 2, 3].map(() => ask(askedOf('b'), answerOf({ data: {} }))))
  equal(sent(), 4)
})

test('what is revoked is forgotten', async () => {
  const { cache, ask } = house()
  const ok: Answered = { status: 204, headers: {}, body: Buffer.alloc(0) }
  const revokes: Asked[] = [
    askedOf('sys/leases/revoke', 't9', '{"lease_id":"db/creds/1"}'),
    askedOf('sys/leases/revoke-prefix/db/creds', 't9'),
    askedOf('auth/token/revoke-self', 't1'),
    askedOf('auth/token/revoke-accessor', 't9'),
  ]
  for (const revoke of revokes) {
    await ask(askedOf('a'), lease('db/creds/1'))
    equal(await ask(askedOf('a'), lease('x')), true)
    cache.heard(revoke, { ...ok, status: 403 })
    equal(await ask(askedOf('a'), lease('x')), true)
    cache.heard(revoke, ok)
    equal(await ask(askedOf('a'), lease('db/creds/1')), false, revoke.target)
  }
  cache.clear({ path: 'b' })
  equal(await ask(askedOf('a'), lease('x')), true)
  cache.clear({ path: 'a' })
  equal(await ask(askedOf('a'), lease('x')), false)
})
