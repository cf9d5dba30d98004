/**
 * A user as it is stored. There is one spelling of each: what is not a name (word characters, with
 * `-` and `.` inside) has no path here, and upper and lower case are one.
 */
import {
  collection,
  type EntryStore,
  legacyTokenFields,
  type RoleTokens,
  t,
  tokenFields,
} from '../../kit/kit.ts'

/** Entry `user/<lower-cased name>`. */
export type User = RoleTokens & { password_hash: string }

export const users = collection<User>('user/')

export const username = t.name({ help: 'Name of the user; upper and lower case are the same.' })

const { policies, ttl, max_ttl, bound_cidrs } = legacyTokenFields
export const userTokenFields = { ...tokenFields, policies, ttl, max_ttl, bound_cidrs }

/** The one spelling of a name, for storage, the alias and the count of failures alike. */
export const canonicalName = (name: string): string => name.toLowerCase()

export async function findUser(store: EntryStore, name: string): Promise<User | undefined> {
  return await users.get(store, canonicalName(name))
}
