import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  API_ADDR,
  client,
  done,
  type Json,
  jwks,
  oidcCore,
  read,
  refused,
} from '../../../../test/support/oidc.ts'
import { type TestCore } from '../../../../test/support/test-core.ts'

const OIDC = 'identity/oidc'
const errorsOf = async (core: TestCore, path: string) =>
  (await core.ask('delete', path)).body?.errors

test('an assignment that is built in or in use stays', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/assignment`
  deepEqual(await refused(core, `${at}/allow_all`, { entity_ids: [] }), [
    'modification of assignment "allow_all" not allowed',
  ])
  deepEqual(await errorsOf(core, `${at}/allow_all`), [
    'deletion of assignment "allow_all" not allowed',
  ])
  await done(core, `${at}/staff`, { group_ids: 'g1,g2' })
  await client(core, 'app', { assignments: ['staff'] })
  deepEqual(await errorsOf(core, `${at}/staff`), [
    'unable to delete assignment "staff" because it is currently referenced by these clients: app',
  ])
  deepEqual(await read(core, `${at}/allow_all`), { entity_ids: ['*'], group_ids: ['*'] })
  deepEqual(await read(core, `${at}/staff`), { entity_ids: [], group_ids: ['g1', 'g2'] })
  await done(core, `${at}/staff`, { entity_ids: 'e' })
  deepEqual(await read(core, `${at}/staff`), { entity_ids: ['e'], group_ids: ['g1', 'g2'] })
  deepEqual((await core.ask('list', at)).body.data, { keys: ['allow_all', 'staff'] })
  await core.ask('delete', `${OIDC}/client/app`)
  equal((await core.ask('delete', `${at}/staff`)).status, 204)
  equal((await core.ask('read', `${at}/staff`)).status, 404)
})

test('a scope that is reserved, in use, or claims what is not its to claim is refused', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/scope`
  deepEqual(await refused(core, `${at}/openid`), ['the "openid" scope name is reserved'])
  for (const [template, text] of [
    ['{"iss": "me"}', /^top level key "iss" not allowed\. Restricted keys: iat, aud/],
    ['{"a": {{identity.nobody}}}', /^error parsing template: no value could be found/],
    ['{"a": ', /^error parsing template JSON/],
  ] as const) {
    const [error] = (await refused(core, `${at}/s`, { template })) as string[]
    match(String(error), text)
  }
  const template = '{"groups": {{identity.entity.groups.names}}}'
  await done(core, `${at}/s`, { template, description: 'groups' })
  await done(core, `${OIDC}/provider/p`, { scopes_supported: ['s'] })
  deepEqual(await errorsOf(core, `${at}/s`), [
    'unable to delete scope "s" because it is currently referenced by these providers: p',
  ])
  deepEqual(await read(core, `${at}/s`), { template, description: 'groups' })
  await done(core, `${at}/s`, { description: 'of whom' })
  deepEqual(await read(core, `${at}/s`), { template, description: 'of whom' })
  deepEqual((await core.ask('list', at)).body.data, { keys: ['s'] })
  await core.ask('delete', `${OIDC}/provider/p`)
  equal((await core.ask('delete', `${at}/s`)).status, 204)
})

test('a client is refused that names what is not there, or changes what stays', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/client/app`
  await done(core, `${OIDC}/key/k`, { algorithm: 'ES256', verification_ttl: 60 })
  const rows: [Json, string][] = [
    [{ key: 'none' }, 'key "none" does not exist'],
    [{ assignments: ['none'] }, 'assignment "none" does not exist'],
    [{ client_type: 'secret' }, 'invalid client_type "secret"'],
    [
      { key: 'k' },
      "a client's id_token_ttl cannot be greater than the verification_ttl of the key it references",
    ],
  ]
  for (const [data, text] of rows) deepEqual(await refused(core, at, data), [text])
  equal((await core.ask('read', at)).status, 404)
  await client(core, 'app', { key: 'k', id_token_ttl: 60 })
  deepEqual(await refused(core, at, { key: 'default' }), ['key modification is not allowed'])
  deepEqual(await refused(core, at, { client_type: 'public' }), [
    'client_type modification is not allowed',
  ])
})

test('a client has the defaults; only a confidential one has a secret, which a list does not show', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/client`
  await done(core, `${at}/app`)
  const { client_id, client_secret, ...rest } = await read(core, `${at}/app`)
  ok(/^[0-9A-Za-z]{32}$/.test(String(client_id)))
  ok(/^hvo_secret_[0-9A-Za-z]{64}$/.test(String(client_secret)))
  const settings = {
    access_token_ttl: 86_400,
    assignments: [],
    client_type: 'confidential',
    id_token_ttl: 86_400,
    key: 'default',
    redirect_uris: [],
  }
  deepEqual(rest, settings)
  await done(core, `${at}/app`, { redirect_uris: ['https://a.test/', 'https://a.test/'] })
  await done(core, `${at}/app`, { access_token_ttl: '1h' })
  deepEqual(await read(core, `${at}/app`), {
    ...settings,
    client_id,
    client_secret,
    access_token_ttl: 3600,
    redirect_uris: ['https://a.test/'],
  })
  await done(core, `${at}/phone`, { client_type: 'public' })
  const phone = await read(core, `${at}/phone`)
  ok(!('client_secret' in phone))
  const { text, body } = await core.ask('list', at)
  const { keys, key_info: infos } = body.data as { keys: string[]; key_info: Json }
  deepEqual(keys, ['app', 'phone'])
  deepEqual(infos['phone'], phone)
  ok(!text.includes('hvo_secret_'))
})

test('a provider is refused whose issuer is no origin or whose scope is not there', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/provider/p`
  const [issuer] = (await refused(core, at, { issuer: 'https://a.test/path' })) as string[]
  ok(issuer?.startsWith('invalid issuer, which must include only a scheme, host'))
  deepEqual(await refused(core, at, { scopes_supported: ['none'] }), [
    'scope "none" does not exist',
  ])
  equal((await core.ask('read', at)).status, 404)
  deepEqual(await errorsOf(core, `${OIDC}/provider/default`), [
    'deletion of OIDC provider "default" not allowed',
  ])
})

test('the default provider is for every client; another says for which it is', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/provider`
  const issuer = (name: string, base = API_ADDR) => `${base}/v1/identity/oidc/provider/${name}`
  const fresh = { allowed_client_ids: ['*'], issuer: issuer('default'), scopes_supported: [] }
  deepEqual(await read(core, `${at}/default`), fresh)
  await done(core, `${at}/p`, { allowed_client_ids: 'a,a,b' })
  deepEqual(await read(core, `${at}/p`), {
    allowed_client_ids: ['a', 'b'],
    issuer: issuer('p'),
    scopes_supported: [],
  })
  const listed = async (data: Json) => (await core.ask('list', at, data)).body.data?.['keys']
  deepEqual(await listed({}), ['default', 'p'])
  deepEqual(await listed({ allowed_client_id: 'b' }), ['default', 'p'])
  deepEqual(await listed({ allowed_client_id: 'c' }), ['default'])
  const set = await core.ask('write', `${at}/p`, { issuer: 'https://id.test' })
  equal((set.body['warnings'] as string[]).length, 1)
  equal((await read(core, `${at}/p`))['issuer'], issuer('p', 'https://id.test'))
  equal((await core.ask('write', `${at}/p`, { allowed_client_ids: [] })).status, 204)
  equal((await core.ask('delete', `${at}/p`)).status, 204)
  equal((await core.ask('read', `${at}/p`)).status, 404)
})

test('a provider warns of scopes that make one claim', async () => {
  const core = await oidcCore()
  await done(core, `${OIDC}/scope/a`, { template: '{"x": 1, "y": 2}' })
  await done(core, `${OIDC}/scope/b`, { template: '{"y": 3}' })
  const { body } = await core.ask('write', `${OIDC}/provider/p`, { scopes_supported: ['a', 'b'] })
  deepEqual(body['warnings'], [
    'Found scope templates with conflicting top-level keys: conflict "y" in scopes "b", "a". This ' +
      'may result in an error if the scopes are requested in an OIDC Authentication Request.',
  ])
})

test('what clients are told of a provider is public, and only about its own clients', async () => {
  const core = await oidcCore()
  const at = `${OIDC}/provider/p`
  equal((await core.ask('read', `${at}/.well-known/keys`)).status, 404)
  equal((await core.ask('read', `${at}/.well-known/openid-configuration`)).status, 404)
  await done(core, `${OIDC}/key/k`, { algorithm: 'ES256', verification_ttl: 3600 })
  const mine = await client(core, 'mine', { key: 'k', id_token_ttl: 60 })
  await client(core, 'other')
  await done(core, at, { allowed_client_ids: [mine.client_id] })
  deepEqual(
    (await jwks(core, at)).map(({ alg }) => alg),
    ['ES256', 'ES256'],
  )
  equal((await jwks(core, `${OIDC}/provider/default`)).length, 4)
  deepEqual(await jwks(core), [], 'no role has a key')
  const path = `${at}/.well-known/openid-configuration`
  const { body, headers } = await core.ask('read', path, {}, { token: undefined })
  deepEqual(headers, { 'Cache-Control': 'max-age=3600' })
  const base = `${API_ADDR}/v1/identity/oidc/provider/p`
  deepEqual(body, {
    issuer: base,
    jwks_uri: `${base}/.well-known/keys`,
    authorization_endpoint: `${API_ADDR}/ui/vault/identity/oidc/provider/p/authorize`,
    token_endpoint: `${base}/token`,
    userinfo_endpoint: `${base}/userinfo`,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    id_token_signing_alg_values_supported: [
      'RS256',
      'RS384',
      'RS512',
      'ES256',
      'ES384',
      'ES512',
      'EdDSA',
    ],
    response_types_supported: ['code'],
    scopes_supported: ['openid'],
    claims_supported: [],
    subject_types_supported: ['public'],
    grant_types_supported: ['authorization_code'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['plain', 'S256'],
  })
})

test('who may only update cannot make a role, client, provider, scope or assignment', async () => {
  const core = await oidcCore()
  await done(core, 'sys/policies/acl/changer', {
    policy: `path "${OIDC}/*" { capabilities = ["update"] }`,
  })
  const { body } = await core.ask('write', 'auth/token/create', { policies: ['changer'] })
  const token = (body['auth'] as Record<string, string>)['client_token']
  for (const kind of ['role', 'client', 'provider', 'scope', 'assignment']) {
    const data = kind === 'role' ? { key: 'default' } : {}
    const write = () => core.ask('write', `${OIDC}/${kind}/x`, data, { token })
    equal((await write()).status, 403, kind)
    await done(core, `${OIDC}/${kind}/x`, data)
    equal((await write()).status, 204, kind)
  }
})
