import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import {
  API_ADDR,
  CALLBACK,
  CHALLENGE,
  client,
  codeFor,
  done,
  exchange,
  type Json,
  jwks,
  oidcCore,
  person,
  redeeming,
  VERIFIER,
  verified,
} from '../../../../test/support/oidc.ts'
import { remoteStore } from '../../../../test/support/remote-store.ts'
import { type Answered, testCore } from '../../../../test/support/test-core.ts'
import { memoryStore } from '../../../storage/memory.ts'
import { halfHash } from './signing.ts'

const PROVIDER = 'identity/oidc/provider/default'
const NOT_KEPT = { 'Cache-Control': 'no-store', Pragma: 'no-cache' }

/** A refusal as OAuth tells it. */
function says({ status, body, headers }: Answered, error: string, error_description: string) {
  deepEqual(body, { error, error_description })
  equal(status, error === 'invalid_client' ? 401 : 400)
  const unknown = error === 'invalid_client' && { 'WWW-Authenticate': 'Basic' }
  deepEqual(headers, { ...NOT_KEPT, ...unknown })
}

async function house() {
  const core = await oidcCore()
  const ann = await person(core, 'ann')
  const { client_id, client_secret } = await client(core, 'app')
  return { core, ann, app: { client_id, client_secret: String(client_secret) } }
}

const basic = (id: string, secret: string) => ({
  Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

test('the token endpoint refuses a client that does not prove who it is', async () => {
  const { core, ann, app } = await house()
  const code = await codeFor(core, ann, app)
  const ok_ = redeeming(app, code)
  const failed = 'client failed to authenticate'
  const rows: [Json, Record<string, string>, string, string][] = [
    [{ client_id: '' }, {}, 'invalid_request', 'client_id parameter is required'],
    [{ client_id: 'x' }, {}, 'invalid_client', failed],
    [{ client_secret: '' }, {}, 'invalid_client', failed],
    [{ client_secret: `${app.client_secret}x` }, {}, 'invalid_client', failed],
    [{ client_secret: app.client_secret.slice(0, -1) }, {}, 'invalid_client', failed],
    [{}, basic(app.client_id, 'wrong'), 'invalid_client', failed],
    [{}, basic('x', app.client_secret), 'invalid_client', failed],
    [
      { client_id: '' },
      { Authorization: 'Basic !' },
      'invalid_request',
      'client_id parameter is required',
    ],
  ]
  for (const [change, headers, error, text] of rows) {
    says(await exchange(core, { ...ok_, ...change }, headers), error, text)
  }
  equal((await exchange(core, ok_)).status, 200, 'none of these has spent the code')
})

test('the token endpoint takes the secret in the body or the header, form-encoded there', async () => {
  const { core, ann, app } = await house()
  const { client_id: _, client_secret: __, ...rest } = redeeming(app, await codeFor(core, ann, app))
  const encoded = app.client_secret.replaceAll('_', '%5F')
  equal((await exchange(core, rest, basic(app.client_id, encoded))).status, 200)
})

test('the token endpoint refuses a client that the provider or the key is not for', async () => {
  const { core, ann, app } = await house()
  await done(core, 'identity/oidc/key/k', { algorithm: 'ES256', allowed_client_ids: 'other' })
  const other = await client(core, 'other', { key: 'k' })
  const code = await codeFor(core, ann, other)
  says(
    await exchange(core, redeeming(other, code)),
    'invalid_client',
    'client is not authorized to use the key',
  )
  await done(core, PROVIDER, { allowed_client_ids: other.client_id })
  says(
    await exchange(core, redeeming(app, 'x')),
    'invalid_client',
    'client is not authorized to use the provider',
  )
  const nowhere = await core.ask(
    'write',
    'identity/oidc/provider/none/token',
    redeeming(app, 'x'),
    { token: undefined },
  )
  says(nowhere, 'invalid_request', 'provider not found')
})

test('the token endpoint refuses what is not the code, for what it was given out', async () => {
  const { core, ann, app } = await house()
  const other = await client(core, 'other')
  await done(core, 'identity/oidc/provider/p', { allowed_client_ids: '*' })
  const invalid = 'authorization grant is invalid or expired'
  const rows: [Json, string, string][] = [
    [{ grant_type: '' }, 'invalid_request', 'grant_type parameter is required'],
    [{ grant_type: 'password' }, 'unsupported_grant_type', 'unsupported grant_type value'],
    [{ code: '' }, 'invalid_request', 'code parameter is required'],
    [{ code: 'x'.repeat(32) }, 'invalid_grant', invalid],
    [other, 'invalid_grant', 'authorization code was not issued to the client'],
    [{ redirect_uri: '' }, 'invalid_request', 'redirect_uri parameter is required'],
    [
      { redirect_uri: `${CALLBACK}?` },
      'invalid_grant',
      'redirect_uri does not match the redirect_uri used in the authorization request',
    ],
    [{ code_verifier: VERIFIER }, 'invalid_request', 'unexpected code_verifier for token exchange'],
  ]
  for (const [change, error, text] of rows) {
    const code = await codeFor(core, ann, app)
    const { client_id, client_secret } = { ...app, ...change }
    const data = { ...redeeming(app, code), ...change, client_id, client_secret }
    says(await exchange(core, data), error, text)
  }
  const code = await codeFor(core, ann, app)
  const elsewhere = await core.ask('write', 'identity/oidc/provider/p/token', redeeming(app, code))
  says(elsewhere, 'invalid_grant', 'authorization code was not issued by the provider')
  says(await exchange(core, redeeming(app, code)), 'invalid_grant', invalid)
})

test('a code is good for five minutes, and forgotten after', async () => {
  const { core, ann, app } = await house()
  const [first, second] = [await codeFor(core, ann, app), await codeFor(core, ann, app)]
  const stored = async () =>
    (await (await core.core.begin(false))!.list('identity-oidc/code/')).length
  // What removes old codes is stopped: whether one is good is judged when it is redeemed.
  core.core.expiry.stop()
  core.clock.advance(299_000)
  equal((await exchange(core, redeeming(app, first))).status, 200)
  await core.core.expiry.pass()
  equal(await stored(), 1)
  core.clock.advance(1_000)
  const late = await exchange(core, redeeming(app, second))
  says(late, 'invalid_grant', 'authorization grant is invalid or expired')
  await codeFor(core, ann, app)
  core.clock.advance(300_000)
  await core.core.expiry.pass()
  equal(await stored(), 0)
})

test('of fifty who redeem one code at once, through two processes, one gets tokens', async () => {
  const store = remoteStore(memoryStore())
  const core = await testCore({ store, settings: { apiAddr: API_ADDR } })
  const other = await core.sibling()
  const ann = await person(core, 'ann')
  const app = await client(core, 'app')
  const code = await codeFor(core, ann, app)
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => exchange(i % 2 ? other : core, redeeming(app, code))),
  )
  const losers = answers.filter(({ status }) => status !== 200)
  equal(losers.length, 49)
  for (const { status, body } of losers) {
    // Who met others too often is asked to come again, and finds the code spent.
    ok(status === 503 || (status === 400 && body['error'] === 'invalid_grant'))
  }
})

test('PKCE lets redeem only who has the verifier, and one try is all there is', async () => {
  const { core, ann, app } = await house()
  const phone = await client(core, 'phone', { client_type: 'public' })
  for (const by of [app, phone]) {
    for (const [challenge, method] of [
      [CHALLENGE, 'S256'],
      [VERIFIER, 'plain'],
    ]) {
      const pkce = { code_challenge: challenge, code_challenge_method: method }
      const tried = async (code_verifier: string) => {
        const code = await codeFor(core, ann, by, pkce)
        return { code, answer: await exchange(core, redeeming(by, code, { code_verifier })) }
      }
      const none = await tried('')
      says(none.answer, 'invalid_request', 'expected code_verifier for token exchange')
      const wrong = await tried(VERIFIER.replace('a', 'b'))
      says(wrong.answer, 'invalid_grant', 'invalid code_verifier for token exchange')
      const again = await exchange(core, redeeming(by, wrong.code, { code_verifier: VERIFIER }))
      says(again, 'invalid_grant', 'authorization grant is invalid or expired')
      equal((await tried(VERIFIER)).answer.status, 200)
    }
  }
})

test('a challenge without a method is plain', async () => {
  const { core, ann, app } = await house()
  const code = await codeFor(core, ann, app, { code_challenge: VERIFIER })
  equal((await exchange(core, redeeming(app, code, { code_verifier: VERIFIER }))).status, 200)
})

test('who was disabled or unassigned since they got the code gets no token', async () => {
  const { core, ann, app } = await house()
  const [first, second] = [await codeFor(core, ann, app), await codeFor(core, ann, app)]
  await done(core, `identity/entity/id/${ann.id}`, { disabled: true })
  says(
    await exchange(core, redeeming(app, first)),
    'invalid_request',
    'identity entity associated with the request not found',
  )
  await done(core, `identity/entity/id/${ann.id}`, { disabled: false })
  await done(core, 'identity/oidc/client/app', { assignments: [] })
  says(
    await exchange(core, redeeming(app, second)),
    'invalid_request',
    'identity entity not authorized by client assignment',
  )
})

test('the token endpoint gives an ID token that says all it should', async () => {
  const { core, ann, app } = await house()
  await done(core, 'identity/oidc/scope/team', { template: '{"team": {{identity.entity.name}}}' })
  await done(core, 'identity/oidc/scope/other', { template: '{"other": 1}' })
  await done(core, PROVIDER, { scopes_supported: ['team', 'other'] })
  const loggedIn = core.clock.now() / 1000
  core.clock.advance(10_000)
  const code = await codeFor(core, ann, app, { scope: 'openid team unknown', max_age: 60 })
  const { status, body, headers } = await exchange(core, redeeming(app, code))
  equal(status, 200)
  deepEqual(headers, NOT_KEPT)
  const { access_token, id_token, ...rest } = body
  deepEqual(rest, { token_type: 'Bearer', expires_in: 86_400 })
  const now = core.clock.now() / 1000
  deepEqual(verified(String(id_token), await jwks(core, PROVIDER)), {
    team: 'ann',
    iss: `${API_ADDR}/v1/identity/oidc/provider/default`,
    sub: ann.id,
    aud: app.client_id,
    iat: now,
    exp: now + 86_400,
    namespace: 'root',
    nonce: 'the nonce',
    auth_time: loggedIn,
    at_hash: halfHash('RS256', String(access_token)),
    c_hash: halfHash('RS256', code),
  })
  ok(String(access_token).startsWith('hvb.'))
})

test('scopes that make one claim are refused together', async () => {
  const { core, ann, app } = await house()
  await done(core, 'identity/oidc/scope/a', { template: '{"x": 1}' })
  await done(core, 'identity/oidc/scope/b', { template: '{"x": 2}' })
  await done(core, PROVIDER, { scopes_supported: ['a', 'b'] })
  const code = await codeFor(core, ann, app, { scope: 'openid a b' })
  says(
    await exchange(core, redeeming(app, code)),
    'invalid_request',
    'conflicting claims in the scopes asked for',
  )
  equal((await exchange(core, redeeming(app, await codeFor(core, ann, app)))).status, 200)
})

test('nothing that is secret stands in what the token endpoint refuses', async () => {
  const { core, ann, app } = await house()
  const code = await codeFor(core, ann, app)
  const data = redeeming(app, code, { code_verifier: 'CANARY', redirect_uri: 'CANARY' })
  const { text } = await exchange(core, data)
  ok(![code, app.client_secret, 'CANARY'].some((secret) => text.includes(secret)))
})
