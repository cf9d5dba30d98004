import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { tokenOf, tokenWith } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'

const BOTH = "both 'from' and 'to' path must be specified as a string"
const REFUSED: [from: unknown, to: unknown, text: string][] = [
  [undefined, 'x', BOTH],
  ['secret', undefined, BOTH],
  ['secret', null, BOTH],
  ['/', 'x', BOTH],
  ['nope', 'x', 'no matching mount at "nope/"'],
  ['secret/deeper', 'x', 'no matching mount at "secret/deeper/"'],
  ['sys', 'x', 'cannot remount "sys/"'],
  ['cubbyhole', 'x', 'cannot remount "cubbyhole/"'],
  ['auth/token', 'auth/x', 'cannot remount "auth/token/"'],
  ['secret', 'secret', 'path is already in use at secret/'],
  ['secret', 'kv1', 'path is already in use at kv1/'],
  ['secret', 'kv1/deeper', 'path is already in use at kv1/'],
  ['secret', 'sys/x', 'cannot remount to "sys/x/"'],
  ['secret', 'cubbyhole/x', 'cannot remount to "cubbyhole/x/"'],
  ['secret', 'auth/x', 'cannot remount a secrets engine below "auth/"'],
  ['auth/approle', 'x', 'cannot remount an auth method outside "auth/"'],
  ['auth/approle', 'auth/token/x', 'path is already in use at token/'],
  ['secret', '../x', 'relative paths not supported'],
  ['secret', 'x/./y', 'relative paths not supported'],
  ['secret', 'x//y', 'empty path segments are not supported'],
  ['secret', '//x', 'empty path segments are not supported'],
  ['secret', 'x\u0000y', 'the path contains characters that are not allowed'],
  ['secret', 'x\u200by', 'the path contains characters that are not allowed'],
  ['secret', 'x\\y', 'the path contains characters that are not allowed'],
  [
    'secret',
    'x/tune',
    "a mount path must not end in '/tune', which names the tuning of the mount above it",
  ],
]

test('remount refuses what cannot be moved, or not there, and says why', async () => {
  const { ask } = await testCore()
  const before = (await ask('read', 'sys/mounts')).body.data
  for (const [from, to, text] of REFUSED) {
    const { status, body } = await ask('write', 'sys/remount', {
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    })
    deepEqual({ from, to, status, errors: body?.errors }, { from, to, status: 400, errors: [text] })
  }
  deepEqual((await ask('read', 'sys/mounts')).body.data, before)
})

test('remount needs sudo', async () => {
  const test = await testCore()
  const token = await tokenOf(test, 'path "sys/remount" { capabilities = ["update"] }')
  const { status } = await test.ask('write', 'sys/remount', { from: 'kv1', to: 'x' }, { token })
  equal(status, 403)
})

test('remount moves a mount with its data, and tells how it went', async () => {
  const { ask } = await testCore()
  await ask('write', 'kv1/a', { v: 1 })
  const before = (await ask('read', 'sys/mounts/kv1')).body.data
  const { status, body } = await ask('write', 'sys/remount', { from: '/kv1/', to: 'team/kv' })
  equal(status, 200)
  match(body['warnings']![0 as never], /^Mount move has been queued\. Progress will be reported/)
  const id = String(body.data!['migration_id'])
  equal(body['migration_id'], id)
  deepEqual((await ask('read', `sys/remount/status/${id}`)).body.data, {
    migration_id: id,
    migration_info: { source_mount: 'kv1/', target_mount: 'team/kv/', status: 'success' },
  })
  equal((await ask('read', 'sys/remount/status/nope')).status, 404)
  equal((await ask('read', 'kv1/a')).status, 404)
  deepEqual((await ask('read', 'team/kv/a')).body.data, { v: 1 })
  deepEqual((await ask('read', 'sys/mounts/team/kv')).body.data, before)
})

test('remount may go below or above where the mount was', async () => {
  const { ask } = await testCore()
  await ask('write', 'kv1/a', { v: 1 })
  equal((await ask('write', 'sys/remount', { from: 'kv1', to: 'kv1/deeper' })).status, 200)
  equal((await ask('write', 'sys/remount', { from: 'kv1/deeper', to: 'kv1' })).status, 200)
  deepEqual((await ask('read', 'kv1/a')).body.data, { v: 1 })
})

test('remount of an auth mount keeps its tokens and roles', async () => {
  const made = await testCore()
  const { ask } = made
  await ask('write', 'auth/approle/role/r', { token_policies: 'default' })
  const uuid = String((await ask('read', 'sys/auth/approle')).body.data!['uuid'])
  const { id } = await tokenWith(made, ['default'], { loginMount: uuid })
  const moved = await ask('write', 'sys/remount', { from: 'auth/approle', to: 'auth/machines' })
  equal(moved.status, 200)
  equal((await ask('read', 'auth/machines/role/r')).status, 200)
  const self = () => ask('write', 'sys/capabilities-self', { path: 'x' }, { token: id })
  equal((await self()).status, 200)
  await ask('delete', 'sys/auth/machines')
  equal((await self()).status, 403)
})
