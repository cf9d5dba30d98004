/** Shares: those that do not fit, that come twice, that come after; and what siblings hear. */
import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock } from '../../test/support/test-core.ts'
import { systemRandom } from '../lib/random.ts'
import { memoryStore } from '../storage/memory.ts'
import { type Announcement, keeper, type KeeperOptions } from './keeper.ts'

function keepers(count = 1, more: Partial<KeeperOptions> = {}) {
  const store = memoryStore()
  const heard: Announcement[] = []
  const all = Array.from({ length: count }, (_, me) =>
    keeper({
      store,
      clock: fakeClock(),
      random: systemRandom,
      async announce(message) {
        heard.push(message)
        for (const [i, other] of all.entries()) if (i !== me) await other.hear(message)
      },
      ...more,
    }),
  )
  return { store, heard, all, first: all[0]! }
}

const initialize = (first: ReturnType<typeof keepers>['first'], shares = 5, threshold = 3) =>
  first.initialize({ shares, threshold }, () => 'root')

test('initialize() refuses a split that makes no sense, and a second time', async () => {
  const { first, store } = keepers()
  for (const [shares, threshold] of [
    [0, 0],
    [3, 4],
    [2, 1],
    [256, 3],
    [-1, -1],
    [1.5, 1],
  ] as const) {
    await rejects(initialize(first, shares, threshold), /invalid seal configuration/)
  }
  equal(await store.revision(), 0)
  await initialize(first)
  await rejects(initialize(first), /already initialized/)
})

test('offer() refuses shares that do not fit and forgets all of them', async () => {
  const { first } = keepers()
  await rejects(first.offer(systemRandom(33)), /not initialized/)
  const { keys } = await initialize(first)
  await first.offer(keys[0]!)
  await first.offer(keys[1]!)
  const wrong = Buffer.from(keys[2]!)
  wrong[3]! ^= 1
  await rejects(first.offer(wrong), /do not fit/)
  deepEqual(first.progress, { shares: 0, nonce: '' })
  equal(first.space, undefined)
})

test('offer() counts a share that comes twice once, and opens with enough of any', async () => {
  const { first } = keepers()
  const { keys } = await initialize(first)
  for (let i = 0; i < 5; i++) await first.offer(keys[4]!)
  equal(first.progress.shares, 1)
  notEqual(first.progress.nonce, '')
  await first.offer(keys[1]!)
  await first.offer(keys[0]!)
  ok(first.space)
  deepEqual(first.progress, { shares: 0, nonce: '' })
  await first.offer(keys[0]!)
  equal(first.progress.shares, 0, 'what comes after is not kept')
})

test('siblings share what they hear, open together and close together', async () => {
  const { all, first, heard } = keepers(3)
  const { keys } = await initialize(first)
  await all[0]!.offer(keys[0]!)
  await all[1]!.offer(keys[1]!)
  deepEqual(new Set(all.map(({ progress }) => progress.shares)), new Set([2]))
  equal(new Set(all.map(({ progress }) => progress.nonce)).size, 1)
  await all[2]!.offer(keys[2]!)
  ok(all.every(({ space }) => space))
  await all[1]!.seal()
  ok(all.every(({ space }) => space === undefined))
  await all[0]!.offer(keys[0]!)
  await all[2]!.forgetShares()
  ok(all.every(({ progress }) => progress.shares === 0))
  ok(heard.length > 0)
})

test('a sealed keeper has nothing to rotate, reshare or prove with', async () => {
  const { first } = keepers()
  const { keys } = await initialize(first, 1, 1)
  await rejects(first.rotate(), /sealed/)
  await rejects(first.reshare({ shares: 1, threshold: 1 }), /sealed/)
  equal(await first.openItself(), false)
  equal(await first.proves([systemRandom(32)]), false)
  equal(await first.proves([keys[0]!]), true)
})
