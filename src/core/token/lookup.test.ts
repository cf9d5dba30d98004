import { deepEqual, equal, fail, match } from 'node:assert/strict'
import { test } from 'node:test'
import { type TestCore, testCore } from '../../../test/support/test-core.ts'
import { tokenByAccessor } from './subject.ts'

type Auth = Record<string, unknown> & { client_token: string; accessor: string }

async function make({ ask }: TestCore, data: Record<string, unknown>): Promise<Auth> {
  const { body } = await ask('write', 'auth/token/create', { policies: ['default'], ...data })
  return body['auth'] as Auth
}

const wrapped = (text: string) => `1 error occurred:\n\t* ${text}\n\n`

test('lookup refuses what is no token', async () => {
  const core = await testCore()
  const { accessor, client_token } = await make(core, {})
  for (const token of ['x', 'hvs.x', 'hvb.x', accessor, `${client_token}x`, '../x', 'hvb.']) {
    const { status, body } = await core.ask('write', 'auth/token/lookup', { token })
    equal(status, 403)
    deepEqual(body.errors, ['bad token'])
  }
})

test('lookup-accessor refuses what is no accessor', async () => {
  const core = await testCore()
  const { client_token: token } = await make(core, {})
  for (const accessor of [
    'x',
    token,
    '../../x',
    'a'.repeat(24),
    'a/'.repeat(12),
    '\0'.repeat(24),
  ]) {
    const { status, body } = await core.ask('write', 'auth/token/lookup-accessor', { accessor })
    equal(status, 400)
    deepEqual(body.errors, [wrapped('invalid accessor')])
  }
  const missing = await core.ask('write', 'auth/token/lookup-accessor')
  equal(missing.status, 400)
  deepEqual(missing.body.errors, [wrapped('missing accessor')])
})

test('tokenByAccessor() asks the store only about what can be an accessor', async () => {
  const store = { tokens: { byAccessor: () => fail('asked') } }
  for (const accessor of ['x', '../../x', 'a/'.repeat(12), 'é'.repeat(24), 'a'.repeat(25)]) {
    equal(await tokenByAccessor(store as never, {} as never, accessor), undefined)
  }
})

test('lookup refuses a token past its time that nothing has cleaned away', async () => {
  const core = await testCore()
  const { client_token: token, accessor } = await make(core, { ttl: 10 })
  core.core.expiry.stop()
  core.clock.advance(9_999)
  equal((await core.ask('write', 'auth/token/lookup', { token })).status, 200)
  core.clock.advance(1)
  equal((await core.ask('write', 'auth/token/lookup', { token })).status, 403)
  equal((await core.ask('write', 'auth/token/lookup-accessor', { accessor })).status, 400)
  equal((await core.ask('read', 'auth/token/lookup-self', {}, { token })).status, 403)
})

test('lookup-self tells a root token what it is', async () => {
  const { ask, root, clock } = await testCore()
  const { status, body } = await ask('read', 'auth/token/lookup-self')
  equal(status, 200)
  const { accessor, ...data } = body.data!
  match(String(accessor), /^[0-9A-Za-z]{24}$/)
  deepEqual(data, {
    creation_time: clock.now() / 1000,
    creation_ttl: 0,
    display_name: 'root',
    entity_id: '',
    expire_time: null,
    explicit_max_ttl: 0,
    id: root,
    meta: null,
    num_uses: 0,
    orphan: true,
    path: 'auth/token/root',
    policies: ['root'],
    ttl: 0,
    type: 'service',
  })
})

test('lookup tells what a token is, by any way that leads to it', async () => {
  const core = await testCore()
  const { ask, clock } = core
  const created = clock.now()
  const auth = await make(core, {
    ttl: '1h',
    period: '2h',
    meta: { a: 'b' },
    explicit_max_ttl: '4h',
  })
  const { client_token: token, accessor } = auth
  clock.advance(1_500)
  const expected = {
    accessor,
    creation_time: created / 1000,
    creation_ttl: 7200,
    display_name: 'token',
    entity_id: '',
    expire_time: '2026-01-01T02:00:00Z',
    explicit_max_ttl: 14_400,
    id: token,
    issue_time: '2026-01-01T00:00:00Z',
    meta: { a: 'b' },
    num_uses: 0,
    orphan: false,
    path: 'auth/token/create',
    period: 7200,
    policies: ['default'],
    renewable: true,
    ttl: 7198,
    type: 'service',
  }
  const self = { token }
  deepEqual((await ask('read', 'auth/token/lookup-self', {}, self)).body.data, expected)
  deepEqual((await ask('write', 'auth/token/lookup', { token })).body.data, expected)
  deepEqual((await ask('read', 'auth/token/lookup', { token })).body.data, expected)
  const byAccessor = await ask('write', 'auth/token/lookup-accessor', { accessor })
  deepEqual(byAccessor.body.data, { ...expected, id: '' })
  await ask('write', 'auth/token/renew', { token })
  const { data } = (await ask('write', 'auth/token/lookup', { token })).body
  equal(data!['last_renewal'], '2026-01-01T00:00:01.5Z')
  equal(data!['last_renewal_time'], created / 1000 + 1)
})

test('lookup without a token is about the one that asks', async () => {
  const { ask, root } = await testCore()
  equal((await ask('write', 'auth/token/lookup')).body.data!['id'], root)
  equal((await ask('read', 'auth/token/lookup')).body.data!['id'], root)
  equal((await ask('write', 'auth/token/lookup-self')).body.data!['id'], root)
})

test('lookup-self counts its own use, down to the last', async () => {
  const core = await testCore()
  const { client_token: token } = await make(core, { num_uses: 3 })
  const uses = async () => {
    const { status, body } = await core.ask('read', 'auth/token/lookup-self', {}, { token })
    return status === 200 ? body.data!['num_uses'] : status
  }
  equal(await uses(), 2)
  // Others who look do not use it.
  const seen = await core.ask('write', 'auth/token/lookup', { token })
  equal(seen.body.data!['num_uses'], 2)
  equal(await uses(), 1)
  equal(await uses(), -1)
  equal(await uses(), 403)
})

test('lookup of itself by its id works in the last use', async () => {
  const core = await testCore()
  const policy = 'path "auth/token/lookup" { capabilities = ["update"] }'
  await core.ask('write', 'sys/policies/acl/looker', { policy })
  const { client_token: token } = await make(core, { policies: ['looker'], num_uses: 1 })
  const { body } = await core.ask('write', 'auth/token/lookup', { token }, { token })
  equal(body.data!['num_uses'], -1)
})

test('a refused request is a use as well', async () => {
  const core = await testCore()
  const { client_token: token } = await make(core, { num_uses: 2 })
  equal((await core.ask('read', 'kv1/secret', {}, { token })).status, 403)
  equal((await core.ask('read', 'kv1/secret', {}, { token })).status, 403)
  equal((await core.ask('read', 'auth/token/lookup-self', {}, { token })).status, 403)
  equal((await core.ask('write', 'auth/token/lookup', { token })).status, 403)
})

test('accessors are listed for those with sudo only', async () => {
  const core = await testCore()
  const policy = 'path "auth/token/accessors/" { capabilities = ["list"] }'
  await core.ask('write', 'sys/policies/acl/lister', { policy })
  const auth = await make(core, { policies: ['lister'] })
  const asLister = { token: auth.client_token }
  equal((await core.ask('list', 'auth/token/accessors', {}, asLister)).status, 403)
  const { data } = (await core.ask('list', 'auth/token/accessors')).body
  const keys = data!['keys'] as string[]
  equal(keys.length, 2)
  equal(keys.includes(auth.accessor), true)
  deepEqual(keys, keys.toSorted())
})
