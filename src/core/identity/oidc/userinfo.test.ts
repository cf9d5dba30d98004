import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import {
  client,
  codeFor,
  done,
  exchange,
  type Json,
  oidcCore,
  person,
  redeeming,
} from '../../../../test/support/oidc.ts'
import { type Answered, type TestCore } from '../../../../test/support/test-core.ts'

const PROVIDER = 'identity/oidc/provider/default'

async function house(changes: Json = {}) {
  const core = await oidcCore()
  const ann = await person(core, 'ann', { policies: ['secrets'] })
  const app = await client(core, 'app', changes)
  await done(core, 'identity/oidc/scope/team', { template: '{"team": {{identity.entity.name}}}' })
  await done(core, PROVIDER, { allowed_client_ids: '*', scopes_supported: ['team'] })
  const code = await codeFor(core, ann, app, { scope: 'openid team' })
  const { body } = await exchange(core, redeeming(app, code))
  return { core, ann, app, token: String(body['access_token']) }
}

const userinfo = (core: TestCore, token: string | undefined, provider = 'default') =>
  core.ask('read', `identity/oidc/provider/${provider}/userinfo`, {}, { token })

function invalidToken({ status, body, headers }: Answered, text: string) {
  equal(status, 401)
  deepEqual(body, { error: 'invalid_token', error_description: text })
  deepEqual(headers, {
    'WWW-Authenticate': `Bearer error="invalid_token",error_description="${text}"`,
  })
}

test('userinfo refuses every token that is not an access token of the provider', async () => {
  const { core, ann, token } = await house()
  for (const wrong of [undefined, '', 'x', `${token}x`, 'hvs.unknown', 'hvb.AAAA']) {
    invalidToken(await userinfo(core, wrong), 'permission denied')
  }
  // A token that a policy lets ask here is still no access token.
  invalidToken(await userinfo(core, ann.token), 'not an access token')
  invalidToken(await userinfo(core, core.root), 'not an access token')
  await done(core, 'identity/oidc/provider/p', { allowed_client_ids: '*' })
  invalidToken(await userinfo(core, token, 'p'), 'permission denied')
})

test('an access token may ask its userinfo and nothing else, whatever its person may do', async () => {
  const { core, ann, token } = await house()
  await done(core, 'sys/policies/acl/secrets', {
    policy: 'path "*" { capabilities = ["create", "read", "update", "list", "sudo"] }',
  })
  const paths = [
    'secret/data/a',
    'auth/token/lookup-self',
    'sys/capabilities-self',
    'cubbyhole/a',
    `identity/entity/id/${ann.id}`,
    `${PROVIDER}/authorize`,
    'identity/oidc/token/r',
    'sys/internal/ui/resultant-acl',
  ]
  for (const path of paths) {
    equal((await core.ask('read', path, {}, { token })).status, 403, path)
    equal((await core.ask('write', path, {}, { token })).status, 403, path)
  }
  equal((await core.ask('write', 'auth/token/create', {}, { token })).status, 403)
  equal((await userinfo(core, token)).status, 200)
})

test('userinfo tells who it is, and the claims of the scopes that the client asked for', async () => {
  const { core, ann, token } = await house()
  const { status, body } = await userinfo(core, token)
  equal(status, 200)
  deepEqual(body, { sub: ann.id, team: 'ann' })
  const posted = await core.ask('write', `${PROVIDER}/userinfo`, {}, { token })
  deepEqual(posted.body, { sub: ann.id, team: 'ann' })
  await done(core, PROVIDER, { scopes_supported: [] })
  deepEqual((await userinfo(core, token)).body, { sub: ann.id })
})

test('an access token ends with its time', async () => {
  const { core, token } = await house({ access_token_ttl: 60 })
  core.clock.advance(59_000)
  equal((await userinfo(core, token)).status, 200)
  core.clock.advance(1_000)
  invalidToken(await userinfo(core, token), 'permission denied')
})

test('an access token without a time to live is none', async () => {
  const { core, token } = await house({ access_token_ttl: 0 })
  invalidToken(await userinfo(core, token), 'permission denied')
})

test('userinfo tells nothing of who is disabled, unassigned or gone, nor to a client that is', async () => {
  const rows: [string, (at: Awaited<ReturnType<typeof house>>) => Promise<unknown>][] = [
    ['disabled', ({ core, ann }) => done(core, `identity/entity/id/${ann.id}`, { disabled: true })],
    ['gone', ({ core, ann }) => core.ask('delete', `identity/entity/id/${ann.id}`)],
    ['unassigned', ({ core }) => done(core, 'identity/oidc/client/app', { assignments: [] })],
    ['client gone', ({ core }) => core.ask('delete', 'identity/oidc/client/app')],
    ['client not allowed', ({ core }) => done(core, PROVIDER, { allowed_client_ids: [] })],
  ]
  for (const [name, change] of rows) {
    const at = await house()
    await change(at)
    const { status, body } = await userinfo(at.core, at.token)
    equal([401, 403].includes(status), true, name)
    deepEqual(Object.keys(body).sort(), ['error', 'error_description'], name)
  }
})
