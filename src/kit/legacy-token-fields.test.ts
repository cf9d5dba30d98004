import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { applyRoleTokens, shownRoleTokens } from './legacy-token-fields.ts'
import { TOKEN_SETTINGS } from './token-fields.ts'

test('an old name sets the new one, and is shown until the new one is written', () => {
  const old = applyRoleTokens(TOKEN_SETTINGS, { policies: ['B', 'a'], ttl: 60, period: 0 })
  equal(old.token_ttl, 60)
  deepEqual(old.token_policies, ['a', 'b'])
  deepEqual(shownRoleTokens(old), {
    ...TOKEN_SETTINGS,
    token_policies: ['a', 'b'],
    token_ttl: 60,
    policies: ['a', 'b'],
    ttl: 60,
  })
  const kept = applyRoleTokens(old, { max_ttl: 90 })
  equal(shownRoleTokens(kept)['ttl'], 60)
  const renewed = applyRoleTokens(kept, { token_ttl: 30, token_policies: ['c'] })
  deepEqual(shownRoleTokens(renewed), {
    ...TOKEN_SETTINGS,
    token_policies: ['c'],
    token_ttl: 30,
    token_max_ttl: 90,
    max_ttl: 90,
  })
})

test('where both names come, each keeps its own, and the new one counts', () => {
  const both = applyRoleTokens(TOKEN_SETTINGS, { ttl: 60, token_ttl: 30 })
  deepEqual([both.token_ttl, shownRoleTokens(both)['ttl']], [30, 60])
})

test('a token type that is left empty is the default one', () => {
  equal(applyRoleTokens(TOKEN_SETTINGS, { token_type: '' }).token_type, 'default')
})

test('no old name goes around a rule', () => {
  throws(() => applyRoleTokens(TOKEN_SETTINGS, { policies: ['Root'] }), { status: 400 })
  throws(() => applyRoleTokens(TOKEN_SETTINGS, { ttl: 2, max_ttl: 1 }), { status: 400 })
  throws(() => applyRoleTokens(TOKEN_SETTINGS, { bound_cidrs: ['x'] }), { status: 400 })
})
