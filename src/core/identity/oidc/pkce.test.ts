import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { isMethod, isWellFormed, provesIt } from './pkce.ts'

// RFC 7636, appendix B.
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'

test('provesIt() takes the verifier of the challenge and no other', () => {
  const s256 = { challenge: CHALLENGE, method: 'S256' } as const
  const plain = { challenge: VERIFIER, method: 'plain' } as const
  equal(provesIt(s256, VERIFIER), true)
  equal(provesIt(plain, VERIFIER), true)
  equal(provesIt(s256, CHALLENGE), false)
  equal(provesIt(s256, `${VERIFIER}x`), false)
  equal(provesIt(plain, `${VERIFIER}x`), false)
  equal(provesIt(s256, ''), false)
  equal(provesIt({ challenge: '', method: 'plain' }, ''), false)
})

test('isWellFormed() takes 43 to 128 unreserved characters', () => {
  equal(isWellFormed('a'.repeat(43)), true)
  equal(isWellFormed('-._~'.repeat(32)), true)
  equal(isWellFormed('a'.repeat(42)), false)
  equal(isWellFormed('a'.repeat(129)), false)
  equal(isWellFormed(`${'a'.repeat(43)}+`), false)
  equal(isWellFormed(`${'a'.repeat(43)}\n`), false)
})

test('isMethod() knows the two of the RFC', () => {
  equal(['plain', 'S256', 's256', 'none', ''].filter(isMethod).join(), 'plain,S256')
})
