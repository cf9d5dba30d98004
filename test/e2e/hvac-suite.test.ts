/** hvac's own integration suite: what has passed once passes for ever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectedPasses, fetchSuite, runSuite, suitePython } from '../hvac/suite.ts'

const python = suitePython()
const packed = python && fetchSuite(python)
const skip = packed
  ? false
  : 'hvac, pytest and the suite are not here: run .ci/run once (it makes .venv)'

test('every test of hvac that is expected to pass does', { skip }, async () => {
  const { outcomes, reasons, log } = await runSuite(python!, packed!)
  const expected = expectedPasses()
  assert.ok(expected.length > 200, 'the list of expected passes is nearly empty')
  assert.ok(outcomes.size >= expected.length, `the suite did not run: ${log.slice(-2000)}`)
  const lost = expected.filter((name) => outcomes.get(name) !== 'passed')
  assert.deepEqual(
    lost.map((name) => `${name}: ${reasons.get(name) ?? outcomes.get(name) ?? 'is gone'}`),
    [],
  )
})
