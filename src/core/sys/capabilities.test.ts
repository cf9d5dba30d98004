import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { putPolicy, tokenOf, tokenWith } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'

test('capabilities refuse who asks about nobody or nothing', async () => {
  const { ask, root } = await testCore()
  const refused: [path: string, data: Record<string, unknown>, text: string][] = [
    ['capabilities-self', {}, 'paths must be supplied'],
    ['capabilities-self', { paths: [] }, 'paths must be supplied'],
    ['capabilities-self', { paths: '' }, 'paths must be supplied'],
    ['capabilities', { token: root }, 'paths must be supplied'],
    ['capabilities', { paths: 'x' }, 'missing token'],
    ['capabilities', { paths: 'x', token: 'hvs.nope' }, 'invalid token'],
    ['capabilities', { paths: 'x', token: '' }, 'missing token'],
    ['capabilities-accessor', { paths: 'x' }, 'missing accessor'],
    ['capabilities-accessor', { accessor: 'x' }, 'paths must be supplied'],
    ['capabilities-accessor', { paths: 'x', accessor: 'nope' }, 'invalid accessor'],
    ['capabilities-accessor', { paths: 'x', accessor: '../token/x' }, 'invalid accessor'],
  ]
  for (const [path, data, text] of refused) {
    const { status, body } = await ask('write', `sys/${path}`, data)
    deepEqual({ path, status, errors: body.errors }, { path, status: 400, errors: [text] })
  }
})

test('capabilities of others are not for everyone; those of oneself are, by default', async () => {
  const test = await testCore()
  const { id, accessor } = await tokenWith(test, ['default'])
  const asked = { paths: 'x', token: test.root, accessor }
  equal((await test.ask('write', 'sys/capabilities', asked, { token: id })).status, 403)
  equal((await test.ask('write', 'sys/capabilities-accessor', asked, { token: id })).status, 403)
  equal((await test.ask('write', 'sys/capabilities-self', asked, { token: id })).status, 200)
})

test('capabilities of a token that has ended are not told', async () => {
  const test = await testCore()
  const { id, accessor } = await tokenWith(test, ['default'], {
    expiresAt: test.clock.now() + 1000,
  })
  test.clock.advance(1000)
  const byToken = await test.ask('write', 'sys/capabilities', { paths: 'x', token: id })
  deepEqual(byToken.body.errors, ['invalid token'])
  const byAccessor = await test.ask('write', 'sys/capabilities-accessor', { paths: 'x', accessor })
  deepEqual(byAccessor.body.errors, ['invalid accessor'])
})

test('capabilities are told path by path, at the top level too', async () => {
  const test = await testCore()
  await putPolicy(
    test,
    'dev',
    `path "kv1/*" { capabilities = ["list", "create", "read", "update", "sudo"] }
     path "kv1/closed" { capabilities = ["deny"] }`,
  )
  const { id, accessor } = await tokenWith(test, ['default', 'dev'])
  const paths = ['kv1/a', '/kv1/a', 'kv1/closed', 'KV1/a', 'secret/x', 'kv1/../x', '__proto__']
  const told = {
    'kv1/a': ['sudo', 'read', 'list', 'update', 'create'],
    '/kv1/a': ['sudo', 'read', 'list', 'update', 'create'],
    'kv1/closed': ['deny'],
    'KV1/a': ['deny'],
    'secret/x': ['deny'],
    'kv1/../x': ['deny'],
    ['__proto__']: ['deny'],
  }
  const self = await test.ask('write', 'sys/capabilities-self', { paths }, { token: id })
  deepEqual(self.body.data, told)
  deepEqual(self.body['kv1/a'], told['kv1/a'])
  equal(self.body['capabilities'], undefined)
  const byToken = await test.ask('write', 'sys/capabilities', { paths, token: id })
  deepEqual(byToken.body.data, told)
  const byAccessor = await test.ask('write', 'sys/capabilities-accessor', { paths, accessor })
  deepEqual(byAccessor.body.data, told)
})

test('capabilities of one path have their own name too, by either field', async () => {
  const test = await testCore()
  const token = await tokenOf(
    test,
    'path "*" { capabilities = ["read"] } path "sys/capabilities-self" { capabilities = ["update"] }',
  )
  for (const data of [{ path: 'kv1/a' }, { paths: 'kv1/a' }, { paths: ['kv1/a'] }]) {
    const { body } = await test.ask('write', 'sys/capabilities-self', data, { token })
    deepEqual(body.data, { 'kv1/a': ['read'], capabilities: ['read'] })
    deepEqual(body['capabilities'], ['read'])
  }
})

test('capabilities of root are root', async () => {
  const { ask } = await testCore()
  const { body } = await ask('write', 'sys/capabilities-self', { paths: ['kv1/a', 'sys/seal'] })
  deepEqual(body.data, { 'kv1/a': ['root'], 'sys/seal': ['root'] })
})
