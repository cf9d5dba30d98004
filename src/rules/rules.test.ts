import { deepEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_RULES } from './all.ts'
import { compileRules } from './matcher.ts'
import { expandSample } from './sample.ts'

const matcher = compileRules()
const idsIn = (text: string) => matcher.find(text).map(({ rule }) => rule.id)

test('every rule finds its own samples', () => {
  for (const { id, samples } of ALL_RULES) {
    ok(samples.yes.length > 0, id)
    for (const sample of samples.yes) {
      const text = expandSample(sample)
      deepEqual(idsIn(text), [id], `${id}: ${sample}`)
    }
  }
})

test('no rule finds what it must not', () => {
  for (const { id, samples } of ALL_RULES) {
    for (const sample of samples.no) {
      const found = idsIn(expandSample(sample))
      ok(!found.includes(id), `${id}: ${sample}`)
    }
  }
})
