/** Users who are known here: what policies they have. Their passwords are the server's. */
import {
  canonicalPolicies,
  collection,
  endpoint,
  type EntryStore,
  refuse,
  t,
} from '../../kit/kit.ts'
import { typedName } from '../../lib/typed-name.ts'
import { VALUE_BYTES_MAX } from './packet.ts'

type User = { policies: string[] }

const users = collection<User>('user/')

/**
 * The one spelling of a name, for what is asked of the server, the alias and the users alike: a
 * server that minds the case is asked for small letters. Undefined when it is no name.
 */
export function canonicalName(given: string): string | undefined {
  const name = typedName(given)?.toLowerCase()
  return name !== undefined && Buffer.byteLength(name) <= VALUE_BYTES_MAX ? name : undefined
}

/** The policies of a user who is known here. */
export async function policiesOf(store: EntryStore, name: string): Promise<string[] | undefined> {
  // A slash would lead into other entries; no user can be written with one.
  return name.includes('/') ? undefined : (await users.get(store, name))?.policies
}

const name = t.name({ help: 'Name of the user; upper and lower case are the same.' })

export const userEndpoints = [
  endpoint('users', {
    help: 'The names of all users who are known here.',
    fields: {},
    list: async ({ store }) => ({ keys: await users.names(store) }),
  }),
  endpoint('users/:name', {
    help: 'A user who is known here: the policies of a login.',
    fields: { name, policies: t.list({ help: 'Policies of the tokens.', clear: true }) },
    exists: async ({ data, store }) =>
      (await users.get(store, data.name.toLowerCase())) !== undefined,
    read: async ({ data, store }) => await users.get(store, data.name.toLowerCase()),
    write({ data, store }) {
      const policies = canonicalPolicies(data.policies ?? [])
      if (policies.includes('root')) refuse('root policy cannot be granted by an auth method')
      users.put(store, data.name.toLowerCase(), { policies })
      return undefined
    },
    delete({ data, store }) {
      users.remove(store, data.name.toLowerCase())
      return undefined
    },
    example: { policies: ['web'] },
  }),
]
