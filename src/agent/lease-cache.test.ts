import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/support/test-core.ts'
import { type Answered, type Asked, createLeaseCache } from './lease-cache.ts'

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

function house() {
  const clock = fakeClock()
  const cache = createLeaseCache(clock)
  let sent = 0
  const ask = async (asked: Asked, answer: Answered) => {
    const { hit } = await cache.ask(asked, async () => {
      sent++
      return answer
    })
    return hit
  }
  return { clock, cache, ask, sent: () => sent }
}

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
