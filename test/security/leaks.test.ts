/** Secrets that a comparison, a page or a client could give away. Named by the cases they answer. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { connect, token } from '../../src/client/client.ts'
import { FakeServer, type FakeAnswer } from '../client/fake-server.ts'
import { runCli } from '../support/fake-vault.ts'
import { raw, request } from '../support/raw-http.ts'
import { http, startServer } from '../support/server.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const CANARY = 'CANARY-6f1ed002ab559585'

/** What is compared, by the last word of its name. */
const SECRET =
  /(?:digest|secret|password|token|hmac|mac|otp|passcode|pin|signature|share|salt|jwt|key|verifier)s?$/i
const COMPARED = /([\w.?![\]()']+) [!=]== ([\w.?![\]()']+)/g
const PLAIN = /^(?:'.*|".*|`.*|-?\d.*|undefined|null|true|false|[A-Z]+_CHARS)$/

/** Lines that compare such names and no secrets, each with its reason. */
const NO_SECRETS: Record<string, string> = {
  'src/core/who-is-asking.ts: request.token === request.token': 'both came with this request',
  'src/core/sys/wrapping.ts: given !== request.token': 'both came with this request',
  'src/core/acl-conditions.ts: key === name': 'names of parameters',
  'src/core/identity/oidc/client.ts: client.key === key': 'names of keys',
  'src/core/identity/oidc/clients.ts: stored.key !== key': 'names of keys',
  'src/core/identity/oidc/key.ts: name === DEFAULT_KEY': 'names of keys',
  'src/core/identity/oidc/key.ts: name !== DEFAULT_KEY': 'names of keys',
  'src/core/identity/oidc/keys.ts: keyName === DEFAULT_KEY': 'names of keys',
  'src/core/identity/oidc/role.ts: role.key === key': 'names of keys',
  'src/auth/kubernetes/token-review.ts: bearer === token': 'both came with this request',
  'src/auth/jwt/fetched-keys.ts: known.get(key === fetched': 'objects of a cache',
  'src/auth/approle/role.ts: old !== digest': 'of a role that is written, by who may read it',
  'src/barrier/page.ts: Buffer.compare(': 'names in their order',
  'src/barrier/space.ts: key === KEYRING_KEY': 'keys of the store',
}

/** Comparisons of two values of which one is named like a secret. */
function comparisons(text: string): string[] {
  const found: string[] = []
  for (const line of text.split('\n')) {
    if (/^\s*(?:\/\/|\*|\/\*)/.test(line)) continue
    for (const [whole, left, right] of line.matchAll(COMPARED)) {
      const sides = [left!, right!].map((side) => side.replace(/^[(!]+|[)?]+$/g, ''))
      if (sides.some((side) => PLAIN.test(side)) || /typeof|\.length$/.test(sides.join(' ')))
        continue
      if (sides.some((side) => SECRET.test(side)))
        found.push(sides.join(whole.includes('!==') ? ' !== ' : ' === '))
    }
    if (/Buffer\.compare|\.equals\(/.test(line)) found.push(line.trim())
  }
  return found
}

test('S23 no secret is compared but in constant time', () => {
  const known = Object.keys(NO_SECRETS).map((each) => each.split(': ') as [string, string])
  const wrong: string[] = []
  const used = new Set<string>()
  let safe = 0
  for (const folder of ['core', 'auth', 'barrier', 'crypto', 'audit', 'server']) {
    for (const file of globSync(`src/${folder}/**/*.ts`, { cwd: ROOT })) {
      if (file.endsWith('.test.ts')) continue
      const text = readFileSync(join(ROOT, file), 'utf8')
      if (text.includes('timingSafeEqual(')) safe++
      for (const found of comparisons(text)) {
        const excused = known.find(([at, line]) => at === file && found.includes(line))
        if (excused) used.add(excused.join(': '))
        else wrong.push(`${file}: ${found}`)
      }
    }
  }
  deepEqual(wrong, [])
  deepEqual([...used].sort(), Object.keys(NO_SECRETS).sort(), 'an excuse is left over')
  ok(safe >= 10)
})

test('S23 that search finds what it is for', () => {
  deepEqual(comparisons('  if (digest === entry.digest) return'), ['digest === entry.digest'])
  deepEqual(comparisons("if (call.data.token !== stored) x('a')"), ['call.data.token !== stored'])
  deepEqual(comparisons('return mac.equals(other)'), ['return mac.equals(other)'])
  deepEqual(comparisons("token === '' || token === undefined || key.length === other.length"), [])
})

test('S29 no answer of the API is a page, whatever was stored', async () => {
  await using server = await startServer({ kind: 'config' })
  const port = Number(new URL(server.address).port)
  const api = http(server.address, { token: server.rootToken })
  const evil = '<img src=x onerror=alert(1)>'
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' }, description: evil })
  await api.write('sys/auth/userpass', { type: 'userpass', description: evil })
  const named = encodeURIComponent(evil)
  const writes: [string, Record<string, unknown>][] = [
    ['secret/data/x', { data: { [evil]: evil, deep: [evil, { a: evil }] } }],
    [`secret/data/${named}`, { data: { a: evil } }],
    ['secret/metadata/x', { custom_metadata: { [evil]: evil, owner: evil } }],
    ['cubbyhole/x', { a: evil }],
    [`cubbyhole/${named}`, { a: evil }],
    ['identity/entity', { name: evil, metadata: { a: evil, [evil]: evil } }],
    ['identity/group', { name: evil, metadata: { a: evil } }],
    ['sys/policies/acl/p', { policy: `# ${evil}\npath "${evil}" { capabilities = ["read"] }` }],
    [`sys/policies/acl/${named}`, { policy: 'path "a" { capabilities = ["read"] }' }],
    [
      'sys/policies/password/p',
      { policy: `length = 20\nrule "charset" { charset = "<img>=1()" }` },
    ],
    [
      'auth/token/create',
      { display_name: evil, meta: { a: evil, [evil]: evil }, policies: [evil] },
    ],
    ['auth/token/roles/r', { allowed_policies: [evil], path_suffix: 'x' }],
    ['auth/userpass/users/a', { password: evil, token_policies: [evil] }],
    ['sys/mounts/secret/tune', { description: evil, audit_non_hmac_request_keys: [evil] }],
    ['sys/config/ui/headers/X-Evil', { values: [evil] }],
    ['sys/config/cors', { allowed_origins: [evil], allowed_headers: [evil] }],
    ['sys/namespaces/team', { custom_metadata: { a: evil } }],
    ['sys/quotas/rate-limit/q', { path: evil, rate: 1 }],
    ['sys/tools/hash', { input: evil }],
    ['sys/wrapping/unwrap', { token: evil }],
  ]
  const reads = ['secret/data/x', `secret/data/${named}`, 'secret/metadata/x', 'cubbyhole/x']
  reads.push('identity/entity/name/a', 'sys/policies/acl/p', 'sys/mounts', 'sys/auth', named)
  reads.push(`sys/${named}`, `auth/${named}/login`, 'sys/config/ui/headers/X-Evil', '?a=<img>')
  reads.push('sys/internal/ui/mounts', 'sys/internal/specs/openapi', 'sys/health', 'sys/policy')
  const token = { 'X-Vault-Token': server.rootToken, Origin: evil, Accept: 'text/html' }
  const asked = [
    ...writes.map(([path, body]) => request(`POST /v1/${path}`, token, JSON.stringify(body))),
    ...reads.map((path) => request(`GET /v1/${path}`, token)),
    ...reads.map((path) => request(`GET /v1/${path}`, { Accept: 'text/html' })),
  ]
  ok(asked.length > 50)
  for (const one of asked) {
    const { text } = await raw(port, [one])
    const line = one.slice(0, 80)
    ok(!/^content-type: *text\/html/im.test(text), line)
    ok(/^cache-control: no-store\r$/im.test(text), line)
    const type = /^content-type: *([^\r]*)/im.exec(text)?.[1]
    ok(type === undefined || type === 'application/json', `${line}: ${type}`)
  }
})

/** Ways in which an answer fails to come, or comes with a secret inside and broken. */
const BROKEN: readonly (() => FakeAnswer)[] = [
  () => 'cut',
  () => ({ status: 500, body: { errors: ['internal error'] } }),
  () => ({ status: 503, body: { errors: ['Vault is sealed'] } }),
  () => ({ status: 200, body: `{"data":{"data":{"password":"${CANARY}"` }),
  () => ({ status: 200, body: `{"data":{"data":{"password":${CANARY}}}}` }),
  () => ({ status: 200, body: `<html>${CANARY}</html>`, headers: { 'content-type': 'text/html' } }),
  () => ({ status: 200, body: `"${CANARY}"` }),
  () => ({ status: 200, body: { data: [CANARY] } }),
  () => ({ status: 404, body: 'not found' }),
  () => ({ status: 400, body: { errors: { text: 'wrong' } } }),
  () => ({ status: 302, headers: { location: `http://127.0.0.1:1/${CANARY}` } }),
  () => ({ status: 200, body: '', headers: { 'content-encoding': 'gzip' } }),
]

test('S30 a client that fails prints no secret: 100 failures of the library', async (t) => {
  const printed: string[] = []
  const keep = (chunk: string | Uint8Array) => {
    printed.push(chunk.toString())
    return true
  }
  await using fake = await FakeServer.start()
  fake.tokens.set(CANARY, { ttl: 3600, renewable: true })
  let failures = 0
  const texts: string[] = []
  t.mock.method(process.stdout, 'write', keep)
  t.mock.method(process.stderr, 'write', keep)
  try {
    for (let i = 0; i < 144; i++) {
      const client = await connect({
        address: fake.address,
        auth: token(CANARY),
        tries: 1,
        env: {},
      })
      const broken = BROKEN[i % BROKEN.length]!
      let once = true
      fake.on(({ path }) => (path.startsWith('secret/') && once ? broken() : undefined))
      try {
        if (i % 2 === 0) await client.kv().read('a')
        else await client.kv().write('a', { password: CANARY })
      } catch (error) {
        failures++
        texts.push((error as Error).message, JSON.stringify(error))
      }
      once = false
      await client.close()
    }
  } finally {
    t.mock.restoreAll()
  }
  ok(failures >= 100, `${failures} failures`)
  for (const text of [...printed, ...texts]) ok(!text.includes(CANARY), text)
})

test('S30 a command that fails prints no secret: 100 failures of the command line', async () => {
  await using fake = await FakeServer.start()
  let broken: () => FakeAnswer = () => 'cut'
  fake.on(() => broken())
  const commands = [
    ['kv', 'get', 'secret/a'],
    ['kv', 'get', '-field=password', 'secret/a'],
    ['kv', 'put', 'secret/a', '-'],
    ['read', '-format=json', 'secret/data/a'],
    ['write', 'auth/userpass/login/ann', '-'],
    ['token', 'lookup'],
    ['unwrap'],
    ['status'],
  ]
  let failures = 0
  for (let i = 0; i < 120; i++) {
    broken = BROKEN[i % BROKEN.length]!
    const { code, out, err } = await runCli(commands[Math.floor(i / BROKEN.length) % 8]!, {
      env: { VAULT_ADDR: fake.address, VAULT_TOKEN: CANARY, VAULT_MAX_RETRIES: '0' },
      stdin: JSON.stringify({ password: CANARY }),
    })
    if (code !== 0) failures++
    ok(!(out + err).includes(CANARY), `${broken.toString()}: ${out}${err}`)
  }
  ok(failures >= 100, `${failures} failures`)
  equal(fake.seen.length > 0, true)
})
