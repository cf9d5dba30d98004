import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_RULES } from './all.ts'
import { compileRules } from './matcher.ts'
import { hasNestedRepeats, longestMatch } from './pattern-length.ts'
import { expandSample } from './sample.ts'

const matcher = compileRules()
const idsIn = (text: string, path?: string) => matcher.find(text, { path }).map((f) => f.rule.id)
const specific = ALL_RULES.filter(({ generic }) => generic !== true)

test('every rule finds its own samples, and no other rule claims them', () => {
  for (const { id, samples } of ALL_RULES) {
    // What is in base 64 is found by the rule for what is in it.
    ok(samples.yes.length > 0 || id === 'encoded-secret', `${id} has no sample`)
    for (const sample of samples.yes) {
      for (const seed of ['one', 'two', 'three']) {
        const text = expandSample(sample, seed)
        deepEqual(idsIn(text, samples.path), [id], `${id}: ${sample} (${seed})`)
      }
    }
  }
})

test('no rule finds what it must not', () => {
  for (const { id, samples } of ALL_RULES) {
    for (const sample of samples.no) {
      ok(!idsIn(expandSample(sample), samples.path).includes(id), `${id}: ${sample}`)
    }
  }
})

test('nearly every rule says what it must not find', () => {
  const silent = ALL_RULES.filter(({ samples }) => samples.no.length === 0).map(({ id }) => id)
  ok(silent.length <= 3, silent.join(' '))
})

test('there are rules for more than three hundred providers, and no id comes twice', () => {
  ok(specific.length >= 500, String(specific.length))
  ok(new Set(specific.map(({ provider }) => provider)).size >= 300)
  equal(new Set(ALL_RULES.map(({ id }) => id)).size, ALL_RULES.length)
})

test('every pattern has a longest match, and repeats nothing that repeats', () => {
  for (const { id, pattern } of ALL_RULES) {
    const longest = longestMatch(pattern)
    ok(longest > 0 && longest <= 20_000, `${id}: ${longest}`)
    ok(!hasNestedRepeats(pattern), `${id} repeats what repeats`)
  }
})

test('every keyword is lower case ASCII of three characters or more, but for two that are rare', () => {
  const short = new Set<string>()
  for (const { id, keywords } of ALL_RULES) {
    for (const word of keywords) {
      ok(/^[\x21-\x40\x5b-\x7e][\x20-\x40\x5b-\x7e]*$/.test(word), `${id}: ${word}`)
      if (word.length < 3) short.add(word)
    }
  }
  deepEqual([...short].sort(), ['0/', '1/', '2/', 'q~'])
})

test('find() finds what a classic scanner of commits finds', () => {
  for (const recipe of [
    'password = "{B10}!{d4}"',
    'secret: "{B24}"',
    "token='{h40}'",
    'apikey={B32}',
    'API_KEY={B32}',
    '-----BEGIN RSA PRIVATE KEY-----\nMIIEow{s58}\n{s64}\n',
    '-----BEGIN EC PRIVATE KEY-----\nMHcCAQ{s58}\n',
    'ghp_{B36}',
    'gho_{B36}',
    'ghu_{B36}',
    'ghs_{B36}',
    'sk_live_{B24}',
    'xoxb-{d12}-{B24}',
    'xoxa-{d12}-{B24}',
    'xoxp-{d12}-{B24}',
  ]) {
    equal(idsIn(expandSample(recipe)).length, 1, recipe)
  }
})
