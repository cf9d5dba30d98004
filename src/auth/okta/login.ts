/** The login: Okta checks the password; users and groups that are known here bring policies. */
import {
  type Call,
  canonicalPolicies,
  checkSamePolicies,
  checkTokenPeer,
  endpoint,
  type Endpoint,
  login,
  refuse,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { type Outbound, OutboundError } from '../../lib/outbound.ts'
import { authenticate, groupsOf } from './api.ts'
import { requireConfig } from './config.ts'
import { findMember } from './members.ts'

type Internal = { username: string; user: string; policies: readonly string[] }
type Data = { username: string; password: string; totp: string }

export const loginEndpoint = (send: Outbound): Endpoint =>
  endpoint('login/:username', {
    help: 'A token for a user of Okta and their password.',
    access: 'login',
    fields: {
      username: t.segment({ help: 'Name of the user.' }),
      password: t.string({ help: 'Their password.', default: '', sensitive: true }),
      totp: t.string({ help: 'A code of their authenticator.', default: '', sensitive: true }),
      provider: t.string({ help: 'Accepted; totp is asked of whoever has it.', clear: true }),
      nonce: t.string({ help: 'Accepted; there is no number to compare here.' }),
    },
    write: (call: Call<Data>) => logIn(call, send),
    example: { password: 'correct horse battery staple' },
  })

async function logIn(call: Call<Data>, send: Outbound) {
  const { data, store } = call
  const { config, url, tokens } = await requireConfig(store)
  checkTokenPeer(tokens, call.remoteAddress)
  if (data.password === '') refuse('missing password')
  const username = data.username.toLowerCase()
  const server = { send, url, apiToken: config.api_token }
  const { password, totp } = data
  const user = await asked(() =>
    call.once(['okta', url, username, password, totp], () =>
      authenticate(server, { username, password, totp, bypassMfa: config.bypass_okta_mfa }),
    ),
  )
  const { groups, params } = await granted(call, { send, username, user })
  const internal: Internal = { username, user, policies: params.policies }
  return login({
    alias: username,
    displayName: username,
    metadata: { username, policies: params.policies.join(',') },
    groups,
    token: params,
    internal,
  })
}

async function granted(
  call: Call<unknown>,
  { send, username, user }: { send: Outbound; username: string; user: string },
) {
  const { config, url, tokens } = await requireConfig(call.store)
  const server = { send, url, apiToken: config.api_token }
  const theirs = await asked(() => call.once(['groups', url, user], () => groupsOf(server, user)))
  const member = await findMember(call.store, 'users', username)
  const groups = [...new Set([...theirs, ...member.groups])]
  const byGroup = await Promise.all(groups.map((name) => findMember(call.store, 'groups', name)))
  const policies = [...byGroup.flatMap((group) => group.policies), ...member.policies]
  const params = tokenParams(tokens)
  const all = canonicalPolicies([...params.policies, ...policies])
  // A login never gives root, whatever a mapping says.
  return { groups, params: { ...params, policies: all.filter((name) => name !== 'root') } }
}

async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    return refuse(`okta auth failed: the server ${error.message}`)
  }
}

/** Asks for the groups again; the policies must be what they were. */
export const renewLogin =
  (send: Outbound) =>
  async (
    call: Call<Record<string, never>>,
    internal: Record<string, unknown>,
  ): Promise<TokenParams | undefined> => {
    const { username, user, policies } = internal as Internal
    const { params } = await granted(call, { send, username, user })
    checkSamePolicies(params.policies, policies)
    return params
  }
