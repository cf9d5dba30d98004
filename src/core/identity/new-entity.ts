/** An entity as it begins: a first login makes one, or an administrator. */
import { rfc3339 } from '../../lib/clock.ts'
import { type Random, uuid } from '../../lib/random.ts'
import { type Entity } from './entity.ts'

/** Without a name one is drawn, which is then free for certain. */
export function newEntity(random: Random, now: number, name?: string): Entity {
  const at = rfc3339(now)
  return {
    id: uuid(random),
    name: name ?? `entity_${random(4).toString('hex')}`,
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
