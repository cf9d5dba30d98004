/**
 * Clients of others against a real server, each as far as its own API goes: init, unseal, policy,
 * AppRole, KV, wrapping, revoke. What a client has no call for is done with plain HTTP beside it.
 */
import { equal, ok, rejects } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

const here = import.meta.dirname
const load = createRequire(join(here, 'package.json'))
const skip = existsSync(join(here, 'node_modules'))
  ? false
  : 'the clients are not here: npm ci --prefix test/interop (.ci/run does)'

type Data = Record<string, unknown>
type Calls<Names extends string> = Record<Names, (...args: unknown[]) => Promise<Data>>

const POLICY = `path "secret/data/app/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/app/*" { capabilities = ["list", "read"] }`

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, key) => (inner as Data | undefined)?.[key], value)
const text = (value: unknown, path: string): string => {
  const found = at(value, path)
  ok(typeof found === 'string' && found !== '', path)
  return found
}

/** A server with KV, a policy and a role, for clients that cannot make them. */
async function prepared(server: TestServer): Promise<{ api: Api; role: Data }> {
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  await api.write('sys/auth/approle', { type: 'approle' })
  await api.write('sys/policies/acl/app', { policy: POLICY })
  await api.write('auth/approle/role/app', { token_policies: 'app', token_ttl: '10m' })
  const role_id = (await api.read('auth/approle/role/app/role-id')).at('data.role_id')
  const secret_id = (await api.write('auth/approle/role/app/secret-id')).at('data.secret_id')
  return { api, role: { role_id, secret_id } }
}

test('node-vault: init, unseal, policy, AppRole, KV, wrapping, revoke', { skip }, async () => {
  await using server = await startServer({ kind: 'config', initialize: false })
  const make = load('node-vault') as (options: Data) => Data & Calls<NodeVault>
  const client = make({ apiVersion: 'v1', endpoint: server.address })
  const made = await client.init({ secret_shares: 1, secret_threshold: 1 })
  client['token'] = text(made, 'root_token')
  equal((await client.unseal({ key: (made['keys'] as string[])[0] }))['sealed'], false)
  await client.mount({ mount_point: 'secret', type: 'kv', options: { version: '2' } })
  await client.enableAuth({ mount_point: 'approle', type: 'approle' })
  await client.addPolicy({ name: 'app', rules: POLICY })
  await client.addApproleRole({ role_name: 'app', policies: 'app' })
  const role_id = text(await client.getApproleRoleId({ role_name: 'app' }), 'data.role_id')
  const secret_id = text(await client.getApproleRoleSecret({ role_name: 'app' }), 'data.secret_id')
  const app = make({ apiVersion: 'v1', endpoint: server.address })
  app['token'] = text(await app.approleLogin({ role_id, secret_id }), 'auth.client_token')
  await app.write('secret/data/app/db', { data: { password: 'hunter2' } })
  equal(at(await app.read('secret/data/app/db'), 'data.data.password'), 'hunter2')
  equal(at(await app.list('secret/metadata/app'), 'data.keys.0'), 'db')
  await rejects(app.read('secret/data/other'), /permission denied/)
  const headers = { 'X-Vault-Wrap-TTL': '60s' }
  const wrapped = await app.read('secret/data/app/db', { headers })
  const opener = make({ apiVersion: 'v1', endpoint: server.address })
  opener['token'] = text(wrapped, 'wrap_info.token')
  equal(at(await opener.unwrap(), 'data.data.password'), 'hunter2')
  await rejects(opener.unwrap(), /wrapping token is not valid or does not exist/)
  await app.tokenRevokeSelf()
  await rejects(app.tokenLookupSelf(), /permission denied/)
})

type NodeVault =
  | ('init' | 'unseal' | 'mount' | 'enableAuth' | 'addPolicy' | 'addApproleRole' | 'read' | 'write')
  | ('getApproleRoleId' | 'getApproleRoleSecret' | 'approleLogin' | 'list' | 'unwrap')
  | ('tokenRevokeSelf' | 'tokenLookupSelf')

test(
  '@litehex/node-vault: init, unseal, and the rest by its read and write',
  { skip },
  async () => {
    await using server = await startServer({ kind: 'config', initialize: false })
    const { Client } = load('@litehex/node-vault') as { Client: new (options: Data) => LiteHex }
    const client = new Client({ endpoint: server.address })
    const made = await client.init({ secret_shares: 1, secret_threshold: 1 })
    const root = text(made, 'data.root_token')
    equal(at(await client.unseal({ key: at(made, 'data.keys.0') }), 'data.sealed'), false)
    client.token = root
    equal(at(await client.mount({ mountPath: 'secret', type: 'kv-v2' }), 'data'), true)
    await client.write({ path: 'sys/auth/approle', data: { type: 'approle' } })
    await client.write({ path: 'sys/policies/acl/app', data: { policy: POLICY } })
    await client.write({ path: 'auth/approle/role/app', data: { token_policies: 'app' } })
    const id = await client.read({ path: 'auth/approle/role/app/role-id' })
    const secret = await client.write({ path: 'auth/approle/role/app/secret-id', data: {} })
    const proof = {
      role_id: text(id, 'data.data.role_id'),
      secret_id: text(secret, 'data.data.secret_id'),
    }
    const login = await client.write({ path: 'auth/approle/login', data: proof })
    client.token = text(login, 'data.auth.client_token')
    const place = { mountPath: 'secret', path: 'app/db' }
    const written = await client.kv2.write({ ...place, data: { password: 'hunter2' } })
    equal(at(written, 'data.data.version'), 1)
    equal(at(await client.kv2.read(place), 'data.data.data.password'), 'hunter2')
    ok(at(await client.read({ path: 'secret/data/other' }), 'error'))
    // It has no call for wrapping: the wrapped answer is asked for beside it, and opened with it.
    const api = http(server.address, { token: client.token })
    const wrapped = await api.read('secret/data/app/db', { headers: { 'X-Vault-Wrap-TTL': '60s' } })
    client.token = wrapped.at('wrap_info.token') as string
    const opened = await client.write({ path: 'sys/wrapping/unwrap', data: {} })
    equal(at(opened, 'data.data.data.password'), 'hunter2')
    ok(at(await client.write({ path: 'sys/wrapping/unwrap', data: {} }), 'error'))
    equal((await api.write('auth/token/revoke-self')).status, 204)
    equal((await api.read('auth/token/lookup-self')).status, 403)
  },
)

type LiteHex = { token: string; kv2: Calls<'read' | 'write'> } & Calls<
  'init' | 'unseal' | 'mount' | 'read' | 'write'
>

test(
  'hashi-vault-js: unseal, AppRole, KV, wrapping, tokens; set up beside it',
  { skip },
  async () => {
    await using server = await startServer({ kind: 'config' })
    const { role } = await prepared(server)
    const { default: Client } = load('hashi-vault-js') as {
      default: new (options: Data) => Calls<HashiVaultJs>
    }
    const options = { https: false, baseUrl: `${server.address}/v1`, rootPath: 'secret' }
    const client = new Client({ ...options, timeout: 10_000, proxy: false })
    // It has no call for init and policies, nor for wrapping.
    await client.sysSeal(server.rootToken)
    const [key] = server.unsealKeys
    equal(at(await client.sysUnseal(server.rootToken, key, false, false), 'sealed'), false)
    equal(at(await client.healthCheck(), 'sealed'), false)
    const login = await client.loginWithAppRole(role['role_id'], role['secret_id'], 'auth/approle')
    const token = text(login, 'client_token')
    await client.createKVSecret(token, 'app/db', { password: 'hunter2' })
    equal(at(await client.readKVSecret(token, 'app/db'), 'data.password'), 'hunter2')
    equal(at(await client.listKVSecrets(token, 'app'), 'keys.0'), 'db')
    equal(at(await client.readKVSecretMeta(token, 'app/db'), 'current_version'), 1)
    equal(at(await client.lookupSelfToken(token), 'policies.0'), 'app')
    await rejects(client.readKVSecret(token, 'other'))
    const api = http(server.address, { token })
    const wrapped = await api.read('secret/data/app/db', { headers: { 'X-Vault-Wrap-TTL': '60s' } })
    const opener = http(server.address, { token: wrapped.at('wrap_info.token') as string })
    equal((await opener.write('sys/wrapping/unwrap')).at('data.data.password'), 'hunter2')
    equal((await opener.write('sys/wrapping/unwrap')).status, 400)
    await client.revokeSelfToken(token)
    await rejects(client.lookupSelfToken(token))
  },
)

type HashiVaultJs =
  | ('healthCheck' | 'loginWithAppRole' | 'createKVSecret' | 'readKVSecret' | 'listKVSecrets')
  | ('lookupSelfToken' | 'revokeSelfToken' | 'sysSeal' | 'sysUnseal' | 'readKVSecretMeta')
