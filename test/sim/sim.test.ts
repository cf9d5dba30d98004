/** Whatever write breaks, and however: a new node knows all that was acknowledged and no half of it. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { freshSeed } from '../torture/seeded.ts'
import { simulate } from './simulate.ts'

const BREAKS = 40

test('simulate() finds a store that tears a batch in two', async () => {
  const { half, lost } = await simulate({ seed: freshSeed(), breaks: BREAKS, ways: ['torn'] })
  ok(half.length + lost.length > 0)
})

test('simulate() finds a store that forgets what it has acknowledged', async () => {
  const { lost } = await simulate({ seed: freshSeed(), breaks: BREAKS, ways: ['forgotten'] })
  ok(lost.length > 0)
})

test('nothing acknowledged is lost and nothing is half there, whichever write breaks', async (t) => {
  const seed = freshSeed()
  t.diagnostic(`seed ${seed} (COFFER_SEED=${seed} plays it again)`)
  const result = await simulate({ seed, breaks: BREAKS, ways: ['before', 'after'] })
  t.diagnostic(`${result.acked} acknowledged, ${result.unknown} unknown`)
  deepEqual({ lost: result.lost, half: result.half }, { lost: [], half: [] })
  equal(result.breaks, BREAKS)
})
