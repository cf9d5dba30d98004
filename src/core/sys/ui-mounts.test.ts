import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { tokenOf, tokenWith } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'

const preflight = (path: string) =>
  `preflight capability check returned 403, please ensure client's policies grant access to path "${path}/"`

test('ui mounts tell nothing of a mount below which the token may do nothing', async () => {
  const test = await testCore()
  const token = await tokenOf(
    test,
    `path "kv1/*" { capabilities = ["read"] }
     path "secret/*" { capabilities = ["deny"] }`,
  )
  const asked = [
    ['secret', token],
    ['secret/data/x', token],
    ['secret/', token],
    ['nope/x', token],
    ['auth/approle', token],
    ['kv1/x', undefined],
    ['nope', undefined],
  ] as const
  for (const [path, who] of asked) {
    const { status, body } = await test.ask(
      'read',
      `sys/internal/ui/mounts/${path}`,
      {},
      { token: who },
    )
    deepEqual([status, body.errors], [403, [preflight(path.replace(/\/$/, ''))]])
  }
})

test('ui mounts refuse a token that is not valid, or not from there', async () => {
  const test = await testCore()
  const { id } = await tokenWith(test, ['root'], { boundCidrs: ['10.0.0.0/8'] })
  const short = await tokenWith(test, ['root'], { expiresAt: test.clock.now() + 1000 })
  test.clock.advance(2000)
  for (const path of ['sys/internal/ui/mounts', 'sys/internal/ui/mounts/secret']) {
    for (const token of ['hvs.unknown', id, short.id]) {
      const { status, body } = await test.ask('read', path, {}, { token })
      deepEqual([status, body.errors], [403, ['permission denied']])
    }
    const there = { token: id, remoteAddress: '10.1.2.3' }
    equal((await test.ask('read', path, {}, there)).status, 200)
  }
})

test('ui mounts show a path its mount, for the CLI to see the version of kv', async () => {
  const test = await testCore()
  const token = await tokenOf(test, 'path "secret/data/app/*" { capabilities = ["read"] }')
  for (const path of ['secret', 'secret/', 'secret/app/db', 'secret/nowhere/']) {
    const { status, body } = await test.ask('read', `sys/internal/ui/mounts/${path}`, {}, { token })
    equal(status, 200)
    deepEqual(
      [body.data!['path'], body.data!['type'], body.data!['options']],
      ['secret/', 'kv', { version: '2' }],
    )
    equal(body['path'], undefined, 'nothing at the top level')
  }
  const auth = await test.ask('read', 'sys/internal/ui/mounts/auth/approle/login')
  equal(auth.body.data!['path'], 'auth/approle/')
})

test('ui mounts list only what is for everyone to those without a token', async () => {
  const { ask } = await testCore()
  const none = { token: undefined }
  deepEqual((await ask('read', 'sys/internal/ui/mounts', {}, none)).body.data, {
    secret: {},
    auth: {},
  })
  await ask('write', 'sys/mounts/kv1/tune', { listing_visibility: 'unauth', description: 'open' })
  await ask('write', 'sys/auth/approle/tune', { listing_visibility: 'unauth' })
  await ask('write', 'sys/mounts/secret/tune', { listing_visibility: 'hidden' })
  deepEqual((await ask('read', 'sys/internal/ui/mounts', {}, none)).body.data, {
    secret: { 'kv1/': { type: 'kv', description: 'open', options: { version: '1' } } },
    auth: { 'approle/': { type: 'approle', description: '', options: null } },
  })
})

test('ui mounts list to a token what it can reach, in full', async () => {
  const test = await testCore()
  const token = await tokenOf(test, 'path "kv1/a/b" { capabilities = ["read"] }')
  const { body } = await test.ask('read', 'sys/internal/ui/mounts', {}, { token })
  deepEqual(body.data, {
    secret: { 'kv1/': (await test.ask('read', 'sys/mounts/kv1')).body.data },
    auth: {},
  })
})

test('resultant-acl tells what the token may do', async () => {
  const test = await testCore()
  equal(
    (await test.ask('read', 'sys/internal/ui/resultant-acl', {}, { token: undefined })).status,
    403,
  )
  const root = await test.ask('read', 'sys/internal/ui/resultant-acl')
  deepEqual(root.body.data, { root: true, exact_paths: {}, glob_paths: {} })
  const token = await tokenOf(
    test,
    `path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }
     path "kv1/*" { capabilities = ["list", "read"] }`,
  )
  const { body } = await test.ask('read', 'sys/internal/ui/resultant-acl', {}, { token })
  deepEqual(body.data, {
    root: false,
    exact_paths: { 'sys/internal/ui/resultant-acl': { capabilities: ['read'] } },
    glob_paths: { 'kv1/': { capabilities: ['read', 'list'] } },
  })
})
