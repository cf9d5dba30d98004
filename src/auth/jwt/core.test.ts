/** The method within the whole core: what is issued, what a browser gets, what is written down. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { canonicalPath } from '../../core/canonical-path.ts'
import { CLIENT, fakeProvider } from '../../../test/support/fake-provider.ts'
import { pemOf, rsaPair, signed } from '../../../test/support/jwt-signer.ts'
import { testCore } from '../../../test/support/test-core.ts'

const HOME = 'http://localhost:8250/oidc/callback'

test('a login with a token issues one of ours, and its secrets are not written down', async () => {
  const { ask, clock } = await testCore()
  const folder = mkdtempSync(join(tmpdir(), 'coffer-jwt-'))
  after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'audit.log')
  equal(
    (await ask('write', 'sys/audit/f', { type: 'file', options: { file_path: file } })).status,
    204,
  )
  const pair = rsaPair()
  const now = Math.floor(clock.now() / 1000)
  equal((await ask('write', 'sys/auth/ci', { type: 'jwt' })).status, 204)
  equal((await ask('write', 'auth/ci/config', { jwt_validation_pubkeys: pemOf(pair) })).status, 204)
  const role = { role_type: 'jwt', user_claim: 'sub', bound_audiences: 'us', token_policies: 'web' }
  equal((await ask('write', 'auth/ci/role/build', role)).status, 204)
  const claims = { sub: 'ann', aud: 'us', iat: now, exp: now + 60 }
  const jwt = signed({ alg: 'RS256' }, claims, { pair })
  const login = await ask('write', 'auth/ci/login', { role: 'build', jwt }, { token: undefined })
  equal(login.status, 200)
  const auth = login.body['auth'] as Record<string, unknown>
  deepEqual(
    [auth['policies'], auth['metadata'], auth['token_type'], auth['orphan']],
    [['default', 'web'], { role: 'build' }, 'service', true],
  )
  const nobody = await ask('write', 'auth/ci/login', { role: 'a//b', jwt }, { token: undefined })
  deepEqual([nobody.status, nobody.body.errors], [400, ['role "a//b" could not be found']])
  const token = String(auth['client_token'])
  const self = await ask('read', 'auth/token/lookup-self', {}, { token })
  equal(self.body.data?.['display_name'], 'ci-ann')
  const renewed = await ask('write', 'auth/token/renew-self', {}, { token })
  equal(renewed.status, 200)

  const written = readFileSync(file, 'utf8')
  ok(written.includes('auth/ci/login'))
  for (const secret of [jwt, jwt.split('.')[1]!, token]) ok(!written.includes(secret))
})

test('with a fake provider, a browser gets a page, and the form of the page a token', async () => {
  const { core, ask, clock } = await testCore()
  const provider = await fakeProvider(() => clock.now())
  after(() => provider.web.close())
  await ask('write', 'sys/auth/oidc', { type: 'oidc' })
  const config = {
    oidc_discovery_url: provider.web.url,
    oidc_client_id: CLIENT.id,
    oidc_client_secret: CLIENT.secret,
  }
  equal((await ask('write', 'auth/oidc/config', config)).status, 204)
  const role = { user_claim: 'sub', allowed_redirect_uris: HOME }
  equal((await ask('write', 'auth/oidc/role/people', role)).status, 204)
  const nobody = { token: undefined }
  const asked = await ask(
    'write',
    'auth/oidc/oidc/auth_url',
    { role: 'people', redirect_uri: HOME },
    nobody,
  )
  const back = provider.logIn(String(asked.body.data?.['auth_url']))
  const browser = async (verb: 'read' | 'write', data: Record<string, unknown>) =>
    core.handle({
      id: 'test',
      verb,
      path: canonicalPath('auth/oidc/oidc/callback'),
      data,
      token: undefined,
      wrapTtlSeconds: 0,
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      rawHeaders: ['Accept', 'text/html'],
      receivedAt: clock.now(),
    })
  const page = await browser('read', back)
  deepEqual([page.status, page.contentType], [200, 'text/html; charset=utf-8'])
  match(page.headers?.['Content-Security-Policy'] ?? '', /^default-src 'none'/)
  const html = Buffer.from(page.body).toString()
  const confirm = /name="confirm" value="([^"]+)"/.exec(html)?.[1]
  ok(html.includes('auth/oidc/') && confirm)

  const wrong = await browser('write', { state: back.state, confirm: 'x' })
  deepEqual([wrong.status, wrong.contentType], [400, 'text/html; charset=utf-8'])
  const done = await browser('write', { state: back.state, confirm })
  deepEqual([done.status, done.contentType], [200, 'application/json'])
  match(Buffer.from(done.body).toString(), /"client_token":"hvs\./)
  equal((await browser('write', { state: back.state, confirm })).status, 400)
})

test('with a fake provider, a login that failed has used its state up', async () => {
  const { ask, clock } = await testCore()
  const provider = await fakeProvider(() => clock.now())
  after(() => provider.web.close())
  await ask('write', 'sys/auth/oidc', { type: 'oidc' })
  await ask('write', 'auth/oidc/config', {
    oidc_discovery_url: provider.web.url,
    oidc_client_id: CLIENT.id,
    oidc_client_secret: CLIENT.secret,
  })
  const role = { user_claim: 'email', allowed_redirect_uris: HOME }
  await ask('write', 'auth/oidc/role/people', role)
  const nobody = { token: undefined }
  const path = 'auth/oidc/oidc/auth_url'
  const asked = await ask('write', path, { role: 'people', redirect_uri: HOME }, nobody)
  const back = provider.logIn(String(asked.body.data?.['auth_url']))
  const first = await ask('read', 'auth/oidc/oidc/callback', back, nobody)
  deepEqual([first.status, first.body.errors], [400, ['claim "email" not found in token']])
  const second = await ask('read', 'auth/oidc/oidc/callback', back, nobody)
  deepEqual(
    [second.status, second.body.errors],
    [400, ['Vault login failed. Expired or missing OAuth state.']],
  )
})
