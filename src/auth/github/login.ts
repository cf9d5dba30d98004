/** The login: GitHub says whose token this is, and the organization must be one of theirs. */
import {
  type Call,
  canonicalPolicies,
  checkSamePolicies,
  checkTokenPeer,
  endpoint,
  Failure,
  login,
  refuse,
  t,
  tokenParams,
} from '../../kit/kit.ts'
import { type TokenParams } from '../../kit/reply.ts'
import { OutboundError } from '../../lib/outbound.ts'
import { apiUrl, askGithub } from './api.ts'
import { requireConfig } from './config.ts'
import { mappedPolicies } from './mappings.ts'

/** The token is kept to ask again at renewal: who has left the organization is not renewed. */
type Internal = { token: string; policies: readonly string[] }

export const loginEndpoint = endpoint('login', {
  help: 'A token of ours for a token of GitHub.',
  access: 'login',
  fields: { token: t.string({ help: 'A personal access token.', sensitive: true }) },
  write: logIn,
  example: { token: 'ghp_example' },
})

async function logIn(call: Call<{ token: string | undefined }>) {
  const token = (call.data.token ?? '').trim()
  if (token === '') refuse('missing token')
  // A line break would begin another header.
  if (!/^[\x21-\x7e]+$/.test(token)) refuse('token has characters that no token has')
  const { user, params, organization, teams } = await verified(call, token)
  const internal: Internal = { token, policies: params.policies }
  return login({
    alias: user,
    displayName: user,
    metadata: { username: user, org: organization },
    groups: teams,
    token: params,
    internal,
  })
}

async function verified(call: Call<unknown>, token: string) {
  const { config, tokens } = await requireConfig(call.store)
  checkTokenPeer(tokens, call.remoteAddress)
  const user = await asked(call, apiUrl(config.base_url), token)
  if (!user.organizations.includes(config.organization_id)) {
    throw new Failure('internal', 'user is not part of required org')
  }
  const own = user.teams.filter(({ organization }) => organization === config.organization_id)
  const teams = [...new Set(own.flatMap(({ name, slug }) => [name, slug]))]
  const policies = [
    ...(await mappedPolicies(call.store, 'teams', teams)),
    ...(await mappedPolicies(call.store, 'users', [user.login])),
  ]
  const params = tokenParams(tokens)
  return {
    user: user.login,
    organization: config.organization,
    teams,
    params: { ...params, policies: canonicalPolicies([...params.policies, ...policies]) },
  }
}

async function asked(call: Call<unknown>, api: URL, token: string) {
  try {
    return await call.once(['github', api.href, token], () => askGithub(api, token))
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error
    return refuse(`error asking GitHub: it ${error.message}`)
  }
}

/** Asks again: the organization, the teams and the policies must be what they were. */
export async function renewLogin(
  call: Call<Record<string, never>>,
  internal: Record<string, unknown>,
): Promise<TokenParams | undefined> {
  const { token, policies } = internal as Internal
  const { params } = await verified(call, token)
  checkSamePolicies(params.policies, policies)
  return params
}
