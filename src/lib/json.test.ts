import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkJsonBudget, JsonBudgetError, parseJson } from './json.ts'

test('checkJsonBudget() refuses what is too deep or too many, without parsing it', () => {
  throws(() => checkJsonBudget(Buffer.from('['.repeat(1_000_000))), JsonBudgetError)
  throws(() => checkJsonBudget(Buffer.from('{"a":'.repeat(65))), JsonBudgetError)
  throws(() => checkJsonBudget(Buffer.from(`[${'{},'.repeat(20_000)}1]`)), JsonBudgetError)
  checkJsonBudget(Buffer.from('['.repeat(64) + ']'.repeat(64)))
})

test('checkJsonBudget() does not count what stands inside a string', () => {
  checkJsonBudget(Buffer.from(JSON.stringify({ a: '['.repeat(1000) + '\\"{{{' })))
  checkJsonBudget(Buffer.from('"unterminated \\"'))
  checkJsonBudget(Buffer.from(`"${'\\'.repeat(9)}`))
})

for (const text of [
  '{"n":9007199254740993}',
  '{"n":1e400}',
  '{"n":0.10000000000000000001}',
  '[-0]',
  '[1.0,1.50]',
  '[123456789012345678901234567890]',
]) {
  test(`parseJson() keeps the digits of ${text}`, () => {
    equal(JSON.stringify(parseJson(text)), text)
  })
}

test('parseJson() agrees with JSON.parse on every ordinary value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value)
      deepEqual(JSON.parse(JSON.stringify(parseJson(text))), JSON.parse(text))
    }),
  )
})

test('parseJson() never changes a number, whatever its size', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.nat({ max: 30 }), (whole, exponent) => {
      const text = `{"a":${whole},"b":[${whole}e${exponent},${whole}.${exponent}]}`
      equal(JSON.stringify(parseJson(text)), text)
    }),
  )
})
