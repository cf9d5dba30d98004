/** The store as it lies: closed unless it was opened, and never what key holders have given. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'

const open = { settings: { rawStorage: true } }

test('raw is not there unless the configuration asks for it', async () => {
  const { ask } = await testCore()
  equal((await ask('read', 'sys/raw/sys/mounts')).status, 404)
  equal((await ask('list', 'sys/raw')).status, 404)
  equal((await ask('write', 'sys/raw/x', { value: '{}' })).status, 404)
  equal((await ask('delete', 'sys/raw/sys/mounts')).status, 404)
})

test('raw takes sudo, and knows create from update', async () => {
  const { ask } = await testCore(open)
  const as = async (capabilities: string) => {
    const policy = `path "sys/raw/*" { capabilities = [${capabilities}] }`
    await ask('write', 'sys/policies/acl/raw', { policy })
    const { body } = await ask('write', 'auth/token/create', { policies: ['raw'] })
    return { token: (body['auth'] as Record<string, string>)['client_token'] }
  }
  const reader = await as('"read"')
  equal((await ask('read', 'sys/raw/sys/mounts', {}, reader)).status, 403)
  const writer = await as('"update", "sudo"')
  equal((await ask('write', 'sys/raw/mine', { value: '{}' }, writer)).status, 403)
  await ask('write', 'sys/raw/mine', { value: '{}' })
  equal((await ask('write', 'sys/raw/mine', { value: '{}' }, writer)).status, 204)
})

test('raw does not reach what key holders have given, nor the keys of the barrier', async () => {
  const { ask } = await testCore(open)
  await ask('write', 'sys/generate-root/attempt')
  for (const path of ['sys/ceremony/generate-root', 'sys/ceremony']) {
    equal((await ask('read', `sys/raw/${path}`)).status, 400, path)
    equal((await ask('list', `sys/raw/${path}`)).status, 400, path)
    equal((await ask('delete', `sys/raw/${path}`)).status, 400, path)
  }
  for (const path of ['core/root', 'core/seal', 'core/keyring']) {
    equal((await ask('read', `sys/raw/${path}`)).status, 404, path)
  }
})

test('raw refuses what is no entry', async () => {
  const { ask } = await testCore(open)
  for (const data of [
    {},
    { value: '[]' },
    { value: 'secret' },
    { value: '{}', encoding: 'hex' },
    { value: '{}', encoding: 'base64' },
    { value: '{}', compression_type: 'gzip' },
  ]) {
    const answer = await ask('write', 'sys/raw/mine', data)
    equal(answer.status, 400)
    ok(!answer.text.includes('secret'))
  }
})

test('raw reads, writes, lists and deletes', async () => {
  const { ask } = await testCore(open)
  equal((await ask('write', 'sys/raw/mine/a', { value: '{"b":1}' })).status, 204)
  deepEqual((await ask('read', 'sys/raw/mine/a')).body.data, { value: '{"b":1}' })
  const value = Buffer.from('{"b":2}').toString('base64')
  await ask('write', 'sys/raw/mine/a', { value, encoding: 'base64' })
  deepEqual((await ask('read', 'sys/raw/mine/a', { encoding: 'base64' })).body.data, { value })
  deepEqual((await ask('list', 'sys/raw/mine')).body.data, { keys: ['a'] })
  equal((await ask('list', 'sys/raw')).status, 400)
  equal((await ask('read', 'sys/raw/due/1')).status, 400)
  equal((await ask('delete', 'sys/raw/mine/a')).status, 204)
  equal((await ask('read', 'sys/raw/mine/a')).status, 404)
})

test('raw leaves what ends by itself its end', async () => {
  const { ask, core, clock } = await testCore(open)
  core.expiry.stop()
  const made = await ask('write', 'auth/token/create', { ttl: '1m', policies: ['default'] })
  const { accessor } = made.body['auth'] as Record<string, string>
  const names = (await ask('list', 'sys/raw/token')).body.data!['keys'] as string[]
  for (const name of names.filter((each) => !each.endsWith('/'))) {
    const { value } = (await ask('read', `sys/raw/token/${name}`)).body.data as { value: string }
    await ask('write', `sys/raw/token/${name}`, { value })
  }
  clock.advance(60_000)
  await core.expiry.pass()
  const left = (await ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]
  equal(left.includes(accessor!), false)
})
