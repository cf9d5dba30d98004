import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { putPolicy, tokenOf, tokenWith } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'

const RULE = 'path "kv1/*" { capabilities = ["read"] }'
const NO_TEXT = "'policy' parameter not supplied or empty"

test('policies refuse what is not a policy, and say why', async () => {
  const { ask } = await testCore()
  const refused: [name: string, data: Record<string, unknown>, text: RegExp][] = [
    ['p', {}, /^'policy' parameter not supplied or empty$/],
    ['p', { policy: '' }, /^'policy' parameter not supplied or empty$/],
    ['p', { policy: null }, /^'policy' parameter not supplied or empty$/],
    ['p', { policy: 'path {' }, /^failed to parse policy: /],
    ['p', { policy: 'rule "x" {}' }, /^failed to parse policy: invalid key "rule" on line 1$/],
    ['p', { policy: 'path "x" { capabilities = ["fly"] }' }, /invalid capability "fly"/],
    ['p', { policy: Buffer.from('path {').toString('base64') }, /^failed to parse policy: /],
    ['root', { policy: RULE }, /^cannot update "root" policy$/],
    ['response-wrapping', { policy: RULE }, /^cannot update "response-wrapping" policy$/],
  ]
  for (const [name, data, text] of refused) {
    for (const path of ['sys/policies/acl', 'sys/policy']) {
      const { status, body } = await ask('write', `${path}/${name}`, data)
      equal(status, 400)
      match(body.errors![0]!, text)
    }
  }
  deepEqual((await ask('list', 'sys/policies/acl')).body.data, { keys: ['default', 'root'] })
})

test('policies that the server keeps cannot be deleted', async () => {
  const { ask } = await testCore()
  for (const path of ['sys/policies/acl', 'sys/policy']) {
    const texts = []
    for (const name of ['root', 'ROOT', 'default', 'Default', 'response-wrapping']) {
      const { status, body } = await ask('delete', `${path}/${name}`)
      equal(status, 400)
      texts.push(body.errors![0])
    }
    deepEqual(texts, [
      'cannot delete "root" policy',
      'cannot delete "root" policy',
      'cannot delete default policy',
      'cannot delete default policy',
      'cannot delete "response-wrapping" policy',
    ])
  }
})

test('policies named like root are root, refused or inert', async () => {
  const test = await testCore()
  const everything = 'path "*" { capabilities = ["create", "read", "update", "delete", "sudo"] }'
  const names = [
    'Root',
    'ROOT',
    '%20root',
    'root%20',
    'root%E2%80%8B',
    'root%E2%81%A0',
    'root%CD%8F',
    'ｒｏｏｔ',
    'root%00',
    'root%0A',
    '%0Aroot',
    'r%6Fot',
    'root/',
    'x/../root',
    './root',
    'a//root',
    'root/%2e',
  ].map((name) => (name.includes('%') ? name : encodeURI(name)))
  for (const name of names) {
    const { status } = await test.ask('write', `sys/policies/acl/${name}`, { policy: everything })
    equal(status, 400, name)
  }
  deepEqual((await test.ask('list', 'sys/policies/acl')).body.data, { keys: ['default', 'root'] })
  equal((await test.ask('read', 'sys/policies/acl/root')).body.data!['policy'], '')
  // Decoded once, this is another name, and stays one.
  equal((await test.ask('write', 'sys/policies/acl/r%256fot', { policy: RULE })).status, 204)
  const { id: token } = await tokenWith(test, ['r%6fot'])
  equal((await test.ask('read', 'sys/mounts', {}, { token })).status, 403)
})

test('policies of a strange but harmless name are just that', async () => {
  const test = await testCore()
  for (const name of ['constructor', '__proto__', 'team/app', 'a b', 'tune', 'p.q-r_s', 'größe']) {
    const path = `sys/policies/acl/${encodeURI(name)}`
    equal((await test.ask('write', path, { policy: RULE })).status, 204, name)
    deepEqual((await test.ask('read', path)).body.data, { name, policy: RULE })
  }
  const { keys } = (await test.ask('list', 'sys/policies/acl')).body.data as { keys: string[] }
  ok(keys.includes('team/app') && keys.includes('__proto__'))
  equal((await test.ask('delete', 'sys/policies/acl/team/app')).status, 204)
  equal((await test.ask('read', 'sys/policies/acl/team/app')).status, 404)
})

test('policies do not let another spelling of a name evade a rule', async () => {
  const test = await testCore()
  await putPolicy(test, 'secret-one', RULE)
  const token = await tokenOf(
    test,
    `path "sys/policies/acl/*" { capabilities = ["read", "update", "delete"] }
     path "sys/policies/acl/secret-one" { capabilities = ["deny"] }
     path "sys/policies/acl/mine" { capabilities = ["read"] }`,
  )
  for (const name of [
    'secret-one',
    'Secret-One',
    '%20secret-one',
    'secret-one%20',
    'SECRET-ONE%20',
  ]) {
    const path = `sys/policies/acl/${name}`
    equal((await test.ask('read', path, {}, { token })).status, 403, name)
    equal((await test.ask('write', path, { policy: RULE }, { token })).status, 403, name)
    equal((await test.ask('delete', path, {}, { token })).status, 403, name)
  }
  equal((await test.ask('read', 'sys/policies/acl/secret-one/', {}, { token })).status, 404)
  // No deny rule, which would count for every spelling, but one that grants less.
  equal((await test.ask('write', 'sys/policies/acl/MINE', { policy: RULE }, { token })).status, 403)
  equal((await test.ask('read', 'sys/policies/acl/secret-one')).status, 200)
})

test('policies need the capability, and no sudo', async () => {
  const test = await testCore()
  const reader = await tokenOf(test, 'path "sys/policies/acl/*" { capabilities = ["read"] }')
  const writer = await tokenOf(
    test,
    'path "sys/policies/acl/*" { capabilities = ["update", "list", "delete"] }',
  )
  const asked = [
    ['write', 'sys/policies/acl/x', writer, 204],
    ['write', 'sys/policies/acl/x', reader, 403],
    ['read', 'sys/policies/acl/x', reader, 200],
    ['read', 'sys/policies/acl/x', writer, 403],
    ['list', 'sys/policies/acl', writer, 200],
    ['list', 'sys/policies/acl', reader, 403],
    ['delete', 'sys/policies/acl/x', reader, 403],
    ['delete', 'sys/policies/acl/x', writer, 204],
  ] as const
  for (const [verb, path, token, status] of asked) {
    const { status: got } = await test.ask(verb, path, { policy: RULE }, { token })
    equal(got, status, `${verb} ${path}`)
  }
})

test('policies are written, read, listed and deleted', async () => {
  const { ask } = await testCore()
  equal((await ask('read', 'sys/policies/acl/dev')).status, 404)
  equal((await ask('write', 'sys/policies/acl/dev', { policy: RULE })).status, 204)
  const read = await ask('read', 'sys/policies/acl/dev')
  deepEqual(read.body.data, { name: 'dev', policy: RULE })
  equal(read.body['policy'], undefined, 'nothing at the top level')
  const encoded = Buffer.from(RULE).toString('base64')
  equal((await ask('write', 'sys/policies/acl/alpha', { policy: encoded })).status, 204)
  equal((await ask('read', 'sys/policies/acl/alpha')).body.data!['policy'], RULE)
  deepEqual((await ask('list', 'sys/policies/acl')).body.data, {
    keys: ['alpha', 'default', 'dev', 'root'],
  })
  equal((await ask('delete', 'sys/policies/acl/dev')).status, 204)
  equal((await ask('delete', 'sys/policies/acl/dev')).status, 204)
  equal((await ask('read', 'sys/policies/acl/dev')).status, 404)
})

test('policies say that a name was converted', async () => {
  const { ask } = await testCore()
  const { status, body } = await ask('write', 'sys/policies/acl/DevTeam', { policy: RULE })
  equal(status, 200)
  deepEqual(body['warnings'], ['policy name was converted to devteam'])
  equal((await ask('read', 'sys/policies/acl/DEVTEAM')).body.data!['name'], 'devteam')
})

test('the older policy endpoints answer in their own form', async () => {
  const { ask } = await testCore()
  equal((await ask('write', 'sys/policy/dev', { policy: RULE })).status, 204)
  const older = await ask('write', 'sys/policy/dev2', { rules: RULE })
  equal(older.status, 200)
  match(String(older.body['warnings']), /'rules' is deprecated/)
  deepEqual((await ask('read', 'sys/policy/dev2')).body.data, { name: 'dev2', rules: RULE })
  const keys = ['default', 'dev', 'dev2', 'root']
  for (const verb of ['read', 'list'] as const) {
    const { body } = await ask(verb, 'sys/policy')
    deepEqual(body.data, { keys, policies: keys })
    deepEqual([body['keys'], body['policies']], [keys, keys])
  }
  equal((await ask('delete', 'sys/policy/dev')).status, 204)
  const { body } = await ask('write', 'sys/policy/dev', {})
  deepEqual(body.errors, [NO_TEXT])
})

test('policies count from the next request on', async () => {
  const test = await testCore()
  await test.ask('write', 'kv1/x', { a: 1 })
  const { id: token } = await tokenWith(test, ['dev'])
  const read = async () => (await test.ask('read', 'kv1/x', {}, { token })).status
  equal(await read(), 403)
  await putPolicy(test, 'dev', RULE)
  equal(await read(), 200)
  equal((await test.ask('write', 'kv1/x', { a: 2 }, { token })).status, 403)
  await putPolicy(test, 'dev', 'path "kv1/*" { capabilities = ["update"] }')
  equal(await read(), 403)
  await putPolicy(test, 'dev', RULE)
  await test.ask('delete', 'sys/policies/acl/dev')
  equal(await read(), 403)
})
