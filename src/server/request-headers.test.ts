import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '../kit/failure.ts'
import { checkHeaders, readHeaders } from './request-headers.ts'

const about = { httpVersion: '1.1', requireRequestHeader: false }
const check = (raw: readonly string[], more: Partial<typeof about> = {}) =>
  checkHeaders(readHeaders(['Host', 'a', ...raw]), { ...about, ...more })

test('checkHeaders() refuses what two readers could understand in two ways', () => {
  throws(() => check(['Host', 'b']), /one Host header/)
  throws(() => checkHeaders(readHeaders([]), about), /one Host header/)
  for (const encoding of ['gzip, chunked', 'identity', 'chunked, chunked', '', ' chunked\t']) {
    throws(() => check(['Transfer-Encoding', encoding]), { status: 400 })
  }
  checkHeaders(readHeaders([]), { ...about, httpVersion: '1.0' })
  check(['transfer-encoding', 'Chunked'])
})

test('checkHeaders() refuses a token that is too long, a missing request header', () => {
  throws(() => check(['X-Vault-Token', 'x'.repeat(8 * 1024 + 1)]), { status: 403 })
  throws(() => check([], { requireRequestHeader: true }), { status: 412 })
  check(['X-Vault-Request', 'true'], { requireRequestHeader: true })
})

test('readHeaders() takes the first of each and prefers the header that is ours', () => {
  const found = readHeaders([
    'authorization',
    'Bearer one',
    'x-vault-token',
    'two',
    'X-Vault-Token',
    'three',
    'X-Vault-Wrap-TTL',
    '5m',
    'x-vault-wrap-ttl',
    '0',
    'Content-Type',
    'text/plain',
    'content-type',
    'application/json',
  ])
  equal(found.token, 'two')
  equal(found.wrapTtl, '5m')
  equal(found.contentType, 'text/plain')
  equal(readHeaders(['Authorization', 'Bearer one']).token, 'one')
  for (const other of ['bearer one', 'Basic one', 'Bearer', 'BEARER one']) {
    equal(readHeaders(['Authorization', other]).token, undefined)
  }
})

test('readHeaders() finds each name in any case and among anything else', () => {
  const name = fc.constantFrom('x-vault-token', 'x-vault-wrap-ttl', 'x-vault-namespace', 'host')
  const upper = fc.tuple(name, fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }))
  const spelled = upper.map(([word, bits]) =>
    word
      .split('')
      .map((letter, i) => (bits[i] ? letter.toUpperCase() : letter))
      .join(''),
  )
  const other = fc
    .string({ minLength: 1 })
    .filter((text) => !/^(?:x-vault-|host$|authorization$|content-type$)/i.test(text))
  fc.assert(
    fc.property(
      spelled,
      fc.string(),
      fc.array(fc.tuple(other, fc.string())),
      (mine, value, rest) => {
        const found = readHeaders([...rest.flat(), mine, value, '__proto__', 'x'])
        const which = mine.toLowerCase()
        if (which === 'x-vault-token') equal(found.token, value || undefined)
        if (which === 'x-vault-wrap-ttl') equal(found.wrapTtl, value)
        if (which === 'x-vault-namespace') equal(found.namespace, value)
        if (which === 'host') equal(found.hosts, 1)
      },
    ),
  )
})

test('checkHeaders() fails in one way only', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string(), fc.string())), (pairs) => {
      const headers = readHeaders(pairs.flat())
      deepEqual(Object.getPrototypeOf(headers), Object.prototype)
      try {
        checkHeaders(headers, about)
      } catch (error) {
        ok(error instanceof Failure)
      }
    }),
  )
})
