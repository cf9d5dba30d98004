import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import approle from './engine.ts'

type Row = [path: string, field: string, sent: unknown, read: unknown, reset: unknown]

// oxfmt-ignore
const rows: Row[] = [
  ['policies',              'token_policies',        'b,A',        ['a', 'b'],     []],
  ['period',                'token_period',          '1h',         3600,           0],
  ['bound-cidr-list',       'bound_cidr_list',       '10.0.0.0/8', ['10.0.0.0/8'], null],
  ['secret-id-bound-cidrs', 'secret_id_bound_cidrs', ['10.1.1.1'], ['10.1.1.1'],   null],
  ['token-bound-cidrs',     'token_bound_cidrs',     '10.0.0.0/8', ['10.0.0.0/8'], []],
  ['bind-secret-id',        'bind_secret_id',        'false',      false,          true],
  ['secret-id-num-uses',    'secret_id_num_uses',    '5',          5,              0],
  ['secret-id-ttl',         'secret_id_ttl',         '10m',        600,            0],
  ['token-num-uses',        'token_num_uses',        7,            7,              0],
  ['token-ttl',             'token_ttl',             '90s',        90,             0],
  ['token-max-ttl',         'token_max_ttl',         '2h',         7200,           0],
]

for (const [path, field, sent, read, reset] of rows) {
  test(`${path} writes, reads and resets ${field}`, async () => {
    const engine = testEngine(approle)
    const at = `role/web/${path}`
    equal(await engine.read(at), undefined)
    equal(await engine.delete(at), undefined)
    await rejects(engine.write(at, { [field]: sent }), {
      status: 404,
      message: `role name "web" doesn't exist`,
    })
    // A second constraint, so that any one field may be taken away.
    const other = path === 'token-bound-cidrs' ? 'secret_id_bound_cidrs' : 'token_bound_cidrs'
    await engine.write('role/web', { [other]: '10.0.0.0/8' })
    const before = dataOf(await engine.read('role/web'))

    await rejects(engine.write(at, {}), { status: 400, message: `missing ${field}` })
    equal(await engine.write(at, { [field]: sent }), undefined)
    deepEqual(dataOf(await engine.read(at)), { [field]: read })
    equal(await engine.delete(at), undefined)
    deepEqual(dataOf(await engine.read(at)), { [field]: reset })
    deepEqual(dataOf(await engine.read('role/web')), before)
  })
}

test('an empty list of blocks is missing, an empty list of policies is not', async () => {
  const engine = testEngine(approle)
  await engine.write('role/web', { token_policies: 'a' })
  for (const path of ['bound-cidr-list', 'secret-id-bound-cidrs', 'token-bound-cidrs']) {
    const field = path.replaceAll('-', '_')
    await rejects(engine.write(`role/web/${path}`, { [field]: '' }), {
      status: 400,
      message: `missing ${field}`,
    })
  }
  await engine.write('role/web/policies', { token_policies: '' })
  deepEqual(dataOf(await engine.read('role/web/policies')), { token_policies: [] })
})

test('a single field keeps the rules of the whole role', async () => {
  const engine = testEngine(approle)
  await engine.write('role/web', { token_max_ttl: 60 })
  const cases: [string, Record<string, unknown>, number][] = [
    ['bind-secret-id', { bind_secret_id: false }, 500],
    ['token-ttl', { token_ttl: 61 }, 400],
    ['secret-id-num-uses', { secret_id_num_uses: -1 }, 400],
    ['token-num-uses', { token_num_uses: -1 }, 400],
    ['secret-id-bound-cidrs', { secret_id_bound_cidrs: 'x' }, 400],
    ['token-bound-cidrs', { token_bound_cidrs: 'x' }, 400],
    ['policies', { token_policies: 'root' }, 400],
    ['period', { token_period: '100000h' }, 400],
  ]
  for (const [path, body, status] of cases) {
    await rejects(engine.write(`role/web/${path}`, body), { name: 'Failure', status })
  }
  await engine.write('role/db', { bind_secret_id: false, secret_id_bound_cidrs: '10.0.0.0/8' })
  await rejects(engine.delete('role/db/secret-id-bound-cidrs'), { status: 500 })
})

test('policies and period take the deprecated names, and show them once used', async () => {
  const engine = testEngine(approle)
  await engine.write('role/web')
  await engine.write('role/web/policies', { policies: 'a' })
  deepEqual(dataOf(await engine.read('role/web/policies')), {
    token_policies: ['a'],
    policies: ['a'],
  })
  await engine.write('role/web/period', { period: 30 })
  deepEqual(dataOf(await engine.read('role/web/period')), { token_period: 30, period: 30 })
  await engine.write('role/web/policies', { token_policies: 'b' })
  await engine.write('role/web/period', { token_period: 60 })
  deepEqual(dataOf(await engine.read('role/web/policies')), { token_policies: ['b'] })
  deepEqual(dataOf(await engine.read('role/web/period')), { token_period: 60 })
})

test('local-secret-ids can be read only', async () => {
  const engine = testEngine(approle)
  equal(await engine.read('role/web/local-secret-ids'), undefined)
  await engine.write('role/web', { local_secret_ids: true })
  deepEqual(dataOf(await engine.read('role/web/local-secret-ids')), { local_secret_ids: true })
  await rejects(engine.write('role/web/local-secret-ids', {}), { status: 405 })
})
