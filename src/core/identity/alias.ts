/** Aliases as values: made, changed, and looked for in an entity. What they mean is said elsewhere. */
import { refuse } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Random, uuid } from '../../lib/random.ts'
import { type Alias, type Entity } from './entity.ts'
import { type View } from './shown.ts'

export type NewAlias = { name: string; mountAccessor: string; local?: boolean }

export function newAlias(wanted: NewAlias, by: { random: Random; now: number }): Alias {
  const at = rfc3339(by.now)
  return {
    id: uuid(by.random),
    name: wanted.name,
    mount_accessor: wanted.mountAccessor,
    metadata: {},
    custom_metadata: {},
    local: wanted.local ?? false,
    creation_time: at,
    last_update_time: at,
    merged_from_canonical_ids: [],
  }
}

/** The alias an entity has on a mount; there is at most one. */
export const aliasOn = (entity: Entity, mountAccessor: string): Alias | undefined =>
  entity.aliases.find((alias) => alias.mount_accessor === mountAccessor)

export const without = (entity: Entity, aliasId: string): Entity => ({
  ...entity,
  aliases: entity.aliases.filter(({ id }) => id !== aliasId),
})

/** Only auth mounts know anybody. */
export function requireAuthMount(view: View, accessor: string): void {
  if (view.mounts.get(accessor)?.class !== 'auth') {
    refuse(`invalid mount accessor ${JSON.stringify(accessor)}`)
  }
}
