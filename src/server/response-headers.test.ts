import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { responseHeaders } from './response-headers.ts'

test('responseHeaders() always forbids to store an answer, and asks for TLS where there is TLS', () => {
  deepEqual(responseHeaders(undefined, false)(200), ['Cache-Control', 'no-store'])
  deepEqual(responseHeaders(undefined, true)(500), [
    'Cache-Control',
    'no-store',
    'Strict-Transport-Security',
    'max-age=31536000; includeSubDomains',
  ])
})

test('responseHeaders() lets the most specific setting of a name win', () => {
  const headers = responseHeaders(
    {
      default: {
        'X-A': ['all'],
        'X-B': ['all', 'twice'],
        'strict-transport-security': ['max-age=1'],
      },
      '4xx': { 'x-a': ['class'] },
      '404': { 'X-a': ['status'] },
    },
    true,
  )
  const of = (status: number) => headers(status).slice(2).join(' ')
  equal(of(200), 'strict-transport-security max-age=1 X-A all X-B all X-B twice')
  equal(of(403), 'strict-transport-security max-age=1 x-a class X-B all X-B twice')
  equal(of(404), 'strict-transport-security max-age=1 X-a status X-B all X-B twice')
  equal(headers(404), headers(404))
})
