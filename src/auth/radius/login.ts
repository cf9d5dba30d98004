/** The login with a password that a RADIUS server checks. It is asked there and kept nowhere. */
import {
  type Call,
  checkSamePolicies,
  checkTokenPeer,
  endpoint,
  type EntryStore,
  login,
  refuse,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { type Config, readConfig } from './config.ts'
import { isAccepted } from './exchange.ts'
import { PASSWORD_BYTES_MAX } from './packet.ts'
import { canonicalName, policiesOf } from './users.ts'

/** Given back at renewal. */
type Internal = { username: string; policies: readonly string[] }
type Asked = { username: string; password: string; urlusername?: string }

const DENIED = 'access denied by the authentication server'

const username = t.string({ help: 'Name of the user.', default: '' })
const password = t.string({ help: 'The password.', sensitive: true, default: '' })
const help = 'A token for a user and a password of the RADIUS server.'
const example = { password: 'correct horse battery staple' }

export const loginEndpoints = [
  endpoint('login', {
    help,
    access: 'login',
    fields: { username, password },
    write: logIn,
    example: { username: 'ann', ...example },
  }),
  endpoint('login/:urlusername', {
    help,
    access: 'login',
    fields: { urlusername: t.segment({ help: 'Name of the user.' }), username, password },
    write: logIn,
    example,
  }),
]

async function logIn(call: Call<Asked>) {
  const { data, store } = call
  const given = data.username || (data.urlusername ?? '')
  if (given === '') refuse('username cannot be empty')
  if (data.password === '') refuse('password cannot be empty')
  const config = (await readConfig(store)) ?? refuse('radius backend not configured')
  const name = canonicalName(given)
  // Longer passwords have no place in the protocol, so they are nobody's.
  if (name === undefined || Buffer.byteLength(data.password) > PASSWORD_BYTES_MAX) refuse(DENIED)
  const accepted = await call.once(['radius', config, name], () =>
    isAccepted(config, { username: name, password: data.password, random: call.random }),
  )
  if (!accepted) refuse(DENIED)
  const policies = await policiesFor(store, config, name)
  if (!policies) {
    return refuse('the user is not known here, and unregistered_user_policies is empty')
  }
  checkTokenPeer(config, call.remoteAddress)
  const internal: Internal = { username: name, policies }
  return login({
    alias: name,
    aliasMetadata: {},
    displayName: name,
    metadata: { username: name, policies: policies.join(',') },
    token: tokenOf(config, policies),
    internal,
  })
}

/** Undefined for a user who is not known where only those may come. */
async function policiesFor(store: EntryStore, config: Config, name: string) {
  const own = await policiesOf(store, name)
  if (own) return own
  const { unregistered_user_policies: others } = config
  return others.length > 0 ? others : undefined
}

function tokenOf(config: Config, policies: readonly string[]): TokenParams {
  const params = tokenParams(config)
  return { ...params, policies: [...new Set([...params.policies, ...policies])].sort() }
}

/** The settings as they are now; undefined when the user may not come any more. */
export async function renewLogin(
  { store }: Pick<Call<unknown>, 'store'>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { username: name, policies: then } = internal as Internal
  const config = await readConfig(store)
  const policies = config && (await policiesFor(store, config, name))
  if (!policies) return undefined
  checkSamePolicies(policies, then)
  return tokenOf(config, policies)
}
