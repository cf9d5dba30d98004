/** The questions to GitHub: who a token belongs to, and in which organizations and teams they are. */
import { refuse } from '../../kit/kit.ts'
import { isObject, type JsonObject } from '../../lib/json.ts'
import { jsonOf, outbound, OutboundError, type Told } from '../../lib/outbound.ts'

const PUBLIC_API = 'https://api.github.com/'
const PAGES_MAX = 20

export type GithubUser = {
  login: string
  /** Ids of the organizations. */
  organizations: number[]
  teams: { name: string; slug: string; organization: number }[]
}

/** The address of the API with a slash at its end; refuses what is none. */
export function apiUrl(baseUrl: string): URL {
  if (baseUrl === '') return new URL(PUBLIC_API)
  const url = URL.parse(baseUrl)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return refuse('error parsing given base_url: expected an address')
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

/** The id of an organization. Throws OutboundError. */
export async function organizationId(api: URL, organization: string): Promise<number> {
  const url = new URL(`orgs/${encodeURIComponent(organization)}`, api)
  const found = jsonOf(await outbound({ url: url.href, headers: HEADERS }))
  const id = isObject(found) ? found['id'] : undefined
  if (typeof id !== 'number') throw new OutboundError('did not tell an id')
  return id
}

/** Throws OutboundError. */
export async function askGithub(api: URL, token: string): Promise<GithubUser> {
  const user = jsonOf(await ask(new URL('user', api), token))
  const login = isObject(user) ? user['login'] : undefined
  if (typeof login !== 'string' || login === '') throw new OutboundError('did not tell a user')
  const organizations = await pages(new URL('user/orgs?per_page=100', api), token)
  const teams = await pages(new URL('user/teams?per_page=100', api), token)
  return {
    login,
    organizations: organizations.flatMap(({ id }) => (typeof id === 'number' ? [id] : [])),
    teams: teams.flatMap(({ name, slug, organization }) => {
      const of = isObject(organization) ? organization['id'] : undefined
      const named = typeof name === 'string' && typeof slug === 'string'
      return named && typeof of === 'number' ? [{ name, slug, organization: of }] : []
    }),
  }
}

const HEADERS = { accept: 'application/vnd.github+json', 'user-agent': 'coffer' }

const ask = (url: URL, token: string): Promise<Told> =>
  outbound({ url: url.href, headers: { ...HEADERS, authorization: `Bearer ${token}` } })

/** All pages of a list; an empty answer is an empty list. */
async function pages(first: URL, token: string): Promise<JsonObject[]> {
  const all: JsonObject[] = []
  let url: URL | undefined = first
  for (let page = 0; url; page++) {
    if (page === PAGES_MAX) throw new OutboundError('answered with too many pages')
    const told = await ask(url, token)
    const items: unknown = told.status === 200 && told.text === '' ? [] : jsonOf(told)
    if (!Array.isArray(items)) throw new OutboundError('did not answer with a list')
    all.push(...items.filter(isObject))
    url = nextPage(told, url)
  }
  return all
}

/** The token is shown to no other server, wherever a page says that the list goes on. */
function nextPage(told: Told, url: URL): URL | undefined {
  const next = /<([^>]+)>;\s*rel="next"/.exec(told.header('link') ?? '')?.[1]
  const to = next === undefined ? null : URL.parse(next, url)
  if (to === null) return undefined
  if (to.origin !== url.origin) throw new OutboundError('was sent on to another server')
  return to
}
