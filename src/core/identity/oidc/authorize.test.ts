import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  asked,
  CALLBACK,
  CHALLENGE,
  client,
  done,
  type Json,
  oidcCore,
  person,
} from '../../../../test/support/oidc.ts'
import { type TestCore } from '../../../../test/support/test-core.ts'

const PROVIDER = 'identity/oidc/provider'

type Asking = { token: string; provider?: string; verb?: 'read' | 'write' }

function authorize(core: TestCore, data: Json, { token, provider, verb }: Asking) {
  const path = `${PROVIDER}/${provider ?? 'default'}/authorize`
  return core.ask(verb ?? 'read', path, data, { token })
}

async function refused(core: TestCore, data: Json, asking: Asking): Promise<Json> {
  const { status, body } = await authorize(core, data, asking)
  equal(status, 400, JSON.stringify(body))
  const { state, ...error } = body
  equal(state, data['state'] === '' ? undefined : data['state'])
  return error
}

const says = (error: string, error_description: string): Json => ({ error, error_description })

test('authorize refuses without a token, and a token that no policy allows it', async () => {
  const core = await oidcCore()
  const { client_id } = await client(core, 'app')
  const path = `${PROVIDER}/default/authorize`
  equal((await core.ask('read', path, asked(client_id), { token: undefined })).status, 403)
  const { body } = await core.ask('write', 'auth/token/create', {
    policies: ['nothing'],
    no_default_policy: true,
  })
  const token = (body['auth'] as Record<string, string>)['client_token']!
  equal((await authorize(core, asked(client_id), { token })).status, 403)
})

test('authorize says what is wrong with a request, and gives its state back', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  const { client_id } = await client(core, 'app', { redirect_uris: [CALLBACK] })
  const ok_ = asked(client_id)
  const rows: [Json, Json][] = [
    [{ scope: '' }, says('invalid_request', 'scope parameter must contain the "openid" value')],
    [
      { scope: 'groups' },
      says('invalid_request', 'scope parameter must contain the "openid" value'),
    ],
    [{ response_type: '' }, says('invalid_request', 'response_type parameter is required')],
    [
      { response_type: 'token' },
      says('unsupported_response_type', 'unsupported response_type value'),
    ],
    [{ client_id: '' }, says('invalid_client_id', 'client_id parameter is required')],
    [{ client_id: 'x' }, says('invalid_client_id', 'client with client_id not found')],
    [{ client_id: '../app' }, says('invalid_client_id', 'client with client_id not found')],
    [{ redirect_uri: '' }, says('invalid_request', 'redirect_uri parameter is required')],
    [
      { redirect_uri: `${CALLBACK}/` },
      says('invalid_redirect_uri', 'redirect_uri is not allowed for the client'),
    ],
    [{ request: 'x' }, says('request_not_supported', 'request parameter is not supported')],
    [
      { request_uri: 'x' },
      says('request_uri_not_supported', 'request_uri parameter is not supported'),
    ],
    [
      { code_challenge: CHALLENGE, code_challenge_method: 's256' },
      says('invalid_request', 'invalid code_challenge_method'),
    ],
    [{ code_challenge: 'short' }, says('invalid_request', 'invalid code_challenge')],
    [{ code_challenge: 'x'.repeat(129) }, says('invalid_request', 'invalid code_challenge')],
    [{ nonce: 'x'.repeat(4097) }, says('invalid_request', 'nonce is too long')],
    [{ max_age: 0 }, says('invalid_request', 'max_age must be greater than zero')],
  ]
  for (const [change, error] of rows) {
    deepEqual(await refused(core, { ...ok_, ...change }, { token }), error)
    deepEqual(await refused(core, { ...ok_, ...change }, { token, verb: 'write' }), error)
  }
  deepEqual(
    await refused(core, { ...ok_, state: '', scope: 'x' }, { token }),
    says('invalid_request', 'scope parameter must contain the "openid" value'),
  )
  deepEqual(
    await refused(core, ok_, { token, provider: 'none' }),
    says('invalid_request', 'provider not found'),
  )
  await done(core, `${PROVIDER}/p`, { allowed_client_ids: 'other' })
  deepEqual(
    await refused(core, ok_, { token, provider: 'p' }),
    says('unauthorized_client', 'client is not authorized to use the provider'),
  )
})

test('authorize takes a parameter once', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  const { client_id } = await client(core, 'app')
  const twice = { ...asked(client_id), redirect_uri: [CALLBACK, 'https://evil.test'] }
  const { status, text } = await authorize(core, twice, { token })
  equal(status, 400)
  ok(!text.includes('evil'))
})

test('authorize is for entities of an assignment, by themselves or by a group', async () => {
  const core = await oidcCore()
  const [ann, bob, eve] = await Promise.all(['ann', 'bob', 'eve'].map((name) => person(core, name)))
  const inner = await done(core, 'identity/group', { name: 'in', member_entity_ids: [bob!.id] })
  const outer = await done(core, 'identity/group', {
    name: 'out',
    member_group_ids: [inner['id']],
  })
  await done(core, 'identity/oidc/assignment/a', { entity_ids: [ann!.id] })
  await done(core, 'identity/oidc/assignment/b', { group_ids: [outer['id']] })
  const { client_id } = await client(core, 'app', { assignments: ['a', 'b'] })
  const denied = says('access_denied', 'identity entity not authorized by client assignment')
  deepEqual(await refused(core, asked(client_id), { token: eve!.token }), denied)
  for (const { token } of [ann!, bob!]) {
    equal((await authorize(core, asked(client_id), { token })).status, 200)
  }
  await done(core, 'identity/group/name/in', { member_entity_ids: [] })
  deepEqual(await refused(core, asked(client_id), { token: bob!.token }), denied)
  const nobody = await client(core, 'other', { assignments: [] })
  deepEqual(await refused(core, asked(nobody.client_id), { token: ann!.token }), denied)
  deepEqual(
    await refused(core, asked(client_id), { token: core.root }),
    says('access_denied', 'identity entity must be associated with the request'),
  )
})

test('authorize lets in no entity that is disabled or gone', async () => {
  const core = await oidcCore()
  const { id, token } = await person(core, 'ann')
  const { client_id } = await client(core, 'app')
  await done(core, `identity/entity/id/${id}`, { disabled: true })
  const disabled = await authorize(core, asked(client_id), { token })
  ok(disabled.status === 403 || disabled.body['error'] === 'access_denied')
  ok(!('code' in disabled.body))
  await core.ask('delete', `identity/entity/id/${id}`)
  const gone = await authorize(core, asked(client_id), { token })
  ok(gone.status === 403 || gone.body['error'] === 'access_denied')
})

test('authorize wants PKCE of a public client', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  const { client_id } = await client(core, 'phone', { client_type: 'public' })
  deepEqual(
    await refused(core, asked(client_id), { token }),
    says('invalid_request', 'PKCE is required for public clients'),
  )
  const data = asked(client_id, { code_challenge: CHALLENGE, code_challenge_method: 'S256' })
  equal((await authorize(core, data, { token })).status, 200)
})

test('authorize wants a new login of a token that is older than max_age', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  const { client_id } = await client(core, 'app')
  core.clock.advance(60_000)
  equal((await authorize(core, asked(client_id, { max_age: 60 }), { token })).status, 200)
  core.clock.advance(1_000)
  deepEqual(
    await refused(core, asked(client_id, { max_age: '60' }), { token }),
    says('max_age_violation', 'active re-authentication is required by max_age'),
  )
})

test('authorize takes no token that a token has made for a new login', async () => {
  const core = await oidcCore()
  const { id, token } = await person(core, 'ann')
  const { client_id } = await client(core, 'app')
  await done(core, 'sys/policies/acl/oidc', {
    policy: 'path "*" { capabilities = ["create", "read", "update"] }',
  })
  core.clock.advance(61_000)
  const child = await core.ask('write', 'auth/token/create', {}, { token })
  const auth = child.body['auth'] as Record<string, string>
  equal(auth['entity_id'], id)
  const fresh = { token: auth['client_token']! }
  deepEqual(
    await refused(core, asked(client_id, { max_age: 60 }), fresh),
    says('max_age_violation', 'active re-authentication is required by max_age'),
  )
  equal((await authorize(core, asked(client_id, { max_age: 62 }), fresh)).status, 200)
})

test('authorize answers a read and a write with a code and the state', async () => {
  const core = await oidcCore()
  const { token } = await person(core, 'ann')
  const { client_id } = await client(core, 'app')
  for (const verb of ['read', 'write'] as const) {
    const { status, body } = await authorize(core, asked(client_id), { token, verb })
    equal(status, 200)
    const { code, ...rest } = body
    deepEqual(rest, { state: 'the state' })
    ok(/^[0-9A-Za-z]{32}$/.test(String(code)))
    const tx = (await core.core.begin(false))!
    const stored = await tx.list('identity-oidc/code/')
    ok(stored.length > 0 && !stored.includes(String(code)), 'a code is stored by its digest')
  }
})
