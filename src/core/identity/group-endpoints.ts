/** `group`: several entities, and groups, that have policies in common. */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { scopeOf } from '../turn.ts'
import { viewOf } from './entity-endpoints.ts'
import { type Group } from './entity.ts'
import { metadataField, policiesField } from './fields.ts'
import { type GroupChange, writeGroup } from './group-write.ts'
import { groupById, groupByName, groupIds, memberIds, removeGroup } from './groups.ts'
import { aliasInfo, type View, shownGroup } from './shown.ts'

const common = {
  type: t.string({ help: 'internal, or external: its members come with logins.', clear: true }),
  metadata: metadataField,
  policies: policiesField,
  member_entity_ids: t.list({ help: 'Ids of the entities in it; internal groups only.' }),
  member_group_ids: t.list({ help: 'Ids of the groups in it; internal groups only.' }),
}

export function groupEndpoints(core: Core): Endpoint[] {
  const shown = async (call: Call<unknown>, group: Group | undefined) =>
    group && shownGroup(scopeOf(call as never), group, await viewOf(core, call))
  const remove = async (call: Call<unknown>, group: Group | undefined) => {
    if (group) await removeGroup(scopeOf(call as never), group.id)
    return undefined
  }
  const byId = (call: Call<{ id: string }>) => groupById(scopeOf(call as never), call.data.id)
  const byName = (call: Call<{ name: string }>) =>
    groupByName(scopeOf(call as never), call.data.name)
  return [
    endpoint('group', {
      help: 'Makes a group, or changes the one of this id or name.',
      fields: {
        id: t.string({ help: 'Id of the group to change.' }),
        name: t.string({ help: 'Its name; drawn when not given.' }),
        ...common,
      },
      write: (call) => upsert(call, call.data),
      example: { name: 'web team', policies: ['web'], member_entity_ids: ['entity id'] },
    }),
    endpoint('group/id', {
      help: 'The ids of all groups.',
      fields: {},
      list: async (call) => listed(scopeOf(call as never), await viewOf(core, call)),
    }),
    endpoint('group/id/:id', {
      help: 'A group, by its id.',
      fields: {
        id: t.segment({ help: 'Id of the group.' }),
        name: t.string({ help: 'Its new name.' }),
        ...common,
      },
      read: async (call) => shown(call, await byId(call)),
      write: (call) => upsert(call, call.data),
      delete: async (call) => remove(call, await byId(call)),
    }),
    endpoint('group/name', {
      help: 'The names of all groups.',
      fields: {},
      list: async (call) => {
        const groups = await allGroups(scopeOf(call as never))
        return groups.length > 0 ? { keys: groups.map(({ name }) => name).sort() } : undefined
      },
    }),
    endpoint('group/name/:name*', {
      help: 'A group, by its name.',
      fields: {
        name: t.rest({ help: 'Name of the group; case does not matter.' }),
        id: t.string({ help: 'Id of the group to rename.' }),
        ...common,
      },
      read: async (call) => shown(call, await byName(call)),
      write: (call) => upsert(call, call.data),
      delete: async (call) => remove(call, await byName(call)),
    }),
  ]
}

async function allGroups(scope: Scope): Promise<Group[]> {
  const found: Group[] = []
  for (const id of await groupIds(scope)) {
    const group = await groupById(scope, id)
    if (group) found.push(group)
  }
  return found
}

async function listed(scope: Scope, view: View) {
  const groups = await allGroups(scope)
  if (groups.length === 0) return undefined
  const key_info: Record<string, unknown> = {}
  for (const { id, name, alias, parent_group_ids } of groups) {
    key_info[id] = {
      name,
      num_member_entities: (await memberIds(scope, id)).length,
      num_parent_groups: parent_group_ids.length,
      ...(alias && { alias: aliasInfo(alias, view) }),
    }
  }
  return { keys: groups.map(({ id }) => id), key_info }
}

/** A new group is told about; a change is not. */
async function upsert(call: Call<unknown>, change: GroupChange) {
  const scope = scopeOf(call as never)
  const { id, name } = change
  const byName = name ? await groupByName(scope, name) : undefined
  let before = byName
  if (id) {
    before = (await groupById(scope, id)) ?? refuse('invalid group ID')
    if (byName && byName.id !== before.id) refuse('group name is already in use')
  }
  const metadata = call.body['metadata'] === null ? undefined : change.metadata
  const group = await writeGroup(scope, before, { ...change, metadata }, call)
  return before ? undefined : { id: group.id, name: group.name }
}
