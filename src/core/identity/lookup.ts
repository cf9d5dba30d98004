/** `lookup`: an entity or a group by whatever is known of it. 204 when there is none. */
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { refuse } from '../../kit/failure.ts'
import { t } from '../../schema/field.ts'
import { type Awaitable } from '../../storage/store.ts'
import { type Core } from '../core.ts'
import { scopeOf } from '../turn.ts'
import { entityByAlias, entityByAliasId, entityById, entityByName } from './entities.ts'
import { viewOf } from './entity-endpoints.ts'
import { groupByAlias, groupByAliasId, groupById, groupByName } from './groups.ts'
import { shownEntity, shownGroup } from './shown.ts'

const fields = {
  id: t.string({ help: 'Its id.' }),
  name: t.string({ help: 'Its name.' }),
  alias_id: t.string({ help: 'Id of one of its aliases.' }),
  alias_name: t.string({ help: 'Name of one of its aliases; with alias_mount_accessor.' }),
  alias_mount_accessor: t.string({ help: 'Accessor of the mount of that alias.', clear: true }),
}

type Query = { [K in keyof typeof fields]: string | undefined }
type Finders<T> = {
  id(id: string): Awaitable<T | undefined>
  name(name: string): Awaitable<T | undefined>
  aliasId(id: string): Awaitable<T | undefined>
  alias(accessor: string, name: string): Awaitable<T | undefined>
}

export function lookupEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('lookup/entity', {
      help: 'An entity, by its id, its name or an alias.',
      fields,
      async write(call) {
        const scope = scopeOf(call as never)
        const entity = await find(call.data, {
          id: (id) => entityById(scope, id),
          name: (name) => entityByName(scope, name),
          aliasId: (id) => entityByAliasId(scope, id),
          alias: (accessor, name) => entityByAlias(scope, accessor, name),
        })
        return entity && shownEntity(scope, entity, await viewOf(core, call))
      },
      example: { name: 'alice' },
    }),
    endpoint('lookup/group', {
      help: 'A group, by its id, its name or its alias.',
      fields,
      async write(call) {
        const scope = scopeOf(call as never)
        const group = await find(call.data, {
          id: (id) => groupById(scope, id),
          name: (name) => groupByName(scope, name),
          aliasId: (id) => groupByAliasId(scope, id),
          alias: (accessor, name) => groupByAlias(scope, accessor, name),
        })
        return group && shownGroup(scope, group, await viewOf(core, call))
      },
      example: { name: 'web team' },
    }),
  ]
}

/** Exactly one way to name it must be given. */
function find<T>(query: Query, by: Finders<T>): Awaitable<T | undefined> {
  const { id, name, alias_id: aliasId, alias_name: alias, alias_mount_accessor: accessor } = query
  const ways = [id, name, aliasId, alias || accessor].filter(Boolean).length
  if (ways === 0) refuse('query parameter not supplied')
  if (ways > 1) {
    refuse('query parameter conflict; please supply distinct set of query parameters')
  }
  if (id) return by.id(id)
  if (name) return by.name(name)
  if (aliasId) return by.aliasId(aliasId)
  if (!alias || !accessor)
    return refuse("both 'alias_name' and 'alias_mount_accessor' are required")
  return by.alias(accessor, alias)
}
