import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { jwkOf, pemOf, rsaPair, signed } from '../../../test/support/jwt-signer.ts'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { webServer } from '../../../test/support/web-server.ts'
import { jwt, oidc } from './engine.ts'
import { renewLogin } from './login.ts'

const NOW = Date.UTC(2026, 0, 1)
const now = NOW / 1000
const [first, second] = [rsaPair(), rsaPair()]
const CLAIMS = { sub: 'ann', aud: 'us', iat: now, exp: now + 3600 }
const ROLE = { role_type: 'jwt', user_claim: 'sub', bound_audiences: 'us' }
const refused = (message: string | RegExp, status = 400) => ({ status, message })

async function withKey(role: Record<string, unknown> = {}) {
  const engine = testEngine(jwt, { now: NOW })
  await engine.write('config', { jwt_validation_pubkeys: pemOf(first) })
  await engine.write('role/web', { ...ROLE, ...role })
  const logIn = async (claims: object = {}, name = 'web') => {
    const token = signed({ alg: 'RS256' }, { ...CLAIMS, ...claims }, { pair: first })
    return (await engine.write('login', { role: name, jwt: token }))?.login
  }
  return { engine, logIn }
}

test('config takes exactly one source of keys, and tries it', async () => {
  const engine = testEngine(jwt)
  const one =
    "exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set"
  const pem = pemOf(first)
  const privatePem = first.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const rows: [Record<string, unknown>, string | RegExp][] = [
    [{}, one],
    [{ jwks_url: 'http://127.0.0.1:1', jwt_validation_pubkeys: pem }, one],
    [{ jwks_url: 'http://x', jwks_pairs: [{ jwks_url: 'http://y' }] }, one],
    [{ jwt_validation_pubkeys: 'canary' }, 'error parsing public key'],
    [{ jwt_validation_pubkeys: privatePem }, 'error parsing public key'],
    [{ jwks_url: 'http://127.0.0.1:1/' }, /^error checking jwks URL: could not be reached/],
    [{ jwks_url: 'file:///etc/passwd' }, /^error checking jwks URL: has no address/],
    [{ oidc_discovery_url: 'http://127.0.0.1:1' }, /^error checking oidc discovery URL: could/],
    [
      { oidc_client_id: 'a', jwks_url: 'http://x' },
      "both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC",
    ],
    [
      { oidc_client_id: 'a', oidc_client_secret: 'b', jwt_validation_pubkeys: pem },
      "'oidc_discovery_url' must be set for OIDC",
    ],
    [
      { jwt_validation_pubkeys: pem, jwt_supported_algs: 'HS256' },
      /^unsupported signing algorithm/,
    ],
    [{ jwt_validation_pubkeys: pem, jwt_supported_algs: 'none' }, /^unsupported signing algorithm/],
    [{ jwt_validation_pubkeys: pem, oidc_response_mode: 'x' }, /^invalid response_mode/],
    [{ jwt_validation_pubkeys: pem, oidc_response_types: 'token' }, /^invalid response_types/],
    [{ jwks_pairs: ['x'] }, /^invalid 'jwks_pairs'/],
  ]
  for (const [body, message] of rows) await rejects(engine.write('config', body), refused(message))
  equal(await engine.read('config'), undefined)
  await rejects(engine.write('login', { role: 'x' }), refused('could not load configuration'))
})

test('config reads back with defaults and without the secret', async () => {
  const engine = testEngine(oidc)
  await engine.write('config', { jwt_validation_pubkeys: pemOf(first), default_role: 'Web' })
  deepEqual(dataOf(await engine.read('config')), {
    bound_issuer: '',
    default_role: 'Web',
    jwks_ca_pem: '',
    jwks_pairs: [],
    jwks_url: '',
    jwt_supported_algs: [],
    jwt_validation_pubkeys: [pemOf(first).trim()],
    namespace_in_state: true,
    oidc_client_id: '',
    oidc_discovery_ca_pem: '',
    oidc_discovery_url: '',
    oidc_response_mode: '',
    oidc_response_types: [],
    provider_config: {},
  })
})

test('a role that says too little is refused', async () => {
  const engine = testEngine(jwt)
  const rows: [Record<string, unknown>, string | RegExp][] = [
    [{}, 'a user claim must be defined on the role'],
    [
      { user_claim: 'sub' },
      "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.",
    ],
    [{ user_claim: 'sub', role_type: 'x' }, /^invalid 'role_type'/],
    [
      { ...ROLE, bound_audiences: '' },
      'must have at least one bound constraint when creating/updating a role',
    ],
    [{ ...ROLE, bound_claims_type: 'regex' }, /^invalid 'bound_claims_type'/],
    [{ ...ROLE, bound_claims: { a: {} } }, /^claim "a" is bound to/],
    [{ ...ROLE, bound_claims: { a: 1 }, bound_claims_type: 'glob' }, /^claim "a" is bound to/],
    [
      { ...ROLE, claim_mappings: { a: 'role' } },
      'metadata key "role" is reserved and may not be a mapping destination',
    ],
    [
      { ...ROLE, claim_mappings: { a: 'x', b: 'x' } },
      'multiple keys are mapped to metadata key "x"',
    ],
  ]
  for (const [body, message] of rows)
    await rejects(engine.write('role/web', body), refused(message))
  equal(engine.entries().size, 0)
})

test('a role reads back with every default', async () => {
  const { engine } = await withKey()
  deepEqual(dataOf(await engine.read('role/WEB')), {
    allowed_redirect_uris: null,
    bound_audiences: ['us'],
    bound_claims: null,
    bound_claims_type: 'string',
    bound_subject: '',
    claim_mappings: null,
    clock_skew_leeway: 0,
    expiration_leeway: 0,
    groups_claim: '',
    max_age: 0,
    not_before_leeway: 0,
    oidc_scopes: null,
    role_type: 'jwt',
    token_bound_cidrs: [],
    token_explicit_max_ttl: 0,
    token_max_ttl: 0,
    token_no_default_policy: false,
    token_num_uses: 0,
    token_period: 0,
    token_policies: [],
    token_ttl: 0,
    token_type: 'default',
    user_claim: 'sub',
    user_claim_json_pointer: false,
    verbose_oidc_logging: false,
  })
  deepEqual(dataOf(await engine.list('role')), { keys: ['web'] })
  await engine.delete('role/web')
  equal(await engine.read('role/web'), undefined)
})

test('login names what is missing', async () => {
  const { engine, logIn } = await withKey()
  await rejects(engine.write('login', { jwt: 'x' }), refused('missing role'))
  await rejects(engine.write('login', { role: 'web' }), refused('missing token'))
  for (const name of ['none', '/', 'a//b', '../config', 'web/']) {
    await rejects(logIn({}, name), refused(`role "${name}" could not be found`))
  }
  await engine.write('role/people', {
    user_claim: 'sub',
    allowed_redirect_uris: 'https://x/',
  })
  await rejects(logIn({}, 'people'), refused('role with oidc role_type is not allowed'))
})

test('login says what is wrong with a token in the known words', async () => {
  const { engine, logIn } = await withKey({ bound_claims: { team: 'x' } })
  const token = 'error validating token: '
  const rows: [object, string][] = [
    [
      { aud: 'them' },
      `${token}invalid audience (aud) claim: audience claim does not match any expected audience`,
    ],
    [{ exp: now - 61 }, `${token}invalid expiration time (exp) claim: token is expired`],
    [{ nbf: now + 61 }, `${token}invalid not before (nbf) claim: token not yet valid`],
    [{ sub: undefined, team: 'x' }, 'claim "sub" not found in token'],
    [{}, 'error validating claims: claim "team" is missing'],
    [
      { team: 'y' },
      'error validating claims: claim "team" does not match any associated bound claim values',
    ],
  ]
  for (const [claims, message] of rows) await rejects(logIn(claims), refused(message))
  const forged = signed({ alg: 'RS256' }, CLAIMS, { pair: second })
  await rejects(
    engine.write('login', { role: 'web', jwt: forged }),
    refused(/^error validating token: error verifying token signature: no known key/),
  )
})

test('login gives the user, the groups and the metadata of the token', async () => {
  const { engine, logIn } = await withKey({
    token_policies: 'b,a',
    token_ttl: 60,
    groups_claim: '/realm/groups',
    claim_mappings: { email: 'mail', '/realm/id': 'realm', gone: 'gone', ok: 'ok' },
  })
  const claims = { email: 'a@b', realm: { id: 7, groups: ['x', 'y', 'x'] }, ok: true, role: 'root' }
  const grant = await logIn(claims)
  deepEqual(
    [grant?.alias, grant?.displayName, grant?.groups, grant?.renewable],
    ['ann', 'ann', ['x', 'y'], true],
  )
  deepEqual(grant?.metadata, { mail: 'a@b', realm: '7', ok: 'true', role: 'web' })
  deepEqual(grant?.aliasMetadata, { mail: 'a@b', realm: '7', ok: 'true' })
  deepEqual([grant?.token.policies, grant?.token.ttlSeconds], [['a', 'b'], 60])

  await engine.write('role/web', { user_claim: '/realm/name', user_claim_json_pointer: true })
  const named = await logIn({ realm: { name: 'bob', groups: 'one' } })
  deepEqual([named?.alias, named?.groups], ['bob', ['one']])
})

test('login uses the role of the mount where none is named', async () => {
  const { engine } = await withKey()
  await engine.write('config', { jwt_validation_pubkeys: pemOf(first), default_role: 'WEB' })
  const token = signed({ alg: 'RS256' }, CLAIMS, { pair: first })
  ok((await engine.write('login', { jwt: ` ${token}\n` }))?.login)
})

test('login is refused from where its token could not be used', async () => {
  const { logIn } = await withKey({ token_bound_cidrs: '10.0.0.0/8' })
  await rejects(logIn(), { status: 403 })
})

test('a key set is fetched again for a new key, but not at the will of whoever asks', async () => {
  const keys = [jwkOf(first, { kid: '1' })]
  const web = await webServer({ '/keys': () => ({ body: { keys } }) })
  const engine = testEngine(jwt, { now: NOW })
  const logIn = (pair: typeof first, kid: string) => {
    const time = Math.floor(engine.clock.now() / 1000)
    const token = signed({ alg: 'RS256', kid }, { ...CLAIMS, exp: time + 60 }, { pair })
    return engine.write('login', { role: 'web', jwt: token })
  }
  try {
    await engine.write('config', { jwks_url: `${web.url}/keys` })
    await engine.write('role/web', ROLE)
    equal(web.asked.length, 1)
    ok(await logIn(first, '1'))
    equal(web.asked.length, 1)

    keys.push(jwkOf(second, { kid: '2' }))
    // Just fetched: not again yet.
    await rejects(logIn(second, '2'), { status: 400 })
    equal(web.asked.length, 1)
    engine.clock.advance(10_000)
    ok(await logIn(second, '2'))
    equal(web.asked.length, 2)
    for (let i = 0; i < 20; i++) await rejects(logIn(second, `x${i}`), { status: 400 })
    equal(web.asked.length, 2)

    // A key that was withdrawn does not count for longer than ten minutes.
    keys.length = 0
    ok(await logIn(first, '1'))
    engine.clock.advance(10 * 60_000)
    await rejects(logIn(first, '1'), { status: 400 })
  } finally {
    await web.close()
  }
})

test('a key set that cannot be had is a refusal that tells nothing of it', async () => {
  const web = await webServer({ '/keys': () => ({ body: { keys: [jwkOf(first)] } }) })
  const engine = testEngine(jwt, { now: NOW })
  const logIn = () =>
    engine.write('login', {
      role: 'web',
      jwt: signed({ alg: 'RS256' }, { ...CLAIMS, exp: now + 7200 }, { pair: first }),
    })
  try {
    await engine.write('config', { jwks_url: `${web.url}/keys` })
    await engine.write('role/web', ROLE)
    const bodies = ['canary', '[]', '{"keys":1}', 'x'.repeat(2_000_000)]
    for (const body of bodies) {
      engine.clock.advance(10 * 60_000)
      web.routes['/keys'] = () => ({ body })
      await rejects(logIn(), (error: Error) => {
        match(error.message, /^error validating token: the server with the keys /)
        ok(!error.message.includes('canary') && !error.message.includes(web.url))
        return true
      })
    }
  } finally {
    await web.close()
  }
})

test('several key sets count, also while one of them is down', async () => {
  const web = await webServer({
    '/one': () => ({ body: { keys: [jwkOf(first, { kid: '1' })] } }),
    '/two': () => ({ body: { keys: [jwkOf(second, { kid: '2' })] } }),
  })
  const engine = testEngine(jwt, { now: NOW })
  const token = signed({ alg: 'RS256', kid: '2' }, CLAIMS, { pair: second })
  try {
    const pairs = ['/one', '/two'].map((path) => ({ jwks_url: web.url + path }))
    await engine.write('config', { jwks_pairs: pairs })
    await engine.write('role/web', ROLE)
    ok(await engine.write('login', { role: 'web', jwt: token }))
    web.routes['/one'] = () => ({ status: 500 })
    engine.clock.advance(10 * 60_000)
    ok(await engine.write('login', { role: 'web', jwt: token }))
  } finally {
    await web.close()
  }
})

test('with a discovery document its issuer is who must have signed', async () => {
  const web = await webServer({
    '/.well-known/openid-configuration': () => ({
      body: { issuer: web.url, jwks_uri: `${web.url}/keys` },
    }),
    '/evil/.well-known/openid-configuration': () => ({
      body: { issuer: web.url, jwks_uri: `${web.url}/keys` },
    }),
    '/keys': () => ({ body: { keys: [jwkOf(first)] } }),
  })
  const engine = testEngine(jwt, { now: NOW })
  const logIn = (iss: string) =>
    engine.write('login', {
      role: 'web',
      jwt: signed({ alg: 'RS256' }, { ...CLAIMS, iss }, { pair: first }),
    })
  try {
    await rejects(
      engine.write('config', { oidc_discovery_url: `${web.url}/evil` }),
      refused('error checking oidc discovery URL: names another issuer than its own'),
    )
    await engine.write('config', { oidc_discovery_url: web.url })
    await engine.write('role/web', ROLE)
    ok(await logIn(web.url))
    await rejects(
      logIn(`${web.url}/evil`),
      refused('error validating token: invalid issuer (iss) claim'),
    )
    await engine.write('config', { oidc_discovery_url: web.url, bound_issuer: 'https://b' })
    await rejects(logIn(web.url), refused('error validating token: invalid issuer (iss) claim'))
  } finally {
    await web.close()
  }
})

test('renewLogin() gives the role as it is now, and ends with it', async () => {
  const { engine } = await withKey({ token_ttl: 60 })
  const renew = () => renewLogin({ store: memoryEntries(engine.entries()) }, { role: 'web' })
  equal((await renew())?.ttlSeconds, 60)
  await engine.delete('role/web')
  await rejects(renew(), refused('role web does not exist during renewal'))
})
