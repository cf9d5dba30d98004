/**
 * Authlib, an OpenID Connect client that others have written, logs somebody in through the real
 * server: discovery, authorization code with PKCE, ID token, userinfo.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { findPython, NO_HVAC } from '../support/python.ts'
import { type Api, cleanEnv, http, startServer, type TestServer } from '../support/server.ts'

const python = findPython()
const skip = python === undefined && NO_HVAC
const PROVIDER = 'identity/oidc/provider/apps'
/** Registered without its port, as an app on somebody's own machine does. */
const CALLBACK = 'http://127.0.0.1:50123/callback'

type Result = Record<string, unknown> & { claims: Record<string, unknown> }

async function relyingParty(dir: string, env: Record<string, string>): Promise<Result> {
  const script = join(import.meta.dirname, 'oidc_relying_party.py')
  const child = spawn(python ?? '', [script], {
    env: cleanEnv(dir, { CALLBACK, PYTHONDONTWRITEBYTECODE: '1', ...env }),
    timeout: 60_000,
  })
  let [out, error] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (error += chunk.toString()))
  await new Promise((done) => child.once('close', done))
  equal(error, '')
  return JSON.parse(out) as Result
}

async function ask(api: Api, path: string, body: unknown = {}): Promise<void> {
  const { status, text } = await api.write(path, body)
  equal(status < 300, true, `${path}: ${text}`)
}

/** Somebody who logs in with a role id and is in a group; their token and their entity. */
async function somebody(api: Api): Promise<{ token: string; entityId: string }> {
  await ask(api, 'sys/auth/approle', { type: 'approle' })
  const role = { bind_secret_id: false, token_bound_cidrs: '127.0.0.1/32,::1/128' }
  await ask(api, 'auth/approle/role/ann', role)
  await ask(api, 'auth/approle/role/ann/role-id', { role_id: 'ann' })
  const login = { role_id: 'ann' }
  const answer = await api.write('auth/approle/login', login, { token: undefined })
  const entityId = String(answer.at('auth.entity_id'))
  await ask(api, 'identity/group', { name: 'web', member_entity_ids: [entityId] })
  return { token: String(answer.at('auth.client_token')), entityId }
}

async function provide(api: Api): Promise<void> {
  const group = await api.read('identity/group/name/web')
  await ask(api, 'identity/oidc/assignment/web', { group_ids: [group.at('data.id')] })
  const template = '{"team": {{identity.entity.groups.names}}}'
  await ask(api, 'identity/oidc/scope/team', { template })
  await ask(api, PROVIDER, { allowed_client_ids: '*', scopes_supported: 'team' })
}

async function clientOf(api: Api, changes: Record<string, unknown>) {
  const name = `app-${String(changes['client_type'])}-${String(changes['key'])}`
  await ask(api, `identity/oidc/key/${String(changes['key'])}`, {
    allowed_client_ids: '*',
    algorithm: changes['key'],
  })
  await ask(api, `identity/oidc/client/${name}`, {
    redirect_uris: ['http://127.0.0.1/callback'],
    assignments: ['web'],
    ...changes,
  })
  const client = await api.read(`identity/oidc/client/${name}`)
  const secret = client.at('data.client_secret')
  return {
    CLIENT_ID: String(client.at('data.client_id')),
    ...(typeof secret === 'string' && { CLIENT_SECRET: secret }),
  }
}

suite('oidc', { skip }, async () => {
  test('Authlib logs somebody in, with every kind of client', async () => {
    await using server: TestServer = await startServer()
    const api = http(server.address, { token: server.rootToken })
    const { token, entityId } = await somebody(api)
    await provide(api)
    const rows = [
      ['client_secret_basic', 'confidential', 'RS256'],
      ['client_secret_post', 'confidential', 'ES256'],
      ['none', 'public', 'RS256'],
    ]
    for (const [METHOD = '', client_type, key] of rows) {
      const client = await clientOf(api, { client_type, key })
      const { claims, ...rest } = await relyingParty(server.dir, {
        ...client,
        METHOD,
        ISSUER: `${server.address}/v1/${PROVIDER}`,
        VAULT_TOKEN: token,
      })
      const userinfo = { sub: entityId, team: ['web'] }
      deepEqual(rest, { status: 200, kind: 'Bearer', userinfo }, METHOD)
      deepEqual(claims['team'], ['web'])
      equal(claims['sub'], entityId)
      equal(claims['aud'], client.CLIENT_ID)
    }
  })
})
