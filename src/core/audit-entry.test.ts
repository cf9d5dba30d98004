/** What stands in an audit line, and what must never stand there in clear. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAudit } from '../../test/support/fake-audit.ts'
import { testCore } from '../../test/support/test-core.ts'

type Entry = {
  type: string
  error?: string
  auth?: Record<string, unknown>
  request: Record<string, unknown> & { data?: Record<string, unknown> }
  response?: Record<string, Record<string, unknown>>
}

async function audited(options: Record<string, string> = {}) {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one', ...options } })
  const last = () => audit.entries().slice(-2) as [Entry, Entry]
  return { ...t, audit, last }
}

const HASH = /^hmac-sha256:[0-9a-f]{64}$/
let made = 0
const canary = () => `CANARY-${++made}-qqq`

test('an entry holds no value of any type or depth in clear', async () => {
  const { ask, audit } = await audited()
  const nested = () => ({
    text: canary(),
    list: [canary(), [canary(), { deep: canary() }]],
    object: { inner: { innermost: canary() } },
    pin: 918_273_645,
    exact: 918_273_645.25,
    truth: true,
    nothing: null,
  })
  await ask('write', 'secret/data/a', { data: nested(), options: { cas: 0 } })
  await ask('read', 'secret/data/a')
  await ask('write', 'kv1/a', nested())
  await ask('read', 'kv1/a')
  await ask('patch', 'secret/data/a', { data: { more: canary() } })
  await ask('write', 'secret/metadata/a', { custom_metadata: { note: canary() } })
  await ask('read', 'secret/metadata/a')
  await ask('write', 'cubbyhole/a', nested())
  await ask('write', 'sys/wrapping/wrap', nested(), { wrapTtlSeconds: 60 })
  await ask('write', 'sys/policies/acl/p', { policy: `# ${canary()}\npath "a" {}` })
  await ask('write', 'sys/unseal', { key: canary() })
  await ask('write', 'sys/tools/hash', { input: Buffer.from(canary()).toString('base64') })
  const text = audit.text()
  ok(!text.includes('CANARY'))
  ok(!text.includes(Buffer.from('CANARY').toString('base64').slice(0, 8)))
  ok(!text.includes('918273645'))
  ok(!text.includes('"truth":true'))
})

test('an entry holds no token, secret id or accessor in clear, wherever it stands', async () => {
  const { ask, audit, root } = await audited()
  const secrets: string[] = [root]
  const create = await ask('write', 'auth/token/create', { policies: ['default'] })
  const auth = create.body['auth'] as Record<string, string>
  const { client_token: token, accessor } = auth as { client_token: string; accessor: string }
  secrets.push(token, accessor)
  await ask('write', 'auth/approle/role/r', { token_policies: ['default'] })
  const role = (await ask('read', 'auth/approle/role/r/role-id')).body.data!['role_id'] as string
  const secret = (await ask('write', 'auth/approle/role/r/secret-id')).body.data as Record<
    string,
    string
  >
  secrets.push(role, secret['secret_id']!, secret['secret_id_accessor']!)
  const login = { role_id: role, secret_id: secret['secret_id'] }
  const logged = await ask('write', 'auth/approle/login', login, { token: undefined })
  secrets.push((logged.body['auth'] as Record<string, string>)['client_token']!)
  const wrapped = await ask('read', 'auth/token/lookup-self', {}, { token, wrapTtlSeconds: 60 })
  const info = wrapped.body['wrap_info'] as Record<string, string>
  secrets.push(info['token']!, info['accessor']!)
  await ask('write', 'sys/wrapping/lookup', { token: info['token'] })
  await ask('write', 'sys/wrapping/unwrap', {}, { token: info['token'] })
  await ask('write', 'auth/token/lookup', { token })
  await ask('write', 'auth/token/lookup-accessor', { accessor })
  await ask('list', 'auth/token/accessors')
  await ask('write', 'auth/token/renew', { token })
  await ask('write', 'auth/token/revoke-accessor', { accessor })
  const unknown = `hvs.${canary()}`
  for (const path of ['auth/token/lookup-self', 'nowhere', 'secret/data/a']) {
    await ask('read', path, {}, { token: unknown })
  }
  await ask('write', 'auth/token/lookup', { token: unknown })
  for (const each of [...secrets, unknown]) ok(each.length > 10 && !audit.text().includes(each))
})

test('an entry names what is clear as its field, and hashes it inside a secret or if it is odd', async () => {
  const { ask, last } = await audited()
  await ask('write', 'secret/metadata/a', { max_versions: 7, delete_version_after: '90s' })
  deepEqual(last()[0].request.data, { max_versions: 7, delete_version_after: '90s' })
  for (const odd of [{ deep: canary() }, canary(), [canary()]]) {
    await ask('write', 'secret/metadata/a', { max_versions: odd, cas_required: odd })
    ok(!JSON.stringify(last()).includes('CANARY'))
  }
  await ask('write', 'secret/data/a', { data: { version: canary(), max_versions: canary() } })
  ok(!JSON.stringify(last()).includes('CANARY'))
  await ask('write', 'secret/data/a', { version: canary(), data: {} })
  ok(!JSON.stringify(last()).includes('CANARY'))
})

test('an entry leaves in clear what the mount was told to leave, at any depth', async () => {
  const { ask, last } = await audited()
  await ask('write', 'sys/mounts/secret/tune', {
    audit_non_hmac_request_keys: ['app'],
    audit_non_hmac_response_keys: ['app'],
  })
  await ask('write', 'secret/data/a', { data: { app: 'shop', key: 'hunter2' } })
  const [asked] = last()
  const data = asked.request.data!['data'] as Record<string, string>
  equal(data['app'], 'shop')
  match(data['key']!, HASH)
  await ask('read', 'secret/data/a')
  const answer = last()[1].response!['data']!['data'] as Record<string, string>
  equal(answer['app'], 'shop')
  match(answer['key']!, HASH)
})

test('an entry says who, what, where and with what result', async () => {
  const { ask, audit, last, root } = await audited()
  await ask('write', 'secret/data/a', { data: { a: 'x' } }, { remoteAddress: '192.0.2.7' })
  const [asked, answered] = last()
  deepEqual([asked.type, answered.type], ['request', 'response'])
  equal(asked.request['operation'], 'create')
  equal(asked.request['path'], 'secret/data/a')
  equal(asked.request['mount_type'], 'kv')
  equal(asked.request['remote_address'], '192.0.2.7')
  deepEqual(asked.auth!['policies'], ['root'])
  equal((asked.auth!['policy_results'] as Record<string, unknown>)['allowed'], true)
  equal(asked.request['id'], answered.request['id'])
  const hash = async (input: string) => {
    const { body } = await ask('write', 'sys/audit-hash/one', { input })
    return body.data!['hash']
  }
  equal(asked.request['client_token'], await hash(root))
  equal((asked.request.data!['data'] as Record<string, string>)['a'], await hash('x'))
  await ask('read', 'secret/data/a', {}, { token: 'hvs.none' })
  const [refused] = last()
  match(refused.error!, /permission denied/)
  equal((refused.auth!['policy_results'] as Record<string, unknown>)['allowed'], false)
  // The device's trial and the answer to enabling it came first; since then, pairs.
  equal(audit.entries().length % 2, 0)
})

test('an entry of a token that comes again says what is so now, not what was so before', async () => {
  const { ask, last } = await audited()
  const put = (name: string, policy: string) => ask('write', `sys/policies/acl/${name}`, { policy })
  await put('one', 'path "secret/data/a" { capabilities = ["read"] }')
  await put('two', 'path "cubbyhole/*" { capabilities = ["read"] }')
  const made = await ask('write', 'auth/token/create', {
    policies: ['one', 'two'],
    no_default_policy: true,
  })
  const token = (made.body['auth'] as Record<string, string>)['client_token']!
  const said = async (path: string) => {
    await ask('read', path, {}, { token })
    const [{ auth, request }] = last()
    const { allowed, granting_policies: granting } = auth!['policy_results'] as {
      allowed: boolean
      granting_policies?: { name: string }[]
    }
    return [request['path'], request['mount_point'], allowed, granting?.map(({ name }) => name)]
  }
  const expected = [
    ['secret/data/a', 'secret/', true, ['one']],
    ['secret/data/b', 'secret/', false, undefined],
    ['cubbyhole/a', 'cubbyhole/', true, ['two']],
  ]
  for (const each of [...expected, ...expected.toReversed()]) {
    deepEqual(await said(each[0] as string), each)
  }
})

test('an entry shows accessors and counts keys when its device is told to', async () => {
  const { ask, last } = await audited({ hmac_accessor: 'false', elide_list_responses: 'true' })
  const created = await ask('write', 'auth/token/create', { policies: ['default'] })
  const auth = created.body['auth'] as Record<string, string>
  const [, answered] = last()
  equal(answered.response!['auth']!['accessor'], auth['accessor'])
  match(answered.response!['auth']!['client_token'] as string, HASH)
  await ask('write', 'secret/data/a', { data: {} })
  await ask('write', 'secret/data/b', { data: {} })
  await ask('list', 'secret/metadata')
  deepEqual(last()[1].response!['data'], { keys: 2 })
})
