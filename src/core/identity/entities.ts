/**
 * Entities where they are stored, each reachable by key in every way a request names it:
 *
 *   identity/entity/<id>                          the entity, its aliases in it
 *   identity/entity-name/<name key>               {id}
 *   identity/alias/<alias id>                     {id}
 *   identity/alias-at/<mount accessor>/<name key> {id}
 *   identity/entity-merged/<id>                   {id}, of an entity that became part of this one
 *
 * All of them change in one transaction. What is stored comes back as the same object as long as it has
 * not changed, and without a promise when it is cached.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Awaitable, whenReady } from '../../lib/awaitable.ts'
import { follow, isId, nameKey, point } from './name-index.ts'
import { type Alias, type Entity } from './entity.ts'

const ENTITIES = 'identity/entity/'
const ALIASES = 'identity/alias/'

export const entityKey = (id: string): string => ENTITIES + id
/** Where the aliases of one mount are indexed. */
export const aliasesAt = (mountAccessor: string): string => `identity/alias-at/${mountAccessor}/`
/** That an entity is in a group: see groups.ts. */
export const memberKey = (groupId: string, entityId: string): string =>
  `identity/group-member/${groupId}/${entityId}`
const nameAt = (name: string) => `identity/entity-name/${nameKey(name)}`
const mergedAt = (id: string) => `identity/entity-merged/${id}`

export function entityById(scope: Scope, id: string): Awaitable<Entity | undefined> {
  return isId(id) ? scope.get<Entity>(entityKey(id)) : undefined
}

/** Of a token: the entity that was there when it was issued, or the one that has taken that in. */
export function entityOfToken(scope: Scope, id: string): Awaitable<Entity | undefined> {
  return whenReady(entityById(scope, id), (found) => found ?? mergedInto(scope, id))
}

const mergedInto = (scope: Scope, id: string) =>
  isId(id) ? follow(scope, mergedAt(id), (into) => entityById(scope, into)) : undefined

export function entityByName(scope: Scope, name: string): Awaitable<Entity | undefined> {
  return follow(scope, nameAt(name), (id) => entityById(scope, id))
}

/** By what a mount calls it. Case does not tell two names apart. */
export function entityByAlias(
  scope: Scope,
  mountAccessor: string,
  aliasName: string,
): Awaitable<Entity | undefined> {
  if (!isAccessor(mountAccessor)) return undefined
  const key = aliasesAt(mountAccessor) + nameKey(aliasName)
  return follow(scope, key, (id) => entityById(scope, id))
}

export function entityByAliasId(scope: Scope, aliasId: string): Awaitable<Entity | undefined> {
  if (!isId(aliasId)) return undefined
  return follow(scope, ALIASES + aliasId, (id) => entityById(scope, id))
}

export const entityIds = (scope: Scope): Promise<string[]> => scope.list(ENTITIES)
export const aliasIds = (scope: Scope): Promise<string[]> => scope.list(ALIASES)

const isAccessor = (accessor: string) => /^[\w.-]+$/.test(accessor)

const keysOf = (entity: Entity): string[] => [
  nameAt(entity.name),
  ...entity.merged_entity_ids.map(mergedAt),
  ...entity.aliases.flatMap((alias) => aliasKeys(alias)),
]
const aliasKeys = ({ id, name, mount_accessor: at }: Alias) => [
  ALIASES + id,
  aliasesAt(at) + nameKey(name),
]

/**
 * Stores an entity with all that leads to it. The name and the aliases must be free or its own; an
 * alias that changes hands is saved out of the one before it is saved into the other.
 */
export async function saveEntity(scope: Scope, entity: Entity): Promise<void> {
  const before = await entityById(scope, entity.id)
  await point(scope, entity.id, {
    before: before ? keysOf(before) : [],
    after: keysOf(entity),
  })
  scope.put(entityKey(entity.id), entity)
}

/** Removes an entity, all that leads to it, and its place in its groups. */
export async function removeEntity(scope: Scope, id: string): Promise<void> {
  const entity = await entityById(scope, id)
  if (!entity) return
  await point(scope, id, { before: keysOf(entity), after: [] })
  for (const groupId of entity.group_ids) scope.remove(memberKey(groupId, id))
  scope.remove(entityKey(id))
}
