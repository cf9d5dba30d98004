/** `entity`: who somebody is. Made by a first login, or here. */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { scopeOf, turnOf } from '../turn.ts'
import { entityById, entityByName, entityIds, removeEntity, saveEntity } from './entities.ts'
import {
  checkedName,
  checkedPairs,
  identityPolicies,
  metadataField,
  policiesField,
} from './fields.ts'
import { aliasInfo, type View, shownEntity } from './shown.ts'
import { type Entity } from './entity.ts'
import { newEntity } from './new-entity.ts'

const idField = t.segment({ help: 'Id of the entity.' })
const nameField = t.rest({ help: 'Name of the entity; case does not matter.' })
const common = {
  metadata: metadataField,
  policies: policiesField,
  disabled: t.bool({ help: 'Its tokens are refused while this is true.', clear: true }),
}

type Change = {
  id?: string | undefined
  name?: string | undefined
  metadata: Record<string, string> | undefined
  policies: string[] | undefined
  disabled: boolean | undefined
}

export function entityEndpoints(core: Core): Endpoint[] {
  const shown = async (call: Call<unknown>, entity: Entity | undefined) =>
    entity && shownEntity(scopeOf(call as never), entity, await viewOf(core, call))
  const remove = async (call: Call<unknown>, entity: Entity | undefined) => {
    if (entity) await removeEntity(scopeOf(call as never), entity.id)
    return undefined
  }
  const byId = (call: Call<{ id: string }>) => entityById(scopeOf(call as never), call.data.id)
  const byName = (call: Call<{ name: string }>) =>
    entityByName(scopeOf(call as never), call.data.name)
  return [
    endpoint('entity', {
      help: 'Makes an entity, or changes the one of this id or name.',
      fields: {
        id: t.string({ help: 'Id of the entity to change.' }),
        name: t.string({ help: 'Its name; drawn when not given.' }),
        ...common,
      },
      write: (call) => upsert(call, call.data),
      example: { name: 'alice', policies: ['web'], metadata: { team: 'blue' } },
    }),
    endpoint('entity/id', {
      help: 'The ids of all entities.',
      fields: {},
      list: async (call) => {
        const entities = await allEntities(scopeOf(call as never))
        const view = await viewOf(core, call)
        return listed(entities, view)
      },
    }),
    endpoint('entity/id/:id', {
      help: 'An entity, by its id.',
      fields: { id: idField, name: t.string({ help: 'Its new name.' }), ...common },
      read: async (call) => shown(call, await byId(call)),
      write: (call) => upsert(call, call.data),
      delete: async (call) => remove(call, await byId(call)),
    }),
    endpoint('entity/name', {
      help: 'The names of all entities.',
      fields: {},
      list: async (call) => {
        const entities = await allEntities(scopeOf(call as never))
        return entities.length > 0 ? { keys: entities.map(({ name }) => name).sort() } : undefined
      },
    }),
    endpoint('entity/name/:name*', {
      help: 'An entity, by its name.',
      fields: { name: nameField, id: t.string({ help: 'Id of the entity to rename.' }), ...common },
      read: async (call) => shown(call, await byName(call)),
      write: (call) => upsert(call, call.data),
      delete: async (call) => remove(call, await byName(call)),
    }),
    endpoint('entity/batch-delete', {
      help: 'Removes several entities.',
      fields: { entity_ids: t.list({ help: 'Their ids.', required: 'missing entity ids' }) },
      async write(call) {
        const scope = scopeOf(call as never)
        for (const id of new Set(call.data.entity_ids)) await removeEntity(scope, id)
        return undefined
      },
    }),
  ]
}

export async function viewOf(core: Core, call: Call<unknown>): Promise<View> {
  const { mounts } = await core.mounts.table(scopeOf(call as never))
  return {
    namespaceId: turnOf(call as never).ns.id,
    mounts: new Map(mounts.map((entry) => [entry.accessor, entry])),
  }
}

export async function allEntities(scope: Scope): Promise<Entity[]> {
  const found: Entity[] = []
  for (const id of await entityIds(scope)) {
    const entity = await entityById(scope, id)
    if (entity) found.push(entity)
  }
  return found
}

function listed(entities: readonly Entity[], view: View) {
  if (entities.length === 0) return undefined
  const info = entities.map(({ id, name, aliases }) => [
    id,
    {
      name,
      ...(aliases.length > 0 && { aliases: aliases.map((alias) => aliasInfo(alias, view)) }),
    },
  ])
  return { keys: entities.map(({ id }) => id), key_info: Object.fromEntries(info) }
}

/** A new entity is told about; a change is not. */
async function upsert(
  call: Call<unknown>,
  change: Change,
): Promise<Record<string, unknown> | undefined> {
  const scope = scopeOf(call as never)
  const before = await subject(scope, change)
  const base = before ?? (await newEntity(scope, call, change.name || undefined))
  const { metadata, policies, disabled } = change
  const entity: Entity = {
    ...base,
    ...(change.name && { name: checkedName(change.name) }),
    ...(metadata &&
      call.body['metadata'] !== null && { metadata: checkedPairs(metadata, 'metadata') }),
    ...(policies && { policies: identityPolicies(policies) }),
    ...(disabled !== undefined && { disabled }),
    last_update_time: rfc3339(call.now),
  }
  await saveEntity(scope, entity)
  return before ? undefined : { id: entity.id, name: entity.name, aliases: null }
}

/** The entity that a write is about, by its id or else by its name; undefined for a new one. */
async function subject(scope: Scope, { id, name }: Change): Promise<Entity | undefined> {
  const byName = name ? await entityByName(scope, name) : undefined
  if (!id) return byName
  const byId = (await entityById(scope, id)) ?? refuse('entity not found from id')
  if (byName && byName.id !== byId.id) refuse('entity name is already in use')
  return byId
}
