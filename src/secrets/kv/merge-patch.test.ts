import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from '../../lib/json.ts'
import { mergePatch } from './merge-patch.ts'

// RFC 7396, appendix A.
const vectors: readonly (readonly [original: string, patch: string, result: string])[] = [
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
]

for (const [original, patch, result] of vectors) {
  test(`mergePatch() makes ${result} of ${original} and ${patch}`, () => {
    equal(JSON.stringify(mergePatch(parseJson(original), parseJson(patch))), result)
  })
}

test('mergePatch() treats __proto__ as a member like any other', () => {
  const merged = mergePatch(parseJson('{"a":1}'), parseJson('{"__proto__":{"admin":true}}'))
  equal(JSON.stringify(merged), '{"a":1,"__proto__":{"admin":true}}')
  equal((merged as { admin?: boolean }).admin, undefined)
  equal(({} as { admin?: boolean }).admin, undefined)
})

test('mergePatch() keeps the digits of numbers on either side', () => {
  const merged = mergePatch(
    parseJson('{"old":9007199254740993,"both":1.0}'),
    parseJson('{"new":1e400,"both":0.10}'),
  )
  equal(JSON.stringify(merged), '{"old":9007199254740993,"both":0.10,"new":1e400}')
})

test('mergePatch() with the same patch again changes nothing, and changes no argument', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
      const [targetText, patchText] = [JSON.stringify(target), JSON.stringify(patch)]
      const once = mergePatch(target, patch)
      deepEqual(mergePatch(once, patch), once)
      equal(JSON.stringify(target), targetText)
      equal(JSON.stringify(patch), patchText)
    }),
  )
})
