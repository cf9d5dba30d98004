import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { RateLimiter } from './rate-limit.ts'

const RATE = { rate: 10, intervalSeconds: 1, blockSeconds: 0 }

function allowed(
  limiter: RateLimiter,
  times: number,
  at: { now: number; address?: string; rate?: Partial<typeof RATE>; quota?: string },
): number {
  let count = 0
  for (let i = 0; i < times; i++) {
    const rate = { ...RATE, ...at.rate, now: at.now }
    if (limiter.take(at.quota ?? 'q', at.address ?? '10.0.0.1', rate).allowed) count++
  }
  return count
}

test('an address gets its rate, again after each interval, and no more after a long pause', () => {
  const limiter = new RateLimiter()
  equal(allowed(limiter, 100, { now: 0 }), 10)
  equal(allowed(limiter, 100, { now: 99 }), 0)
  equal(allowed(limiter, 100, { now: 100 }), 1)
  let count = 0
  for (let now = 200; now <= 10_100; now += 50) count += allowed(limiter, 3, { now })
  equal(count, 100)
  equal(allowed(limiter, 100, { now: 1e9 }), 10)
  // A clock that goes back gives nothing, and forward again no more than its due.
  equal(allowed(limiter, 100, { now: 0 }), 0)
  equal(allowed(limiter, 100, { now: 1000 }), 10)
})

test('a rate below one is one now and then', () => {
  const limiter = new RateLimiter()
  const rate = { rate: 0.5 }
  equal(allowed(limiter, 5, { now: 0, rate }), 1)
  equal(allowed(limiter, 5, { now: 1999, rate }), 0)
  equal(allowed(limiter, 5, { now: 2000, rate }), 1)
})

test('addresses and quotas do not share, but one IPv6 network and one IPv4 address do', () => {
  const limiter = new RateLimiter()
  const at = (address: string) => allowed(limiter, 20, { now: 0, address })
  deepEqual(['10.0.0.1', '10.0.0.2', '2001:db8::1', '2001:db8:0:1::1'].map(at), [10, 10, 10, 10])
  deepEqual(['::ffff:10.0.0.1', '2001:db8::ffff:1', '2001:0db8:0:0:9::'].map(at), [0, 0, 0])
  equal(allowed(limiter, 20, { now: 0, quota: 'other' }), 10)
})

test('who asks too often is blocked for the time that was set', () => {
  const limiter = new RateLimiter()
  const rate = { blockSeconds: 60 }
  equal(allowed(limiter, 11, { now: 0, rate }), 10)
  for (const now of [1000, 30_000, 59_999]) equal(allowed(limiter, 1, { now, rate }), 0)
  const verdict = limiter.take('q', '10.0.0.1', { ...RATE, ...rate, now: 30_000 })
  deepEqual([verdict.remaining, verdict.retrySeconds], [0, 30])
  equal(allowed(limiter, 20, { now: 60_000, rate }), 10)
})

test('a verdict tells what is left and when there is more', () => {
  const limiter = new RateLimiter()
  const take = (now: number) => limiter.take('q', 'x', { ...RATE, rate: 2, now })
  deepEqual(
    [take(0), take(0), take(0)].map((v) => [v.remaining, v.resetSeconds, v.retrySeconds]),
    [
      [1, 1, 0],
      [0, 1, 0],
      [0, 1, 1],
    ],
  )
})

test('a flood of addresses forgets the oldest, and remembers the newest', () => {
  const limiter = new RateLimiter(100)
  equal(allowed(limiter, 20, { now: 0, address: 'first' }), 10)
  for (let i = 0; i < 1000; i++) {
    allowed(limiter, 1, { now: 0, address: `a${i}` })
    if (i % 50 === 0) ok(allowed(limiter, 1, { now: 0, address: 'first' }) === 0)
  }
  for (let i = 0; i < 300; i++) allowed(limiter, 1, { now: 0, address: `b${i}` })
  equal(allowed(limiter, 20, { now: 0, address: 'first' }), 10)
})
