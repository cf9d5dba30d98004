/** Entities, aliases and groups as the API shows them. Lists that Vault shows as null are null here. */
import { type Scope } from '../../barrier/space.ts'
import { type MountEntry } from '../mounts.ts'
import { childIds, groupsOfEntity, memberIds } from './groups.ts'
import { type Alias, type Entity, type Group } from './entity.ts'

/** Of the request's namespace: its id, and its mounts by accessor, for what an alias tells of one. */
export type View = {
  readonly namespaceId: string
  readonly mounts: ReadonlyMap<string, MountEntry>
}

function mountPart(accessor: string, { mounts }: View): Record<string, string> {
  const mount = mounts.get(accessor)
  return mount ? { mount_path: mount.path, mount_type: mount.type } : {}
}

/** `canonicalId` is the entity's, or of a group alias the group's. */
export function shownAlias(alias: Alias, canonicalId: string, view: View): Record<string, unknown> {
  return {
    id: alias.id,
    canonical_id: canonicalId,
    name: alias.name,
    mount_accessor: alias.mount_accessor,
    ...mountPart(alias.mount_accessor, view),
    metadata: orNull(alias.metadata),
    custom_metadata: alias.custom_metadata,
    local: alias.local,
    creation_time: alias.creation_time,
    last_update_time: alias.last_update_time,
    merged_from_canonical_ids: listOrNull(alias.merged_from_canonical_ids),
  }
}

export async function shownEntity(
  scope: Scope,
  entity: Entity,
  view: View,
): Promise<Record<string, unknown>> {
  const all = (await groupsOfEntity(scope, entity)).map(({ id }) => id)
  const direct = all.filter((id) => entity.group_ids.includes(id))
  return {
    id: entity.id,
    name: entity.name,
    metadata: orNull(entity.metadata),
    policies: entity.policies,
    disabled: entity.disabled,
    namespace_id: view.namespaceId,
    creation_time: entity.creation_time,
    last_update_time: entity.last_update_time,
    merged_entity_ids: listOrNull(entity.merged_entity_ids),
    aliases: entity.aliases.map((alias) => shownAlias(alias, entity.id, view)),
    direct_group_ids: direct,
    inherited_group_ids: all.filter((id) => !direct.includes(id)),
    group_ids: all,
  }
}

export async function shownGroup(
  scope: Scope,
  group: Group,
  view: View,
): Promise<Record<string, unknown>> {
  return {
    id: group.id,
    name: group.name,
    type: group.type,
    metadata: orNull(group.metadata),
    policies: group.policies,
    member_entity_ids: listOrNull(await memberIds(scope, group.id)),
    member_group_ids: listOrNull(await childIds(scope, group.id)),
    parent_group_ids: listOrNull(group.parent_group_ids),
    alias: group.alias ? shownAlias(group.alias, group.id, view) : {},
    modify_index: group.modify_index,
    namespace_id: view.namespaceId,
    creation_time: group.creation_time,
    last_update_time: group.last_update_time,
  }
}

/** What a list says of an alias beside its id. */
export function aliasInfo(alias: Alias, view: View): Record<string, unknown> {
  const { id, name, mount_accessor } = alias
  return { id, name, mount_accessor, ...mountPart(mount_accessor, view) }
}

const listOrNull = (list: readonly string[]) => (list.length > 0 ? list : null)
const orNull = (map: Readonly<Record<string, string>>) => (Object.keys(map).length > 0 ? map : null)
