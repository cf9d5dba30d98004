import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'

test('pipeline refuses who has no token before it tells whether a path exists', async () => {
  const { ask } = await testCore()
  for (const path of ['secret/data/x', 'nowhere/x', 'sys/nowhere']) {
    for (const token of [undefined, 'hvs.unknown', '', 's.x']) {
      const { status, body } = await ask('read', path, {}, { token })
      equal(status, 403)
      match(body.errors![0]!, /permission denied/)
    }
  }
})

test('pipeline answers root what is wrong with the path', async () => {
  const { ask } = await testCore()
  const missing = await ask('read', 'nowhere/x')
  equal(missing.status, 404)
  deepEqual(missing.body.errors, ['no handler for route "nowhere/x". route entry not found.'])
  deepEqual((await ask('read', 'sys/nope')).body.errors, [
    '1 error occurred:\n\t* unsupported path\n\n',
  ])
  const wrong = await ask('delete', 'sys/seal')
  equal(wrong.status, 405)
  deepEqual(wrong.body.errors, ['1 error occurred:\n\t* unsupported operation\n\n'])
  equal((await ask('write', 'secret/data/x/', { data: {} })).status, 400)
})

test('pipeline keeps and serves a secret', async () => {
  const { ask } = await testCore()
  const wrote = await ask('write', 'secret/data/app/db', { data: { password: 'swordfish' } })
  equal(wrote.status, 200)
  const read = await ask('read', 'secret/data/app/db')
  equal(read.status, 200)
  deepEqual(read.body.data!['data'], { password: 'swordfish' })
  deepEqual((await ask('list', 'secret/metadata/app')).body.data, { keys: ['db'] })
})

test('pipeline judges a path with a trailing slash as the path that is served', async () => {
  const { ask } = await testCore()
  await ask('write', 'auth/approle/role/r', {})
  const policy =
    'path "auth/approle/*" { capabilities = ["read"] }\n' +
    'path "auth/approle/role/r" { capabilities = ["deny"] }'
  await ask('write', 'sys/policies/acl/no-r', { policy })
  const made = await ask('write', 'auth/token/create', { policies: ['no-r'] })
  const token = (made.body['auth'] as Record<string, string>)['client_token']
  equal((await ask('read', 'auth/approle/role/other', {}, { token })).status, 404)
  for (const path of ['auth/approle/role/r', 'auth/approle/role/r/']) {
    equal((await ask('read', path, {}, { token })).status, 403)
  }
})

test('pipeline gives nothing to a token whose policy is named like a built-in property', async () => {
  const { ask } = await testCore()
  for (const name of ['constructor', '__proto__', 'tostring']) {
    const made = await ask('write', 'auth/token/create', { policies: [name] })
    const token = (made.body['auth'] as Record<string, string>)['client_token']
    equal((await ask('read', 'secret/data/x', {}, { token })).status, 403)
  }
})
