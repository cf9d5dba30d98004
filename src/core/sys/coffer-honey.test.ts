import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { tenants } from '../../../test/support/namespaces.ts'
import { settled, watch } from '../../../test/support/watching.ts'
import { webServer, type WebRequest } from '../../../test/support/web-server.ts'

const PLANTED = 'bait-Value-8c1f'
const touches = (made: TestCore) => made.logs.filter((line) => line.includes('was touched'))

async function baited(made: TestCore, more: Record<string, unknown> = {}): Promise<void> {
  const data = { data: { password: PLANTED } }
  equal((await made.ask('write', 'secret/data/app/old-root', data)).status, 200)
  const bait = { kind: 'kv', path: 'secret/app/old-root', note: 'from the wiki', ...more }
  const set = await made.ask('write', 'sys/coffer/honey/wiki', bait)
  equal(set.status, 200, set.text)
  deepEqual(touches(made), [])
}

/** What the audit devices are given from now on, as one would print it. */
function audited({ core: { audit } }: TestCore): Record<string, unknown>[] {
  const record = audit.record.bind(audit)
  const entries: Record<string, unknown>[] = []
  Object.assign(audit, {
    record(format: Parameters<typeof record>[0]) {
      const hasher = { hash: () => 'h', text: () => '{}' }
      const device = { hasher, hashAccessor: false, headers: { headers: {} } }
      entries.push(JSON.parse(`${format(device as never)}}`) as Record<string, unknown>)
      return record(format)
    },
  })
  return entries
}

async function tokenFor(
  made: TestCore,
  policy: string,
): Promise<{ token: string; accessor: string }> {
  await made.ask('write', 'sys/policies/acl/p', { policy })
  const { body } = await made.ask('write', 'auth/token/create', { policies: ['p'] })
  const auth = body['auth'] as { client_token: string; accessor: string }
  return { token: auth.client_token, accessor: auth.accessor }
}

test('a bait is set out with sudo only, and what is wrong with it is said', async () => {
  const made = await testCore()
  const bad = async (data: Record<string, unknown>, text: RegExp) => {
    const { status, body } = await made.ask('write', 'sys/coffer/honey/x', data)
    equal(status, 400)
    match(String(body.errors), text)
  }
  await bad({}, /missing kind/)
  await bad({ kind: 'kv' }, /missing path/)
  await bad({ kind: 'kv', path: 'nowhere/x' }, /no mount that keeps secrets/)
  await bad({ kind: 'kv', path: 'secret/app/' }, /not a folder/)
  await bad({ kind: 'approle' }, /missing role/)
  await bad({ kind: 'approle', role: 'none' }, /could not be read/)
  await bad({ kind: 'approle', role: 'r', path: 'secret' }, /no approle is mounted/)
  await bad({ kind: 'token', accessor: 'none' }, /no token of that accessor/)
  const kv = { kind: 'kv', path: 'secret/x' }
  await bad({ ...kv, webhook: 'ftp://h/' }, /http/)
  await bad({ ...kv, webhook: 'https://user:pw@h/' }, /without a user/)
  await bad({ ...kv, webhook_key: 'k' }, /no use without/)
  const rule = (path: string, capabilities: string) =>
    `path "${path}" { capabilities = [${capabilities}] }`
  const policy =
    rule('sys/coffer/honey/*', '"create", "update"') + rule('secret/metadata/*', '"read"')
  const { token } = await tokenFor(made, policy)
  equal((await made.ask('write', 'sys/coffer/honey/x', kv, { token })).status, 403)
  await tokenFor(made, policy.replace('"update"', '"update", "sudo"'))
  equal((await made.ask('write', 'sys/coffer/honey/x', kv, { token })).status, 200)
  // Whoever sets one out must be allowed to see what is there.
  equal(
    (await made.ask('write', 'sys/coffer/honey/y', { ...kv, path: 'kv1/x' }, { token })).status,
    403,
  )
  await bad({ ...kv, kind: 'nothing' }, /kv, approle, token/)
  // It has one name: an alarm is one alarm.
  equal((await made.ask('write', 'sys/coffer/honey/x', kv)).status, 200)
  const again = await made.ask('write', 'sys/coffer/honey/again', kv)
  match(String(again.body.errors), /bait already, under another name/)
})

test('a bait is listed, read without its key, replaced and removed', async () => {
  const made = await testCore()
  await baited(made, { webhook: 'https://hooks.example/T0/very-secret' })
  const { body, text } = await made.ask('read', 'sys/coffer/honey/wiki')
  deepEqual(body.data, {
    kind: 'kv',
    path: 'secret/app/old-root',
    note: 'from the wiki',
    set_time: '2026-01-01T00:00:00Z',
    webhook: 'https://hooks.example',
  })
  ok(!text.includes('very-secret'))
  deepEqual((await made.ask('list', 'sys/coffer/honey')).body.data, { keys: ['wiki'] })
  const moved = await made.ask('write', 'sys/coffer/honey/wiki', {
    kind: 'kv',
    path: 'secret/else',
  })
  equal(moved.status, 200)
  await made.ask('read', 'secret/data/app/old-root')
  deepEqual(touches(made), [])
  await made.ask('read', 'secret/data/else')
  equal(touches(made).length, 1)
  equal((await made.ask('delete', 'sys/coffer/honey/wiki')).status, 204)
  equal((await made.ask('read', 'sys/coffer/honey/wiki')).status, 404)
  await made.ask('read', 'secret/data/else')
  equal(touches(made).length, 1)
})

test('every way to a secret is a touch, also one that is refused; what lies beside it is none', async () => {
  const made = await testCore()
  await baited(made)
  const quiet = [
    ['read', 'secret/data/app/other'],
    ['list', 'secret/metadata/app/'],
    ['read', 'kv1/app/old-root'],
    ['read', 'sys/coffer/honey/wiki'],
  ] as const
  for (const [verb, path] of quiet) await made.ask(verb, path)
  deepEqual(touches(made), [])
  let count = 0
  const loud = async (verb: 'read' | 'write' | 'delete', path: string, data = {}, ask = {}) => {
    await made.ask(verb, path, data, ask)
    equal(touches(made).length, ++count, path)
  }
  for (const part of ['data', 'metadata', 'subkeys'])
    await loud('read', `secret/${part}/app/old-root`)
  await loud('write', 'secret/data/app/old-root', { data: { password: PLANTED } })
  await loud('write', 'secret/undelete/app/old-root', { versions: [1] })
  await loud('read', 'secret/data/app/old-root', {}, { token: undefined })
  await loud('read', 'secret/data/app/old-root', {}, { token: 'hvs.none' })
  // Through what reads many secrets at once.
  await loud('write', 'sys/coffer/read', { paths: ['secret/data/app/old-root', 'kv1/x'] })
  await loud('write', 'sys/coffer/fingerprints', { path: 'secret/' })
  await loud('delete', 'secret/metadata/app/old-root')
})

test('who touches a bait is told of everywhere but in the answer', async () => {
  const made = await testCore()
  await baited(made)
  const plain = await made.ask('write', 'secret/data/app/plain', { data: { password: PLANTED } })
  equal(plain.status, 200)
  const { token, accessor } = await tokenFor(
    made,
    'path "secret/data/*" { capabilities = ["read"] }',
  )
  const seen = await watch(made, { prefix: 'sys/coffer/honey/' })
  const blind = await watch(made, { prefix: '', token })
  const entries = audited(made)
  const ask = { token, remoteAddress: '192.0.2.7' }
  const bait = await made.ask('read', 'secret/data/app/old-root', {}, ask)
  const other = await made.ask('read', 'secret/data/app/plain', {}, ask)
  const shape = (text: string) => text.replace(/"request_id":"[^"]*"/, '')
  equal(bait.status, other.status)
  equal(shape(bait.text), shape(other.text))
  deepEqual(bait.headers, other.headers)
  await settled()
  const told = entries.filter(({ type }) => type === 'honey')
  equal(told.length, 1)
  deepEqual(told[0]!['honey'], { name: 'wiki', kind: 'kv' })
  const request = told[0]!['request'] as Record<string, unknown>
  deepEqual([request['path'], request['remote_address']], ['secret/data/app/old-root', '192.0.2.7'])
  equal((told[0]!['auth'] as Record<string, unknown>)['accessor'], accessor)
  const [line] = touches(made)
  match(
    line!,
    /^warn: bait "wiki" \(kv\) was touched: read "secret\/data\/app\/old-root" from 192\.0\.2\.7/,
  )
  ok(line!.includes(accessor) && !line!.includes(token))
  deepEqual(
    seen.events.map(({ type, path }) => [type, path]),
    [['honey.touched', 'sys/coffer/honey/wiki']],
  )
  // Who may not read the bait is not told that it is one.
  deepEqual(
    blind.events.filter(({ type }) => type === 'honey.touched'),
    [],
  )
  seen.cut()
  blind.cut()
})

test('a token that is bait is touched by its use, when it has been revoked too', async () => {
  const made = await testCore()
  const { token, accessor } = await tokenFor(made, 'path "kv1/*" { capabilities = ["read"] }')
  equal((await made.ask('write', 'sys/coffer/honey/t', { kind: 'token', accessor })).status, 200)
  await made.ask('read', 'kv1/x', {}, { token })
  await made.ask('read', 'secret/data/x', {}, { token })
  equal(touches(made).length, 2)
  await made.ask('write', 'auth/token/revoke-accessor', { accessor })
  equal((await made.ask('read', 'kv1/x', {}, { token })).status, 403)
  equal(touches(made).length, 3)
  ok(!made.logs.join('\n').includes(token))
})

test('a role that is bait is touched by a login with its id, whatever the secret id', async () => {
  const made = await testCore()
  await made.ask('write', 'auth/approle/role/old', { token_policies: ['default'] })
  await made.ask('write', 'auth/approle/role/new', { token_policies: ['default'] })
  const idOf = async (role: string) =>
    (await made.ask('read', `auth/approle/role/${role}/role-id`)).body.data!['role_id']
  const secret = (await made.ask('write', 'auth/approle/role/old/secret-id')).body.data![
    'secret_id'
  ]
  equal(
    (await made.ask('write', 'sys/coffer/honey/r', { kind: 'approle', role: 'old' })).status,
    200,
  )
  const login = (role_id: unknown, secret_id: unknown) =>
    made.ask('write', 'auth/approle/login', { role_id, secret_id }, { token: undefined })
  await login(await idOf('new'), 'wrong')
  deepEqual(touches(made), [])
  equal((await login(await idOf('old'), 'wrong')).status, 400)
  const { body } = await login(await idOf('old'), secret)
  ok(body['auth'])
  equal(touches(made).length, 2)
})

test('the webhook is told, signed, and again until it has taken it; the caller does not wait', async (t) => {
  const made = await testCore()
  const got: WebRequest[] = []
  let next = () => {}
  const web = await webServer({
    '/hook': (request) => {
      got.push(request)
      next()
      return { status: got.length === 1 ? 500 : 200, body: {} }
    },
  })
  t.after(() => web.close())
  const arrived = () => new Promise<void>((done) => (next = done))
  await baited(made, { webhook: `${web.url}/hook`, webhook_key: 'the-key' })
  const first = arrived()
  equal((await made.ask('read', 'secret/data/app/old-root')).status, 200)
  await first
  while (!made.logs.some((line) => line.includes('it is tried again'))) await settled(1)
  // A touch while one is on its way goes with the next.
  await made.ask('read', 'secret/metadata/app/old-root')
  const second = arrived()
  made.clock.advance(250)
  await second
  await arrived()
  equal(got[0]!.body, got[1]!.body)
  const [, retried, other] = got
  for (const { headers, body } of [retried!, other!]) {
    const mac = createHmac('sha256', 'the-key').update(
      `${String(headers['x-coffer-timestamp'])}.${body}`,
    )
    equal(headers['x-coffer-signature'], `sha256=${mac.digest('hex')}`)
    ok(!body.includes(PLANTED) && !body.includes(made.root) && !body.includes('the-key'))
  }
  const told = JSON.parse(retried!.body) as { bait: object; touches: Record<string, unknown>[] }
  deepEqual(told.bait, {
    name: 'wiki',
    kind: 'kv',
    path: 'secret/app/old-root',
    note: 'from the wiki',
  })
  deepEqual(
    [
      told.touches[0]!['path'],
      told.touches[0]!['remote_address'],
      told.touches[0]!['display_name'],
    ],
    ['secret/data/app/old-root', '127.0.0.1', 'root'],
  )
  ok(!made.logs.join('\n').includes('/hook'))
})

test('a key is made where none was given, told once, and kept when the bait is replaced', async () => {
  const made = await testCore()
  const bait = { kind: 'kv', path: 'secret/x', webhook: 'https://hooks.example/a' }
  const first = await made.ask('write', 'sys/coffer/honey/x', bait)
  match(String(first.body.data!['webhook_key']), /^[\w-]{43}$/)
  const again = await made.ask('write', 'sys/coffer/honey/x', bait)
  equal(again.body.data!['webhook_key'], undefined)
})

test('a bait counts in every process at once, and each tells of what it has seen itself', async () => {
  const made = await testCore()
  const other = await made.sibling()
  await other.ask('read', 'secret/data/app/old-root')
  await baited(made)
  await other.ask('read', 'secret/data/app/old-root')
  await settled()
  equal(touches(made).length, 1)
  await made.ask('delete', 'sys/coffer/honey/wiki')
  await other.ask('read', 'secret/data/app/old-root')
  await settled()
  equal(touches(made).length, 1)
})

test('a namespace has baits of its own', async () => {
  const made = await tenants()
  const { client_token: admin } = await made.admin('a')
  await made.ask(
    'write',
    'sys/mounts/secret',
    { type: 'kv', options: { version: '2' } },
    { namespace: 'a' },
  )
  const at = { namespace: 'a', token: admin }
  const bait = { kind: 'kv', path: 'secret/x' }
  equal((await made.ask('write', 'sys/coffer/honey/x', bait, at)).status, 200)
  await made.ask('read', 'secret/data/x')
  deepEqual(touches(made), [])
  await made.ask('read', 'a/secret/data/x')
  match(touches(made)[0]!, /read "a\/secret\/data\/x"/)
  deepEqual((await made.ask('list', 'sys/coffer/honey')).status, 404)
  // A token of the root is none of a tenant's.
  const { body } = await made.ask('write', 'auth/token/create', {})
  const { accessor } = body['auth'] as { accessor: string }
  equal(
    (await made.ask('write', 'sys/coffer/honey/t', { kind: 'token', accessor }, at)).status,
    400,
  )
})
