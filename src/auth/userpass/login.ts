/**
 * The login with a password. A user who is not there and a password that is wrong are one refusal
 * with one text, after the same work.
 */
import {
  type Call,
  checkSamePolicies,
  checkTokenPeer,
  endpoint,
  Failure,
  login,
  refuse,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { isPassword, passwordFields } from './passwords.ts'
import { canonicalName, findUser, username } from './user.ts'

/** Given back at renewal. */
type Internal = { username: string; policies: readonly string[] }

export const loginEndpoint = endpoint('login/:username', {
  help: 'A token for a user and a password.',
  access: 'login',
  fields: { username, password: passwordFields.password },
  userOf: ({ data }) => canonicalName(data.username),
  write: logIn,
  example: { password: 'correct horse battery staple' },
})

async function logIn(call: Call<{ username: string; password: string | undefined }>) {
  const { data, store } = call
  const { password = '' } = data
  if (password === '') throw new Failure('internal', 'missing password')
  const name = canonicalName(data.username)
  const user = await findUser(store, name)
  const proven = await isPassword(call, password, user?.password_hash)
  if (!user || !proven) return refuse('invalid username or password')
  checkTokenPeer(user, call.remoteAddress)
  const internal: Internal = { username: name, policies: user.token_policies }
  return login({
    alias: name,
    displayName: name,
    metadata: { username: name },
    token: tokenParams(user),
    internal,
  })
}

/** The user's settings as they are now; undefined when the user is gone. */
export async function renewLogin(
  { store }: Pick<Call<unknown>, 'store'>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { username: name, policies } = internal as Internal
  const user = await findUser(store, name)
  if (!user) return undefined
  checkSamePolicies(user.token_policies, policies)
  return tokenParams(user)
}
