import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { tokenOf } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'

const REFUSED: [path: string, data: Record<string, unknown>, text: string][] = [
  ['x', {}, 'backend type must be specified as a string'],
  ['x', { type: 'nope' }, 'plugin not found in the catalog: nope'],
  ['x', { type: 'kv' }, 'plugin not found in the catalog: kv'],
  ['x', { type: 'token' }, 'mount type of "token" is not mountable'],
  [
    'x',
    { type: 'approle', options: { version: '1' } },
    'auth method "approle" does not allow setting a version',
  ],
  ['x', { type: 'approle', config: { token_type: 'nope' } }, "invalid value for 'token_type'"],
  ['token', { type: 'approle' }, 'path is already in use at token/'],
  ['token/x', { type: 'approle' }, 'path is already in use at token/'],
  ['approle', { type: 'approle' }, 'path is already in use at approle/'],
  ['a/%2E%2E/b', { type: 'approle' }, 'relative paths not supported'],
  ['a//b', { type: 'approle' }, 'empty path segments are not supported'],
]

test('sys/auth refuses a mount that cannot be, and says why', async () => {
  const { ask } = await testCore()
  for (const [path, data, text] of REFUSED) {
    const { status, body } = await ask('write', `sys/auth/${path}`, data)
    deepEqual({ path, status, errors: body?.errors }, { path, status: 400, errors: [text] })
  }
})

test('sys/auth refuses to disable the token method', async () => {
  const { ask } = await testCore()
  const { status, body } = await ask('delete', 'sys/auth/token')
  deepEqual([status, body.errors], [400, ['token credential backend cannot be disabled']])
  equal((await ask('delete', 'sys/auth/nope')).status, 204)
})

test('sys/auth says so when there is no such mount', async () => {
  const { ask } = await testCore()
  const { status, body } = await ask('read', 'sys/auth/nope')
  deepEqual([status, body.errors], [400, ['No auth engine at nope/']])
})

test('sys/auth needs sudo for each mount, and none for the list', async () => {
  const test = await testCore()
  const all = '"create", "read", "update", "delete", "list"'
  const plain = await tokenOf(
    test,
    `path "sys/auth" { capabilities = ["read"] } path "sys/auth/*" { capabilities = [${all}] }`,
  )
  const sudo = await tokenOf(test, `path "sys/auth/*" { capabilities = [${all}, "sudo"] }`)
  const only = await tokenOf(test, 'path "sys/auth/*" { capabilities = ["sudo"] }')
  equal((await test.ask('read', 'sys/auth', {}, { token: plain })).status, 200)
  const asked = [
    ['write', 'sys/auth/mine', 204],
    ['read', 'sys/auth/mine', 200],
    ['delete', 'sys/auth/mine', 204],
  ] as const
  for (const [verb, path, status] of asked) {
    const data = verb === 'write' ? { type: 'approle' } : {}
    equal((await test.ask(verb, path, data, { token: plain })).status, 403)
    equal((await test.ask(verb, path, data, { token: only })).status, 403)
    equal((await test.ask(verb, path, data, { token: sudo })).status, status)
  }
})

test('sys/auth does not let a slash at the end evade a rule', async () => {
  const test = await testCore()
  const token = await tokenOf(
    test,
    `path "sys/auth/*" { capabilities = ["read", "delete", "sudo"] }
     path "sys/auth/approle" { capabilities = ["read", "delete"] }`,
  )
  for (const verb of ['read', 'delete'] as const) {
    equal((await test.ask(verb, 'sys/auth/approle/', {}, { token })).status, 403)
  }
})

test('sys/auth enables, lists and shows a method', async () => {
  const { ask } = await testCore()
  const data = { type: 'approle', description: 'machines', config: { token_type: 'default-batch' } }
  equal((await ask('write', 'sys/auth/team/machines', data)).status, 204)
  const list = await ask('read', 'sys/auth')
  deepEqual(Object.keys(list.body.data!), ['approle/', 'team/machines/', 'token/'])
  deepEqual(list.body['team/machines/'], list.body.data!['team/machines/'])
  const { body } = await ask('read', 'sys/auth/team/machines')
  deepEqual(body.data, list.body.data!['team/machines/'])
  match(String(body.data!['accessor']), /^auth_approle_[0-9a-f]{8}$/)
  deepEqual(body.data!['config'], {
    default_lease_ttl: 0,
    max_lease_ttl: 0,
    force_no_cache: false,
    token_type: 'default-batch',
  })
  equal((await ask('write', 'auth/team/machines/role/r', {})).status, 204)
  equal((await ask('delete', 'sys/auth/team/machines')).status, 204)
  equal((await ask('read', 'auth/team/machines/role/r')).status, 404)
})
