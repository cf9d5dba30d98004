/**
 * Groups where they are stored. What a request follows lies in the entity (`group_ids`) and in the
 * group (`parent_group_ids`), one entry for each; who is in a group is an entry for each member, so
 * that a thousand logins into one group do not wait for one another.
 *
 *   identity/group/<id>                            the group, without its members
 *   identity/group-name/<name key>                 {id}
 *   identity/group-alias/<alias id>                {id}
 *   identity/group-alias-at/<accessor>/<name key>  {id}
 *   identity/group-member/<group id>/<entity id>   {}
 *   identity/group-child/<group id>/<group id>     {}
 */
import { type Scope } from '../../barrier/space.ts'
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'
import { entityById, entityKey, memberKey } from './entities.ts'
import { follow, isId, nameKey, point } from './name-index.ts'
import { type Entity, type Group } from './entity.ts'

const GROUPS = 'identity/group/'
const ALIASES = 'identity/group-alias/'

export const groupKey = (id: string): string => GROUPS + id
/** Where the group aliases of one mount are indexed. */
export const groupAliasesAt = (accessor: string): string => `identity/group-alias-at/${accessor}/`
const nameAt = (name: string) => `identity/group-name/${nameKey(name)}`
const membersAt = (groupId: string) => memberKey(groupId, '')
const childrenAt = (groupId: string) => `identity/group-child/${groupId}/`

const NO_GROUPS: readonly Group[] = []

export function groupById(scope: Scope, id: string): Awaitable<Group | undefined> {
  return isId(id) ? scope.get<Group>(groupKey(id)) : undefined
}

export function groupByName(scope: Scope, name: string): Awaitable<Group | undefined> {
  return follow(scope, nameAt(name), (id) => groupById(scope, id))
}

export function groupByAlias(
  scope: Scope,
  mountAccessor: string,
  aliasName: string,
): Awaitable<Group | undefined> {
  if (!/^[\w.-]+$/.test(mountAccessor)) return undefined
  const key = groupAliasesAt(mountAccessor) + nameKey(aliasName)
  return follow(scope, key, (id) => groupById(scope, id))
}

export function groupByAliasId(scope: Scope, aliasId: string): Awaitable<Group | undefined> {
  return isId(aliasId) ? follow(scope, ALIASES + aliasId, (id) => groupById(scope, id)) : undefined
}

export const groupIds = (scope: Scope): Promise<string[]> => scope.list(GROUPS)
export const groupAliasIds = (scope: Scope): Promise<string[]> => scope.list(ALIASES)
/** Entities that are members themselves. */
export const memberIds = (scope: Scope, id: string): Promise<string[]> => scope.list(membersAt(id))
/** Groups that are members themselves. */
export const childIds = (scope: Scope, id: string): Promise<string[]> => scope.list(childrenAt(id))

/** The groups of an entity: its own first, then those that these are in, each once. */
export function groupsOf(scope: Scope, entityId: string): Awaitable<readonly Group[]> {
  return whenReady(entityById(scope, entityId), (entity) => groupsOfEntity(scope, entity))
}

export function groupsOfEntity(
  scope: Scope,
  entity: Entity | undefined,
): Awaitable<readonly Group[]> {
  if (!entity || entity.group_ids.length === 0) return NO_GROUPS
  return climb(scope, { ids: new Set(entity.group_ids), at: 0, found: [] })
}

type Climb = { ids: Set<string>; at: number; found: Group[] }

/** A set is walked while it grows, and no group is in it twice: a cycle would end like any other. */
function climb(scope: Scope, state: Climb): Awaitable<readonly Group[]> {
  const { ids, found } = state
  const take = (group: Group | undefined) => {
    state.at++
    if (!group) return
    found.push(group)
    for (const parent of group.parent_group_ids) ids.add(parent)
  }
  for (const id of ids.values().drop(state.at)) {
    const group = groupById(scope, id)
    if (group instanceof Promise) {
      return group.then((late) => {
        take(late)
        return climb(scope, state)
      })
    }
    take(group)
  }
  return found
}

const keysOf = ({ name, alias }: Group): string[] => [
  nameAt(name),
  ...(alias
    ? [ALIASES + alias.id, groupAliasesAt(alias.mount_accessor) + nameKey(alias.name)]
    : []),
]

/** Stores a group with all that leads to it. Its name and its alias must be free or its own. */
export async function saveGroup(scope: Scope, group: Group): Promise<void> {
  const before = await groupById(scope, group.id)
  await point(scope, group.id, { before: before ? keysOf(before) : [], after: keysOf(group) })
  scope.put(groupKey(group.id), group)
}

/** Removes a group, and it from its members and from the groups it was in. */
export async function removeGroup(scope: Scope, id: string): Promise<void> {
  const group = await groupById(scope, id)
  if (!group) return
  for (const entityId of await memberIds(scope, id)) {
    await setMember(scope, { groupId: id, entityId, is: false })
  }
  for (const childId of await childIds(scope, id)) {
    await setChild(scope, { groupId: id, childId, is: false })
  }
  for (const parentId of group.parent_group_ids) scope.remove(childrenAt(parentId) + id)
  await point(scope, id, { before: keysOf(group), after: [] })
  scope.remove(groupKey(id))
}

/** Makes an entity a member of a group, or not. Writes nothing that is so already. */
export async function setMember(
  scope: Scope,
  { groupId, entityId, is }: { groupId: string; entityId: string; is: boolean },
): Promise<void> {
  const entity = await entityById(scope, entityId)
  if (!entity || entity.group_ids.includes(groupId) === is) return
  const group_ids = toggled(entity.group_ids, groupId, is)
  scope.put(entityKey(entityId), { ...entity, group_ids } satisfies Entity)
  if (is) scope.put(memberKey(groupId, entityId), {})
  else scope.remove(memberKey(groupId, entityId))
}

/** Makes a group a member of another, or not. That no cycle comes of it is for the caller to ask. */
export async function setChild(
  scope: Scope,
  { groupId, childId, is }: { groupId: string; childId: string; is: boolean },
): Promise<void> {
  const child = await groupById(scope, childId)
  if (!child || child.parent_group_ids.includes(groupId) === is) return
  const parent_group_ids = toggled(child.parent_group_ids, groupId, is)
  scope.put(groupKey(childId), { ...child, parent_group_ids } satisfies Group)
  const key = childrenAt(groupId) + childId
  if (is) scope.put(key, {})
  else scope.remove(key)
}

const toggled = (ids: readonly string[], id: string, add: boolean): string[] =>
  add ? [...ids, id].sort() : ids.filter((other) => other !== id)

/** Whether the group is `other`, or in it through any number of others. */
export async function isWithin(scope: Scope, id: string, other: string): Promise<boolean> {
  const seen = new Set([id])
  for (const at of seen) {
    if (at === other) return true
    for (const parent of (await groupById(scope, at))?.parent_group_ids ?? []) seen.add(parent)
  }
  return false
}
