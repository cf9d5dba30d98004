/** The endpoints of users: list, create, read, change, delete; their password and policies. */
import {
  applyRoleTokens,
  type Call,
  endpoint,
  type EntryStore,
  refuse,
  shownRoleTokens,
  TOKEN_SETTINGS,
} from '../../kit/kit.ts'
import { givenHash, passwordFields } from './passwords.ts'
import { canonicalName, findUser, type User, username, users, userTokenFields } from './user.ts'

const { policies, token_policies } = userTokenFields

export const userEndpoints = [
  endpoint('users', {
    help: 'The names of all users.',
    fields: {},
    list: async ({ store }) => ({ keys: await users.names(store) }),
  }),
  endpoint('users/:username', {
    help: 'A user: the password, and what tokens a login gives.',
    fields: { username, ...passwordFields, ...userTokenFields },
    exists: async ({ data, store }) => (await findUser(store, data.username)) !== undefined,
    async read({ data, store }) {
      const user = await findUser(store, data.username)
      return user && shownRoleTokens(user)
    },
    async write(call) {
      const { data, store } = call
      const before = await findUser(store, data.username)
      const settings = applyRoleTokens(before ?? TOKEN_SETTINGS, data)
      const password_hash = (await givenHash(call)) ?? before?.password_hash
      if (password_hash === undefined) return refuse('missing password')
      save(call, { ...settings, password_hash })
      return undefined
    },
    delete({ data, store }) {
      users.remove(store, canonicalName(data.username))
      return undefined
    },
    example: { password: 'correct horse battery staple', token_policies: ['web'] },
  }),
  endpoint('users/:username/password', {
    help: 'Sets the password of a user.',
    fields: { username, ...passwordFields },
    async write(call) {
      const user = await requireUser(call.store, call.data.username)
      const password_hash = await givenHash(call)
      if (password_hash === undefined) return refuse('missing password')
      save(call, { ...user, password_hash })
      return undefined
    },
    example: { password: 'correct horse battery staple' },
  }),
  endpoint('users/:username/policies', {
    help: 'Sets the policies of a user.',
    fields: { username, policies, token_policies },
    async write(call) {
      const user = await requireUser(call.store, call.data.username)
      const { password_hash } = user
      save(call, { ...applyRoleTokens(user, call.data), password_hash })
      return undefined
    },
    example: { token_policies: ['web'] },
  }),
]

async function requireUser(store: EntryStore, name: string): Promise<User> {
  return (await findUser(store, name)) ?? refuse('username does not exist')
}

function save({ data, store }: Call<{ username: string }>, user: User): void {
  users.put(store, canonicalName(data.username), user)
}
