/**
 * Canaries through every route that the engines declare, through requests that cannot be read, the
 * client and the command line: none may be found, in any form, in what is written on the way.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { leakHunt } from '../torture/leak-hunt.ts'
import { freshSeed } from '../torture/seeded.ts'

test('no canary is in the audit log, the log, a file, an error or the answer to another', async (t) => {
  const seed = freshSeed()
  const { hits, ...numbers } = await leakHunt({ canaries: 2_000, seed })
  t.diagnostic(JSON.stringify({ ...numbers, seed }))
  deepEqual(hits, [], `seed ${seed}`)
  // What was put where it can be found was found, and what was asked was every route.
  equal(numbers.controlsFound, numbers.controls)
  ok(numbers.canaries >= 2_000 && numbers.routes > 600, JSON.stringify(numbers))
})
