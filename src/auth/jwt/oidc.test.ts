import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { after, test } from 'node:test'
import { authority, certificate, SERVER_AUTH } from '../../../test/support/authority.ts'
import { CLIENT, fakeProvider } from '../../../test/support/fake-provider.ts'
import { signed } from '../../../test/support/jwt-signer.ts'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { webServer } from '../../../test/support/web-server.ts'
import { type Reply } from '../../kit/reply.ts'
import { oidc } from './engine.ts'
import { sweepStates } from './oidc-state.ts'
import { isAllowedRedirect } from './redirect-uri.ts'

const NOW = Date.UTC(2026, 0, 1)
const HOME = 'http://localhost:8250/oidc/callback'
const EXPIRED = 'Vault login failed. Expired or missing OAuth state.'
const refused = (message: string | RegExp) => ({ status: 400, message })

async function start(role: Record<string, unknown> = {}, config: Record<string, unknown> = {}) {
  const headers: Record<string, string> = {}
  const engine = testEngine(oidc, { now: NOW, headers })
  const provider = await fakeProvider(engine.clock.now)
  after(() => provider.web.close())
  await engine.write('config', {
    oidc_discovery_url: provider.web.url,
    oidc_client_id: CLIENT.id,
    oidc_client_secret: CLIENT.secret,
    default_role: 'people',
    ...config,
  })
  await engine.write('role/people', { user_claim: 'sub', allowed_redirect_uris: HOME, ...role })
  const begin = async (body: Record<string, unknown> = {}) => {
    const reply = await engine.write('oidc/auth_url', { redirect_uri: HOME, ...body })
    return String(dataOf(reply)['auth_url'])
  }
  return {
    engine,
    provider,
    headers,
    begin,
    logIn: async (body: Record<string, unknown> = {}) => provider.logIn(await begin(body)),
    asBrowser: () => void (headers['accept'] = 'text/html,application/xhtml+xml'),
  }
}

const errorOf = (reply: Reply | undefined) =>
  (reply?.bare as { errors?: string[] } | undefined)?.errors?.[0]
const htmlOf = (reply: Reply | undefined) => String(reply?.raw?.body)
const fieldOf = (html: string, name: string) =>
  new RegExp(`name="${name}" value="([^"]+)"`).exec(html)?.[1]

test('auth_url names what is missing, and gives nothing away for a foreign address', async () => {
  const { engine, begin, provider } = await start()
  await rejects(engine.write('oidc/auth_url', {}), refused('missing redirect_uri'))
  await rejects(begin({ role: 'none' }), refused('role "none" could not be found'))
  const entries = engine.entries().size
  const foreign = [
    'https://evil.example/oidc/callback',
    'http://localhost:8250/oidc/callback/',
    'http://localhost:8250/oidc/callback?x=1',
    'http://localhost:8250/oidc/callback#x',
    'https://localhost:8250/oidc/callback',
    'http://localhost.evil.example:8250/oidc/callback',
    'http://user@localhost:8250/oidc/callback',
    'http://127.0.0.1:8250/oidc/callback',
    'javascript:alert(1)',
  ]
  for (const redirect_uri of foreign) equal(await begin({ redirect_uri }), '', redirect_uri)
  equal(engine.entries().size, entries)
  notEqual(await begin({ redirect_uri: 'http://localhost:39999/oidc/callback' }), '')
  await engine.write('config', { oidc_discovery_url: provider.web.url })
  await rejects(begin({ role: 'people' }), refused('OIDC login is not configured for this mount'))
})

test('isAllowedRedirect() frees the port of the loopback and nothing else', () => {
  const rows: [string, string, boolean][] = [
    ['https://a.example/cb', 'https://a.example/cb', true],
    ['https://a.example/cb', 'https://a.example:444/cb', false],
    ['https://a.example/cb', 'https://A.example/cb', false],
    ['https://a.example/cb', 'https://a.example/cb/../x', false],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:1234/cb', true],
    ['http://[::1]:1/cb', 'http://[::1]:1234/cb', true],
    ['http://localhost/cb?a=1', 'http://localhost:9/cb?a=1', true],
    ['http://localhost/cb', 'http://localhost:9/cb?a=1', false],
    ['http://10.0.0.1/cb', 'http://10.0.0.1:9/cb', false],
    ['', '', true],
    ['http://localhost/cb', 'not an address', false],
  ]
  for (const [allowed, uri, expected] of rows)
    equal(isAllowedRedirect(uri, [allowed]), expected, uri)
  equal(isAllowedRedirect('x', []), false)
})

test('auth_url asks with everything that ties the answer to the question', async () => {
  const { begin, provider } = await start({ oidc_scopes: 'email,openid', max_age: 60 })
  const [one, two] = [new URL(await begin()), new URL(await begin())]
  equal(one.origin, provider.web.url)
  const query = Object.fromEntries(one.searchParams)
  deepEqual(Object.keys(query), [
    'tenant',
    'client_id',
    'code_challenge',
    'code_challenge_method',
    'max_age',
    'nonce',
    'redirect_uri',
    'response_type',
    'scope',
    'state',
  ])
  deepEqual(
    [query['client_id'], query['scope'], query['response_type'], query['code_challenge_method']],
    [CLIENT.id, 'openid email', 'code', 'S256'],
  )
  for (const name of ['state', 'nonce', 'code_challenge']) {
    notEqual(query[name], two.searchParams.get(name))
    ok(query[name]!.length >= 32)
  }
})

test('with a fake provider, a program that shows its nonce is logged in', async () => {
  const { engine, logIn, provider } = await start({
    token_policies: 'a',
    groups_claim: 'groups',
    claim_mappings: { email: 'mail' },
  })
  provider.userinfo = { sub: 'ann', email: 'a@b', groups: ['x'], iss: 'evil', nonce: 'evil' }
  const { code, state } = await logIn({ client_nonce: 'mine' })
  await rejects(engine.read('oidc/callback', { code, state }), refused('invalid client_nonce'))
  await rejects(
    engine.read('oidc/callback', { code, state, client_nonce: 'theirs' }),
    refused('invalid client_nonce'),
  )
  const reply = await engine.read('oidc/callback', { code, state, client_nonce: 'mine' })
  deepEqual(
    [reply?.login?.alias, reply?.login?.groups, reply?.login?.metadata],
    ['ann', ['x'], { mail: 'a@b', role: 'people' }],
  )
  // Once only, and no state is left behind.
  await rejects(
    engine.read('oidc/callback', { code, state, client_nonce: 'mine' }),
    refused(EXPIRED),
  )
  equal(
    [...engine.entries().keys()].some((key) => key.startsWith('state/')),
    false,
  )
})

test('with a fake provider, the client secret is sent the way the provider takes it', async () => {
  const { engine, logIn, provider } = await start()
  provider.discovery['token_endpoint_auth_methods_supported'] = ['client_secret_post']
  engine.clock.advance(10 * 60_000)
  ok((await engine.read('oidc/callback', await logIn()))?.login)
  provider.discovery['token_endpoint_auth_methods_supported'] = ['private_key_jwt']
  engine.clock.advance(10 * 60_000)
  match(
    String(errorOf(await engine.read('oidc/callback', await logIn()))),
    /the provider takes no client secret/,
  )
})

test('a state is good for five minutes', async () => {
  const { engine, logIn } = await start()
  const late = await logIn()
  const inTime = await logIn()
  engine.clock.advance(5 * 60_000 - 1)
  ok((await engine.read('oidc/callback', inTime))?.login)
  engine.clock.advance(1)
  await rejects(engine.read('oidc/callback', late), refused(EXPIRED))
  for (const state of ['', 'x', 'st_', '../config', `st_${'a'.repeat(32)}.0`]) {
    await rejects(engine.read('oidc/callback', { state, code: 'x' }), refused(EXPIRED))
  }
})

test('with a fake provider, an answer that does not fit uses its state up', async () => {
  const { engine, logIn, provider } = await start({ bound_audiences: 'coffer', max_age: 60 })
  const now = NOW / 1000
  provider.claims = { auth_time: now }
  ok((await engine.read('oidc/callback', await logIn()))?.login)
  const bad: Record<string, unknown>[] = [
    { nonce: 'other' },
    { nonce: undefined },
    { nonce: ['x'] },
    { iss: 'https://evil.example' },
    { iss: undefined },
    { aud: 'other' },
    { aud: undefined },
    { aud: ['coffer', 'other'] },
    { azp: 'other' },
    { aud: ['coffer', 'other'], azp: 'other' },
    { exp: now - 60 },
    { exp: undefined },
    { iat: undefined },
    { sub: undefined },
    { auth_time: undefined },
    { auth_time: now - 121 },
    { auth_time: '9999999999' },
  ]
  for (const claims of bad) {
    provider.claims = { auth_time: now, ...claims }
    const back = await logIn()
    const reply = await engine.read('oidc/callback', back)
    deepEqual([reply?.status, reply?.login], [400, undefined], JSON.stringify(claims))
    match(String(errorOf(reply)), /^Vault login failed\. Token verification failed: /)
    await rejects(engine.read('oidc/callback', back), refused(EXPIRED))
  }
  provider.claims = { auth_time: now, aud: ['coffer', 'other'], azp: 'coffer' }
  ok((await engine.read('oidc/callback', await logIn()))?.login)
  // The provider's own words go nowhere.
  const { state } = await logIn()
  const reply = await engine.read('oidc/callback', { state, code: 'wrong' })
  equal(
    errorOf(reply),
    'Vault login failed. Error exchanging oidc code: the provider answered with status 400.',
  )
  provider.userinfo = { sub: 'bob' }
  const other = await engine.read('oidc/callback', await logIn())
  match(String(errorOf(other)), /the provider told of another user/)
})

test('a refusal of the provider, or no answer at all, ends the login', async () => {
  const { engine, logIn } = await start()
  for (const more of [{ error: 'canary', error_description: '<b>canary</b>' }, {}]) {
    const { state } = await logIn()
    const reply = await engine.read('oidc/callback', { state, ...more })
    match(String(errorOf(reply)), /^Vault login failed\. (?:The provider|No code)/)
    ok(!String(errorOf(reply)).includes('canary'))
    await rejects(engine.read('oidc/callback', { state, code: 'x' }), refused(EXPIRED))
  }
  const back = await logIn()
  const other = await engine.read('oidc/callback', { ...back, iss: 'https://evil.example' })
  equal(errorOf(other), 'Vault login failed. Another provider has answered.')
})

test('S17 a browser is asked first, by a page without a script', async () => {
  const { engine, logIn, provider, asBrowser } = await start()
  asBrowser()
  const back = await logIn()
  const asked = await engine.read('oidc/callback', back)
  equal(asked?.login, undefined)
  equal(provider.codes.size, 1)
  equal(asked?.raw?.contentType, 'text/html; charset=utf-8')
  match(
    asked?.headers?.['Content-Security-Policy'] ?? '',
    /^default-src 'none'; form-action 'self'/,
  )
  const html = htmlOf(asked)
  ok(!/<script|javascript:|\son\w+=|style=/i.test(html), html)
  ok(!html.includes(back.code))
  const confirm = fieldOf(html, 'confirm')
  ok(confirm)

  // A guess does not help, nor does a code of somebody else.
  const { state } = back
  const guessed = await engine.write('oidc/callback', { state, confirm: 'x' })
  deepEqual([guessed?.status, guessed?.login], [400, undefined])
  const swapped = await engine.read('oidc/callback', { state, code: 'mine' })
  equal(swapped?.status, 400)
  const done = await engine.write('oidc/callback', { state, confirm })
  equal(done?.login?.alias, 'ann')
  equal((await engine.write('oidc/callback', { state, confirm }))?.status, 400)
})

test('S17 a browser sees fixed texts, whatever was sent along', async () => {
  const { engine, logIn, asBrowser } = await start()
  asBrowser()
  const { state } = await logIn()
  const canary = '"><script>alert(1)</script>'
  for (const query of [
    { state, error: canary, error_description: canary },
    { state: canary, code: canary },
  ]) {
    const reply = await engine.read('oidc/callback', query)
    equal(reply?.status, 400)
    ok(htmlOf(reply).includes('Login failed'))
    ok(!htmlOf(reply).includes('alert'))
    match(reply?.headers?.['Content-Security-Policy'] ?? '', /^default-src 'none'/)
  }
})

test('a browser that comes back for a program must be confirmed before the program gets it', async () => {
  const { engine, logIn, headers, asBrowser } = await start()
  const back = await logIn({ client_nonce: 'mine' })
  const { state } = back
  asBrowser()
  const confirm = fieldOf(htmlOf(await engine.write('oidc/callback', back)), 'confirm')
  delete headers['accept']
  const early = await engine.read('oidc/callback', { state, client_nonce: 'mine' })
  equal(errorOf(early), 'Vault login failed. No code or id_token received.')
  ok(confirm)

  const again = await logIn({ client_nonce: 'mine' })
  asBrowser()
  const html = htmlOf(await engine.write('oidc/callback', again))
  const yes = { state: again.state, confirm: fieldOf(html, 'confirm') }
  match(htmlOf(await engine.write('oidc/callback', yes)), /go back to your program/)
  delete headers['accept']
  const done = await engine.read('oidc/callback', { state: again.state, client_nonce: 'mine' })
  equal(done?.login?.alias, 'ann')
})

test('a program may bring what was posted to it, and end the login after', async () => {
  const { engine, logIn } = await start()
  const back = await logIn({ client_nonce: 'mine' })
  equal((await engine.write('oidc/callback', back))?.login, undefined)
  const done = await engine.read('oidc/callback', { state: back.state, client_nonce: 'mine' })
  equal(done?.login?.alias, 'ann')
})

test('an ID token that is posted counts where that is how the mount is configured', async () => {
  const implicit = { oidc_response_types: 'id_token', oidc_response_mode: 'form_post' }
  const { engine, begin, provider } = await start({}, implicit)
  const query = new URL(await begin()).searchParams
  equal(query.get('code_challenge'), null)
  const now = NOW / 1000
  const claims = {
    iss: provider.web.url,
    aud: CLIENT.id,
    sub: 'ann',
    iat: now,
    exp: now + 60,
    nonce: query.get('nonce'),
  }
  const id_token = signed({ alg: 'RS256' }, claims, { pair: provider.pair })
  const reply = await engine.write('oidc/callback', { state: query.get('state'), id_token })
  equal(reply?.login?.alias, 'ann')

  const code = await start()
  const other = new URL(await code.begin()).searchParams
  const wrong = await code.engine.write('oidc/callback', { state: other.get('state'), id_token })
  equal(errorOf(wrong), 'Vault login failed. No code received.')
})

test('a login at a provider keeps to the addresses of its role', async () => {
  const { engine, logIn } = await start({ token_bound_cidrs: '10.0.0.0/8' })
  equal((await engine.read('oidc/callback', await logIn()))?.status, 403)
})

test('what nobody came back for is removed in time', async () => {
  const { engine, begin } = await start()
  for (let i = 0; i < 3; i++) await begin()
  const store = memoryEntries(engine.entries())
  const states = () => [...engine.entries().keys()].filter((key) => key.startsWith('state/')).length
  const sweep = (now: number, byte = 0) =>
    sweepStates({ now, store, random: (bytes) => Buffer.alloc(bytes, byte) })
  await sweep(NOW + 6 * 60_000, 1)
  await sweep(NOW + 5 * 60_000)
  equal(states(), 3)
  await sweep(NOW + 6 * 60_000)
  equal(states(), 0)
})

test('an ID token for another client is none for us, whatever the role is bound to', async () => {
  const { engine, logIn, provider } = await start({ bound_audiences: 'other' })
  provider.claims = { aud: 'other' }
  const reply = await engine.read('oidc/callback', await logIn())
  match(String(errorOf(reply)), /Token verification failed: invalid audience/)
})

test('what is read over TLS does not lead to where there is none', async () => {
  const far = { notAfter: new Date(Date.now() + 86_400_000) }
  const ca = await authority('ours', far)
  const names = [{ type: 'ip' as const, value: '127.0.0.1' }]
  const { pem, keyPem } = await certificate({ usages: [SERVER_AUTH], names, ...far }, ca)
  const web = await webServer({}, { cert: pem, key: keyPem })
  after(() => web.close())
  const document = { issuer: web.url, jwks_uri: 'http://127.0.0.1:1/keys' }
  web.routes['/.well-known/openid-configuration'] = () => ({ body: document })
  const config = { oidc_discovery_url: web.url, oidc_discovery_ca_pem: ca.pem }
  await rejects(
    testEngine(oidc).write('config', config),
    refused('error checking oidc discovery URL: names an address that cannot be used'),
  )
})
