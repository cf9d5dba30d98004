/** Aliases and merging: the refusals, and that nobody becomes somebody else without being told so. */
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { identityHouse, type IdentityHouse } from '../../../test/support/identity-house.ts'

type Data = Record<string, unknown>

async function house() {
  const made = await identityHouse()
  const { ask, must } = made
  await must('write', 'sys/auth/other', { type: 'folk' })
  return {
    ...made,
    folk: await made.accessorOf('folk'),
    other: await made.accessorOf('other'),
    refused: async (path: string, data: Data): Promise<unknown> => {
      const { status, body } = await ask('write', `identity/${path}`, data)
      equal(status, 400, JSON.stringify(body))
      return body.errors?.[0]
    },
    entity: async (name: string, more: Data = {}) =>
      String((await must('write', 'identity/entity', { name, ...more }))['id']),
    alias: async (name: string, mount_accessor: string, canonical_id?: string) =>
      must('write', 'identity/entity-alias', { name, mount_accessor, canonical_id }),
  }
}

const aliasesOf = async ({ must }: IdentityHouse, id: string): Promise<Data[]> =>
  (await must('read', `identity/entity/id/${id}`))['aliases'] as Data[]

test('an alias is refused without a name, a mount that is there, or an entity that is there', async () => {
  const { ask, folk, must, refused } = await house()
  const mount_accessor = folk
  equal(await refused('entity-alias', { mount_accessor }), 'missing alias name')
  equal(await refused('entity-alias', { name: 'al' }), 'missing mount_accessor')
  const { accessor: kv } = (await must('read', 'sys/mounts'))['secret/'] as Data
  for (const no of ['not an accessor', 'x/y', '', kv]) {
    if (no === '') continue
    equal(
      await refused('entity-alias', { name: 'al', mount_accessor: no }),
      `invalid mount accessor ${JSON.stringify(no)}`,
    )
  }
  const canonical_id = 'nobody'
  equal(
    await refused('entity-alias', { name: 'al', mount_accessor, canonical_id }),
    'invalid canonical ID',
  )
  equal(await refused('entity-alias', { id: 'none', name: 'al' }), 'invalid alias ID')
  equal(await refused('entity-alias/id/none', { name: 'al' }), 'invalid alias ID')
  equal((await ask('read', 'identity/entity-alias/id/none')).status, 404)
  equal((await ask('list', 'identity/entity-alias/id')).status, 404)
  equal((await ask('list', 'identity/entity/id')).status, 404, 'nothing was made')
})

test("an alias's custom metadata has Vault's limits", async () => {
  const { folk, refused, ask } = await house()
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, 'v']))
  for (const custom_metadata of [many, { ['k'.repeat(129)]: '' }, { k: 'ü'.repeat(257) }]) {
    await refused('entity-alias', { name: 'al', mount_accessor: folk, custom_metadata })
  }
  equal((await ask('list', 'identity/entity-alias/id')).status, 404)
})

test('an entity has at most one alias on a mount, and an alias one entity', async () => {
  const { folk, other, refused, entity, alias } = await house()
  const [a, b] = [await entity('a'), await entity('b')]
  const first = await alias('al', folk, a)
  equal(
    await refused('entity-alias', { name: 'al2', mount_accessor: folk, canonical_id: a }),
    'Alias already exists for requested entity and mount accessor',
  )
  await alias('bo', folk, b)
  const id = String(first['id'])
  equal(
    await refused(`entity-alias/id/${id}`, { name: 'BO' }),
    'alias with combination of mount accessor and name already exists',
  )
  equal(
    await refused(`entity-alias/id/${id}`, { canonical_id: b }),
    "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor'",
  )
  const second = await alias('x', other, a)
  equal(
    await refused(`entity-alias/id/${String(second['id'])}`, { mount_accessor: folk }),
    "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor'",
  )
})

test('an alias is made, read, renamed, moved and removed', async () => {
  const made = await house()
  const { ask, must, folk, entity, logIn } = made
  const [a, b] = [await entity('a'), await entity('b')]
  const { id, canonical_id } = await must('write', 'identity/entity-alias', {
    name: 'al',
    mount_accessor: folk,
    canonical_id: a,
    custom_metadata: { room: '12' },
  })
  equal(canonical_id, a)
  const path = `identity/entity-alias/id/${String(id)}`
  const read = await must('read', path)
  deepEqual(read, {
    id,
    canonical_id: a,
    name: 'al',
    mount_accessor: folk,
    mount_path: 'auth/folk/',
    mount_type: 'folk',
    metadata: null,
    custom_metadata: { room: '12' },
    local: false,
    namespace_id: 'root',
    creation_time: '2026-01-01T00:00:00Z',
    last_update_time: '2026-01-01T00:00:00Z',
    merged_from_canonical_ids: null,
  })
  equal((await logIn({ alias: 'al' })).entityId, a)
  await must('write', path, { name: 'alice' })
  notEqual((await logIn({ alias: 'al' })).entityId, a)
  equal((await logIn({ alias: 'alice' })).entityId, a)
  deepEqual(await must('write', path, { canonical_id: b }), { id, canonical_id: b })
  equal((await logIn({ alias: 'alice' })).entityId, b)
  deepEqual(await aliasesOf(made, a), [])
  equal((await must('read', path))['name'], 'alice')
  const listed = await must('list', 'identity/entity-alias/id')
  const info = (listed['key_info'] as Record<string, Data>)[String(id)]
  deepEqual([info!['name'], info!['canonical_id']], ['alice', b])
  await must('delete', path)
  equal((await ask('read', path)).status, 404)
  equal((await ask('delete', path)).status, 204)
  notEqual((await logIn({ alias: 'alice' })).entityId, b)
})

test('alias and persona are the same as entity-alias', async () => {
  const { must, folk, entity } = await house()
  const a = await entity('a')
  const { id } = await must('write', 'identity/persona', {
    name: 'al',
    mount_accessor: folk,
    entity_id: a,
  })
  for (const path of ['persona', 'alias', 'entity-alias']) {
    equal((await must('read', `identity/${path}/id/${String(id)}`))['canonical_id'], a)
  }
})

test('merging is refused when it is not said plainly what becomes of what', async () => {
  const { folk, refused, entity, alias } = await house()
  const [a, b, c] = [await entity('a'), await entity('b'), await entity('c')]
  equal(await refused('entity/merge', { to_entity_id: a }), 'missing entity ids to merge from')
  equal(await refused('entity/merge', { from_entity_ids: [b] }), 'missing entity id to merge to')
  equal(
    await refused('entity/merge', { from_entity_ids: [b], to_entity_id: 'x' }),
    'entity id to merge to is invalid',
  )
  equal(
    await refused('entity/merge', { from_entity_ids: [b, 'x'], to_entity_id: a }),
    'entity id to merge from is invalid',
  )
  equal(
    await refused('entity/merge', { from_entity_ids: [b, a], to_entity_id: a }),
    'to_entity_id should not be present in from_entity_ids',
  )
  const own = await alias('al', folk, a)
  const its = await alias('bo', folk, b)
  const merge = { from_entity_ids: [b], to_entity_id: a }
  const ids = [own['id'], its['id']]
  for (const keep of [[], ids, ['x']]) {
    ok(
      String(
        await refused('entity/merge', { ...merge, conflicting_alias_ids_to_keep: keep }),
      ).startsWith(
        'toEntity and at least one fromEntity have aliases with the same mount accessor',
      ),
    )
  }
  await refused('entity/merge', {
    from_entity_ids: [b, c],
    to_entity_id: a,
    conflicting_alias_ids_to_keep: [its['id']],
  })
})

test('a merged entity has the aliases, policies, groups and tokens of all', async () => {
  const made = await house()
  const { ask, must, logIn, allow, mayRead } = made
  await allow('pa', 'secret/data/a')
  await allow('pg', 'secret/data/g')
  const alice = await logIn({ alias: 'alice' })
  const al = await logIn({ alias: 'al' }, 'other')
  await must('write', `identity/entity/id/${alice.entityId}`, { policies: ['pa'] })
  const group = await must('write', 'identity/group', {
    policies: ['pg'],
    member_entity_ids: [al.entityId],
  })
  await must('write', 'identity/entity/merge', {
    from_entity_ids: [al.entityId],
    to_entity_id: alice.entityId,
  })
  equal((await ask('read', `identity/entity/id/${al.entityId}`)).status, 404)
  const entity = await must('read', `identity/entity/id/${alice.entityId}`)
  deepEqual(entity['merged_entity_ids'], [al.entityId])
  deepEqual(entity['group_ids'], [group['id']])
  const aliases = entity['aliases'] as Data[]
  deepEqual(new Set(aliases.map(({ name }) => name)), new Set(['al', 'alice']))
  const moved = aliases.find(({ name }) => name === 'al')!
  deepEqual(moved['merged_from_canonical_ids'], [al.entityId])
  for (const { token } of [alice, al]) {
    ok(await mayRead(token, 'secret/data/a'))
    ok(await mayRead(token, 'secret/data/g'))
  }
  equal((await logIn({ alias: 'al' }, 'other')).entityId, alice.entityId)
  await must('write', `identity/entity/id/${alice.entityId}`, { disabled: true })
  ok(!(await mayRead(al.token, 'secret/data/a')))
})

test('of two aliases on one mount the one that is told stays', async () => {
  const made = await house()
  const { must, folk, entity, alias } = made
  for (const keepOwn of [true, false]) {
    const [a, b] = [await entity(`a${keepOwn}`), await entity(`b${keepOwn}`)]
    const own = await alias(`al${keepOwn}`, folk, a)
    const its = await alias(`bo${keepOwn}`, folk, b)
    const keep = keepOwn ? own : its
    await must('write', 'identity/entity/merge', {
      from_entity_ids: [b],
      to_entity_id: a,
      conflicting_alias_ids_to_keep: [keep['id']],
    })
    const left = await aliasesOf(made, a)
    deepEqual(
      left.map(({ id }) => id),
      [keep['id']],
    )
  }
})

// CVE-2021-41802: an alias that was written again, by its id, took two entities into one.
test('writing an alias merges nothing, and makes nobody the other entity', async () => {
  const made = await house()
  const { ask, must, folk, other, entity, logIn, allow, mayRead } = made
  await allow('secrets', 'secret/data/x')
  await allow('aliases', 'identity/entity-alias*', 'create', 'read', 'update', 'delete')
  const admin = await entity('admin', { policies: ['secrets'] })
  await must('write', 'identity/entity-alias', {
    name: 'boss',
    mount_accessor: folk,
    canonical_id: admin,
  })
  const mallory = await logIn({ alias: 'mallory', policies: ['aliases'] })
  const own = (await aliasesOf(made, mallory.entityId))[0]!
  const boss = (await aliasesOf(made, admin))[0]!
  const by = { token: mallory.token }
  // Without a word about whose it is, an alias stays where it is.
  for (const data of [
    { name: 'boss', mount_accessor: folk },
    { name: 'BOSS', mount_accessor: folk, custom_metadata: { a: 'b' } },
    { id: boss['id'], name: 'boss' },
    { id: own['id'], name: 'boss', mount_accessor: folk },
    { id: own['id'], name: 'boss' },
    { id: own['id'], canonical_id: admin },
    { name: 'mallory', mount_accessor: folk, canonical_id: admin },
    { name: 'mallory2', mount_accessor: folk, canonical_id: admin },
  ]) {
    await ask('write', 'identity/entity-alias', data, by)
    equal((await aliasesOf(made, admin)).length, 1)
    equal((await logIn({ alias: 'boss' })).entityId, admin)
    equal((await logIn({ alias: 'mallory' })).entityId, mallory.entityId)
    ok(!(await mayRead(mallory.token, 'secret/data/x')))
  }
  equal((await ask('write', 'identity/entity/merge', {}, by)).status, 403)
  equal((await ask('write', `identity/entity/id/${mallory.entityId}`, {}, by)).status, 403)
  // What is said plainly is done: this right is an administrator's (see the help of the endpoint).
  const free = { name: 'mallory', mount_accessor: other, canonical_id: admin }
  equal((await ask('write', 'identity/entity-alias', free, by)).status, 200)
  equal((await logIn({ alias: 'mallory' }, 'other')).entityId, admin)
})
