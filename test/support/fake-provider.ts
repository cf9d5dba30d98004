/** A fake OpenID provider: gives a code for a login, and tokens for the code, once. */
import { createHash } from 'node:crypto'
import { jwkOf, type Pair, rsaPair, signed } from './jwt-signer.ts'
import { webServer, type WebRequest, type WebServer } from './web-server.ts'

export const CLIENT = { id: 'coffer', secret: 'client secret/+' }

type Started = { challenge: string | null; redirectUri: string; nonce: string | null }

export type FakeProvider = {
  web: WebServer
  pair: Pair
  /** Logs a user in at an auth_url: what the provider sends the browser back with. */
  logIn(authUrl: string): { code: string; state: string }
  /** Changes what the next ID tokens say. */
  claims: Record<string, unknown>
  userinfo: Record<string, unknown>
  discovery: Record<string, unknown>
  codes: Map<string, Started>
}

export async function fakeProvider(clock: () => number): Promise<FakeProvider> {
  const web = await webServer({})
  const pair = rsaPair()
  const codes = new Map<string, Started>()
  const fake: FakeProvider = {
    web,
    pair,
    codes,
    claims: {},
    userinfo: { sub: 'ann' },
    discovery: {
      issuer: web.url,
      authorization_endpoint: `${web.url}/authorize?tenant=1`,
      token_endpoint: `${web.url}/token`,
      userinfo_endpoint: `${web.url}/userinfo`,
      jwks_uri: `${web.url}/keys`,
      id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
    },
    logIn(authUrl) {
      const query = new URL(authUrl).searchParams
      const code = `code-${codes.size + 1}`
      codes.set(code, {
        challenge: query.get('code_challenge'),
        redirectUri: query.get('redirect_uri')!,
        nonce: query.get('nonce'),
      })
      return { code, state: query.get('state')! }
    },
  }
  const token = (request: WebRequest) => {
    const form = new URLSearchParams(request.body)
    const started = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    const right =
      isClient(request, form) &&
      started?.challenge === challenge &&
      started.redirectUri === form.get('redirect_uri')
    if (!right) return { status: 400, body: { error: 'canary' } }
    const now = Math.floor(clock() / 1000)
    const claims = {
      iss: web.url,
      aud: CLIENT.id,
      sub: 'ann',
      iat: now,
      exp: now + 300,
      nonce: started.nonce,
      ...fake.claims,
    }
    const id_token = signed({ alg: 'RS256' }, claims, { pair })
    return { body: { id_token, access_token: 'access', token_type: 'Bearer' } }
  }
  Object.assign(web.routes, {
    '/.well-known/openid-configuration': () => ({ body: fake.discovery }),
    '/keys': () => ({ body: { keys: [jwkOf(pair)] } }),
    '/token': token,
    '/userinfo': ({ headers }: WebRequest) =>
      headers.authorization === 'Bearer access' ? { body: fake.userinfo } : { status: 401 },
  })
  return fake
}

function isClient({ headers }: WebRequest, form: URLSearchParams): boolean {
  if (form.has('client_id')) {
    return form.get('client_id') === CLIENT.id && form.get('client_secret') === CLIENT.secret
  }
  const basic = Buffer.from(String(headers.authorization).slice('Basic '.length), 'base64')
  const [id, secret] = basic.toString().split(':')
  return id === CLIENT.id && secret === 'client+secret%2F%2B'
}
