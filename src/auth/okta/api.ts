/** The questions to Okta: whether a password is right, a second factor, and a user's groups. */
import { refuse } from '../../kit/kit.ts'
import { isObject, type JsonObject } from '../../lib/json.ts'
import { jsonOf, type Outbound, OutboundError, type Told } from '../../lib/outbound.ts'

const PAGES_MAX = 20
const DENIED = 'okta auth failed'

type Server = { send: Outbound; url: string; apiToken: string }
export type OktaLogin = { username: string; password: string; totp: string; bypassMfa: boolean }

/** The id of the user who has proven who they are; refuses, or throws OutboundError. */
export async function authenticate(server: Server, given: OktaLogin): Promise<string> {
  const { username, password } = given
  const first = await post(server, '/api/v1/authn', { username, password })
  if (first['status'] === 'SUCCESS') return userId(first)
  if (first['status'] === 'MFA_REQUIRED') {
    return given.bypassMfa ? userId(first) : secondFactor(server, first, given.totp)
  }
  if (first['status'] === 'LOCKED_OUT') return refuse(`${DENIED}: the user is locked out`)
  if (first['status'] === 'PASSWORD_EXPIRED') return refuse(`${DENIED}: the password is expired`)
  return refuse(DENIED)
}

async function secondFactor(server: Server, first: JsonObject, totp: string): Promise<string> {
  const factors: unknown = embedded(first)['factors']
  const all: unknown[] = Array.isArray(factors) ? factors : []
  const factor = all
    .filter(isObject)
    .find(({ factorType: type, provider }) => type === 'token:software:totp' && provider !== '')
  if (totp === '' || typeof factor?.['id'] !== 'string') {
    return refuse(`${DENIED}: a second factor is required, and this build takes only totp`)
  }
  const path = `/api/v1/authn/factors/${encodeURIComponent(factor['id'])}/verify`
  const done = await post(server, path, { stateToken: first['stateToken'], passCode: totp })
  return done['status'] === 'SUCCESS' ? userId(done) : refuse(DENIED)
}

const embedded = (answer: JsonObject): JsonObject =>
  isObject(answer['_embedded']) ? answer['_embedded'] : {}

function userId(answer: JsonObject): string {
  const { user } = embedded(answer)
  const id = isObject(user) ? user['id'] : undefined
  if (typeof id === 'string' && id !== '') return id
  throw new OutboundError('did not tell a user')
}

async function post(server: Server, path: string, body: object): Promise<JsonObject> {
  const told = await server.send({
    url: server.url + path,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (told.status === 401 || told.status === 403) return refuse(DENIED)
  const answer = jsonOf(told)
  if (!isObject(answer)) throw new OutboundError('did not answer with an object')
  return answer
}

/** Names of the groups of a user; none without a token to ask with. Throws OutboundError. */
export async function groupsOf(server: Server, user: string): Promise<string[]> {
  if (server.apiToken === '') return []
  const names: string[] = []
  const first = `${server.url}/api/v1/users/${encodeURIComponent(user)}/groups?limit=200`
  let url: string | undefined = first
  for (let page = 0; url !== undefined; page++) {
    if (page === PAGES_MAX) throw new OutboundError('answered with too many pages')
    const told: Told = await server.send({
      url,
      headers: { authorization: `SSWS ${server.apiToken}` },
    })
    const groups = jsonOf(told)
    if (!Array.isArray(groups)) throw new OutboundError('did not answer with a list')
    for (const { profile } of groups.filter(isObject)) {
      const name = isObject(profile) ? profile['name'] : undefined
      if (typeof name === 'string') names.push(name)
    }
    url = nextPage(told, first)
  }
  return names
}

/** The token is shown to no other server, wherever a page says that the list goes on. */
function nextPage(told: Told, from: string): string | undefined {
  const next = /<([^>]+)>;\s*rel="next"/.exec(told.header('link') ?? '')?.[1]
  if (next === undefined) return undefined
  if (URL.parse(next)?.origin !== new URL(from).origin) {
    throw new OutboundError('was sent on to another server')
  }
  return next
}
