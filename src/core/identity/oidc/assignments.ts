/** `oidc/assignment`: who may log in to a client. */
import { type Endpoint, endpoint } from '../../../kit/engine.ts'
import { refuse } from '../../../kit/failure.ts'
import { t } from '../../../schema/field.ts'
import { scopeOf } from '../../turn.ts'
import {
  ALLOW_ALL,
  assignmentNames,
  findAssignment,
  removeAssignment,
  saveAssignment,
} from './assignment.ts'
import { clientsOfAssignment } from './client.ts'

export function assignmentEndpoints(): Endpoint[] {
  return [
    endpoint('oidc/assignment', {
      help: 'The names of all assignments.',
      fields: {},
      list: async (call) => ({ keys: await assignmentNames(scopeOf(call as never)) }),
    }),
    endpoint('oidc/assignment/:name', {
      help: 'Entities and groups that may log in to the clients that name it.',
      fields: {
        name: t.name({ help: 'Name of the assignment.' }),
        entity_ids: t.list({ help: 'Ids of entities.', default: [], clear: true }),
        group_ids: t.list({ help: 'Ids of groups.', default: [], clear: true }),
      },
      async exists(call) {
        return (await findAssignment(scopeOf(call as never), call.data.name)) !== undefined
      },
      async read(call) {
        const found = await findAssignment(scopeOf(call as never), call.data.name)
        return found && { entity_ids: found.entity_ids, group_ids: found.group_ids }
      },
      async write(call) {
        const { data, given } = call
        if (data.name === ALLOW_ALL) refuse(`modification of assignment "${ALLOW_ALL}" not allowed`)
        const scope = scopeOf(call as never)
        const stored = await findAssignment(scope, data.name)
        saveAssignment(scope, data.name, {
          entity_ids: given.has('entity_ids') ? data.entity_ids : (stored?.entity_ids ?? []),
          group_ids: given.has('group_ids') ? data.group_ids : (stored?.group_ids ?? []),
        })
        return undefined
      },
      async delete(call) {
        const scope = scopeOf(call as never)
        const { name } = call.data
        if (name === ALLOW_ALL) refuse(`deletion of assignment "${ALLOW_ALL}" not allowed`)
        const users = (await clientsOfAssignment(scope, name)).map((client) => client.name)
        if (users.length > 0) {
          refuse(
            `unable to delete assignment ${JSON.stringify(name)} because it is currently ` +
              `referenced by these clients: ${users.join(', ')}`,
          )
        }
        removeAssignment(scope, name)
        return undefined
      },
      example: { group_ids: ['9a1f3c1e-0000-4000-8000-000000000000'] },
    }),
  ]
}
