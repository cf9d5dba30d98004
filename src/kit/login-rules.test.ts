import { doesNotThrow, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { checkSamePolicies, checkTokenPeer } from './login-rules.ts'

test('checkTokenPeer() refuses an address outside every block', () => {
  const settings = { token_bound_cidrs: ['10.0.0.0/8', 'fd00::/8'] }
  for (const address of ['11.0.0.1', 'fe80::1', '', 'somewhere']) {
    throws(() => checkTokenPeer(settings, address), { status: 403, message: 'permission denied' })
  }
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1']) {
    doesNotThrow(() => checkTokenPeer(settings, address))
  }
  doesNotThrow(() => checkTokenPeer({ token_bound_cidrs: [] }, ''))
})

test('checkSamePolicies() refuses more and fewer, and does not mind order, case or default', () => {
  for (const [now, then] of [
    [['a', 'b'], ['a']],
    [['a'], ['a', 'b']],
    [[], ['a']],
  ] as const) {
    throws(() => checkSamePolicies(now, then), { status: 400, message: /policies have changed/ })
  }
  doesNotThrow(() => checkSamePolicies(['B', 'a', 'default'], ['a', 'b']))
})
