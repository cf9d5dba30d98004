/** The cache on fake time: what is served, what is read, and what is believed. */
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type CacheTimes, createCache } from './cache.ts'
import { DeniedError, MissingError, NetworkError } from './errors.ts'

/** A cache over a load that the test answers; `random` 0.5 makes the jitter nothing. */
function made(t: TestContext, times: CacheTimes = {}, random = () => 0.5) {
  t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
  const asked: PromiseWithResolvers<string>[] = []
  const errors: unknown[] = []
  const load = (_key: string) => {
    const answer = Promise.withResolvers<string>()
    asked.push(answer)
    return answer.promise
  }
  const onError = (error: unknown) => void errors.push(error)
  const cache = createCache({ load, onError, random, ...times })
  const answer = async (value: string | Error) => {
    const next = asked.findLast((one) => !done.has(one))!
    done.add(next)
    if (typeof value === 'string') next.resolve(value)
    else next.reject(value)
    await settle()
  }
  const done = new Set<PromiseWithResolvers<string>>()
  /** Fills the cache. */
  const first = async (value: string) => {
    const got = cache.get('key')
    await answer(value)
    equal(await got, value)
  }
  return { cache, asked, errors, answer, first, tick: (ms: number) => t.mock.timers.tick(ms) }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((done) => setImmediate(done))
}
const away = () => new NetworkError({ hint: 'away' })

test('get() asks once for many callers', async (t) => {
  const { cache, asked, answer } = made(t)
  const all = Promise.all([cache.get('key'), cache.get('key'), cache.get('key')])
  await answer('one')
  deepEqual(await all, ['one', 'one', 'one'])
  equal(asked.length, 1)
})

test('get() serves what is a little old, and refreshes it behind the caller', async (t) => {
  const { cache, asked, answer, first, tick } = made(t, { softTtlMs: 1000, hardTtlMs: 5000 })
  await first('one')
  tick(999)
  equal(await cache.get('key'), 'one')
  equal(asked.length, 1)
  tick(1)
  equal(await cache.get('key'), 'one')
  equal(await cache.get('key'), 'one')
  equal(asked.length, 2)
  await answer('two')
  equal(await cache.get('key'), 'two')
  equal(asked.length, 2)
})

test('get() spreads refreshes by a tenth', async (t) => {
  for (const [random, soft] of [
    [0, 900],
    [1, 1100],
  ] as const) {
    t.mock.timers.reset()
    const { cache, asked, first, tick } = made(t, { softTtlMs: 1000 }, () => random)
    await first('one')
    tick(soft - 1)
    await cache.get('key')
    equal(asked.length, 1)
    tick(1)
    await cache.get('key')
    equal(asked.length, 2)
  }
})

test('get() serves nothing past the hard ttl', async (t) => {
  const { cache, answer, first, tick } = made(t, { softTtlMs: 1000, hardTtlMs: 5000 })
  await first('one')
  tick(5000)
  const late = rejects(cache.get('key'), NetworkError)
  await answer(away())
  await late
  const again = cache.get('key')
  await answer('two')
  equal(await again, 'two')
})

test('get() serves on while the server is away, tries less and less often, and tells it once', async (t) => {
  const { cache, asked, errors, answer, first, tick } = made(t, { softTtlMs: 1000 })
  await first('one')
  tick(1000)
  for (const wait of [1500, 3000, 6000]) {
    const before = asked.length
    equal(await cache.get('key'), 'one')
    equal(asked.length, before + 1)
    await answer(away())
    tick(wait - 1)
    await cache.get('key')
    equal(asked.length, before + 1)
    tick(1)
  }
  equal(errors.length, 1)
  await cache.get('key')
  await answer('two')
  equal(await cache.get('key'), 'two')
})

test('get() believes "missing" and "denied" for a short time, and serves nothing old then', async (t) => {
  for (const error of [new MissingError({}), new DeniedError({})]) {
    t.mock.timers.reset()
    const { cache, asked, answer, first, tick } = made(t, { softTtlMs: 1000, negativeTtlMs: 500 })
    await first('one')
    tick(1000)
    await cache.get('key')
    await answer(error)
    await rejects(cache.get('key'), error)
    equal(asked.length, 2)
    tick(500)
    const later = cache.get('key')
    await answer('two')
    equal(await later, 'two')
  }
})

test('refreshNow() is not content with a read that was under way', async (t) => {
  const { cache, asked, answer } = made(t)
  const slow = cache.get('key')
  const fresh = Promise.all([cache.refreshNow('key'), cache.refreshNow('key')])
  await answer('before the change')
  equal(await slow, 'before the change')
  equal(asked.length, 2)
  await answer('after it')
  deepEqual(await fresh, ['after it', 'after it'])
  equal(await cache.get('key'), 'after it')
})

test('refreshNow() reads although "missing" is still believed', async (t) => {
  const { cache, answer } = made(t)
  const none = rejects(cache.get('key'), MissingError)
  await answer(new MissingError({}))
  await none
  const now = cache.refreshNow('key')
  await answer('made meanwhile')
  equal(await now, 'made meanwhile')
  equal(await cache.get('key'), 'made meanwhile')
})

test('one caller who gives up does not end the read of the others', async (t) => {
  const { cache, answer } = made(t)
  const gaveUp = new AbortController()
  const first = cache.get('key', { signal: gaveUp.signal })
  const second = cache.get('key')
  gaveUp.abort(new Error('enough'))
  await rejects(first, /enough/)
  await answer('one')
  equal(await second, 'one')
})
