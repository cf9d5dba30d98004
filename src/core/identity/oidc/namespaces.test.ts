import { deepEqual, equal, notDeepEqual } from 'node:assert/strict'
import { test } from 'node:test'
import {
  API_ADDR,
  asked,
  CALLBACK,
  type Jwk,
  type Json,
  jwks,
  oidcCore,
  redeeming,
  verified,
} from '../../../../test/support/oidc.ts'
import { type TestCore } from '../../../../test/support/test-core.ts'

const OIDC = 'identity/oidc'
const PROVIDER = `${OIDC}/provider/default`

/** The namespace `a` with a key, a role and a client, and somebody who has logged in there. */
async function house() {
  const core = await oidcCore()
  const made = await core.ask('write', 'sys/namespaces/a')
  const within = async (path: string, data: Json = {}, token?: string) => {
    const ask = { namespace: 'a', ...(token !== undefined && { token }) }
    const { status, body } = await core.ask('write', path, data, ask)
    equal(status < 300, true, `${path}: ${JSON.stringify(body)}`)
    return body
  }
  await within('sys/auth/approle', { type: 'approle' })
  await within('sys/policies/acl/oidc', {
    policy: `path "${OIDC}/*" { capabilities = ["read", "update"] }`,
  })
  await within('auth/approle/role/ann', {
    bind_secret_id: false,
    token_bound_cidrs: '127.0.0.1/32',
    token_policies: 'oidc',
  })
  await within('auth/approle/role/ann/role-id', { role_id: 'ann' })
  const { auth } = await within('auth/approle/login', { role_id: 'ann' })
  const { client_token: token, entity_id: entityId } = auth as Record<string, string>
  await within(`${OIDC}/key/k`, { algorithm: 'ES256', allowed_client_ids: '*' })
  await within(`${OIDC}/role/r`, { key: 'k', client_id: 'app' })
  await within(`${OIDC}/client/app`, {
    key: 'k',
    redirect_uris: CALLBACK,
    assignments: 'allow_all',
  })
  const { body } = await core.ask('read', `${OIDC}/client/app`, {}, { namespace: 'a' })
  const app = body.data as { client_id: string; client_secret: string }
  const id = String(made.body.data?.['id'])
  return { core, app, id, token: String(token), entityId: String(entityId) }
}

async function keysIn(core: TestCore, namespace: string, at = OIDC): Promise<Jwk[]> {
  const ask = { namespace, token: undefined }
  const { body } = await core.ask('read', `${at}/.well-known/keys`, {}, ask)
  return body['keys'] as Jwk[]
}

test('identity tokens of a namespace are its own: issuer, claim, keys and judgement', async () => {
  const { core, id, token, entityId } = await house()
  const issued = await core.ask('read', `${OIDC}/token/r`, {}, { namespace: 'a', token })
  const jwt = String(issued.body.data?.['token'])
  const keys = await keysIn(core, 'a')
  const now = core.clock.now() / 1000
  deepEqual(verified(jwt, keys), {
    iss: `${API_ADDR}/v1/a/identity/oidc`,
    sub: entityId,
    aud: 'app',
    iat: now,
    exp: now + 86_400,
    namespace: id,
  })
  notDeepEqual(id, 'root')
  deepEqual(await jwks(core), [], 'the root has no such key')
  const introspect = async (namespace: string) =>
    (await core.ask('write', `${OIDC}/introspect`, { token: jwt }, { namespace })).body['active']
  deepEqual([await introspect('a'), await introspect('')], [true, false])
  const discovery = 'a/identity/oidc/.well-known/openid-configuration'
  const { body } = await core.ask('read', discovery, {}, { token: undefined })
  equal(body['issuer'], `${API_ADDR}/v1/a/identity/oidc`)
})

test('codes, clients and access tokens of a namespace are nothing in another', async () => {
  const { core, app, token, entityId } = await house()
  const ask = { namespace: 'a', token }
  const code = async () => {
    const { status, body } = await core.ask(
      'read',
      `${PROVIDER}/authorize`,
      asked(app.client_id),
      ask,
    )
    equal(status, 200, JSON.stringify(body))
    return String(body['code'])
  }
  const redeem = async (namespace: string) =>
    await core.ask('write', `${PROVIDER}/token`, redeeming(app, await code()), {
      namespace,
      token: undefined,
    })
  equal((await redeem('')).status, 401)
  const { status, body } = await redeem('a')
  equal(status, 200)
  const claims = verified(String(body['id_token']), await keysIn(core, 'a', PROVIDER))
  equal(claims['iss'], `${API_ADDR}/v1/a/identity/oidc/provider/default`)
  const access = { token: String(body['access_token']) }
  const userinfo = (namespace: string) =>
    core.ask('read', `${PROVIDER}/userinfo`, {}, { namespace, ...access })
  deepEqual((await userinfo('a')).body, { sub: entityId })
  equal((await userinfo('')).status, 401)
})

test('a key of a namespace is rotated by upkeep, and a code ends there by itself', async () => {
  const { core, app, token } = await house()
  const [, next] = await keysIn(core, 'a')
  const ask = { namespace: 'a', token }
  await core.ask('read', `${PROVIDER}/authorize`, asked(app.client_id), ask)
  const { prefix } = await stored(core)
  equal((await (await core.core.begin(false))!.list(prefix)).length, 1)
  core.clock.advance(86_400_000)
  await core.core.expiry.pass()
  equal((await (await core.core.begin(false))!.list(prefix)).length, 0)
  equal((await keysIn(core, 'a'))[0]?.kid, next?.kid)
})

async function stored(core: TestCore): Promise<{ prefix: string }> {
  const tx = (await core.core.begin(false))!
  const table = await tx.get<{ namespaces: { uuid: string }[] }>('sys/namespaces')
  return { prefix: `ns/${table!.namespaces[0]!.uuid}/identity-oidc/code/` }
}
