import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_RULES } from './all.ts'
import { secretsOfManifest } from './manifest.ts'
import { compileRules } from './matcher.ts'
import { type Rule } from './rule.ts'
import { expandSample } from './sample.ts'

const matcher = compileRules()
const token = (seed: string) => expandSample('ghp_{B30}{crc}', seed)
const rule = (part: Partial<Rule>): Rule => ({
  id: 'x',
  provider: 'x',
  title: 'x',
  keywords: ['key'],
  pattern: /key=(\d+)/,
  severity: 'low',
  samples: { yes: [], no: [] },
  ...part,
})

test('find() gives the place of each secret in UTF-16 units, by its start', () => {
  const [one, two] = [token('one'), token('two')]
  const text = `naïve 🔑 ключ: "${one}"\n…\nlater ${two}`
  const found = matcher.find(text)
  deepEqual(
    found.map(({ secret, start }) => [secret, start]),
    [
      [one, text.indexOf(one)],
      [two, text.indexOf(two)],
    ],
  )
  for (const { start, end, secret } of found) equal(text.slice(start, end), secret)
})

test('find() finds a token wherever it stands, also across the borders of what is read at once', () => {
  const secret = token('border')
  for (const before of [0, 1, 16_370, 16_384, 32_760, 49_130, 49_152, 98_300, 147_456]) {
    const text = `${'x '.repeat(before).slice(0, before)} ${secret} ${'y '.repeat(30_000)}`
    deepEqual(
      matcher.find(text).map((found) => found.start),
      [before + 1],
      String(before),
    )
  }
})

test('find() knows escapes before a token, and no token inside a word', () => {
  const secret = token('edge')
  for (const before of ['', '"', '=', '\\n', '\\t', '%3D', '(', '/'])
    equal(matcher.find(`a${before || ' '}${secret}`)[0]?.secret, secret, before)
  deepEqual(matcher.find(`x${secret}`), [])
  deepEqual(matcher.find(`${secret}x`), [])
})

test('find() keeps of overlapping findings the one that knows most', () => {
  const ids = (text: string) => matcher.find(text).map((found) => found.rule.id)
  deepEqual(ids(`token = "${token('a')}"`), ['github-pat'])
  deepEqual(ids(`https://ann:${token('b')}@github.com/a`), ['github-pat'])
  deepEqual(ids(`token = "v1:${token('c')}"`), ['github-pat'])
  deepEqual(ids(expandSample('checkbox_key = "{B16}7{B15}"')), ['generic-key'])
  deepEqual(ids(expandSample('heroku_api_key = "{u}"')), ['heroku-api-key'])
  deepEqual(ids(expandSample('api_key = "{B32}"')), ['generic-token'])
  deepEqual(ids(expandSample('export OPENAI_KEY=sk-proj-{b120}')), ['openai-project-key'])
})

test('find() tries a rule without a place anywhere, once its keyword is there', () => {
  const own = compileRules([rule({ pattern: /\bid-(\d{4})\b/ })])
  deepEqual(
    own.find('id-1234, the key is id-5678').map(({ secret }) => secret),
    ['1234', '5678'],
  )
  deepEqual(own.find('id-1234'), [])
  equal(compileRules([rule({ keywords: [], pattern: /\d{4}/ })]).find('1234').length, 1)
})

test('find() tells the place of the group, not of the same letters elsewhere', () => {
  const own = compileRules([rule({ pattern: /key=(\w{2}) ab/ })])
  deepEqual(
    own.find('key=ab ab').map(({ start }) => start),
    [4],
  )
})

test('find() reads base 64, and base 64 in base 64, but no further', () => {
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const inner = expandSample('db_password: {B20}\nother: value\n')
  const once = encode(inner)
  equal(matcher.find(`config: ${once}\n`)[0]?.secret, once)
  const jwt = encode(expandSample('{jwt}'))
  equal(matcher.find(`data ${jwt} data`)[0]?.secret, jwt)
  deepEqual(matcher.find(encode('password: changeme-please-now-or-never')), [])
  deepEqual(matcher.find(encode(expandSample('# for example\ndb_password: {B16}'))), [])
  const lines = encode(
    expandSample('-----BEGIN EC PRIVATE KEY-----\nMHcCAQ{s58}\n{s64}\n'),
  ).replaceAll(/.{64}/g, '$&\n')
  equal(matcher.find(lines)[0]?.rule.id, 'private-key')
})

test('find() reads base 64 in base 64, but not for ever', () => {
  const wrap = (text: string) => `a secret\n${Buffer.from(text).toString('base64')}\n`
  const inner = expandSample('db_password: {B20}\n')
  equal(matcher.find(wrap(inner)).length, 1)
  equal(matcher.find(wrap(wrap(inner))).length, 1)
  deepEqual(matcher.find(wrap(wrap(wrap(inner)))), [])
})

test('find() takes no more than the value for a rule about values', () => {
  const own = compileRules([rule({ place: 'value', pattern: /[^]{8}/ })])
  deepEqual(own.find('key = "abc" and more'), [])
  equal(own.find('key = "abcdefgh"').length, 1)
})

test('secretsOfManifest() reads a document once', () => {
  const secret = expandSample('kind: Secret\nstringData:\n  camo: {B16}77\n')
  equal(secretsOfManifest(secret, 0).length, 1)
  deepEqual(secretsOfManifest(`${secret}kind: Secret\n`, secret.length), [])
  equal(secretsOfManifest(`${secret}---\n${secret}`, secret.length + 4).length, 1)
})

test('find() tells of what it leaves out because of the path', () => {
  const key = expandSample('-----BEGIN EC PRIVATE KEY-----\nMHcCAQ{s58}\n{s64}\n')
  const told: string[] = []
  const leftOut = (_: unknown, why: string) => told.push(why)
  deepEqual(matcher.find(key, { path: 'etc/dummy.pem', leftOut }), [])
  equal(told.length, 1)
  equal(matcher.find(key, { path: 'etc/server.pem', leftOut }).length, 1)
  equal(matcher.find(key).length, 1)
  equal(told.length, 1)
})

test('find() does at most so much for a keyword, however many there are', () => {
  const hostile = [
    'A',
    ' ',
    '"',
    "'",
    '`',
    '\\',
    '=',
    '{',
    'a=',
    'token',
    'token=',
    'token="',
    "token:'",
    'key: `',
    '://',
    '://a:',
    'eyJ',
    'eyJ.',
    '-----BEGIN PRIVATE KEY-----',
    'kind: secret\n',
    '"kty":"RSA",',
    'auths":{',
    'basic ',
    'authorization: ',
    'c2VjcmV0',
    'ghp_',
    'sk-',
    'heroku',
    '-u ',
    ':aa',
    'password\n',
    'wallet 0x',
    'putty-user-key-file-3: ',
    'secret=${',
    '<password>',
    'AKIA',
    'data:\n',
    '$2b$',
    '-us',
  ]
  const work = (unit: string, length: number) => {
    const tally = { tried: 0 }
    matcher.find(unit.repeat(Math.ceil(length / unit.length)).slice(0, length), { tally })
    return tally.tried
  }
  for (const unit of [...hostile, ...ALL_RULES.flatMap(({ keywords }) => keywords.slice(0, 1))]) {
    const [small, large] = [work(unit, 8_000), work(unit, 16_000)]
    // Twice the text, twice the patterns tried; each is bounded, as the rules' own test shows.
    ok(large <= small * 2.2 + 20, `${JSON.stringify(unit)}: ${small} then ${large}`)
    ok(large <= 16_000 * 8, `${JSON.stringify(unit)}: ${large}`)
  }
})

test('find() comes back from a megabyte of each of these', () => {
  for (const unit of [
    'A',
    ' ',
    '"',
    'token=',
    '"kty":"RSA",',
    'kind: secret\n',
    'c2VjcmV0',
    '://a:',
  ])
    ok(Array.isArray(matcher.find(unit.repeat(1_000_000 / unit.length))))
})

test('find() survives a hundred thousand mutated texts', () => {
  const seeds = ALL_RULES.flatMap(({ samples }) => samples.yes.map((s) => expandSample(s)))
  const seed = Number(process.env['COFFER_SEED'] ?? 1)
  let state = seed
  // A generator of 32 bits (mulberry32): the same texts in every run.
  const next = (below: number) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
  const odd = [
    '\0',
    '\n',
    '"',
    "'",
    '\\',
    '=',
    ':',
    '://',
    '\ud800',
    '🔑',
    'token=',
    '{',
    '%',
    '-----BEGIN',
    '@',
  ]
  for (let round = 0; round < 100_000; round++) {
    let text = seeds[next(seeds.length)]!.slice(0, 400)
    for (let k = next(4); k >= 0; k--) {
      const at = next(text.length + 1)
      const end = at + next(12)
      const piece =
        next(2) === 0 ? odd[next(odd.length)]! : seeds[next(seeds.length)]!.slice(0, next(40))
      text = text.slice(0, at) + piece + text.slice(end)
    }
    for (const { start, end, secret } of matcher.find(text)) {
      ok(start < end && text.slice(start, end) === secret, `seed ${seed}, round ${round}`)
    }
  }
})
