import { deepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { withClaims } from './claims.ts'

test('withClaims() lets nothing stand for what only the server says', () => {
  const own = { iss: 'me', sub: 'ann' }
  const extra = { iss: 'other', aud: 'x', nonce: 'y', auth_time: 1, team: 'web' }
  deepEqual(withClaims(extra, own), { team: 'web', iss: 'me', sub: 'ann' })
  const hostile = JSON.parse('{"__proto__": {"iss": "other"}, "constructor": 1}')
  deepEqual(Object.keys(withClaims(hostile, own)), ['__proto__', 'constructor', 'iss', 'sub'])
})
