/**
 * `entity/merge`: makes several entities one, which then has the aliases, policies and groups of
 * all. Tokens of those that are gone are tokens of the one. It happens here and nowhere else.
 */
import { type Scope } from '../../barrier/space.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { t } from '../../schema/field.ts'
import { scopeOf } from '../turn.ts'
import { aliasOn } from './alias.ts'
import { entityById, removeEntity, saveEntity } from './entities.ts'
import { type Alias, type Entity } from './entity.ts'
import { setMember } from './groups.ts'

export const mergeEndpoint: Endpoint = endpoint('entity/merge', {
  help: 'Merges entities into one.',
  fields: {
    from_entity_ids: t.list({ help: 'Ids of the entities that become part of another.' }),
    to_entity_id: t.string({ help: 'Id of the entity that they become part of.' }),
    force: t.bool({ help: 'Kept for clients; second factors are not merged.', default: false }),
    conflicting_alias_ids_to_keep: t.list({
      help: 'Where both have an alias on one mount: the ids of those to keep. From one entity only.',
      default: [],
    }),
  },
  async write(call) {
    const {
      from_entity_ids: from = [],
      to_entity_id: to,
      conflicting_alias_ids_to_keep,
    } = call.data
    const scope = scopeOf(call as never)
    if (from.length === 0) refuse('missing entity ids to merge from')
    if (!to) refuse('missing entity id to merge to')
    const target = (await entityById(scope, to)) ?? refuse('entity id to merge to is invalid')
    const ids = [...new Set(from)]
    if (ids.includes(to)) refuse('to_entity_id should not be present in from_entity_ids')
    if (ids.length > 1 && conflicting_alias_ids_to_keep.length > 0) {
      refuse(
        'alias conflicts cannot be resolved with multiple from entity ids - merge one at a time',
      )
    }
    const others: Entity[] = []
    for (const id of ids) {
      others.push((await entityById(scope, id)) ?? refuse('entity id to merge from is invalid'))
    }
    await merge(scope, target, { others, keep: conflicting_alias_ids_to_keep, now: call.now })
    return undefined
  },
  example: { from_entity_ids: ['entity id'], to_entity_id: 'another entity id' },
})

async function merge(
  scope: Scope,
  target: Entity,
  { others, keep, now }: { others: readonly Entity[]; keep: readonly string[]; now: number },
): Promise<void> {
  let merged = target
  for (const other of others) merged = withPartsOf(merged, other, keep)
  const groupIds = new Set(others.flatMap(({ group_ids }) => group_ids))
  for (const other of others) await removeEntity(scope, other.id)
  await saveEntity(scope, { ...merged, last_update_time: rfc3339(now) })
  for (const groupId of groupIds) {
    await setMember(scope, { groupId, entityId: target.id, is: true })
  }
}

function withPartsOf(entity: Entity, other: Entity, keep: readonly string[]): Entity {
  let { aliases } = entity
  for (const alias of other.aliases) {
    const clash = aliasOn({ ...entity, aliases }, alias.mount_accessor)
    if (clash && !kept(clash, alias, keep)) continue
    const moved = {
      ...alias,
      merged_from_canonical_ids: [...alias.merged_from_canonical_ids, other.id],
    }
    aliases = [...aliases.filter((each) => each !== clash), moved]
  }
  return {
    ...entity,
    aliases,
    policies: [...new Set([...entity.policies, ...other.policies])].sort(),
    merged_entity_ids: [...entity.merged_entity_ids, ...other.merged_entity_ids, other.id],
  }
}

/** Of two aliases on one mount, whether the one that comes in stays. It must be said which. */
function kept(own: Alias, incoming: Alias, keep: readonly string[]): boolean {
  const [ownStays, incomingStays] = [keep.includes(own.id), keep.includes(incoming.id)]
  if (ownStays === incomingStays) {
    refuse(
      'toEntity and at least one fromEntity have aliases with the same mount accessor, repeat the ' +
        'merge request specifying exactly one fromEntity, and in conflicting_alias_ids_to_keep ' +
        'one alias id of each pair',
    )
  }
  return incomingStays
}
