/** Kill -9 in the middle of writes: nothing that was acknowledged is lost, nothing is half there. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { EARLY, killLoop } from '../torture/kill-loop.ts'
import { endAll } from '../torture/process.ts'
import { freshSeed } from '../torture/seeded.ts'

after(endAll)

test('a server that acknowledges before the write is durable is caught', async () => {
  const seed = freshSeed()
  const launchOf = () => ({ program: EARLY })
  const { lost } = await killLoop({ kills: 1, writes: 400, seed, launchOf })
  ok(lost.length > 0, `nothing was lost, seed ${seed}: this test has no teeth`)
})

test('a killed server has every acknowledged write and no half one', async (t) => {
  const seed = freshSeed()
  t.diagnostic(`seed ${seed}`)
  // One process in one round, two behind one port in the next.
  const launchOf = (round: number) => ({ workers: 1 + (round % 2) })
  const result = await killLoop({ kills: 5, writes: 400, seed, launchOf })
  deepEqual(result.lost, [])
  deepEqual(result.half, [])
  equal(result.refused, 0)
  ok(result.acked >= 2_000, `${result.acked} acknowledged`)
})
