/** What must not be in the audit log, the server's log or an answer, and what must not happen unaudited. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Endpoint, type Verb } from '../../src/kit/engine.ts'
import { defineEngine, endpoint, JsonText } from '../../src/kit/kit.ts'
import { raw as rawReply } from '../../src/kit/reply.ts'
import { ENGINES } from '../../src/server/builtin.ts'
import { HEALTHY, fakeAudit, ON_ANSWERS } from '../support/fake-audit.ts'
import { raw, request } from '../support/raw-http.ts'
import { http, startServer } from '../support/server.ts'
import { testCore } from '../support/test-core.ts'

const CANARY = 'CANARY-5d41402abc4b2a76'

/** Every path of an endpoint with something in the place of its captures. */
const pathOf = ({ path }: Endpoint) => path.replace(/:[a-z_]+\*/g, 'a/b').replace(/:[a-z_]+/g, 'a')
const verbsOf = (each: Endpoint) =>
  (['read', 'list', 'scan', 'write', 'patch', 'delete'] as const).filter((verb) => each[verb])

/** The canary in every type of value that JSON knows, and as a key. */
const BODY = {
  text: CANARY,
  list: [CANARY, { deep: [CANARY] }],
  map: { [CANARY]: 1, inner: { value: CANARY } },
  number: 918273645546372,
  yes: true,
}

test('S25 no value of a request is in the audit log in clear, on any route', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake' })
  let asked = 0
  for (const { path: mounted, engine } of await mountsOf(t)) {
    for (const each of engine.endpoints) {
      const sent = { ...BODY, ...fieldsOf(each) }
      // What ends the log or the server has its own tests.
      if (/^(audit|seal|step-down|unseal|init|remount|mounts|auth)\b/.test(each.path)) continue
      for (const verb of verbsOf(each)) {
        await t.ask(verb, mounted + pathOf(each), verb === 'read' ? { q: CANARY } : sent)
        asked++
      }
    }
  }
  ok(asked > 300, `${asked} requests`)
  const lines = audit.text().split('\n')
  const hits = lines.filter((line) => valuesOf(line).some((value) => value.includes(CANARY)))
  deepEqual(
    hits.map((line) => (JSON.parse(line) as { request: { path: string } }).request.path),
    [],
  )
  ok(!audit.text().includes('918273645546372'), 'numbers are hashed too')
})

/** Every field of an endpoint that is not declared clear, with the canary where it takes a text. */
function fieldsOf({ fields, path }: Endpoint): Record<string, unknown> {
  const hidden = Object.entries(fields).filter(
    ([name, field]) => !field.clear && !path.includes(`:${name}`),
  )
  return Object.fromEntries(hidden.map(([name]) => [name, CANARY]))
}

/** String values of a line; the names of fields are told. */
function valuesOf(line: string): string[] {
  if (line === '') return []
  const found: string[] = []
  const walk = (value: unknown): void => {
    if (typeof value === 'string') found.push(value)
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk)
  }
  const { error: _, ...entry } = JSON.parse(line) as Record<string, unknown>
  walk(entry)
  return found
}

async function mountsOf({ core }: Awaited<ReturnType<typeof testCore>>) {
  const tx = await core.begin(false)
  const all = await core.mounts.all(tx!)
  return all.map(({ entry, engine }) => ({ path: entry.path, engine }))
}

test('S25 bytes of other content types are hashed in the audit log', async () => {
  const audit = fakeAudit()
  const binary = defineEngine({
    type: 'binary',
    help: 'Answers with bytes.',
    endpoints: [
      endpoint('bytes', {
        help: 'Bytes.',
        fields: {},
        read: () => rawReply('application/octet-stream', Buffer.from(CANARY)),
      }),
      endpoint('text', {
        help: 'Text.',
        fields: {},
        read: () => new JsonText(JSON.stringify({ a: CANARY, b: { c: [CANARY] } })),
      }),
    ],
  })
  const t = await testCore({ auditTypes: [audit.type], engines: [...ENGINES, binary] })
  await t.ask('write', 'sys/audit/one', { type: 'fake' })
  equal((await t.ask('write', 'sys/mounts/binary', { type: 'binary' })).status, 204)
  ok((await t.ask('read', 'binary/text')).text.includes(CANARY))
  // Its answer is no JSON, which the helper expects; the log is what is looked at.
  await t.ask('read', 'binary/bytes').catch(() => {})
  equal(audit.entries().filter(({ type }) => type === 'response').length, 4)
  ok(!audit.text().includes(CANARY))
})

test('S26 2,000 malformed bodies: nothing of them in an answer, the log or the audit log', async () => {
  await using server = await startServer({ kind: 'config', audit: true })
  const port = Number(new URL(server.address).port)
  const token = { 'X-Vault-Token': server.rootToken }
  const broken = [
    (c: string) => `{"data":{"a":"${c}"`,
    (c: string) => `{"data":{"a":${c}}}`,
    (c: string) => `{"data":{"a":"${c}",}}`,
    (c: string) => `{"${c}`,
    (c: string) => c,
    (c: string) => `["${c}"]`,
    (c: string) => `"${c}"`,
    (c: string) => `{"data":"${c}"}`,
    (c: string) => `{"data":{"a":"\u0001${c}"}}`,
    (c: string) => `{"options":{"cas":"${c}"},"data":{}}`,
    (c: string) => `{"data":{"a":"${c}"}}{"b":"${c}"}`,
    (c: string) => `{'data':'${c}'}`,
  ]
  const paths = ['sys/mounts/x', 'secret/data/a', 'auth/token/create', 'sys/policies/acl/p']
  let sent = 0
  while (sent < 2_000) {
    const batch = Array.from({ length: 50 }, (_, i) => {
      const n = sent + i
      const body = broken[n % broken.length]!(`${CANARY}${n}`)
      const path = paths[Math.floor(n / broken.length) % paths.length]!
      return request(`POST /v1/${path}`, token, body)
    })
    const answers = await Promise.all(batch.map((one) => raw(port, [one])))
    for (const { text, status } of answers) {
      // Some of them are good JSON, only not for this path.
      ok(status >= 200 && status < 500, text)
      ok(!text.includes(CANARY), text)
    }
    sent += batch.length
  }
  ok(!server.output().includes(CANARY))
  ok(!readFileSync(server.auditFile, 'utf8').includes(CANARY))
})

test('S27 what a stranger may start does not happen when its answer cannot be audited', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake' })
  const status = async () => {
    const places = ['sys/rekey/init', 'sys/generate-root/attempt', 'sys/seal-status']
    const answers = await Promise.all(places.map((path) => t.ask('read', path)))
    return answers.map(({ body }) => ({ ...body, nonce: '', otp: '' }))
  }
  const before = await status()
  const routes: readonly (readonly [Verb, string, Record<string, unknown>])[] = [
    ['write', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 }],
    ['write', 'sys/generate-root/attempt', {}],
    ['write', 'sys/wrapping/lookup', { token: 'hvs.none' }],
    ['write', 'auth/approle/login', { role_id: 'a', secret_id: 'b' }],
    ['write', 'sys/mfa/validate', { mfa_request_id: 'a', mfa_payload: {} }],
    ['delete', 'sys/rekey/init', {}],
    ['delete', 'sys/generate-root/attempt', {}],
  ]
  audit.failWhen = ON_ANSWERS
  for (const [verb, path, data] of routes) {
    const answer = await t.ask(verb, path, data, { token: undefined })
    equal(answer.status, 500, path)
    deepEqual(answer.body.errors, ['internal error'])
  }
  audit.failWhen = HEALTHY
  deepEqual(await status(), before)
})

test('S27 no route that is open to strangers changes anything whose answer cannot be audited', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake' })
  const types = ['userpass', 'cert', 'jwt', 'kubernetes', 'ldap', 'radius', 'github', 'okta', 'aws']
  for (const type of types) await t.ask('write', `sys/auth/${type}`, { type })
  await t.ask('write', 'auth/userpass/users/a', { password: 'right' })
  const { store, keeper } = t.core
  // Failed logins count, whether they could be told of or not.
  const left = ['duty/', 'lockout/'].map((path) => keeper.space!.keyOf(path))
  const state = async () => {
    const found: [key: string, revision: number][] = []
    const walk = async (under: string): Promise<void> => {
      for (const name of await store.list(under)) {
        const key = under + name
        if (left.some((other) => key.startsWith(other))) continue
        if (name.endsWith('/')) await walk(key)
        else found.push([key, (await store.get(key))!.revision])
      }
    }
    await walk('d/')
    return found
  }
  // Keys that the server makes for itself when their public half is first asked for.
  await t.ask('read', 'identity/oidc/.well-known/keys')
  await t.ask('read', 'sys/wrapping/pubkey')
  // Who has proven who they are is an entity from then on.
  await t.ask('write', 'auth/userpass/login/a', { password: 'right' })
  let asked = 0
  const before = await state()
  audit.failWhen = ON_ANSWERS
  for (const { path: mounted, engine } of await mountsOf(t)) {
    for (const each of engine.endpoints) {
      if (each.access !== 'public' && each.access !== 'login') continue
      // The server ends its own state there: sealed, nothing is audited.
      if (/^(?:init|unseal)$/.test(each.path) || each.unaudited) continue
      for (const verb of verbsOf(each).filter((one) => one !== 'scan')) {
        const data = { ...fieldsOf(each), password: 'right', secret_shares: 1, secret_threshold: 1 }
        const answer = await t.ask(verb, mounted + pathOf(each), data, { token: undefined })
        ok(answer.status >= 400, `${verb} ${mounted}${each.path}: ${answer.status}`)
        asked++
      }
    }
  }
  ok(asked >= 50, `${asked} routes`)
  deepEqual(await state(), before)
})

test('S27 a rekey whose answer cannot be audited leaves the old keys in force', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake' })
  const started = await t.ask('write', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 })
  const { nonce } = started.body
  audit.failWhen = ON_ANSWERS
  const given = { key: t.unsealKeys[0], nonce }
  equal((await t.ask('write', 'sys/rekey/update', given)).status, 500)
  audit.failWhen = HEALTHY
  equal((await t.ask('write', 'sys/seal')).status, 204)
  await t.core.keeper.offer(Buffer.from(t.unsealKeys[0]!, 'hex'))
  equal((await t.ask('read', 'sys/mounts')).status, 200, 'the old key opens it')
})

test('S28 what the environment and the configuration hold is not told', async () => {
  const env = {
    HTTP_PROXY: `http://u:${CANARY}@127.0.0.1:1`,
    HTTPS_PROXY: `http://u:${CANARY}@127.0.0.1:1`,
    AWS_SECRET_ACCESS_KEY: CANARY,
    VAULT_TOKEN: CANARY,
    DATABASE_URL: CANARY,
  }
  await using server = await startServer({ kind: 'config', audit: true, env })
  const api = http(server.address, { token: server.rootToken })
  const told = [
    'sys/config/state/sanitized',
    'sys/host-info',
    'sys/metrics',
    'sys/internal/specs/openapi',
    'sys/internal/ui/mounts',
    'sys/health',
    'sys/seal-status',
    'sys/leader',
  ]
  for (const path of told) {
    const { status, text } = await api.read(path)
    equal(status, 200, path)
    ok(!text.includes(CANARY), path)
    ok(!text.includes(server.dir), `${path} tells a path of the machine`)
    for (const key of server.unsealKeys) ok(!text.includes(key), path)
  }
  ok(!server.output().includes(CANARY))
  // Which mounts there are is not told to strangers.
  const { body } = await http(server.address).read('sys/internal/ui/mounts')
  deepEqual(body['data'], { auth: {}, secret: {} })
  const unknown = await http(server.address).read('sys/internal/ui/mounts/secret')
  const missing = await http(server.address).read('sys/internal/ui/mounts/nowhere')
  equal(unknown.status, missing.status)
})

test('S31 no engine sees a token: not in a header, not in its data', async () => {
  const seen: (string | undefined)[] = []
  const spy = defineEngine({
    type: 'spy',
    help: 'Sees what engines can see.',
    endpoints: [
      endpoint('look', {
        help: 'Looks.',
        fields: {},
        read(call) {
          const names = ['x-vault-token', 'authorization', 'cookie', 'x-vault-inline-auth-path']
          seen.push(...names.map((name) => call.header(name)))
          seen.push(JSON.stringify(call.caller), JSON.stringify(call.body))
          return { ok: true }
        },
      }),
    ],
  })
  const t = await testCore({ engines: [...ENGINES, spy] })
  await t.ask('write', 'sys/mounts/spy', { type: 'spy' })
  const headers = {
    'X-Vault-Token': t.root,
    Authorization: `Bearer ${t.root}`,
    Cookie: `token=${t.root}`,
    'X-Vault-Inline-Auth-Path': t.root,
  }
  equal((await t.ask('read', 'spy/look', {}, { headers })).status, 200)
  equal(seen.length, 6)
  ok(seen.every((text) => !text?.includes(t.root)))
})

test('S44 every file and folder that a server makes is for its owner only', async () => {
  await using server = await startServer({ kind: 'config', audit: true, workers: 2 })
  const api = http(server.address, { token: server.rootToken })
  await api.write('sys/audit/second', {
    type: 'file',
    options: { file_path: join(server.dir, 'data', 'second.log') },
  })
  const inside = readdirSync(join(server.dir, 'data'), { recursive: true, encoding: 'utf8' })
  ok(inside.length >= 2)
  for (const name of [...inside.map((file) => join('data', file)), 'audit.log']) {
    const { mode } = statSync(join(server.dir, name))
    equal(mode & 0o077, 0, `${name} is ${(mode & 0o777).toString(8)}`)
  }
})

test('S47 unseal keys are in no log, no argument, no environment and no file', async () => {
  await using server = await startServer({ kind: 'config', audit: true, shares: 3, threshold: 2 })
  const api = http(server.address, { token: server.rootToken })
  const keys = server.unsealKeys
  equal(keys.length, 3)
  await api.write('sys/unseal', { key: `${keys[0]!.slice(0, -2)}==` })
  await api.write('sys/rekey/init', { secret_shares: 1, secret_threshold: 1 })
  const { body } = await api.read('sys/rekey/init')
  await api.write('sys/rekey/update', { key: keys[0], nonce: body['nonce'] })
  await api.write('sys/rekey/update', { key: keys[0], nonce: body['nonce'] })
  const proc = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${server.pid}/${file}`))
  const files = readdirSync(server.dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(server.dir, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file))
  for (const key of keys) {
    const bytes = Buffer.from(key, 'base64')
    for (const form of [key, key.replace(/=+$/, ''), bytes.toString('hex'), bytes]) {
      for (const content of [...proc, ...files]) ok(!content.includes(form))
      ok(!server.output().includes(form.toString('latin1')))
    }
  }
  match(server.output(), /coffer|Coffer/)
})
