import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { parseStrictObject } from './strict-json.ts'

const parse = (text: string) => parseStrictObject(Buffer.from(text))

test('parseStrictObject() refuses a name that comes twice in one object', () => {
  const bad = [
    '{"a":1,"a":1}',
    '{"a":1,"b":{"c":1,"c":2}}',
    '{"a":[{"c":1,"c":2}]}',
    '{"a":1,"\\u0061":2}',
    '{"a\\"":1,"a\\"":2}',
    '{"":1,"":2}',
    '{"__proto__":1,"__proto__":2}',
  ]
  for (const text of bad) equal(parse(text), undefined, text)
})

test('parseStrictObject() takes the same name in different objects', () => {
  const good = [
    '{}',
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '{"a":[{"b":1},{"b":2}],"b":"{\\"a\\":1,\\"a\\":2}"}',
    ' { "a" : "x:\\"a\\":" , "b" : ":" } ',
  ]
  for (const text of good) deepEqual(parse(text), JSON.parse(text))
})

test('parseStrictObject() refuses what is not an object in UTF-8', () => {
  for (const text of ['', 'null', '[]', '1', '{', '{"a":}', '\ufeff{}']) {
    equal(parse(text), undefined, text)
  }
  equal(parseStrictObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), undefined)
  equal(parse('['.repeat(100_000)), undefined)
})
