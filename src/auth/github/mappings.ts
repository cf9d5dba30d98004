/** Which policies the members of a team, or single users, get: `map/teams/:key`, `map/users/:key`. */
import { canonicalPolicies, collection, endpoint, type EntryStore, t } from '../../kit/kit.ts'

type Mapping = { key: string; value: string }

/** The key whose policies everybody gets. */
const EVERYBODY = 'default'

const kinds = { teams: collection<Mapping>('teams/'), users: collection<Mapping>('users/') }
type Kind = keyof typeof kinds

const key = t.name({ help: 'Its name; upper and lower case are the same.' })

const endpointsOf = (kind: Kind) => [
  endpoint(`map/${kind}`, {
    help: `The names of all mapped ${kind}.`,
    fields: {},
    async read({ store }) {
      const keys = await kinds[kind].names(store)
      return keys.length > 0 ? { keys } : undefined
    },
    list: async ({ store }) => ({ keys: await kinds[kind].names(store) }),
  }),
  endpoint(`map/${kind}/:key`, {
    help: `The policies of one of the ${kind}.`,
    fields: { key, value: t.string({ help: 'Policies, separated by commas.', default: '' }) },
    exists: async ({ data, store }) =>
      (await kinds[kind].get(store, data.key.toLowerCase())) !== undefined,
    // Nothing mapped is an answer, as clients expect.
    read: async ({ data, store }) => ({
      ...(await kinds[kind].get(store, data.key.toLowerCase())),
    }),
    write({ data, store }) {
      kinds[kind].put(store, data.key.toLowerCase(), { key: data.key, value: data.value })
      return undefined
    },
    delete({ data, store }) {
      kinds[kind].remove(store, data.key.toLowerCase())
      return undefined
    },
    example: { value: 'web,default' },
  }),
]

export const mappingEndpoints = [...endpointsOf('teams'), ...endpointsOf('users')]

/** The policies of these names, and those of everybody. */
export async function mappedPolicies(
  store: EntryStore,
  kind: Kind,
  names: readonly string[],
): Promise<string[]> {
  const wanted = [...new Set([EVERYBODY, ...names.map((name) => name.toLowerCase())])]
  const plain = wanted.filter((name) => !name.includes('/'))
  const found = await Promise.all(plain.map(async (name) => kinds[kind].get(store, name)))
  const policies = canonicalPolicies(found.flatMap((mapping) => mapping?.value.split(',') ?? []))
  // A login never gives root, whatever a mapping says.
  return policies.filter((name) => name !== 'root')
}
