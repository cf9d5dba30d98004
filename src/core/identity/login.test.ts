/** Who a login makes of its caller: the refusals, then what is found, made and kept. */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAudit } from '../../../test/support/fake-audit.ts'
import { identityHouse } from '../../../test/support/identity-house.ts'

test('a login as a disabled entity is refused, and changes nothing', async () => {
  const { must, logIn, tryLogIn, accessorOf } = await identityHouse()
  const group = await must('write', 'identity/group', { type: 'external' })
  const mount_accessor = await accessorOf('folk')
  const alias = { name: 'staff', mount_accessor, canonical_id: group['id'] }
  await must('write', 'identity/group-alias', alias)
  const { entityId } = await logIn({ alias: 'alice' })
  await must('write', `identity/entity/id/${entityId}`, { disabled: true })
  const refused = await tryLogIn({ alias: 'ALICE', groups: ['staff'], metadata: { a: 'b' } })
  equal(refused.status, 403)
  deepEqual(refused.body, { errors: ['permission denied'] })
  const entity = await must('read', `identity/entity/id/${entityId}`)
  deepEqual(entity['group_ids'], [])
  equal((entity['aliases'] as Record<string, unknown>[])[0]!['metadata'], null)
})

test('a login without an alias is nobody', async () => {
  const { ask, logIn } = await identityHouse()
  const { auth, token } = await logIn({ alias: '', policies: ['p'] })
  equal(auth['entity_id'], '')
  ok(!('identity_policies' in auth))
  const self = await ask('read', 'auth/token/lookup-self', {}, { token })
  equal(self.body.data!['entity_id'], '')
  ok(!('identity_policies' in self.body.data!))
  equal((await ask('list', 'identity/entity/id')).status, 404)
})

test('the same alias is the same entity, on another mount it is another', async () => {
  const { must, logIn, accessorOf } = await identityHouse()
  await must('write', 'sys/auth/other', { type: 'folk' })
  const first = await logIn({ alias: 'alice', metadata: { team: 'blue' } })
  const again = await logIn({ alias: 'Alice', metadata: { team: 'red' }, type: 'batch' })
  equal(again.entityId, first.entityId)
  equal(again.auth['token_type'], 'batch')
  notEqual((await logIn({ alias: 'alice' }, 'other')).entityId, first.entityId)
  notEqual((await logIn({ alias: 'bob' })).entityId, first.entityId)
  const entity = await must('read', `identity/entity/id/${first.entityId}`)
  match(String(entity['name']), /^entity_[0-9a-f]{8}$/)
  const [alias] = entity['aliases'] as Record<string, unknown>[]
  deepEqual(
    { ...alias, id: '', creation_time: '', last_update_time: '' },
    {
      id: '',
      canonical_id: first.entityId,
      name: 'alice',
      mount_accessor: await accessorOf('folk'),
      mount_path: 'auth/folk/',
      mount_type: 'folk',
      metadata: { team: 'red' },
      custom_metadata: {},
      local: false,
      creation_time: '',
      last_update_time: '',
      merged_from_canonical_ids: null,
    },
  )
  const counted = await must('read', 'sys/internal/counters/entities')
  deepEqual(counted, { counters: { entities: { total: 3 } } })
})

test('two first logins at once make one entity', async () => {
  const { must, logIn } = await identityHouse()
  const many = await Promise.all(Array.from({ length: 8 }, () => logIn({ alias: 'alice' })))
  equal(new Set(many.map(({ entityId }) => entityId)).size, 1)
  equal(((await must('list', 'identity/entity/id'))['keys'] as string[]).length, 1)
})

test('an AppRole login is the entity of its role id', async () => {
  const { must, logIn, accessorOf } = await identityHouse()
  await must('write', 'auth/approle/role/web', { role_id: 'web-id' })
  const made = await must('write', 'identity/entity', { name: 'web', policies: ['extra'] })
  await must('write', 'identity/entity-alias', {
    name: 'web-id',
    canonical_id: made['id'],
    mount_accessor: await accessorOf('approle'),
  })
  const { secret_id } = await must('write', 'auth/approle/role/web/secret-id')
  const { auth, entityId } = await logIn({ role_id: 'web-id', secret_id }, 'approle')
  equal(entityId, made['id'])
  deepEqual(auth['identity_policies'], ['extra'])
})

test('the auth block and the lookup tell token policies and those of the entity apart', async () => {
  const { ask, must, logIn } = await identityHouse()
  const { entityId } = await logIn({ alias: 'alice' })
  await must('write', `identity/entity/id/${entityId}`, { policies: ['mine', 'web'] })
  await must('write', 'identity/group', { policies: ['ours'], member_entity_ids: [entityId] })
  const { auth, token } = await logIn({ alias: 'alice', policies: ['web'] })
  deepEqual(auth['policies'], ['default', 'mine', 'ours', 'web'])
  deepEqual(auth['token_policies'], ['default', 'web'])
  deepEqual(auth['identity_policies'], ['mine', 'ours', 'web'])
  const own = { token }
  const self = (await ask('read', 'auth/token/lookup-self', {}, own)).body.data!
  deepEqual(self['policies'], ['default', 'web'])
  deepEqual(self['identity_policies'], ['mine', 'ours', 'web'])
  equal(self['entity_id'], entityId)
  const renewed = (await ask('write', 'auth/token/renew-self', {}, own)).body
  deepEqual((renewed['auth'] as Record<string, unknown>)['identity_policies'], [
    'mine',
    'ours',
    'web',
  ])
})

test('a child is of the entity of its parent, an orphan of none', async () => {
  const { ask, must, logIn, allow } = await identityHouse()
  await allow('maker', 'auth/token/create*', 'update', 'sudo')
  const { token, entityId } = await logIn({ alias: 'alice', policies: ['maker'] })
  const child = await ask('write', 'auth/token/create', {}, { token })
  equal((child.body['auth'] as Record<string, unknown>)['entity_id'], entityId)
  const orphan = await ask('write', 'auth/token/create-orphan', {}, { token })
  equal((orphan.body['auth'] as Record<string, unknown>)['entity_id'], '')
  await must('write', `identity/entity/id/${entityId}`, { disabled: true })
  const childToken = String((child.body['auth'] as Record<string, unknown>)['client_token'])
  equal((await ask('read', 'auth/token/lookup-self', {}, { token: childToken })).status, 403)
})

test('external groups have those members whom their login has named last', async () => {
  const { must, logIn, accessorOf, mayRead, allow } = await identityHouse()
  await must('write', 'sys/auth/other', { type: 'folk' })
  await allow('staff', 'secret/data/staff')
  const group = async (name: string, mount: string) => {
    const { id } = await must('write', 'identity/group', {
      name: `${name}@${mount}`,
      type: 'external',
      policies: [name],
    })
    const mount_accessor = await accessorOf(mount)
    await must('write', 'identity/group-alias', { name, mount_accessor, canonical_id: id })
    return String(id)
  }
  const here = await group('staff', 'folk')
  const there = await group('staff', 'other')
  const alice = await logIn({ alias: 'alice', groups: ['STAFF', 'unknown'] })
  const groupsNow = async () =>
    (await must('read', `identity/entity/id/${alice.entityId}`))['group_ids']
  deepEqual(await groupsNow(), [here])
  ok(await mayRead(alice.token, 'secret/data/staff'))

  // The group of the other mount is not this one's to give, nor to take.
  await must('write', 'identity/entity-alias', {
    name: 'alice2',
    canonical_id: alice.entityId,
    mount_accessor: await accessorOf('other'),
  })
  await logIn({ alias: 'alice2', groups: ['staff'] }, 'other')
  deepEqual(await groupsNow(), [here, there].sort())
  await logIn({ alias: 'alice' })
  deepEqual(await groupsNow(), [there])
  await logIn({ alias: 'alice2', groups: [] }, 'other')
  deepEqual(await groupsNow(), [])
  // Gone with the next request of the token from before, not with the token.
  ok(!(await mayRead(alice.token, 'secret/data/staff')))
})

test('an auth mount that is disabled takes its aliases with it, and leaves the entities', async () => {
  const { must, logIn, ask, accessorOf } = await identityHouse()
  const accessor = await accessorOf('folk')
  const { entityId } = await logIn({ alias: 'alice' })
  const { id } = await must('write', 'identity/group-alias', {
    name: 'staff',
    mount_accessor: accessor,
  })
  await logIn({ alias: 'alice', groups: ['staff'] })
  await must('delete', 'sys/auth/folk')
  const entity = await must('read', `identity/entity/id/${entityId}`)
  deepEqual([entity['aliases'], entity['group_ids']], [[], []])
  equal((await ask('list', 'identity/entity-alias/id')).status, 404)
  equal((await ask('read', `identity/group-alias/id/${String(id)}`)).status, 404)
  const query = { alias_name: 'alice', alias_mount_accessor: accessor }
  equal((await ask('write', 'identity/lookup/entity', query)).status, 204)
  await must('write', 'sys/auth/folk', { type: 'folk' })
  notEqual((await logIn({ alias: 'alice' })).entityId, entityId)
})

test('an auth mount that moves keeps its aliases', async () => {
  const { must, logIn } = await identityHouse()
  const { entityId } = await logIn({ alias: 'alice' })
  await must('write', 'sys/remount', { from: 'auth/folk', to: 'auth/people' })
  equal((await logIn({ alias: 'alice' }, 'people')).entityId, entityId)
})

test('the audit log tells the entity and what it adds', async () => {
  const audit = fakeAudit()
  const { must, ask, logIn } = await identityHouse({ auditTypes: [audit.type] })
  await must('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  const { entityId, token } = await logIn({ alias: 'alice', policies: ['web'] })
  for (const policies of [['mine'], ['other']]) {
    await must('write', `identity/entity/id/${entityId}`, { policies })
    await ask('read', 'auth/token/lookup-self', {}, { token })
    const { auth } = audit.entries().at(-1) as { auth: Record<string, unknown> }
    equal(auth['entity_id'], entityId)
    deepEqual(auth['identity_policies'], policies)
    deepEqual(auth['token_policies'], ['default', 'web'])
    deepEqual(auth['policies'], ['default', ...policies, 'web'].sort())
  }
})
