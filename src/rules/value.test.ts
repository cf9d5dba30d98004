import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  base62Of,
  endsInBase36Crc,
  endsInBase62Crc,
  endsInHexCrc,
  hasCofferCrc,
} from './checksum.ts'
import { readability } from './letter-pairs.ts'
import { hasNestedRepeats, longestMatch } from './pattern-length.ts'
import { expandSample } from './sample.ts'
import { isAlgorithm, isMashed, isMasked, isPlaceholder, isSequence, looksRandom } from './value.ts'

test('isPlaceholder() knows what is written where a secret comes later', () => {
  for (const text of [
    '',
    '<token>',
    '<your api key>',
    '${TOKEN}',
    '{{ .Values.token }}',
    '$TOKEN',
    '%TOKEN%',
    '$(cat token)',
    'xxxxxxxxxxxx',
    '************',
    '000000000000',
    'abababababab',
    'changeme',
    'your-api-key',
    'YOUR_KEY',
    'insert_token_here',
    'example',
    'AKIAEXAMPLE',
    'ENC[AES256,abc]',
    '#{token}',
    'vault:v1:abc',
    'a...b',
  ])
    ok(isPlaceholder(text), text)
})

test('isPlaceholder() does not take words by chance in a long random value', () => {
  for (let seed = 0; seed < 3000; seed++) {
    const value = expandSample('{B60}', String(seed))
    ok(!isPlaceholder(value) && looksRandom(value), value)
  }
})

test('looksRandom() tells tokens from names', () => {
  for (let seed = 0; seed < 300; seed++) {
    for (const recipe of ['{B24}', '{h32}', '{l32}', '{b40}', '{u}'])
      ok(looksRandom(expandSample(recipe, String(seed))), recipe)
  }
  for (const name of [
    'getServerConfiguration',
    'databasePasswordFile',
    'com.corp.internal.tokens',
    'authentication_error',
    'AUTH_TOKEN_EXPIRED',
    'the-name-of-the-rose',
  ])
    ok(!looksRandom(name), name)
})

test('readability() is above zero for words and below for chance, the more the longer', () => {
  ok(readability('authentication') > readability('token'))
  ok(readability('qzxvkjwq') < 0)
  ok(readability('qzxvkjwqzxvkjwq') < readability('qzxvkjwq'))
  equal(readability('1234'), 0)
})

test('isMasked() and isSequence() know values that were typed', () => {
  ok(
    isMasked('aaaaaaaa') &&
      isMasked('0000-00000000') &&
      isMasked('xyzxyzxyz') &&
      !isMasked('aab3kQ92'),
  )
  ok(isSequence('0123456789ABCDEF') && isSequence('abcdefgh') && !isSequence('q8Zk2mVb'))
})

test('isMashed() knows the middle row of the keyboard, and takes no hex for it', () => {
  ok(isMashed('lsdkfol23w54jlksdef') && isMashed('sdf23gh09') && isMashed('askfjh234as9sd8'))
  ok(!isMashed('hunter2') && !isMashed('q8zk2mvb') && !isMashed('Asdfgh12'))
  for (let seed = 0; seed < 300; seed++)
    for (const recipe of ['{h24}', '{h40}', '{B20}'])
      ok(!isMashed(expandSample(recipe, String(seed))), recipe)
})

test('isAlgorithm() knows names that have numbers in them', () => {
  for (const name of ['sha256', 'utf-16le', 'aes-256-gcm', 'base64url', 'secp256k1', 'hs256'])
    ok(isAlgorithm(name), name)
  ok(!isAlgorithm('hunter2') && !isAlgorithm('sha256:9f8a7b6c5d4e3f2a1b0c'))
})

// Computed with Python: zlib.crc32, int.to_bytes, by hand for the alphabets.
test('checksums are those of the providers', () => {
  equal(base62Of(0), '000000')
  equal(base62Of(0xffffffff), '4gfFC3')
  const body = 'abcdefghijklmnopqrstuvwxyzABCD'
  equal(endsInBase62Crc(`ghp_${body}${CRC_OF_BODY}`), true)
  equal(endsInBase62Crc(`ghp_${body}000000`), false)
  equal(endsInBase36Crc(ROUTABLE), true)
  equal(endsInBase36Crc(`${ROUTABLE.slice(0, -1)}${ROUTABLE.endsWith('0') ? '1' : '0'}`), false)
  equal(endsInHexCrc(ATLASSIAN), true)
  equal(endsInHexCrc(ATLASSIAN.replace('=', 'x=')), false)
  ok(hasCofferCrc(expandSample('hvs.{B24}{coffer}')))
  ok(!hasCofferCrc(expandSample('hvs.{B24}{b70}')))
})
const CRC_OF_BODY = '4dNndU'
const ROUTABLE = ['glpat', 'Zm9yLXRoZS10ZXN0LW9ubHktMDE.01.0r1ejzlws'].join('-')
const ATLASSIAN = ['ATATT3', 'q7'.repeat(60), '=D3B26F98'].join('')

test('longestMatch() reads every form a pattern can have', () => {
  for (const [pattern, longest] of [
    [/abc/, 3],
    [/a{3}b?/, 4],
    [/(?:ab|c){2,3}/, 6],
    [/[\]a]{4}\x41\u0041\b/, 6],
    [/(?<=abc)d(?!e{9})$/, 1],
    [/(?<name>a{2,5})-(b|cc)/, 8],
    [/a*/, Infinity],
    [/a{2,}/, Infinity],
    [/(?:a+)?/, Infinity],
  ] as const)
    equal(longestMatch(pattern), longest, pattern.source)
  ok(hasNestedRepeats(/(?:a{1,5}){1,9}/) && hasNestedRepeats(/(?:a|bc){0,8}/))
  ok(!hasNestedRepeats(/(?:a{5}){1,9}/) && !hasNestedRepeats(/(?:\.\w{1,9}){0,3}/))
})
