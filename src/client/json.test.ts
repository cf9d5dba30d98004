import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Secret } from '../lib/secret.ts'
import { parseJson, stringifyJson } from './json.ts'

for (const sourceText of [true, false]) {
  const how = sourceText ? 'with source text access' : 'without source text access, as on Node 20'

  test(`parseJson() refuses what is not JSON ${how}`, () => {
    for (const text of ['', '{', '12345678901234567890x', '{"a":01234567890123456789}', '[1e]']) {
      throws(() => parseJson(text, sourceText), SyntaxError)
    }
  })

  test(`parseJson() gives a bigint for an integer that a double would round ${how}`, () => {
    const parse = (text: string) => parseJson(text, sourceText)
    equal(parse('9007199254740991'), 9007199254740991)
    equal(parse('9007199254740993'), 9007199254740993n)
    equal(parse('-12345678901234567890'), -12345678901234567890n)
    deepEqual(parse('{"a":[1,9007199254740993],"b":"9007199254740993","9007199254740993":1}'), {
      a: [1, 9007199254740993n],
      b: '9007199254740993',
      '9007199254740993': 1,
    })
    equal(parse('1234567890.1234567890123456'), Number('1234567890.1234567890123456'))
    equal(parse('1234567890123456789e3'), Number('1234567890123456789e3'))
    equal(parse(String.raw`"\"#bigint:12345678901234567890"`), '"#bigint:12345678901234567890')
  })

  test(`parseJson() is JSON.parse for all that is safe, and keeps big integers ${how}`, () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.bigInt(), (value, big) => {
        const text = JSON.stringify(value)
        const made = parseJson(`{"value":${text},"big":${big}}`, sourceText)
        const { value: same, big: exact } = made as { value: unknown; big: unknown }
        equal(BigInt(exact as number), big)
        // Numbers of many digits in a jsonValue may be integers beyond 2^53: those differ by design.
        const isSafe = (n: unknown) => !Number.isInteger(n) || Number.isSafeInteger(n)
        if ([...numbers(value)].every(isSafe)) deepEqual(same, JSON.parse(text))
      }),
    )
  })
}

function* numbers(value: unknown): Generator<number> {
  if (typeof value === 'number') yield value
  else if (typeof value === 'object' && value !== null) {
    for (const entry of Object.values(value)) yield* numbers(entry)
  }
}

test('stringifyJson() sends a bigint as digits and a Secret as its value, at any depth', () => {
  const secret = new Secret({ pin: new Secret(12345678901234567890n) })
  equal(
    stringifyJson({ a: [new Secret('b'), 1n], secret }),
    '{"a":["b",1],"secret":{"pin":12345678901234567890}}',
  )
  equal(stringifyJson(new Secret('x')), '"x"')
  equal(
    stringifyJson({ text: '#bigint-1', at: new Date(0) }),
    '{"text":"#bigint-1","at":"1970-01-01T00:00:00.000Z"}',
  )
})

test('stringifyJson() and parseJson() keep any integer', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.string(), (big, text) => {
      const { a, b } = parseJson(stringifyJson({ a: big, b: text })) as { a: number; b: string }
      equal(BigInt(a), big)
      equal(b, text)
    }),
  )
})
