import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/support/test-core.ts'
import { createBurst } from './burst.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('createBurst() does the work once for many changes, when it has been quiet', () => {
  const clock = fakeClock()
  let works = 0
  const burst = createBurst(clock, async () => void works++)
  for (let i = 0; i < 3; i++) {
    burst.poke()
    clock.advance(100)
  }
  equal(works, 0)
  clock.advance(50)
  equal(works, 1)
  clock.advance(10_000)
  equal(works, 1)
})

test('createBurst() does not wait for a quiet that never comes', () => {
  const clock = fakeClock()
  let works = 0
  const burst = createBurst(clock, async () => void works++)
  for (let ms = 0; ms < 1000; ms += 50) {
    burst.poke()
    clock.advance(50)
    if (ms === 550) equal(works, 1)
  }
})

test('createBurst() works again for what came while it worked, and never twice at a time', async () => {
  const clock = fakeClock()
  const ends: (() => void)[] = []
  const burst = createBurst(clock, () => new Promise<void>((resolve) => ends.push(resolve)))
  burst.poke()
  clock.advance(1000)
  burst.poke()
  burst.poke()
  clock.advance(1000)
  equal(ends.length, 1)
  ends[0]!()
  await settled()
  clock.advance(1000)
  equal(ends.length, 2)
  ends[1]!()
  await settled()
  clock.advance(1000)
  equal(ends.length, 2)
  burst.stop()
  burst.poke()
  clock.advance(1000)
  equal(ends.length, 2)
})
