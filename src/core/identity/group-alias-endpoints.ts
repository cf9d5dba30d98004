/**
 * `group-alias`: what an auth mount calls an external group. A login that tells of a group of this
 * name makes its entity a member, one that does not tell of it ends that.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { scopeOf } from '../turn.ts'
import { newAlias, requireAuthMount } from './alias.ts'
import { viewOf } from './entity-endpoints.ts'
import { type Alias, type Group } from './entity.ts'
import { checkedName } from './fields.ts'
import { changed, empty, newGroup, takeAlias } from './group-write.ts'
import { groupAliasIds, groupByAlias, groupByAliasId, groupById, saveGroup } from './groups.ts'
import { aliasInfo, type View, shownAlias } from './shown.ts'

const fields = {
  name: t.string({ help: 'What the mount calls the group.' }),
  mount_accessor: t.string({ help: 'Accessor of the auth mount.', clear: true }),
  canonical_id: t.string({ help: 'Id of the external group; without it a new one is made.' }),
}

type Write = {
  id?: string | undefined
  name: string | undefined
  mount_accessor: string | undefined
  canonical_id: string | undefined
}
type Held = { alias: Alias; group: Group }

export function groupAliasEndpoints(core: Core): Endpoint[] {
  const held = (call: Call<{ id: string }>) => heldBy(scopeOf(call as never), call.data.id)
  return [
    endpoint('group-alias', {
      help: 'Makes a group alias, or changes the one of this id, or of this mount and name.',
      fields: { id: t.string({ help: 'Id of the alias to change.' }), ...fields },
      write: (call) => write(core, call, call.data),
      example: { name: 'admins', canonical_id: 'group id', mount_accessor: 'auth_ldap_0a1b2c3d' },
    }),
    endpoint('group-alias/id', {
      help: 'The ids of all group aliases.',
      fields: {},
      list: async (call) => list(scopeOf(call as never), await viewOf(core, call)),
    }),
    endpoint('group-alias/id/:id', {
      help: 'A group alias.',
      fields: { id: t.segment({ help: 'Id of the alias.' }), ...fields },
      async read(call) {
        const found = await held(call)
        if (!found) return undefined
        const view = await viewOf(core, call)
        return { ...shownAlias(found.alias, found.group.id, view), namespace_id: view.namespaceId }
      },
      write: (call) => write(core, call, call.data),
      async delete(call) {
        const found = await held(call)
        if (found) await takeAlias(scopeOf(call as never), found.group, call.now)
        return undefined
      },
    }),
  ]
}

async function heldBy(scope: Scope, aliasId: string): Promise<Held | undefined> {
  const group = await groupByAliasId(scope, aliasId)
  return group?.alias && { alias: group.alias, group }
}

async function list(scope: Scope, view: View) {
  const keys: string[] = []
  const key_info: Record<string, unknown> = {}
  for (const aliasId of await groupAliasIds(scope)) {
    const held = await heldBy(scope, aliasId)
    if (!held) continue
    const { id: _, ...info } = aliasInfo(held.alias, view)
    keys.push(aliasId)
    key_info[aliasId] = { ...info, canonical_id: held.group.id }
  }
  return keys.length > 0 ? { keys, key_info } : undefined
}

async function write(core: Core, call: Call<unknown>, data: Write) {
  const scope = scopeOf(call as never)
  const byId = data.id ? await heldBy(scope, data.id) : undefined
  if (data.id && !byId) refuse('invalid group alias ID')
  const name = checkedName(data.name || byId?.alias.name || refuse('missing alias name'))
  const mountAccessor =
    data.mount_accessor || byId?.alias.mount_accessor || refuse('missing mount_accessor')
  requireAuthMount(await viewOf(core, call), mountAccessor)
  const holder = await groupByAlias(scope, mountAccessor, name)
  const byFactors = holder?.alias && { alias: holder.alias, group: holder }
  if (byId && byFactors && byFactors.alias.id !== byId.alias.id) {
    refuse('alias with combination of mount accessor and name already exists')
  }
  const held = byId ?? byFactors
  const alias: Alias = {
    ...(held?.alias ?? newAlias({ name, mountAccessor }, call)),
    name,
    mount_accessor: mountAccessor,
    last_update_time: rfc3339(call.now),
  }
  const group = await targetGroup(call, held?.group, data.canonical_id || undefined)
  await give(scope, { alias, group, held, now: call.now })
  return { id: alias.id, canonical_id: group.id }
}

async function targetGroup(
  call: Call<unknown>,
  holder: Group | undefined,
  id: string | undefined,
): Promise<Group> {
  const scope = scopeOf(call as never)
  if (id === undefined) return holder ?? newGroup(scope, { type: 'external' }, call)
  const group = await groupById(scope, id)
  if (!group) return refuse('invalid group ID given in canonical_id')
  if (group.type !== 'external') refuse("alias can't be set on an internal group")
  return group
}

/**
 * Members of a group have come by its alias. When that becomes another, or leaves, they are no
 * members until a login says so again.
 */
async function give(
  scope: Scope,
  { alias, group, held, now }: { alias: Alias; group: Group; held: Held | undefined; now: number },
): Promise<void> {
  if (held && held.group.id !== group.id) await takeAlias(scope, held.group, now)
  const before = group.alias
  await saveGroup(scope, changed({ ...group, alias }, now))
  const same = before?.name === alias.name && before.mount_accessor === alias.mount_accessor
  if (!same) await empty(scope, group.id)
}
