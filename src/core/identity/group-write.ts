/** Makes and changes groups: their own fields, who is in them, and that no group is in itself. */
import { type Scope } from '../../barrier/space.ts'
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Random, uuid } from '../../lib/random.ts'
import { entityById } from './entities.ts'
import { type Group } from './entity.ts'
import { checkedName, checkedPairs, identityPolicies } from './fields.ts'
import {
  childIds,
  groupById,
  groupByName,
  isWithin,
  memberIds,
  saveGroup,
  setChild,
  setMember,
} from './groups.ts'
import { drawName } from './name-index.ts'

export type GroupChange = {
  id?: string | undefined
  name?: string | undefined
  type?: string | undefined
  metadata?: Record<string, string> | undefined
  policies?: string[] | undefined
  member_entity_ids?: string[] | undefined
  member_group_ids?: string[] | undefined
}
type By = { random: Random; now: number }

/** Without a name one is drawn. Nothing is stored yet. */
export async function newGroup(
  scope: Scope,
  { type, name }: { type: Group['type']; name?: string | undefined },
  by: By,
): Promise<Group> {
  const at = rfc3339(by.now)
  return {
    id: uuid(by.random),
    name: name || (await drawName('group', by.random, (drawn) => groupByName(scope, drawn))),
    type,
    metadata: {},
    policies: [],
    parent_group_ids: [],
    modify_index: 0,
    creation_time: at,
    last_update_time: at,
  }
}

/** `before` changed, or a new group. */
export async function writeGroup(
  scope: Scope,
  before: Group | undefined,
  change: GroupChange,
  by: By,
): Promise<Group> {
  const { name, metadata, policies } = change
  const type = typeOf(before, change.type)
  if (type === 'external') refuseMembers(change)
  const base = before ?? (await newGroup(scope, { type, name }, by))
  const group: Group = {
    ...base,
    ...(name && { name: checkedName(name) }),
    ...(metadata && { metadata: checkedPairs(metadata, 'metadata') }),
    ...(policies && { policies: identityPolicies(policies) }),
    modify_index: base.modify_index + 1,
    last_update_time: rfc3339(by.now),
  }
  await saveGroup(scope, group)
  if (type === 'external') return group
  if (change.member_entity_ids) await setMembers(scope, group.id, change.member_entity_ids)
  if (change.member_group_ids) await setChildren(scope, group.id, change.member_group_ids)
  return group
}

function typeOf(before: Group | undefined, given: string | undefined): Group['type'] {
  const type = given || before?.type || 'internal'
  if (before && type !== before.type) refuse('group type cannot be changed')
  if (type === 'internal' || type === 'external') return type
  return refuse(`invalid group type ${JSON.stringify(type)}`)
}

/** Who is in an external group is for the logins to say. */
function refuseMembers(change: GroupChange): void {
  if (change.member_entity_ids?.length) {
    refuse("member entities can't be set manually for external groups")
  }
  if (change.member_group_ids?.length) refuse("member groups can't be set for external groups")
}

async function setMembers(scope: Scope, groupId: string, wanted: readonly string[]): Promise<void> {
  const now = new Set(wanted)
  for (const id of now) {
    if (!(await entityById(scope, id))) refuse(`invalid entity ID ${JSON.stringify(id)}`)
  }
  const before = new Set(await memberIds(scope, groupId))
  for (const entityId of before.difference(now)) {
    await setMember(scope, { groupId, entityId, is: false })
  }
  for (const entityId of now.difference(before)) {
    await setMember(scope, { groupId, entityId, is: true })
  }
}

async function setChildren(
  scope: Scope,
  groupId: string,
  wanted: readonly string[],
): Promise<void> {
  const now = new Set(wanted)
  for (const id of now) {
    if (!(await groupById(scope, id))) refuse(`invalid group ID ${JSON.stringify(id)}`)
    if (await isWithin(scope, groupId, id)) {
      refuse(`cyclic relationship detected for member group ID ${JSON.stringify(id)}`)
    }
  }
  const before = new Set(await childIds(scope, groupId))
  for (const childId of before.difference(now))
    await setChild(scope, { groupId, childId, is: false })
  for (const childId of now.difference(before))
    await setChild(scope, { groupId, childId, is: true })
}

/** Without its alias nobody can come into an external group, nor leave it: so it is emptied. */
export async function takeAlias(scope: Scope, group: Group, now: number): Promise<void> {
  const { alias: _, ...rest } = group
  await saveGroup(scope, changed(rest, now))
  await empty(scope, group.id)
}

export async function empty(scope: Scope, groupId: string): Promise<void> {
  for (const entityId of await memberIds(scope, groupId)) {
    await setMember(scope, { groupId, entityId, is: false })
  }
}

export const changed = (group: Group, now: number): Group => ({
  ...group,
  modify_index: group.modify_index + 1,
  last_update_time: rfc3339(now),
})
