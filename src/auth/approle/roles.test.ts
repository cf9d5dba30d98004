import { deepEqual, equal, match, notEqual, rejects } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { type Call } from '../../kit/kit.ts'
import approle from './engine.ts'
import { changedRole, newRole, type RoleChange } from './role.ts'

const failure = (status: number, message: string, wrapped = false) => ({
  name: 'Failure',
  status,
  message,
  wrapped,
})

test('a role is refused without any constraint', async () => {
  const engine = testEngine(approle)
  await rejects(
    engine.write('role/web', { bind_secret_id: false }),
    failure(500, 'at least one constraint should be enabled on the role', true),
  )
  equal(engine.entries().size, 0)
  await engine.write('role/web', { bind_secret_id: false, secret_id_bound_cidrs: '10.0.0.0/8' })
  await engine.write('role/db', { bind_secret_id: false, token_bound_cidrs: '10.0.0.0/8' })
})

test('a role is refused when a value breaks a rule', async () => {
  const engine = testEngine(approle, { maxTtlSeconds: 3600 })
  const cases: [Record<string, unknown>, string][] = [
    [{ secret_id_num_uses: -1 }, 'secret_id_num_uses cannot be negative'],
    [
      { secret_id_bound_cidrs: 'nonsense' },
      'failed to validate CIDR blocks: expected addresses or blocks such as 10.0.0.0/8',
    ],
    [{ role_id: ' ' }, 'missing role_id'],
    [{ role_id: 'x'.repeat(4097) }, 'role_id is longer than maximum of 4096 bytes'],
    [
      { token_period: '2h' },
      `period of "2h0m0s" is greater than the backend's maximum lease TTL of "1h0m0s"`,
    ],
    [
      { token_ttl: '50m', token_max_ttl: '40m' },
      "'token_ttl' cannot be greater than 'token_max_ttl'",
    ],
    [
      { token_type: 'batch', token_num_uses: 2 },
      "'token_type' cannot be 'batch' when set to generate tokens with limited use count",
    ],
  ]
  for (const [body, message] of cases) {
    await rejects(engine.write('role/web', body), failure(400, message))
  }
  await rejects(
    engine.write(`role/${'x'.repeat(4097)}`, {}),
    failure(400, 'role_name is longer than maximum of 4096 bytes'),
  )
  equal(engine.entries().size, 0)
})

test('a role name outside the pattern is no path', async () => {
  const engine = testEngine(approle)
  for (const name of ['-web', 'web-', 'we b', 'wéb', '..', '%2e']) {
    await rejects(engine.write(`role/${name}`, {}), { status: 404 })
    await rejects(engine.read(`role/${name}/role-id`), { status: 404 })
  }
})

test('a role id belongs to one role', async () => {
  const engine = testEngine(approle)
  await engine.write('role/a', { role_id: 'shared' })
  const used = failure(500, 'role_id already in use', true)
  await rejects(engine.write('role/b', { role_id: 'shared' }), used)
  await rejects(engine.write('role/b', { role_id: ' shared ' }), used)
  await engine.write('role/b')
  await rejects(engine.write('role/b/role-id', { role_id: 'shared' }), used)
  await engine.write('role/a', { role_id: 'shared', token_ttl: 60 })

  await engine.write('role/a/role-id', { role_id: 'other' })
  await engine.write('role/b/role-id', { role_id: 'shared' })
  deepEqual(dataOf(await engine.read('role/b/role-id')), { role_id: 'shared' })
  equal([...engine.entries().keys()].filter((key) => key.startsWith('role-id/')).length, 2)
})

test('role-id refuses no id and answers nothing for a missing role', async () => {
  const engine = testEngine(approle)
  equal(await engine.read('role/web/role-id'), undefined)
  await rejects(
    engine.write('role/web/role-id', { role_id: 'x' }),
    failure(404, 'role "web" does not exist'),
  )
  await engine.write('role/web')
  await rejects(engine.write('role/web/role-id'), failure(400, 'missing role_id'))
  match(
    String(dataOf(await engine.read('role/web/role-id'))['role_id']),
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
})

test('local_secret_ids is settled when the role is made', async () => {
  const engine = testEngine(approle)
  await engine.write('role/web', { local_secret_ids: true })
  await rejects(
    engine.write('role/web', { local_secret_ids: false }),
    failure(400, 'local_secret_ids can only be modified during role creation'),
  )
  equal(dataOf(await engine.read('role/web'))['local_secret_ids'], true)
})

test('a role reads back with every default', async () => {
  const engine = testEngine(approle)
  equal(await engine.read('role/web'), undefined)
  equal(await engine.write('role/web'), undefined)
  deepEqual(dataOf(await engine.read('role/web')), {
    bind_secret_id: true,
    local_secret_ids: false,
    secret_id_bound_cidrs: null,
    secret_id_num_uses: 0,
    secret_id_ttl: 0,
    token_bound_cidrs: [],
    token_explicit_max_ttl: 0,
    token_max_ttl: 0,
    token_no_default_policy: false,
    token_num_uses: 0,
    token_period: 0,
    token_policies: [],
    token_ttl: 0,
    token_type: 'default',
  })
})

test('an update changes what it brings and keeps the rest', async () => {
  const engine = testEngine(approle)
  await engine.write('role/web', { token_policies: 'b,a', secret_id_ttl: '10m', token_ttl: '1h' })
  const before = dataOf(await engine.read('role/web/role-id'))
  await engine.write('role/web', { secret_id_num_uses: 3 })
  const role = dataOf(await engine.read('role/web'))
  deepEqual(role['token_policies'], ['a', 'b'])
  deepEqual([role['secret_id_ttl'], role['token_ttl'], role['secret_id_num_uses']], [600, 3600, 3])
  deepEqual(dataOf(await engine.read('role/web/role-id')), before)
})

test('the deprecated fields stand for the new ones and are shown only when used', async () => {
  const engine = testEngine(approle)
  await engine.write('role/web', { policies: 'a', period: 60, bound_cidr_list: '10.0.0.0/8' })
  const old = dataOf(await engine.read('role/web'))
  deepEqual([old['policies'], old['token_policies']], [['a'], ['a']])
  deepEqual([old['period'], old['token_period']], [60, 60])
  deepEqual(old['secret_id_bound_cidrs'], ['10.0.0.0/8'])

  await engine.write('role/web', { token_policies: 'b', token_period: 30 })
  const now = dataOf(await engine.read('role/web'))
  deepEqual([now['policies'], now['token_policies']], [undefined, ['b']])
  deepEqual([now['period'], now['token_period']], [undefined, 30])
})

test('changedRole() warns of settings that do not mean what they say', () => {
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const call = { random: randomBytes, mount: { maxTtlSeconds: 60 }, warn } as object
  const change = (given: RoleChange) =>
    changedRole(newRole({ random: randomBytes }), given, call as Call<unknown>)
  equal(change({ token_type: 'default-batch' }).token_type, 'batch')
  equal(change({ token_type: 'default-service' }).token_type, 'service')
  equal(change({ token_max_ttl: 60 }).token_max_ttl, 60)
  equal(change({ token_max_ttl: 61 }).token_max_ttl, 61)
  deepEqual(warnings, [
    'default-batch has no useful meaning; adjusting to batch',
    'default-service has no useful meaning; adjusting to service',
    "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL" +
      ' value will be truncated',
  ])
})

test('role names are the same in upper and lower case', async () => {
  const engine = testEngine(approle)
  await engine.write('role/Web-1', { token_ttl: 60 })
  await engine.write('role/WEB-1', { token_max_ttl: 120 })
  deepEqual(dataOf(await engine.list('role')), { keys: ['web-1'] })
  const role = dataOf(await engine.read('role/web-1'))
  deepEqual([role['token_ttl'], role['token_max_ttl']], [60, 120])
  equal(dataOf(await engine.read('role/wEb-1/token-ttl'))['token_ttl'], 60)
  await engine.delete('role/WeB-1')
  deepEqual(dataOf(await engine.list('role')), { keys: [] })
})

test('deleting a role removes all that was its own', async () => {
  const engine = testEngine(approle)
  equal(await engine.delete('role/web'), undefined)
  await engine.write('role/other')
  await engine.write('role/other/secret-id')
  const others = new Set(engine.entries().keys())
  await engine.write('role/web', { role_id: 'web' })
  const { secret_id } = dataOf(await engine.write('role/web/secret-id'))
  await engine.write('role/web/secret-id')
  await engine.delete('role/web')
  deepEqual(new Set(engine.entries().keys()), others)

  // The old secret id must not open the role's successor.
  await engine.write('role/web', { role_id: 'web' })
  await rejects(
    engine.write('login', { role_id: 'web', secret_id }),
    failure(400, 'invalid role or secret ID'),
  )
  const list = dataOf(await engine.list('role/web/secret-id'))
  deepEqual(list, { keys: [] })
  notEqual(secret_id, undefined)
})
