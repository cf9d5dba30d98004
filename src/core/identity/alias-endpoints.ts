/**
 * `entity-alias`, and `alias` and `persona` as older clients call it: what the auth mounts know an
 * entity by. Whoever may write here says who somebody is, and can hand the policies of one entity to
 * the logins of another: it is the power of an administrator, as in Vault. Nothing else moves an
 * alias, and two entities become one only by `entity/merge`.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { type Core } from '../core.ts'
import { scopeOf } from '../turn.ts'
import { aliasOn, newAlias, requireAuthMount, without } from './alias.ts'
import { aliasIds, entityByAlias, entityByAliasId, entityById, saveEntity } from './entities.ts'
import { viewOf } from './entity-endpoints.ts'
import { type Alias, type Entity } from './entity.ts'
import { checkedName, checkedPairs } from './fields.ts'
import { newEntity } from './new-entity.ts'
import { foldName } from './name-index.ts'
import { aliasInfo, type View, shownAlias } from './shown.ts'

const fields = {
  name: t.string({ help: 'What the mount calls the entity.' }),
  canonical_id: t.string({ help: 'Id of the entity; without it a new one is made.' }),
  entity_id: t.string({ help: 'As canonical_id; the older name.', deprecated: true }),
  mount_accessor: t.string({ help: 'Accessor of the auth mount.', clear: true }),
  custom_metadata: t.pairs({ help: 'Names and values; policies may refer to them.' }),
}

type Write = {
  id?: string | undefined
  name: string | undefined
  canonical_id: string | undefined
  entity_id: string | undefined
  mount_accessor: string | undefined
  custom_metadata: Record<string, string> | undefined
}
type Held = { alias: Alias; entity: Entity }

export function aliasEndpoints(core: Core): Endpoint[] {
  return ['entity-alias', 'alias', 'persona'].flatMap((path) => endpointsAt(core, path))
}

function endpointsAt(core: Core, path: string): Endpoint[] {
  const held = (call: Call<{ id: string }>) => heldBy(scopeOf(call as never), call.data.id)
  return [
    endpoint(path, {
      help: 'Makes an alias, or changes the one of this id, or of this mount and name.',
      fields: { id: t.string({ help: 'Id of the alias to change.' }), ...fields },
      write: (call) => write(core, call, call.data),
      description:
        'Whoever may write here decides who a login is, and so whose policies it gets: give this ' +
        'right to administrators only. Nothing but `entity/merge` makes one of two entities.',
      ...(path === 'entity-alias' && {
        example: { name: 'alice', canonical_id: 'entity id', mount_accessor: 'auth_ldap_0a1b2c3d' },
      }),
    }),
    endpoint(`${path}/id`, {
      help: 'The ids of all aliases.',
      fields: {},
      list: async (call) => list(scopeOf(call as never), await viewOf(core, call)),
    }),
    endpoint(`${path}/id/:id`, {
      help: 'An alias.',
      fields: { id: t.segment({ help: 'Id of the alias.' }), ...fields },
      async read(call) {
        const found = await held(call)
        if (!found) return undefined
        const view = await viewOf(core, call)
        const { alias, entity } = found
        return { ...shownAlias(alias, entity.id, view), namespace_id: view.namespaceId }
      },
      write: (call) => write(core, call, call.data),
      async delete(call) {
        const found = await held(call)
        if (found) {
          const { alias, entity } = found
          await saveEntity(scopeOf(call as never), without(entity, alias.id))
        }
        return undefined
      },
    }),
  ]
}

async function heldBy(scope: Scope, aliasId: string): Promise<Held | undefined> {
  const entity = await entityByAliasId(scope, aliasId)
  const alias = entity?.aliases.find(({ id }) => id === aliasId)
  return entity && alias && { alias, entity }
}

async function list(scope: Scope, view: View) {
  const keys: string[] = []
  const key_info: Record<string, unknown> = {}
  for (const id of await aliasIds(scope)) {
    const held = await heldBy(scope, id)
    if (!held) continue
    const { id: _, ...info } = aliasInfo(held.alias, view)
    keys.push(id)
    key_info[id] = {
      ...info,
      canonical_id: held.entity.id,
      custom_metadata: held.alias.custom_metadata,
      local: held.alias.local,
    }
  }
  return keys.length > 0 ? { keys, key_info } : undefined
}

type Target = {
  name: string
  mountAccessor: string
  /** The entity it shall belong to; undefined leaves that open. */
  canonicalId: string | undefined
  customMetadata: Record<string, string> | undefined
}

async function write(core: Core, call: Call<unknown>, data: Write) {
  const scope = scopeOf(call as never)
  const view = await viewOf(core, call)
  const given = data.custom_metadata && call.body['custom_metadata'] !== null
  const target = {
    canonicalId: data.canonical_id || data.entity_id || undefined,
    customMetadata: given ? checkedPairs(data.custom_metadata!, 'custom_metadata') : undefined,
  }
  if (data.id) {
    const held = (await heldBy(scope, data.id)) ?? refuse('invalid alias ID')
    const { alias } = held
    const name = checkedName(data.name || alias.name)
    const mountAccessor = data.mount_accessor || alias.mount_accessor
    if (mountAccessor !== alias.mount_accessor) requireAuthMount(view, mountAccessor)
    return change(scope, held, { ...target, name, mountAccessor, now: call.now })
  }
  const name = checkedName(data.name || refuse('missing alias name'))
  const mountAccessor = data.mount_accessor || refuse('missing mount_accessor')
  requireAuthMount(view, mountAccessor)
  const known = await entityByAlias(scope, mountAccessor, name)
  const alias = known && aliasOn(known, mountAccessor)
  const full = { ...target, name, mountAccessor }
  return known && alias
    ? change(scope, { entity: known, alias }, { ...full, now: call.now })
    : create(scope, call, full)
}

async function create(scope: Scope, call: Call<unknown>, target: Target) {
  const { canonicalId, mountAccessor } = target
  const found = canonicalId === undefined ? undefined : await entityById(scope, canonicalId)
  if (canonicalId !== undefined && !found) refuse('invalid canonical ID')
  const entity = found ?? (await newEntity(scope, call))
  if (aliasOn(entity, mountAccessor)) {
    refuse('Alias already exists for requested entity and mount accessor')
  }
  const alias: Alias = {
    ...newAlias({ name: target.name, mountAccessor }, call),
    custom_metadata: target.customMetadata ?? {},
  }
  await saveEntity(scope, { ...entity, aliases: [...entity.aliases, alias] })
  return { id: alias.id, canonical_id: entity.id }
}

/** Renames an alias, or moves it to another mount or entity. */
async function change(
  scope: Scope,
  { alias, entity }: Held,
  { name, mountAccessor, canonicalId, customMetadata, now }: Target & { now: number },
) {
  const into = await targetEntity(scope, entity, canonicalId)
  const other = aliasOn(into, mountAccessor)
  if (other && other.id !== alias.id) {
    refuse(
      "Alias cannot be updated as the entity already has an alias for the given 'mount_accessor'",
    )
  }
  const taken = await entityByAlias(scope, mountAccessor, name)
  const same = foldName(name) === foldName(alias.name) && mountAccessor === alias.mount_accessor
  if (taken && !same) refuse('alias with combination of mount accessor and name already exists')
  const changed: Alias = {
    ...alias,
    name,
    mount_accessor: mountAccessor,
    custom_metadata: customMetadata ?? alias.custom_metadata,
    last_update_time: rfc3339(now),
  }
  if (into.id !== entity.id) await saveEntity(scope, without(entity, alias.id))
  const aliases = into.aliases.filter(({ id }) => id !== alias.id)
  await saveEntity(scope, { ...into, aliases: [...aliases, changed] })
  return { id: alias.id, canonical_id: into.id }
}

async function targetEntity(scope: Scope, entity: Entity, id: string | undefined): Promise<Entity> {
  if (id === undefined || id === entity.id) return entity
  return (await entityById(scope, id)) ?? refuse('invalid canonical ID')
}
