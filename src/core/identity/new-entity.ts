/** An entity as it begins: a first login makes one, or an administrator. */
import { type Scope } from '../../barrier/space.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Random, uuid } from '../../lib/random.ts'
import { entityByName } from './entities.ts'
import { type Entity } from './entity.ts'
import { drawName } from './name-index.ts'

/** Without a name one is drawn. Nothing is stored yet. */
export async function newEntity(
  scope: Scope,
  { random, now }: { random: Random; now: number },
  name?: string,
): Promise<Entity> {
  const at = rfc3339(now)
  return {
    id: uuid(random),
    name: name ?? (await drawName('entity', random, (drawn) => entityByName(scope, drawn))),
    metadata: {},
    policies: [],
    disabled: false,
    aliases: [],
    merged_entity_ids: [],
    group_ids: [],
    creation_time: at,
    last_update_time: at,
  }
}
