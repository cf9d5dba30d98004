/**
 * A share of the rotation torture for every run of the suite: a few rotations on the real databases, each
 * hit by a fault, under load; COFFER_RUNS=30 plays more. 294 more run over a fake target, in test/sim/rotation.
 * The long one is `npm run torture:rotation -- --runs 10000`.
 */
import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { TARGETS } from '../torture/rotation/points.ts'
import { tortureRotation } from '../torture/rotation/run.ts'
import { MISSING } from '../torture/rotation/targets.ts'
import { freshSeed } from '../torture/seeded.ts'

const targets = TARGETS.filter((name) => !MISSING[name])
const skip = {
  skip: TARGETS.map((name) => MISSING[name]).find((why) => why !== false) ?? false,
}
const RUNS = Number(process.env['COFFER_RUNS'] ?? 6)

test('no app and no reader fails a login, whatever breaks in a rotation', skip, async (t) => {
  const seed = freshSeed()
  const run = { runs: RUNS, seed, targets, pauseMs: 500 }
  const { failed, wrong, faults, ...of } = await tortureRotation(run)
  const struck = [...faults.values()].reduce((sum, each) => sum + each, 0)
  t.diagnostic(
    `${of.runs} runs, ${struck} faults of ${faults.size} kinds, ${of.deaths} kills, ` +
      `${of.logins} logins, ${of.seconds} s, seed ${seed}`,
  )
  deepEqual([failed, wrong], [[], []], `seed ${seed}`)
  ok(struck > RUNS / 2, 'the points are come by')
})

test('a password that is changed and then stored is found out', skip, async () => {
  const run = { runs: 5, seed: freshSeed(), targets, apps: 2, readers: 2, pauseMs: 50 }
  const { failed } = await tortureRotation({ ...run, control: true })
  ok(failed.length > 0, 'somebody must have been refused')
})
