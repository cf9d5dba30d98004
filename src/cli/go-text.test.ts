import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from '../lib/json.ts'
import {
  goQuoted,
  goTime,
  goValue,
  humanDuration,
  looksLikeDuration,
  parseDuration,
} from './go-text.ts'

test('parseDuration() refuses what is no duration', () => {
  for (const text of ['', '-', 'h', '1x', '1h ', ' 1h', '1 h', '1.5', 'abc', '1h-2m', '--1']) {
    equal(parseDuration(text), undefined, text)
  }
})

// oxfmt-ignore
const durations: [string, number][] = [
  ['0', 0], ['90', 90], ['-1', -1], ['30s', 30], ['1h30m', 5400], ['7d', 604_800],
  ['1.5h', 5400], ['.5s', 0.5], ['250ms', 0.25], ['-1h', -3600], ['+5m', 300], ['768h', 2_764_800],
]
for (const [text, seconds] of durations) {
  test(`parseDuration() reads ${text}`, () => equal(parseDuration(text), seconds))
}

// oxfmt-ignore
const human: [number, string][] = [
  [0, '0s'], [1, '1s'], [60, '1m'], [61, '1m1s'], [3600, '1h'], [3601, '1h1s'], [5400, '1h30m'],
  [2_764_800, '768h'], [36_000, '10h'], [600, '10m'], [4200, '1h10m'], [-1, '-1s'],
]
for (const [seconds, text] of human) {
  test(`humanDuration() writes ${seconds} as ${text}`, () => equal(humanDuration(seconds), text))
}

test('humanDuration() and parseDuration() are each other’s inverse', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (seconds) => {
      equal(parseDuration(humanDuration(seconds)), seconds)
    }),
  )
})

test('goValue() prints JSON as Go prints it', () => {
  equal(goValue(null), '<nil>')
  equal(goValue(true), 'true')
  equal(goValue('a b'), 'a b')
  equal(goValue(['a', 1, null]), '[a 1 <nil>]')
  equal(goValue({ b: [1], a: { c: 'x' } }), 'map[a:map[c:x] b:[1]]')
  equal(goValue({}), 'map[]')
})

test('goValue() keeps numbers digit for digit', () => {
  const text = '{"big":123456789012345678901234567890,"one":1.0,"exp":1e400}'
  equal(goValue(parseJson(text)), 'map[big:123456789012345678901234567890 exp:1e400 one:1.0]')
})

test('goQuoted() and goTime() follow Go', () => {
  equal(goQuoted([]), '[]')
  equal(goQuoted(['a', 'b']), '["a" "b"]')
  equal(goTime('2026-01-02T03:04:05.6Z'), '2026-01-02 03:04:05.6 +0000 UTC')
  equal(goTime('never'), 'never')
})

test('looksLikeDuration() knows the names that hold seconds', () => {
  for (const key of ['ttl', 'token_ttl', 'period', 'lease_duration', 'lease_max']) {
    equal(looksLikeDuration(key), true, key)
  }
  for (const key of ['little', 'ttls', 'duration_text', 'version']) {
    equal(looksLikeDuration(key), false, key)
  }
})
