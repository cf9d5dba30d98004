/** Which policies are read, and what the passwords drawn from them are like. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '../lib/random.ts'
import { generatePassword, parsePasswordPolicy } from './password-policy.ts'

const rule = (charset: string, minChars?: number) =>
  `rule "charset" { charset = "${charset}" ${minChars === undefined ? '' : `min-chars = ${minChars}`} }`

test('parsePasswordPolicy() refuses what is no policy, and says where', () => {
  const wrong: [text: string, message: RegExp][] = [
    ['', /length is missing/],
    ['length = 20', /no charset rules found/],
    [rule('abc'), /length is missing/],
    [`length = "x"\n${rule('abc')}`, /line 1: length must be a whole number/],
    [`length = -4\n${rule('abc')}`, /line 1: length must be a whole number/],
    [`length = 4.5\n${rule('abc')}`, /line 1: length must be a whole number/],
    [`length = 20\nrule "other" { charset = "abc" }`, /line 2: expected rule "charset"/],
    [`length = 20\nrule { charset = "abc" }`, /line 2: expected rule "charset"/],
    ['length = 20\nrule "charset" { }', /line 2: charset is missing/],
    [`length = 20\n${rule('')}`, /line 2: charset must be a text/],
    [`length = 20\n${rule('a\\nb')}`, /printable/],
    [
      'length = 20\nrule "charset" { charset = "a" min_chars = 1 }',
      /expected charset or min-chars/,
    ],
    [`length = 20\nspecial = true\n${rule('abc')}`, /line 2: expected length or rule/],
    ['length = {', /line 1/],
  ]
  for (const [text, message] of wrong) throws(() => parsePasswordPolicy(text), message, text)
})

test('parsePasswordPolicy() reads HCL and JSON alike, and a repeated character once', () => {
  const hcl = parsePasswordPolicy(`length = 8\n${rule('aabb', 1)}\n${rule('12')}`)
  const json = parsePasswordPolicy(
    '{"length": 8, "rule": [{"charset": {"charset": "ab", "min-chars": 1}}, {"charset": {"charset": "12"}}]}',
  )
  deepEqual(hcl, json)
  deepEqual([...hcl.rules[0]!.charset], ['a', 'b'])
})

test('generatePassword() keeps every rule', () => {
  const policy = parsePasswordPolicy(
    `length = 20\n${rule('abcdefghij', 2)}\n${rule('ABCDEFGHIJ', 2)}\n${rule('0123456789', 2)}\n${rule('-', 1)}`,
  )
  for (let i = 0; i < 500; i++) {
    const password = generatePassword(policy, systemRandom)!
    ok(/^[a-jA-J0-9-]{20}$/.test(password))
    ok(password.match(/[a-j]/g)!.length >= 2 && password.match(/[A-J]/g)!.length >= 2)
    ok(password.match(/\d/g)!.length >= 2 && password.includes('-'))
  }
})

test('generatePassword() gives up on rules that cannot be kept', () => {
  const impossible = [
    `length = 8\n${rule('abc', 9)}`,
    `length = 8\n${rule('abc', 5)}\n${rule('123', 5)}`,
  ]
  for (const text of impossible) {
    equal(generatePassword(parsePasswordPolicy(text), systemRandom), undefined)
  }
  // Rules about the same characters are kept together.
  const both = parsePasswordPolicy(`length = 8\n${rule('abc', 5)}\n${rule('abc', 5)}`)
  ok(generatePassword(both, systemRandom))
})

test('generatePassword() counts characters, not bytes', () => {
  const password = generatePassword(
    parsePasswordPolicy(`length = 10\n${rule('äö😀', 1)}`),
    systemRandom,
  )!
  equal(Array.from(password).length, 10)
})

test('generatePassword() draws each character alike, also where two bytes do not divide evenly', () => {
  // Of 48000 characters, a remainder would make the first 17536 twice as likely.
  const charset = Array.from({ length: 48_000 }, (_, i) => String.fromCodePoint(0x20000 + i))
  const rules = [{ charset: new Set(charset), minChars: 0 }]
  let low = 0
  const draws = 300
  for (let i = 0; i < draws; i++) {
    for (const rune of generatePassword({ length: 100, rules }, systemRandom)!) {
      if (rune.codePointAt(0)! - 0x20000 < 17_536) low++
    }
  }
  // Expected 0.365 of 30000; with the bias it would be 0.535. The bounds are 12 deviations away.
  const share = low / (draws * 100)
  ok(share > 0.33 && share < 0.4, `${share}`)
})
