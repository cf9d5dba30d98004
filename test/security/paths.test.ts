/** Spellings of paths and verbs that must not open another door. Named by the cases they answer. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { raw, request } from '../support/raw-http.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

let server: TestServer
let api: Api
let port = 0

before(async () => {
  server = await startServer({ kind: 'config', audit: true })
  port = Number(new URL(server.address).port)
  api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  await api.write('sys/mounts/kv1', { type: 'kv', options: { version: '1' } })
  await api.write('sys/auth/approle', { type: 'approle' })
  await api.write('secret/data/app', { data: { password: 'swordfish' } })
  await api.write('kv1/app', { password: 'swordfish' })
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

const FAMILIES = [
  'secret/data/app',
  'secret/metadata/app',
  'kv1/app',
  'sys/policies/acl/p',
  'sys/mounts/secret',
  'sys/auth/approle',
  'auth/approle/role/app',
  'auth/token/roles/r',
  'cubbyhole/a',
  'identity/entity/name/a',
  'sys/leases/lookup/a',
  'sys/audit/file',
]
const SEGMENTS = [
  ...['..', '.', '%2e%2e', '%2E%2e', '.%2e', '%2e.', '%2e', '%252e%252e', '%252E', '.%252e'],
  ...['a%2fb', 'a%2Fb', 'a%252fb', '..%2f..', '%2f', 'a%5cb', 'a%5Cb', 'a%255cb', '..%5c'],
  ...['a%00', '%00', 'a%2500', '%c0%ae%c0%ae', '%c0%af', '%e0%80%ae', '%f0%80%80%af', '%ff'],
  ...['%0a', 'a%0d%0ab', '%7f', '%c2%85', '%e2%80%8b', '%e2%80%ae', '%zz', '%'],
]

/** A path with the segment in its middle, or with an empty segment in its place. */
const spellings = (family: string): string[] => {
  const cut = family.lastIndexOf('/')
  const [head, tail] = [family.slice(0, cut), family.slice(cut + 1)]
  return [...SEGMENTS, ''].map((segment) => `${head}/${segment}/${tail}`)
}

const stateOf = async () => {
  const parts = [
    await api.list('secret/metadata'),
    await api.read('secret/metadata/app'),
    await api.read('kv1/app'),
    await api.read('sys/mounts'),
    await api.read('sys/auth'),
    await api.list('sys/policies/acl'),
  ]
  return parts.map(({ text }) => text.replace(/"request_id":"[^"]*"/, '')).join('\n')
}

type Entry = { type: string; error?: string; request: { path: string } }
const auditLines = () =>
  readFileSync(server.auditFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.includes('"type":"checkpoint"'))
    .map((line) => JSON.parse(line) as Entry)

test('S01 relative, empty and twice-encoded segments are 400 before anyone is asked who they are', async () => {
  const state = await stateOf()
  const before = auditLines().length
  let sent = 0
  for (const family of FAMILIES) {
    for (const [i, path] of spellings(family).entries()) {
      const method = ['GET', 'DELETE', 'LIST', 'POST'][i % 4]!
      const body = method === 'POST' ? '{"data":{"password":"other"}}' : ''
      const answer = await raw(port, [request(`${method} /v1/${path}`, {}, body)])
      equal(answer.status, 400, `${method} ${path}`)
      sent++
    }
  }
  ok(sent >= 400, `${sent} requests`)
  const entries = auditLines().slice(before)
  equal(entries.length, sent * 2, 'each request and its answer are in the audit log')
  ok(entries.every(({ error }) => error !== undefined))
  equal(await stateOf(), state)
})

test('S03 a deny matches every case and normal form; an allow only its own', async () => {
  await api.write('secret/data/example', { data: { a: 1 } })
  await api.write('secret/data/Other', { data: { a: 1 } })
  await api.write('sys/policies/acl/s03', {
    policy: `path "secret/data/*" { capabilities = ["read"] }
path "secret/data/example" { capabilities = ["deny"] }
path "secret/data/caf\u00e9" { capabilities = ["deny"] }
path "kv1/OnlyThis" { capabilities = ["read"] }`,
  })
  const made = await api.write('auth/token/create', { policies: ['s03'] })
  const token = made.at('auth.client_token') as string
  const variants = new Set<string>()
  for (let bits = 0; variants.size < 62; bits++) {
    const letters = 'example'.split('').map((c, i) => ((bits >> i) & 1 ? c.toUpperCase() : c))
    variants.add(letters.join(''))
  }
  for (const name of ['caf\u00e9', 'cafe\u0301', 'CAF\u00c9']) variants.add(name)
  ok(variants.size >= 64)
  for (const name of variants) {
    const { status } = await api.read(`secret/data/${encodeURIComponent(name)}`, { token })
    equal(status, 403, name)
  }
  equal((await api.read('secret/data/Other', { token })).status, 200)
  equal((await api.read('kv1/OnlyThis', { token })).status, 404)
  equal((await api.read('kv1/onlythis', { token })).status, 403)
})

test('S10 numbers that bound a list are bounds, whatever they are', async () => {
  for (let i = 0; i < 5; i++) await api.write(`secret/data/many/${i}`, { data: { a: i } })
  await api.write('sys/policies/acl/s10', {
    policy: 'path "secret/metadata/many/*" { capabilities = ["list"] pagination_limit = 2 }',
  })
  const made = await api.write('auth/token/create', { policies: ['s10'] })
  const token = made.at('auth.client_token') as string
  const limits = ['', '0', '-1', '1', '2', '3', '2147483648', '1e9', 'null', '[]', 'max', ' 9', '٩']
  let allowed = 0
  for (const limit of limits) {
    const query = { list: 'true', ...(limit !== '' && { limit }) }
    const answer = await api.read('secret/metadata/many/', { token, query })
    ok([200, 400, 403].includes(answer.status), `limit=${limit}: ${answer.status}`)
    if (answer.status !== 200) continue
    allowed++
    ok((answer.at('data.keys') as string[]).length <= 2, `limit=${limit}`)
  }
  ok(allowed > 0)
})

test('S11 only the documented verbs reach a handler', async () => {
  const state = await stateOf()
  const token = { 'X-Vault-Token': server.rootToken }
  const methods = [
    'get',
    'Get',
    'TRACE',
    'OPTIONS2',
    'HELP',
    'REVOKE',
    'RENEW',
    'ROLLBACK',
    'PURGE',
  ]
  const more = [
    'MOVE',
    'COPY',
    'LOCK',
    'LINK',
    'BIND',
    'PROPFIND',
    'ALIAS-LOOKAHEAD',
    'RESOLVE-ROLE',
  ]
  for (const method of [...methods, ...more]) {
    const { status } = await raw(port, [request(`${method} /v1/secret/data/app`, token)])
    ok(status >= 400 && status < 500, `${method}: ${status}`)
  }
  const overrides = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']
  for (const header of overrides) {
    const asked = request('GET /v1/secret/data/app?operation=delete&_method=DELETE', {
      ...token,
      [header]: 'DELETE',
    })
    equal((await raw(port, [asked])).status, 200)
  }
  for (const operation of ['revoke', 'renew', 'rollback', 'resolve-role', 'alias-lookahead']) {
    const { status } = await api.write('secret/data/app', { operation })
    equal(status, 400, operation)
  }
  deepEqual(await stateOf(), state)
})
