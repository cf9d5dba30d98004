import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type AskOptions, testCore, type TestCore } from '../../../test/support/test-core.ts'

type Auth = Record<string, unknown> & { client_token: string; policies: string[] }

const authOf = (answer: { body: Record<string, unknown> }) => answer.body['auth'] as Auth

/** A core with a few policies, and one line to make a token of them. */
async function house() {
  const core = await testCore()
  const { ask } = core
  const policy = (name: string, text: string) =>
    ask('write', `sys/policies/acl/${name}`, { policy: text })
  await policy('maker', 'path "auth/token/*" { capabilities = ["create", "read", "update"] }')
  await policy(
    'boss',
    'path "auth/token/*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }',
  )
  await policy('web', 'path "kv1/web" { capabilities = ["read"] }')
  const make = async (data: Record<string, unknown> = {}, options: AskOptions = {}) => {
    const answer = await ask('write', 'auth/token/create', data, options)
    equal(answer.status, 200, answer.text)
    return authOf(answer)
  }
  return { ...core, make }
}

async function refused(
  { ask }: TestCore,
  data: Record<string, unknown>,
  options: AskOptions & { path?: string } = {},
): Promise<string> {
  const answer = await ask('write', options.path ?? 'auth/token/create', data, options)
  equal(answer.status, 400, answer.text)
  return answer.body.errors![0]!
}

test('create refuses what only sudo may ask for', async () => {
  const core = await house()
  const { client_token: token } = await core.make({ policies: ['maker'] })
  const cases: [Record<string, unknown>, string][] = [
    [{ id: 'mine' }, 'root or sudo privileges required to specify token id'],
    [{ no_parent: true }, 'root or sudo privileges required to create orphan token'],
    [{ period: '1h' }, 'root or sudo privileges required to create periodic token'],
    [{ policies: ['web'] }, 'child policies must be subset of parent'],
    [{ policies: ['maker', 'web'] }, 'child policies must be subset of parent'],
    [{ policies: ['root'] }, 'child policies must be subset of parent'],
  ]
  for (const [data, text] of cases) equal(await refused(core, data, { token }), text)
})

test('create refuses requests that make no sense', async () => {
  const core = await house()
  const cases: [Record<string, unknown>, string][] = [
    [{ num_uses: -1 }, 'number of uses cannot be negative'],
    [{ type: 'wooden' }, "invalid 'token_type' value"],
    [{ type: 'batch' }, 'batch tokens cannot be root tokens'],
    [{ type: 'batch', policies: 'web', num_uses: 2 }, 'batch tokens cannot have "num_uses" set'],
    [{ type: 'batch', policies: 'web', period: 60 }, 'batch tokens cannot have "period" set'],
    [
      { type: 'batch', policies: 'web', explicit_max_ttl: 60 },
      'batch tokens cannot have "explicit_max_ttl" set',
    ],
    [{ type: 'batch', policies: 'web', id: 'x' }, 'batch tokens cannot have "id" set'],
    [{ entity_alias: 'x' }, "'entity_alias' is only allowed in combination with token role"],
    [{ policies: ['response-wrapping'] }, 'cannot assign policy "response-wrapping"'],
    [{ policies: ['control-group'] }, 'cannot assign policy "control-group"'],
    [{ id: 'hvs.mine' }, "custom token ID cannot have the 'hvs.' prefix"],
    [{ id: 's.mine' }, "custom token ID cannot have the 's.' prefix"],
    [{ id: 'a.b' }, "custom token ID cannot have a '.' in the value"],
    [{ id: 'a b' }, 'custom token ID must be printable ASCII without spaces'],
  ]
  for (const [data, text] of cases) equal(await refused(core, data), text)
  equal(await refused(core, {}, { path: 'auth/token/create/nobody' }), 'unknown role nobody')
  match(await refused(core, { ttl: '-5s' }), /^Field validation failed: .*"ttl"/)
})

test('create refuses a parent that is limited in its uses, even in the last one', async () => {
  const core = await house()
  for (const num_uses of [1, 2]) {
    const { client_token: token } = await core.make({ policies: ['boss'], num_uses })
    const text = 'restricted use token cannot generate child tokens'
    equal(await refused(core, {}, { token }), text)
  }
})

test('create refuses a batch token as parent', async () => {
  const core = await house()
  const { client_token: token } = await core.make({ policies: ['boss'], type: 'batch' })
  equal(await refused(core, {}, { token }), 'batch tokens cannot create more tokens')
})

test('create refuses a custom id that is taken, also by a token that has just ended', async () => {
  const core = await house()
  await core.make({ id: 'mine', policies: ['web'], ttl: 10 })
  const text = 'cannot create a token with a duplicate ID'
  equal(await refused(core, { id: 'mine', policies: ['web'] }), text)
  core.core.expiry.stop()
  core.clock.advance(11_000)
  equal(await refused(core, { id: 'mine', policies: ['web'] }), text)
  await core.core.expiry.pass()
  equal((await core.make({ id: 'mine', policies: ['web'] })).client_token, 'mine')
})

test('create refuses an endless root token to a root token that ends', async () => {
  const core = await house()
  const { client_token: token } = await core.make({ policies: ['root'], ttl: '1h' })
  const text = 'expiring root tokens cannot create non-expiring root tokens'
  equal(await refused(core, {}, { token }), text)
  equal((await core.make({ ttl: '2h' }, { token }))['lease_duration'], 7200)
})

test('create stores nothing when the answer is an error', async () => {
  const core = await house()
  const before = (await core.ask('list', 'auth/token/accessors')).body.data
  await refused(core, { id: 'a b', policies: ['web'] })
  await refused(core, { policies: ['response-wrapping'] })
  deepEqual((await core.ask('list', 'auth/token/accessors')).body.data, before)
})

test('create gives a root child of a root token, which never ends', async () => {
  const { make, ask } = await house()
  const auth = await make()
  deepEqual(auth.policies, ['root'])
  equal(auth['lease_duration'], 0)
  equal(auth['renewable'], false)
  equal(auth['orphan'], false)
  const { data } = (await ask('read', 'auth/token/lookup-self', {}, { token: auth.client_token }))
    .body
  equal(data!['expire_time'], null)
  equal(data!['path'], 'auth/token/create')
  equal(data!['display_name'], 'token')
})

test('create gives what was asked for, and answers as Vault does', async () => {
  const { make } = await house()
  const auth = await make({
    policies: ['web', ' WEB ', 'maker'],
    meta: { team: 'blue' },
    display_name: 'ci job #7!',
    ttl: '2h',
    num_uses: 3,
  })
  match(auth.client_token, /^hvs\.[\w-]{90,}$/)
  match(String(auth['accessor']), /^[0-9A-Za-z]{24}$/)
  const { client_token: _, accessor: __, ...rest } = auth
  deepEqual(rest, {
    policies: ['default', 'maker', 'web'],
    token_policies: ['default', 'maker', 'web'],
    metadata: { team: 'blue' },
    lease_duration: 7200,
    renewable: true,
    entity_id: '',
    token_type: 'service',
    orphan: false,
    mfa_requirement: null,
    num_uses: 3,
  })
})

test('create makes names of any text', async () => {
  const { make, ask } = await house()
  for (const [given, shown] of [
    ['ci job #7!', 'token-ci-job--7'],
    ['plain', 'token-plain'],
    ['x_', 'token-x'],
    ['', 'token'],
  ]) {
    const { client_token: token } = await make({ policies: 'web', display_name: given })
    const { body } = await ask('write', 'auth/token/lookup', { token })
    equal(body.data!['display_name'], shown)
  }
})

test('create adds the default policy unless told not to', async () => {
  const { make } = await house()
  deepEqual((await make({ policies: ['web'] })).policies, ['default', 'web'])
  deepEqual((await make({ policies: ['web'], no_default_policy: true })).policies, ['web'])
  const both = await make({ policies: ['web', 'default'], no_default_policy: true })
  deepEqual(both.policies, ['web'])
  // Naming nothing is asking for nothing; naming no names is inheriting.
  deepEqual((await make({ policies: [''] })).policies, ['default'])
  deepEqual((await make({ policies: [] })).policies, ['root'])
})

test('create without sudo gives default only if the parent has it', async () => {
  const { make } = await house()
  const bare = await make({ policies: ['maker', 'web'], no_default_policy: true })
  const full = await make({ policies: ['maker', 'web'] })
  const child = (token: string, data = {}) => make({ policies: ['web'], ...data }, { token })
  deepEqual((await child(bare.client_token)).policies, ['web'])
  deepEqual((await child(full.client_token)).policies, ['default', 'web'])
  deepEqual((await child(full.client_token, { no_default_policy: true })).policies, ['web'])
  deepEqual((await make({}, { token: bare.client_token })).policies, ['maker', 'web'])
})

test('create warns of policies that are not there, and of unknown fields', async () => {
  const { ask } = await house()
  const { body } = await ask('write', 'auth/token/create', { policies: ['nope', 'web'], colour: 1 })
  deepEqual((body['warnings'] as string[]).toSorted(), [
    'Endpoint ignored these unrecognized parameters: [colour]',
    'Policy "nope" does not exist',
  ])
})

test('create takes a custom id from root, with a warning', async () => {
  const { ask } = await house()
  const { body } = await ask('write', 'auth/token/create', { id: 'my-id', policies: ['web'] })
  match((body['warnings'] as string[])[0]!, /^Supplying a custom ID for the token.*SHA1/)
  equal((await ask('read', 'auth/token/lookup-self', {}, { token: 'my-id' })).status, 200)
})

test('create keeps to the maximum of the mount and says so', async () => {
  const { ask } = await house()
  const long = await ask('write', 'auth/token/create', { policies: 'web', ttl: '1000h' })
  equal(authOf(long)['lease_duration'], 2_764_800)
  deepEqual(long.body['warnings'], [
    'TTL of "1000h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly',
  ])
  const period = await ask('write', 'auth/token/create', { policies: 'web', period: '1000h' })
  equal(authOf(period)['lease_duration'], 2_764_800)
  deepEqual(period.body['warnings'], [
    'period of "1000h" exceeded the effective max_ttl of "768h"; period value is capped accordingly',
  ])
  const explicit = await ask('write', 'auth/token/create', {
    policies: 'web',
    ttl: '2h',
    explicit_max_ttl: '1h',
  })
  equal(authOf(explicit)['lease_duration'], 3600)
  deepEqual(explicit.body['warnings'], [
    'TTL of "2h" exceeded the effective max_ttl of "1h"; TTL value is capped accordingly',
  ])
  const root = await ask('write', 'auth/token/create', { explicit_max_ttl: '1h' })
  equal(authOf(root)['lease_duration'], 3600)
})

test('create-orphan needs no sudo and makes a token that outlives its maker', async () => {
  const { make, ask } = await house()
  const { client_token: token } = await make({ policies: ['maker'] })
  const orphan = authOf(await ask('write', 'auth/token/create-orphan', {}, { token }))
  const child = authOf(await ask('write', 'auth/token/create', {}, { token }))
  equal(orphan['orphan'], true)
  equal(child['orphan'], false)
  equal((await ask('write', 'auth/token/revoke', { token })).status, 204)
  const look = (id: string) => ask('read', 'auth/token/lookup-self', {}, { token: id })
  equal((await look(orphan.client_token)).status, 200)
  equal((await look(child.client_token)).status, 403)
})

test('create lets a child ask from where its parent may, an orphan from anywhere', async () => {
  const { make, ask } = await house()
  await ask('write', 'auth/token/roles/bound', { token_bound_cidrs: '10.0.0.0/8' })
  const data = { policies: ['boss'] }
  const { client_token: bound } = authOf(await ask('write', 'auth/token/create/bound', data))
  const from = { token: bound, remoteAddress: '10.1.2.3' }
  equal((await ask('read', 'auth/token/lookup-self', {}, { token: bound })).status, 403)
  const child = await make({}, from)
  const outside = { token: child.client_token, remoteAddress: '127.0.0.1' }
  equal((await ask('read', 'auth/token/lookup-self', {}, outside)).status, 403)
  const orphan = await make({ no_parent: true }, from)
  equal(
    (await ask('read', 'auth/token/lookup-self', {}, { token: orphan.client_token })).status,
    200,
  )
})

test('a batch token works, is found by no accessor and ends with its parent', async () => {
  const { make, ask, clock } = await house()
  const parent = await make({ policies: ['maker'] })
  const batch = await make({ type: 'batch', ttl: '1h' }, { token: parent.client_token })
  match(batch.client_token, /^hvb\.[\w-]{100,}$/)
  equal(batch['accessor'], '')
  equal(batch['renewable'], false)
  equal(batch['token_type'], 'batch')
  const look = () => ask('read', 'auth/token/lookup-self', {}, { token: batch.client_token })
  const { data } = (await look()).body
  equal(data!['type'], 'batch')
  equal(data!['renewable'], false)
  equal(data!['ttl'], 3600)
  clock.advance(3_599_999)
  equal((await look()).status, 200)
  clock.advance(1)
  equal((await look()).status, 403)
  const second = await make({ type: 'batch' }, { token: parent.client_token })
  await ask('write', 'auth/token/revoke', { token: parent.client_token })
  equal((await ask('read', 'cubbyhole/x', {}, { token: second.client_token })).status, 403)
})

test('descendants end with an ancestor before anything has cleaned up', async () => {
  const { make, ask, clock, core } = await house()
  const top = await make({ policies: ['maker'], ttl: 10 })
  const middle = await make({ ttl: '1h' }, { token: top.client_token })
  const low = await make({ ttl: '1h' }, { token: middle.client_token })
  const batch = await make({ ttl: '1h', type: 'batch' }, { token: middle.client_token })
  core.expiry.stop()
  clock.advance(10_000)
  for (const { client_token: token } of [top, middle, low, batch]) {
    equal((await ask('read', 'auth/token/lookup-self', {}, { token })).status, 403)
  }
  const { status } = await ask('write', 'auth/token/lookup-accessor', { accessor: low['accessor'] })
  equal(status, 400)
})

test('a wrapped create hides the token and can be opened once', async () => {
  const { ask } = await house()
  const options = { wrapTtlSeconds: 60 }
  const { body } = await ask('write', 'auth/token/create', { policies: 'web' }, options)
  equal(body['auth'], null)
  const info = body['wrap_info'] as Record<string, unknown>
  match(String(info['wrapped_accessor']), /^[0-9A-Za-z]{24}$/)
  const opened = await ask('write', 'sys/wrapping/unwrap', { token: info['token'] })
  ok(authOf(opened).client_token)
  notEqual((await ask('write', 'sys/wrapping/unwrap', { token: info['token'] })).status, 200)
})
