import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { type AskOptions, testCore } from '../../../test/support/test-core.ts'

type Data = Record<string, unknown>
type Auth = Data & { client_token: string; policies: string[] }

async function house() {
  const core = await testCore()
  const { ask } = core
  const maker = 'path "auth/token/create/*" { capabilities = ["update"] }'
  for (const [name, policy] of [
    ['maker', maker],
    ['web', 'path "kv1/web" { capabilities = ["read"] }'],
  ] as const) {
    await ask('write', `sys/policies/acl/${name}`, { policy })
  }
  const made = await ask('write', 'auth/token/create', { policies: ['maker'] })
  const { client_token: token } = made.body['auth'] as Auth
  return {
    ...core,
    token,
    role: (data: Data, name = 'r') => ask('write', `auth/token/roles/${name}`, data),
    create: (data: Data = {}, options: AskOptions = { token }) =>
      ask('write', 'auth/token/create/r', data, options),
    read: async () => (await ask('read', 'auth/token/roles/r')).body.data!,
  }
}

const authOf = (answer: { body: Data }) => answer.body['auth'] as Auth
const errorOf = (answer: { body: { errors?: string[] } }) => answer.body.errors?.[0]

test('a role refuses what makes no sense', async () => {
  const { role } = await house()
  const batch = { token_type: 'batch', orphan: true, renewable: false }
  const no = "'token_type' cannot be 'batch' when role is set to "
  const cases: [Data, string | RegExp][] = [
    [{ token_type: 'default' }, 'invalid \'token_type\' value "default"'],
    [{ ...batch, orphan: false }, `${no}generate non-orphan tokens`],
    [{ ...batch, token_period: 60 }, `${no}generate periodic tokens`],
    [{ ...batch, period: 60 }, `${no}generate periodic tokens`],
    [{ ...batch, renewable: true }, `${no}generate renewable tokens`],
    [{ ...batch, token_explicit_max_ttl: 5 }, `${no}generate tokens with an explicit max TTL`],
    [{ ...batch, token_num_uses: 5 }, `${no}generate tokens with limited use count`],
    [{ token_num_uses: -1 }, "'token_num_uses' cannot be negative"],
    [{ token_bound_cidrs: 'nowhere' }, /^error parsing 'token_bound_cidrs'/],
    [{ bound_cidrs: 'nowhere' }, /^error parsing 'token_bound_cidrs'/],
    [{ path_suffix: 'a/b' }, /^given role path suffix contains invalid characters/],
    [{ path_suffix: 'a..b' }, /parent references/],
    [{ allowed_policies: ['a\u200bb'] }, 'policy name must be printable'],
  ]
  for (const [data, text] of cases) {
    const answer = await role(data)
    equal(answer.status, 400, JSON.stringify(data))
    if (typeof text === 'string') equal(errorOf(answer), text)
    else match(errorOf(answer)!, text)
  }
  equal((await role({}, 'bad name')).status, 404)
})

test('a role that is not there is not found', async () => {
  const { ask } = await house()
  equal((await ask('read', 'auth/token/roles/r')).status, 404)
  equal((await ask('list', 'auth/token/roles')).status, 404)
  equal((await ask('delete', 'auth/token/roles/r')).status, 204)
})

test('a role is created, then updated, as policies see it', async () => {
  const { ask } = await house()
  const creator = 'path "auth/token/roles/*" { capabilities = ["create"] }'
  await ask('write', 'sys/policies/acl/creator', { policy: creator })
  const made = await ask('write', 'auth/token/create', { policies: ['creator'] })
  const { client_token: token } = authOf(made)
  equal((await ask('write', 'auth/token/roles/new', {}, { token })).status, 204)
  equal((await ask('write', 'auth/token/roles/new', {}, { token })).status, 403)
})

test('a role is read back with all it has, and keeps what is not given', async () => {
  const { ask, role, read } = await house()
  equal((await role({})).status, 204)
  const fresh = {
    name: 'r',
    allowed_entity_aliases: null,
    allowed_policies: [],
    allowed_policies_glob: [],
    disallowed_policies: [],
    disallowed_policies_glob: [],
    explicit_max_ttl: 0,
    orphan: false,
    path_suffix: '',
    period: 0,
    renewable: true,
    token_explicit_max_ttl: 0,
    token_no_default_policy: false,
    token_period: 0,
    token_type: 'default-service',
  }
  deepEqual(await read(), fresh)
  const change = {
    allowed_policies: 'Web, default',
    token_period: '1h',
    token_num_uses: 3,
    token_bound_cidrs: ['10.0.0.0/8'],
    allowed_entity_aliases: ['App-*'],
  }
  await role(change)
  await role({ orphan: true, renewable: false })
  deepEqual(await read(), {
    ...fresh,
    ...change,
    allowed_policies: ['default', 'web'],
    allowed_entity_aliases: ['app-*'],
    token_period: 3600,
    orphan: true,
    renewable: false,
  })
  deepEqual((await ask('list', 'auth/token/roles')).body.data, { keys: ['r'] })
  equal((await ask('delete', 'auth/token/roles/r')).status, 204)
  equal((await ask('read', 'auth/token/roles/r')).status, 404)
})

test('a role takes the old names of fields, and prefers the new ones', async () => {
  const { role, read } = await house()
  await role({ period: 60, explicit_max_ttl: 120, bound_cidrs: '10.0.0.0/8' })
  const { period, token_period, explicit_max_ttl, token_explicit_max_ttl } = await read()
  deepEqual([period, token_period, explicit_max_ttl, token_explicit_max_ttl], [60, 60, 120, 120])
  deepEqual((await read())['bound_cidrs'], ['10.0.0.0/8'])
  deepEqual((await read())['token_bound_cidrs'], ['10.0.0.0/8'])
  const { status, body } = await role({ period: 60, token_period: 90 })
  equal(status, 200)
  deepEqual(body['warnings'], [
    "Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value",
  ])
  deepEqual([(await read())['period'], (await read())['token_period']], [0, 90])
})

test('a role warns of a maximum that the mount does not allow', async () => {
  const { role } = await house()
  const { body } = await role({ token_explicit_max_ttl: '1000h' })
  match((body['warnings'] as string[])[0]!, /^Given explicit max TTL of 3600000 is greater/)
})

test('create with a role refuses policies that the role does not allow', async () => {
  const { role, create } = await house()
  await role({ allowed_policies: ['web'] })
  const other = await create({ policies: ['maker'] })
  equal(other.status, 400)
  equal(
    errorOf(other),
    'token policies (["default" "maker"]) must be subset of the role\'s allowed policies ' +
      '(["default" "web"]) or glob policies ([])',
  )
  await role({ allowed_policies: [], allowed_policies_glob: ['dev-*-ro', 'x*'] })
  for (const name of ['dev-ro', 'dev-a-rw', 'adev-b-ro', 'y']) {
    equal((await create({ policies: [name], no_default_policy: true })).status, 400, name)
  }
  for (const name of ['dev-a-ro', 'dev--ro', 'x', 'xy']) {
    equal((await create({ policies: [name], no_default_policy: true })).status, 200, name)
  }
})

test('create with a role refuses policies that the role disallows, however written', async () => {
  const { role, create } = await house()
  await role({ disallowed_policies: ['Admin'], disallowed_policies_glob: ['prod-*-RW'] })
  for (const name of ['admin', ' ADMIN\n', 'prod-x-rw', 'PROD-x-rw']) {
    const answer = await create({ policies: [name] })
    equal(answer.status, 400)
    equal(errorOf(answer), `token policy "${name.trim().toLowerCase()}" is disallowed by this role`)
  }
  deepEqual(authOf(await create({ policies: ['web'] })).policies, ['default', 'web'])
  await role({ disallowed_policies: ['maker'] })
  // What would be inherited is judged as well.
  equal(errorOf(await create()), 'token policy "maker" is disallowed by this role')
})

test('create with a role gives what the role allows when nothing is named', async () => {
  const { role, create } = await house()
  await role({ allowed_policies: ['web'] })
  deepEqual(authOf(await create()).policies, ['default', 'web'])
  deepEqual(authOf(await create({ no_default_policy: true })).policies, ['web'])
  await role({ token_no_default_policy: true })
  deepEqual(authOf(await create()).policies, ['web'])
  await role({ token_no_default_policy: false, disallowed_policies: ['default'] })
  deepEqual(authOf(await create()).policies, ['web'])
})

test('create with a role without lists keeps to the parent', async () => {
  const { role, create } = await house()
  await role({})
  deepEqual(authOf(await create()).policies, ['default', 'maker'])
  equal(errorOf(await create({ policies: ['web'] })), 'child policies must be subset of parent')
})

test('create with a role takes the entity of an alias that the role allows, and no other', async () => {
  const { ask, role, create } = await house()
  await role({})
  equal(errorOf(await create({ entity_alias: 'app' })), "invalid 'entity_alias' value")
  await role({ allowed_entity_aliases: ['app-*'] })
  equal(errorOf(await create({ entity_alias: 'other' })), "invalid 'entity_alias' value")
  const made = authOf(await create({ entity_alias: 'APP-1' }))
  equal(authOf(await create({ entity_alias: 'app-1' }))['entity_id'], made['entity_id'])
  const entity = await ask('read', `identity/entity/id/${String(made['entity_id'])}`)
  const [alias] = entity.body.data!['aliases'] as Record<string, unknown>[]
  deepEqual([alias!['name'], alias!['mount_path']], ['APP-1', 'auth/token/'])

  await ask('write', `identity/entity/id/${String(made['entity_id'])}`, { disabled: true })
  equal((await create({ entity_alias: 'app-1' })).status, 403)
})

test('create with a role makes tokens as the role says', async () => {
  const { ask, role, create } = await house()
  await role({
    allowed_policies: ['web'],
    orphan: true,
    renewable: false,
    path_suffix: 'v1',
    token_num_uses: 5,
    token_period: '1h',
    token_explicit_max_ttl: '3h',
    token_bound_cidrs: ['127.0.0.0/8'],
  })
  const { client_token: token } = authOf(await create())
  const { data } = (await ask('write', 'auth/token/lookup', { token })).body
  const shown = Object.fromEntries(
    ['path', 'role', 'orphan', 'renewable', 'num_uses', 'period'].map((key) => [key, data![key]]),
  )
  deepEqual(shown, {
    path: 'auth/token/create/r/v1',
    role: 'r',
    orphan: true,
    renewable: false,
    num_uses: 5,
    period: 3600,
  })
  equal(data!['explicit_max_ttl'], 10_800)
  deepEqual(data!['bound_cidrs'], ['127.0.0.0/8'])
})

test('create with a role takes the lesser of two limits and says so', async () => {
  const { role, create } = await house()
  await role({ token_period: 600, token_explicit_max_ttl: 1200, token_num_uses: 5 })
  const both = { period: '1h', explicit_max_ttl: '1h', num_uses: 9 }
  equal(errorOf(await create(both)), 'root or sudo privileges required to create periodic token')
  const { body } = await create(both, {})
  deepEqual(body['warnings'], [
    'Explicit max TTL specified both during creation call and in role; using the lesser value of 1200 seconds',
    'Period specified both during creation call and in role; using the lesser value of 600 seconds',
  ])
  const auth = body['auth'] as Auth
  equal(auth['lease_duration'], 600)
  equal(auth['num_uses'], 5)
  const less = { period: 60, explicit_max_ttl: 90, num_uses: 2 }
  const lesser = authOf(await create(less, {}))
  deepEqual([lesser['lease_duration'], lesser['num_uses']], [60, 2])
})

test('create with a role makes the type of token the role says', async () => {
  const { role, create } = await house()
  const made = async (token_type: string, data: Data = {}) => {
    await role({ token_type, orphan: true, renewable: false })
    return authOf(await create(data))['token_type']
  }
  equal(await made('default-service'), 'service')
  equal(await made('default-service', { type: 'batch' }), 'batch')
  equal(await made('default-batch'), 'batch')
  equal(await made('default-batch', { type: 'service' }), 'service')
  equal(await made('service', { type: 'batch' }), 'service')
  equal(await made('batch', { type: 'service' }), 'batch')
})

test("a role's maximum holds for batch tokens too, its period does not", async () => {
  const { role, create } = await house()
  await role({ token_type: 'default-batch', token_explicit_max_ttl: 60 })
  equal(authOf(await create({ ttl: '1h' }))['lease_duration'], 60)
  await role({ token_explicit_max_ttl: 0, token_period: 60 })
  equal(authOf(await create({ ttl: '1h' }))['lease_duration'], 3600)
  await role({ token_num_uses: 3 })
  equal(errorOf(await create()), 'batch tokens cannot have "num_uses" set')
})
