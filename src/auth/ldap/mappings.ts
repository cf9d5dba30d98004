/** Users and groups that are known here: what policies they have beyond those of the directory's. */
import {
  canonicalPolicies,
  collection,
  endpoint,
  type EntryStore,
  refuse,
  t,
} from '../../kit/kit.ts'
import { typedName } from '../../lib/typed-name.ts'
import { readConfig } from './config.ts'
import { keyOfName } from './names.ts'

type Group = { policies: string[] }
type User = { policies: string[]; groups: string[] }

const groups = collection<Group>('group/')
const users = collection<User>('user/')

const policies = t.list({ help: 'Policies of the tokens.', default: [], clear: true })

export const mappingEndpoints = [
  endpoint('groups', {
    help: 'The names of all groups that are known here.',
    fields: {},
    list: async ({ store }) => ({ keys: await groups.names(store) }),
  }),
  endpoint('groups/:name', {
    help: 'A group: the policies of its members.',
    fields: { name: t.segment({ help: 'Name of the group, as the directory has it.' }), policies },
    read: async ({ data, store }) => await groups.get(store, await keyFor(store, data.name)),
    async write({ data, store }) {
      groups.put(store, await keyFor(store, data.name), { policies: checked(data.policies) })
      return undefined
    },
    async delete({ data, store }) {
      groups.remove(store, await keyFor(store, data.name))
      return undefined
    },
    example: { policies: ['ops'] },
  }),
  endpoint('users', {
    help: 'The names of all users that are known here.',
    fields: {},
    list: async ({ store }) => ({ keys: await users.names(store) }),
  }),
  endpoint('users/:name', {
    help: 'A user: more policies, and groups beyond those of the directory.',
    fields: {
      name: t.segment({ help: 'Name of the user.' }),
      policies,
      groups: t.list({ help: 'More groups the user is in.', default: [] }),
    },
    async read({ data, store }) {
      const user = await users.get(store, await keyFor(store, data.name))
      return user && { policies: user.policies, groups: user.groups.join(',') }
    },
    async write({ data, store }) {
      users.put(store, await keyFor(store, data.name), {
        policies: checked(data.policies),
        groups: data.groups,
      })
      return undefined
    },
    async delete({ data, store }) {
      users.remove(store, await keyFor(store, data.name))
      return undefined
    },
    example: { policies: ['web'], groups: ['engineers'] },
  }),
]

async function keyFor(store: EntryStore, given: string): Promise<string> {
  const name =
    typedName(given) ?? refuse('the name is empty, too long, or has invisible characters')
  return keyOfName(name, (await readConfig(store))?.case_sensitive_names ?? false)
}

function checked(given: readonly string[]): string[] {
  const names = canonicalPolicies(given)
  return names.includes('root') ? refuse('auth methods cannot create root tokens') : names
}

/** What is known here of somebody who is in these groups of the directory. */
export async function mapped(
  store: EntryStore,
  {
    name,
    found,
    caseSensitive,
  }: { name: string; found: readonly string[]; caseSensitive: boolean },
): Promise<{ groups: string[]; policies: string[] }> {
  const user = await users.get(store, keyOfName(name, caseSensitive))
  const all = [...new Set([...(user?.groups ?? []), ...found])]
  const policiesOf = async (group: string) => {
    const key = typedName(group)
    // A slash would lead into other entries; no group can be written with one.
    if (key === undefined || key.includes('/')) return []
    return (await groups.get(store, keyOfName(key, caseSensitive)))?.policies ?? []
  }
  const each = await Promise.all(all.map(policiesOf))
  return { groups: all, policies: canonicalPolicies([...(user?.policies ?? []), ...each.flat()]) }
}
