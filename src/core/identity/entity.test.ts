import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { MOUNTS_PATH, type MountTable } from '../mounts.ts'

const errors = async (
  { ask }: TestCore,
  path: string,
  data: Record<string, unknown>,
): Promise<unknown> => {
  const { status, body } = await ask('write', path, data)
  equal(status, 400, JSON.stringify(body))
  return body.errors
}

test('identity/ can be neither disabled, moved nor mounted once more', async () => {
  const { ask } = await testCore()
  equal((await ask('delete', 'sys/mounts/identity')).status, 400)
  equal((await ask('write', 'sys/remount', { from: 'identity', to: 'people' })).status, 400)
  equal((await ask('write', 'sys/mounts/people', { type: 'identity' })).status, 400)
  equal((await ask('write', 'sys/mounts/identity/x', { type: 'kv' })).status, 400)
  const { body } = await ask('read', 'sys/mounts')
  const mount = body.data?.['identity/'] as Record<string, unknown>
  equal(mount['type'], 'identity')
  ok(/^identity_[0-9a-f]{8}$/.test(String(mount['accessor'])))
  equal((await ask('list', 'identity/entity/id')).status, 404)
})

test('a store from before gets identity/ when it is opened', async () => {
  const first = await testCore()
  const tx = (await first.core.begin(false))!
  const { mounts } = (await tx.get<MountTable>(MOUNTS_PATH))!
  tx.put(MOUNTS_PATH, { mounts: mounts.filter(({ type }) => type !== 'identity') })
  await first.core.commit(tx)
  equal((await first.ask('list', 'identity/entity/id')).body.errors?.length, 1)
  await first.ask('write', 'sys/seal')
  await first.core.keeper.offer(Buffer.from(first.unsealKeys[0]!, 'hex'))
  deepEqual((await first.ask('list', 'identity/entity/id')).body, { errors: [] })
  const after = await first.ask('read', 'sys/mounts')
  ok(after.body.data?.['identity/'])
})

test('an entity is refused when its id is unknown, its name taken, or a policy is root', async () => {
  const core = await testCore()
  const { ask } = core
  await ask('write', 'identity/entity', { name: 'alice' })
  const bob = await ask('write', 'identity/entity', { name: 'bob' })
  const id = bob.body.data?.['id']
  deepEqual(await errors(core, 'identity/entity', { id: 'nobody' }), ['entity not found from id'])
  deepEqual(await errors(core, 'identity/entity/id/nobody', {}), ['entity not found from id'])
  deepEqual(await errors(core, 'identity/entity', { id, name: 'Alice' }), [
    'entity name is already in use',
  ])
  deepEqual(await errors(core, 'identity/entity', { name: 'x', policies: ['a', ' ROOT '] }), [
    'policies cannot contain root',
  ])
  deepEqual(await errors(core, 'identity/entity', { name: 'x', policies: ['response-wrapping'] }), [
    'cannot assign policy "response-wrapping"',
  ])
  equal((await ask('read', 'identity/entity/name/x')).status, 404)
  for (const path of ['entity/id/nobody', 'entity/name/nobody']) {
    equal((await ask('read', `identity/${path}`)).status, 404)
    equal((await ask('delete', `identity/${path}`)).status, 204)
  }
})

test("an entity's metadata has Vault's limits", async () => {
  const core = await testCore()
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v']))
  for (const metadata of [many, { ['k'.repeat(129)]: '' }, { k: 'v'.repeat(513) }]) {
    await errors(core, 'identity/entity', { name: 'alice', metadata })
  }
  equal((await core.ask('read', 'identity/entity/name/alice')).status, 404)
  const edge = { ['k'.repeat(128)]: 'v'.repeat(512) }
  equal((await core.ask('write', 'identity/entity', { metadata: edge })).status, 200)
})

test('an entity is made, changed by id and by name, listed and removed', async () => {
  const { ask, clock } = await testCore()
  const made = await ask('write', 'identity/entity', {
    name: 'Alice',
    policies: ['Web', 'web', 'api'],
    metadata: { team: 'blue' },
  })
  equal(made.status, 200)
  const id = String(made.body.data?.['id'])
  deepEqual(made.body.data, { id, name: 'Alice', aliases: null })
  clock.advance(1000)
  equal((await ask('write', 'identity/entity/name/alice', { disabled: true })).status, 204)
  deepEqual((await ask('read', `identity/entity/id/${id}`)).body.data, {
    id,
    name: 'alice',
    metadata: { team: 'blue' },
    policies: ['api', 'web'],
    disabled: true,
    namespace_id: 'root',
    creation_time: '2026-01-01T00:00:00Z',
    last_update_time: '2026-01-01T00:00:01Z',
    merged_entity_ids: null,
    aliases: [],
    direct_group_ids: [],
    inherited_group_ids: [],
    group_ids: [],
  })
  equal((await ask('write', `identity/entity/id/${id}`, { name: 'al', metadata: {} })).status, 204)
  const renamed = (await ask('read', 'identity/entity/name/al')).body.data!
  deepEqual([renamed['metadata'], renamed['disabled']], [null, true])
  deepEqual((await ask('list', 'identity/entity/id')).body.data, {
    keys: [id],
    key_info: { [id]: { name: 'al' } },
  })
  deepEqual((await ask('list', 'identity/entity/name')).body.data, { keys: ['al'] })
  const drawn = await ask('write', 'identity/entity')
  ok(/^entity_[0-9a-f]{8}$/.test(String(drawn.body.data?.['name'])))
  const ids = [id, drawn.body.data?.['id']]
  equal((await ask('write', 'identity/entity/batch-delete', { entity_ids: ids })).status, 204)
  equal((await ask('list', 'identity/entity/name')).status, 404)
})
