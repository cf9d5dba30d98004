import { equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '../kit/failure.ts'
import { canonicalInput, canonicalPath } from './canonical-path.ts'

const refused = (path: string) =>
  throws(
    () => canonicalPath(path),
    (error) =>
      error instanceof Failure && error.status === 400 && !error.message.includes('CANARY'),
    path,
  )

/** Every way to write one character of a path that its reader could take for a dot or a slash. */
const encode = (text: string): string[] => {
  const hex = Buffer.from(text).toString('hex').match(/../g) ?? []
  const once = hex.map((byte) => `%${byte}`).join('')
  const upper = hex.map((byte) => `%${byte.toUpperCase()}`).join('')
  const twice = hex.map((byte) => `%25${byte}`).join('')
  return [text, once, upper, twice, twice.replaceAll('%25', '%2525')]
}
const OVERLONG = ['%c0%ae', '%e0%80%ae', '%f0%80%80%ae', '%c0%af', '%e0%80%af', '%c0%80', '%c1%9c']

test('canonicalPath() refuses dots, slashes and their disguises in every family of routes', () => {
  const dots = encode('.').flatMap((a) => encode('.').map((b) => a + b))
  const slashes = encode('/').slice(1)
  const parts = [...dots, ...encode('.'), ...OVERLONG.map((one) => one + one), ...OVERLONG]
  const bad = [
    ...parts.map((part) => `/${part}/`),
    ...slashes,
    '//',
    '/%5c',
    '/%5C..',
    '/\\',
    '%00',
  ]
  let count = 0
  for (const base of ['secret/data', 'sys/policies/acl', 'auth/approle/role', 'sys', 'cubbyhole']) {
    for (const part of bad) {
      refused(`${base}${part}CANARY`)
      refused(`${base}/CANARY${part}CANARY/x`)
      count += 2
    }
  }
  ok(count >= 400, String(count))
})

test('canonicalPath() refuses what cannot be seen or has no meaning', () => {
  for (let code = 0; code < 0x20; code++) refused(`a%${code.toString(16).padStart(2, '0')}`)
  for (const bad of [
    '%7f',
    '%c2%80',
    '%c2%a0',
    '%e2%80%8b',
    '%e2%80%ae',
    '%e2%80%a8',
    '%ef%bb%bf',
  ]) {
    refused(`a${bad}`)
  }
  for (const bad of [
    '%',
    '%4',
    '%zz',
    '%ff',
    '%ed%a0%80',
    '%f4%90%80%80',
    '/a',
    'x'.repeat(5_000),
  ]) {
    refused(bad)
  }
})

test('canonicalPath() gives back what any client encodes, and nothing else means the same', () => {
  const letter = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  const segment = letter.filter(
    (text) =>
      !/[\p{C}/\\\u2028\u2029]|(?! )\p{Z}|%(?:2e|2f|5c|25|00)/iu.test(text) &&
      text !== '.' &&
      text !== '..' &&
      text.isWellFormed(),
  )
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      const path = segments.join('/')
      const sent = segments.map((one) => encodeURIComponent(one)).join('/')
      equal(canonicalPath(sent), path)
      equal(canonicalInput(path), path)
    }),
  )
})

test('canonicalPath() never lets through a path with an empty or relative segment', () => {
  const piece = fc.constantFrom(
    ...[
      '.',
      '..',
      '/',
      '//',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '%25',
      '2e',
      '2f',
      'a',
      'b',
      '%c0%ae',
      '%',
    ],
  )
  const path = fc.array(fc.oneof(piece, fc.string()), { maxLength: 8 }).map((all) => all.join(''))
  fc.assert(
    fc.property(path, (text) => {
      let canonical: string
      try {
        canonical = canonicalPath(text)
      } catch (error) {
        ok(error instanceof Failure)
        return
      }
      const segments = canonical.split('/')
      for (const [i, segment] of segments.entries()) {
        ok(segment !== '.' && segment !== '..')
        ok(segment !== '' || i === segments.length - 1)
        // Nor would it have one for a reader who decodes it once more.
        ok(!/%(?:2e|2f|5c|00)/i.test(segment))
      }
      equal(canonicalInput(canonical), canonical)
    }),
    { numRuns: 3_000 },
  )
})

test('canonicalInput() refuses in a body what the URL refuses', () => {
  for (const bad of [
    'a//b',
    '/a',
    'a/../b',
    './a',
    'a/.',
    '..',
    'a\\b',
    'a\0',
    'a\nb',
    'a\u200b',
  ]) {
    throws(() => canonicalInput(bad), { status: 400 })
  }
  equal(canonicalInput('a/.b/c..d/'), 'a/.b/c..d/')
})
