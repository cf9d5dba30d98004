/** Groups, their aliases and their members; and looking things up. The refusals first. */
import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { identityHouse } from '../../../test/support/identity-house.ts'

type Data = Record<string, unknown>

async function house() {
  const made = await identityHouse()
  const { ask, must } = made
  return {
    ...made,
    folk: await made.accessorOf('folk'),
    refused: async (path: string, data: Data): Promise<unknown> => {
      const { status, body } = await ask('write', `identity/${path}`, data)
      equal(status, 400, JSON.stringify(body))
      return body.errors?.[0]
    },
    entity: async (name: string) =>
      String((await must('write', 'identity/entity', { name }))['id']),
    group: async (name: string, more: Data = {}) =>
      String((await must('write', 'identity/group', { name, ...more }))['id']),
    read: (id: string) => must('read', `identity/group/id/${id}`),
  }
}

test('a group is refused what it cannot be', async () => {
  const { ask, group, refused, entity } = await house()
  const inside = await group('inside')
  const outside = await group('outside', { type: 'external' })
  const alice = await entity('alice')
  const rows: [string, Data, string][] = [
    ['group', { id: 'none' }, 'invalid group ID'],
    ['group/id/none', {}, 'invalid group ID'],
    [`group/id/${inside}`, { name: 'OUTSIDE' }, 'group name is already in use'],
    [`group/id/${inside}`, { type: 'external' }, 'group type cannot be changed'],
    ['group', { name: 'inside', type: 'external' }, 'group type cannot be changed'],
    ['group', { name: 'new', type: 'cosmic' }, 'invalid group type "cosmic"'],
    ['group', { name: 'new', policies: ['Root'] }, 'policies cannot contain root'],
    ['group', { name: 'new', member_entity_ids: ['x'] }, 'invalid entity ID "x"'],
    ['group', { name: 'new', member_group_ids: ['x'] }, 'invalid group ID "x"'],
    [
      `group/id/${outside}`,
      { member_entity_ids: [alice] },
      "member entities can't be set manually for external groups",
    ],
    [
      'group',
      { name: 'new', type: 'external', member_group_ids: [inside] },
      "member groups can't be set for external groups",
    ],
  ]
  for (const [path, data, error] of rows) equal(await refused(path, data), error)
  equal((await ask('read', 'identity/group/name/new')).status, 404)
  for (const path of ['group/id/none', 'group/name/none', 'group-alias/id/none']) {
    equal((await ask('read', `identity/${path}`)).status, 404)
    equal((await ask('delete', `identity/${path}`)).status, 204)
  }
})

test('a group is never in itself, through however many others', async () => {
  const { group, refused, read } = await house()
  const c = await group('c')
  const b = await group('b', { member_group_ids: [c] })
  const a = await group('a', { member_group_ids: [b] })
  for (const [outer, inner] of [
    [c, c],
    [c, b],
    [c, a],
    [b, a],
  ]) {
    match(
      String(await refused(`group/id/${outer}`, { member_group_ids: [inner] })),
      /^cyclic relationship detected/,
    )
  }
  deepEqual((await read(c))['member_group_ids'], null)
  deepEqual((await read(c))['parent_group_ids'], [b])
})

test('a group is made, changed, listed and removed', async () => {
  const { ask, must, entity, group, read } = await house()
  const [alice, bob] = [await entity('alice'), await entity('bob')]
  const inner = await group('inner')
  const made = await must('write', 'identity/group', {
    name: 'Team',
    policies: ['B', 'a'],
    metadata: { room: '12' },
    member_entity_ids: [alice],
    member_group_ids: [inner],
  })
  const id = String(made['id'])
  deepEqual(made, { id, name: 'Team' })
  deepEqual(await read(id), {
    id,
    name: 'Team',
    type: 'internal',
    policies: ['a', 'b'],
    metadata: { room: '12' },
    member_entity_ids: [alice],
    member_group_ids: [inner],
    parent_group_ids: null,
    alias: {},
    modify_index: 1,
    namespace_id: 'root',
    creation_time: '2026-01-01T00:00:00Z',
    last_update_time: '2026-01-01T00:00:00Z',
  })
  const change = { member_entity_ids: [bob], metadata: {} }
  equal((await ask('write', 'identity/group/name/TEAM', change)).status, 204)
  const changed = await read(id)
  deepEqual(
    [changed['member_entity_ids'], changed['metadata'], changed['modify_index']],
    [[bob], null, 2],
  )
  deepEqual((await must('read', `identity/entity/id/${alice}`))['group_ids'], [])
  const listed = await must('list', 'identity/group/id')
  deepEqual((listed['key_info'] as Data)[id], {
    name: 'TEAM',
    num_member_entities: 1,
    num_parent_groups: 0,
  })
  deepEqual((await must('list', 'identity/group/name'))['keys'], ['TEAM', 'inner'])
  await must('delete', 'identity/group/name/team')
  equal((await ask('read', `identity/group/id/${id}`)).status, 404)
  deepEqual((await read(inner))['parent_group_ids'], null)
  deepEqual((await must('read', `identity/entity/id/${bob}`))['group_ids'], [])
})

test('direct and inherited groups of an entity are told apart', async () => {
  const { must, entity, group } = await house()
  const alice = await entity('alice')
  const team = await group('team', { member_entity_ids: [alice] })
  const dept = await group('dept', { member_group_ids: [team] })
  const told = await must('read', `identity/entity/id/${alice}`)
  deepEqual(told['direct_group_ids'], [team])
  deepEqual(told['inherited_group_ids'], [dept])
  deepEqual(told['group_ids'], [team, dept])
})

test('a group alias is refused without a name or a mount, and for an internal group', async () => {
  const { folk, group, refused } = await house()
  const canonical_id = await group('inside')
  const mount_accessor = folk
  const rows: [Data, string][] = [
    [{ mount_accessor }, 'missing alias name'],
    [{ name: 'staff' }, 'missing mount_accessor'],
    [{ name: 'staff', mount_accessor: 'x' }, 'invalid mount accessor "x"'],
    [{ name: 'staff', mount_accessor, canonical_id }, "alias can't be set on an internal group"],
    [
      { name: 'staff', mount_accessor, canonical_id: 'x' },
      'invalid group ID given in canonical_id',
    ],
    [{ id: 'x', name: 'staff' }, 'invalid group alias ID'],
  ]
  for (const [data, error] of rows) equal(await refused('group-alias', data), error)
})

test('members of an external group leave it with its alias', async () => {
  const { must, ask, folk, group, read, logIn } = await house()
  const [a, b] = [await group('a', { type: 'external' }), await group('b', { type: 'external' })]
  const alias = { name: 'staff', mount_accessor: folk }
  const { id } = await must('write', 'identity/group-alias', { ...alias, canonical_id: a })
  const { entityId } = await logIn({ alias: 'alice', groups: ['staff'] })
  deepEqual((await read(a))['member_entity_ids'], [entityId])
  const shown = (await read(a))['alias'] as Data
  deepEqual([shown['id'], shown['name'], shown['mount_type']], [id, 'staff', 'folk'])

  // To another group.
  await must('write', 'identity/group-alias', { ...alias, canonical_id: b })
  deepEqual([(await read(a))['alias'], (await read(a))['member_entity_ids']], [{}, null])
  equal((await read(b))['member_entity_ids'], null)
  await logIn({ alias: 'alice', groups: ['staff'] })
  deepEqual((await read(b))['member_entity_ids'], [entityId])

  // To another name.
  const path = `identity/group-alias/id/${String(id)}`
  await must('write', path, { name: 'crew' })
  equal((await read(b))['member_entity_ids'], null)
  await logIn({ alias: 'alice', groups: ['crew'] })
  deepEqual((await read(b))['member_entity_ids'], [entityId])
  await must('write', path, {})
  deepEqual((await read(b))['member_entity_ids'], [entityId], 'nothing has changed')

  await must('delete', path)
  equal((await read(b))['member_entity_ids'], null)
  equal((await ask('list', 'identity/group-alias/id')).status, 404)
  equal((await ask('delete', path)).status, 204)
})

test('a lookup needs exactly one way to name what it looks for', async () => {
  const { ask, folk, refused, entity, group, must } = await house()
  const id = await entity('alice')
  const groupId = await group('staff', { type: 'external' })
  const of = { mount_accessor: folk }
  const alias = await must('write', 'identity/entity-alias', {
    ...of,
    name: 'al',
    canonical_id: id,
  })
  const groupAlias = await must('write', 'identity/group-alias', {
    ...of,
    name: 'st',
    canonical_id: groupId,
  })
  for (const what of ['lookup/entity', 'lookup/group']) {
    equal(await refused(what, {}), 'query parameter not supplied')
    for (const two of [
      { id, name: 'alice' },
      { id, alias_name: 'al', alias_mount_accessor: folk },
      { name: 'alice', alias_id: 'x' },
    ]) {
      equal(
        await refused(what, two),
        'query parameter conflict; please supply distinct set of query parameters',
      )
    }
    for (const half of [{ alias_name: 'al' }, { alias_mount_accessor: folk }]) {
      equal(await refused(what, half), "both 'alias_name' and 'alias_mount_accessor' are required")
    }
    for (const miss of [
      { id: 'x' },
      { name: 'x' },
      { alias_id: 'x' },
      { alias_name: 'x', alias_mount_accessor: folk },
      { alias_name: 'al', alias_mount_accessor: 'x' },
    ]) {
      const { status, body } = await ask('write', `identity/${what}`, miss)
      deepEqual([status, body], [204, null])
    }
  }
  for (const query of [
    { id },
    { name: 'ALICE' },
    { alias_id: alias['id'] },
    { alias_name: 'AL', alias_mount_accessor: folk },
  ]) {
    equal((await must('write', 'identity/lookup/entity', query))['id'], id)
  }
  for (const query of [
    { id: groupId },
    { name: 'Staff' },
    { alias_id: groupAlias['id'] },
    { alias_name: 'ST', alias_mount_accessor: folk },
  ]) {
    equal((await must('write', 'identity/lookup/group', query))['id'], groupId)
  }
})
