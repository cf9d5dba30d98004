import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import {
  API_ADDR,
  done,
  type Json,
  jwks,
  oidcCore,
  person,
  read,
  refused,
  verified,
} from '../../../../test/support/oidc.ts'
import { type TestCore } from '../../../../test/support/test-core.ts'
import { ALGORITHMS } from './signing.ts'

const ISSUER = `${API_ADDR}/v1/identity/oidc`

async function role(core: TestCore, changes: Json = {}): Promise<void> {
  await done(core, 'identity/oidc/key/k', { algorithm: 'ES256', allowed_client_ids: '*' })
  await done(core, 'identity/oidc/role/r', { key: 'k', ttl: '1h', ...changes })
}

const ask = (core: TestCore, token: string, name = 'r') =>
  core.ask('read', `identity/oidc/token/${name}`, {}, { token })

async function issued(core: TestCore, token: string): Promise<string> {
  const { status, body } = await ask(core, token)
  equal(status, 200, JSON.stringify(body))
  return String(body.data?.['token'])
}

const introspect = async (core: TestCore, data: Json) => {
  const { status, body } = await core.ask('write', 'identity/oidc/introspect', data)
  equal(status, 200)
  return body
}

test('a role is refused that names no key, outlives it, or claims what is not its to claim', async () => {
  const core = await oidcCore()
  await done(core, 'identity/oidc/key/k', { algorithm: 'ES256', verification_ttl: 60 })
  const reserved =
    'Restricted keys: iat, aud, exp, iss, sub, namespace, nonce, auth_time, at_hash, c_hash'
  const rows: [Json, string][] = [
    [{}, 'the key parameter is required'],
    [{ key: '' }, 'the key parameter is required'],
    [
      { key: 'k', ttl: 61 },
      "a role's token ttl cannot be longer than the verification_ttl of the key it references",
    ],
    [
      { key: 'k', ttl: 60, template: '{"sub": {{identity.entity.name}}}' },
      `top level key "sub" not allowed. ${reserved}`,
    ],
    [
      { key: 'k', ttl: 60, template: Buffer.from('{"aud": 1}').toString('base64') },
      `top level key "aud" not allowed. ${reserved}`,
    ],
    [
      { key: 'k', ttl: 60, template: '{"a": {{identity.entity.x}}}' },
      'error parsing template: no value could be found for one of the template directives',
    ],
  ]
  for (const [data, text] of rows) {
    deepEqual(await refused(core, 'identity/oidc/role/r', data), [text])
  }
  equal((await core.ask('read', 'identity/oidc/role/r')).status, 404)
})

test('a role has the defaults, and keeps what a change leaves out', async () => {
  const core = await oidcCore()
  await done(core, 'identity/oidc/role/r', { key: 'none-yet' })
  const made = await read(core, 'identity/oidc/role/r')
  ok(/^[0-9A-Za-z]{26}$/.test(String(made['client_id'])))
  deepEqual(
    { ...made, client_id: '' },
    { key: 'none-yet', template: '', ttl: 86_400, client_id: '' },
  )
  await done(core, 'identity/oidc/role/r', { ttl: 60, template: '{"a": {{time.now}}}' })
  await done(core, 'identity/oidc/role/r', { key: 'k' })
  deepEqual(await read(core, 'identity/oidc/role/r'), {
    ...made,
    key: 'k',
    ttl: 60,
    template: '{"a": {{time.now}}}',
  })
  await done(core, 'identity/oidc/role/r', { client_id: 'mine' })
  equal((await read(core, 'identity/oidc/role/r'))['client_id'], 'mine')
  deepEqual((await core.ask('list', 'identity/oidc/role')).body.data, { keys: ['r'] })
  equal((await core.ask('delete', 'identity/oidc/role/r')).status, 204)
  equal((await core.ask('list', 'identity/oidc/role')).status, 404)
})

test('no token is issued without a role, a key that allows it, or an entity', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  const errors = async (by: string) => {
    const { status, body } = await ask(core, by)
    equal(status, 400)
    return body.errors
  }
  deepEqual(await errors(token), ['role "r" not found'])
  await done(core, 'identity/oidc/role/r', { key: 'k', client_id: 'id', ttl: 60 })
  deepEqual(await errors(token), ['key "k" not found'])
  await done(core, 'identity/oidc/key/k', { algorithm: 'ES256', allowed_client_ids: 'other' })
  deepEqual(await errors(token), [
    'the key "k" does not list the client ID of the role "r" as an allowed client ID',
  ])
  await done(core, 'identity/oidc/key/k', { allowed_client_ids: 'other,id' })
  deepEqual(await errors(core.root), ["no entity associated with the request's token"])
  await issued(core, token)
})

test('a token says who the caller is, and verifies with jose and with Node', async () => {
  for (const algorithm of ALGORITHMS) {
    const core = await oidcCore()
    const { id, token } = await person(core, 'ann')
    await done(core, 'identity/oidc/key/k', { algorithm, allowed_client_ids: '*' })
    await done(core, 'identity/oidc/role/r', { key: 'k', ttl: '1h', client_id: 'app' })
    const { body } = await ask(core, token)
    const jwt = String(body.data?.['token'])
    deepEqual({ ...body.data, token: '' }, { token: '', client_id: 'app', ttl: 3600 })
    const now = core.clock.now() / 1000
    const claims = {
      aud: 'app',
      exp: now + 3600,
      iat: now,
      iss: ISSUER,
      namespace: 'root',
      sub: id,
    }
    const keys = await jwks(core)
    deepEqual(verified(jwt, keys), claims, algorithm)
    const { payload } = await jwtVerify(jwt, createLocalJWKSet({ keys }), {
      issuer: ISSUER,
      audience: 'app',
      currentDate: new Date(core.clock.now()),
    })
    deepEqual(payload, claims, algorithm)
  }
})

test('the template adds claims; what the caller is called adds none of its own', async () => {
  const core = await oidcCore()
  const name = 'ann", "admin": true, "sub": "root'
  const metadata = { 'x": 1, "admin': '"}\n{', team: 'web' }
  const { id, token } = await person(core, name, { metadata })
  const group = await done(core, 'identity/group', { name: 'inner', member_entity_ids: [id] })
  await done(core, 'identity/group', { name: 'outer', member_group_ids: [group['id']] })
  await role(core, {
    client_id: 'app',
    template:
      '{"name": {{identity.entity.name}}, "all": {{identity.entity.metadata}}, "team":' +
      ' {{identity.entity.metadata.team}}, "groups": {{identity.entity.groups.names}},' +
      ' "nbf": {{time.now.minus.5s}}}',
  })
  const claims = verified(await issued(core, token), await jwks(core))
  const { name: claimed, all, team, groups, nbf, ...own } = claims
  deepEqual({ claimed, all, team }, { claimed: name, all: metadata, team: 'web' })
  deepEqual([...(groups as string[])].sort(), ['inner', 'outer'])
  const now = core.clock.now() / 1000
  equal(nbf, now - 5)
  deepEqual(own, {
    aud: 'app',
    exp: now + 3600,
    iat: now,
    iss: ISSUER,
    namespace: 'root',
    sub: id,
  })
})

test('introspection tells why a token is not good', async () => {
  const core = await oidcCore()
  const { id, token } = await person(core, 'ann')
  await role(core, { client_id: 'app' })
  const jwt = await issued(core, token)
  deepEqual(await introspect(core, { token: jwt }), { active: true })
  deepEqual(await introspect(core, { token: jwt, client_id: 'app' }), { active: true })
  const [header = '', payload = '', signature = ''] = jwt.split('.')
  const forged = Buffer.from(payload, 'base64url').toString().replace(id, 'root')
  const claimsTrouble = (what: string) => `error validating claims: validation failed, ${what}`
  const rows: [Json, string][] = [
    [{}, 'error parsing token: not a signed JWT with a key id'],
    [{ token: 'hvs.x' }, 'error parsing token: not a signed JWT with a key id'],
    [
      { token: `${header}.${Buffer.from(forged).toString('base64url')}.${signature}` },
      'unable to validate the token signature',
    ],
    [{ token: jwt, client_id: 'other' }, claimsTrouble('invalid audience claim (aud)')],
  ]
  for (const [data, error] of rows) {
    deepEqual(await introspect(core, data), { active: false, error })
  }
  await done(core, 'identity/oidc/config', { issuer: 'https://other.test' })
  const error = claimsTrouble('invalid issuer claim (iss)')
  deepEqual(await introspect(core, { token: jwt }), { active: false, error })
})

test('introspection knows no token whose time is over, whose key is gone, or whose entity is', async () => {
  const core = await oidcCore()
  const { id, token } = await person(core, 'ann')
  await role(core)
  const jwt = await issued(core, token)
  await done(core, `identity/entity/id/${id}`, { disabled: true })
  deepEqual(await introspect(core, { token: jwt }), { active: false, error: 'entity is disabled' })
  await done(core, `identity/entity/id/${id}`, { disabled: false })
  core.clock.advance(3_599_000)
  deepEqual(await introspect(core, { token: jwt }), { active: true })
  core.clock.advance(1_000)
  const expired = 'error validating claims: validation failed, token is expired (exp)'
  deepEqual(await introspect(core, { token: jwt }), { active: false, error: expired })
  const again = await issued(core, token)
  await done(core, 'identity/oidc/key/k/rotate', { verification_ttl: 0 })
  const unknown = 'unable to validate the token signature'
  deepEqual(await introspect(core, { token: again }), { active: false, error: unknown })
  const last = await issued(core, token)
  await core.ask('delete', `identity/entity/id/${id}`)
  deepEqual(await introspect(core, { token: last }), {
    active: false,
    error: 'entity was not found',
  })
})

test('the issuer is an origin, and the address of the server unless it is set', async () => {
  const core = await oidcCore()
  deepEqual(await read(core, 'identity/oidc/config'), { issuer: '' })
  const bad = [
    'vault.test',
    'ftp://vault.test',
    'https://vault.test/',
    'https://vault.test/path',
    'https://vault.test?x',
    'https://vault.test#x',
    'https://user@vault.test',
    'https://',
    'https://vault.test:port',
    'https://vault.test\n',
  ]
  const text =
    'invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)'
  for (const issuer of bad) {
    deepEqual(await refused(core, 'identity/oidc/config', { issuer }), [text], issuer)
  }
  const discovery = async () =>
    await core.ask(
      'read',
      'identity/oidc/.well-known/openid-configuration',
      {},
      { token: undefined },
    )
  const { status, body, headers } = await discovery()
  equal(status, 200)
  deepEqual(headers, { 'Cache-Control': 'max-age=3600' })
  deepEqual(body, {
    issuer: ISSUER,
    jwks_uri: `${ISSUER}/.well-known/keys`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...ALGORITHMS],
  })
  const set = await core.ask('write', 'identity/oidc/config', { issuer: 'https://id.test:8443' })
  equal(set.status, 200)
  equal((set.body['warnings'] as string[]).length, 1)
  equal((await discovery()).body['issuer'], 'https://id.test:8443/v1/identity/oidc')
  equal((await core.ask('write', 'identity/oidc/config', {})).status, 204)
  deepEqual(await read(core, 'identity/oidc/config'), { issuer: 'https://id.test:8443' })
  equal((await core.ask('write', 'identity/oidc/config', { issuer: '' })).status, 204)
  equal((await discovery()).body['issuer'], ISSUER)
})
