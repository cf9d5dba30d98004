import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import {
  dataOf,
  memoryEntries,
  testEngine,
  type TestEngineOptions,
} from '../../../test/support/test-engine.ts'
import { type Call } from '../../kit/kit.ts'
import approle from './engine.ts'
import { loginEndpoint, renewLogin } from './login.ts'

const INVALID = { status: 400, message: 'invalid role or secret ID' }

async function engineWith(role: Record<string, unknown> = {}, options: TestEngineOptions = {}) {
  const engine = testEngine(approle, options)
  await engine.write('role/Web', { role_id: 'web', ...role })
  const make = async (body: Record<string, unknown> = {}) =>
    dataOf(await engine.write('role/web/secret-id', body))['secret_id'] as string
  const logIn = async (secret_id: unknown, role_id = 'web') =>
    (await engine.write('login', { role_id, secret_id }))?.login
  return { engine, make, logIn }
}

test('login refuses unknown, wrong and expired with one answer', async () => {
  const { engine, make, logIn } = await engineWith()
  const fresh = testEngine(approle)
  await rejects(fresh.write('login', { role_id: 'web', secret_id: 'x' }), INVALID)
  await engine.write('role/db', { role_id: 'db' })
  const secretId = await make({ ttl: 60 })
  await rejects(logIn(secretId, 'nobody'), INVALID)
  await rejects(logIn(secretId, 'db'), INVALID)
  await rejects(logIn(secretId, 'WEB'), INVALID)
  await rejects(logIn(secretId.slice(1)), INVALID)
  await rejects(logIn(secretId.toUpperCase()), INVALID)
  await rejects(logIn('x'.repeat(4097)), INVALID)
  await rejects(logIn(secretId, 'x'.repeat(4097)), INVALID)
  ok(await logIn(secretId))
  engine.clock.advance(60_000)
  await rejects(logIn(secretId), INVALID)
})

test('login names what is missing without saying whether the role is there', async () => {
  const { engine, logIn } = await engineWith()
  await rejects(engine.write('login', { secret_id: 'x' }), {
    status: 400,
    message: 'missing role_id',
  })
  for (const role of ['web', 'nobody']) {
    await rejects(logIn(' ', role), { status: 400, message: 'missing secret_id' })
  }
})

test('login does the same work for a missing role as for a wrong secret id', async (t) => {
  const { engine } = await engineWith()
  const entries = new Map(engine.entries())
  const store = memoryEntries(entries)
  const get = t.mock.method(store, 'get')
  const hash = t.mock.method(crypto, 'hash')
  syncBuiltinESMExports()
  const work = async (role_id: string) => {
    get.mock.resetCalls()
    hash.mock.resetCalls()
    const call = { data: { role_id, secret_id: 'wrong' }, store, now: 0 } as unknown
    await rejects(async () => loginEndpoint.write?.(call as Call<never>), INVALID)
    return [get.mock.callCount(), hash.mock.callCount()]
  }
  try {
    const [wrong, missing] = [await work('web'), await work('nobody')]
    deepEqual(missing, wrong)
    ok(wrong[0]! > 2 && wrong[1]! > 3)
  } finally {
    hash.mock.restore()
    syncBuiltinESMExports()
  }
})

test('login gives a token with the settings of the role', async () => {
  const { make, logIn } = await engineWith({
    token_policies: 'b,a',
    token_ttl: 60,
    token_max_ttl: 120,
    token_explicit_max_ttl: 180,
    token_num_uses: 3,
    token_no_default_policy: true,
    token_bound_cidrs: '127.0.0.0/8',
    token_type: 'service',
  })
  const secretId = await make({ metadata: '{"host":"h1","role_name":"forged"}' })
  deepEqual(await logIn(` ${secretId}\n`, ' web '), {
    alias: 'web',
    displayName: '',
    metadata: { host: 'h1', role_name: 'web' },
    token: {
      policies: ['a', 'b'],
      ttlSeconds: 60,
      maxTtlSeconds: 120,
      explicitMaxTtlSeconds: 180,
      periodSeconds: 0,
      numUses: 3,
      noDefaultPolicy: true,
      type: 'service',
      boundCidrs: ['127.0.0.0/8'],
    },
    internal: { role_name: 'web' },
    renewable: true,
  })
})

test('login passes batch tokens and periods through', async () => {
  const { engine, make, logIn } = await engineWith({ token_type: 'batch' })
  equal((await logIn(await make()))?.token.type, 'batch')
  await engine.write('role/web', { token_type: 'default', token_period: 60 })
  equal((await logIn(await make()))?.token.periodSeconds, 60)
})

test('login counts a secret id down and removes it with its last use', async () => {
  const { engine, make, logIn } = await engineWith({ secret_id_num_uses: 2 })
  const before = engine.entries().size
  const secretId = await make()
  engine.clock.advance(1000)
  ok(await logIn(secretId))
  const entry = dataOf(await engine.write('role/web/secret-id/lookup', { secret_id: secretId }))
  equal(entry['secret_id_num_uses'], 1)
  equal(entry['last_updated_time'], '2026-01-01T00:00:01Z')
  ok(await logIn(secretId))
  await rejects(logIn(secretId), INVALID)
  equal(engine.entries().size, before)
})

test('login leaves a secret id without a number of uses as it is', async () => {
  const { engine, make, logIn } = await engineWith()
  const secretId = await make()
  const entries = new Map(engine.entries())
  for (let i = 0; i < 3; i++) ok(await logIn(secretId))
  deepEqual(engine.entries(), entries)
})

test('login is bound to the addresses of role and secret id', async () => {
  const options = { remoteAddress: '10.1.0.1' }
  const { make, logIn } = await engineWith({ secret_id_bound_cidrs: '10.0.0.0/8' }, options)
  const anywhere = await make()
  const bound = await make({ cidr_list: '10.1.0.0/16', num_uses: 1 })
  options.remoteAddress = '10.2.0.1'
  ok(await logIn(anywhere))
  await rejects(logIn(bound), {
    status: 400,
    message: 'source address "10.2.0.1" unauthorized through CIDR restrictions on the secret ID',
  })
  options.remoteAddress = '11.0.0.1'
  await rejects(logIn(anywhere), {
    status: 400,
    message: 'source address "11.0.0.1" unauthorized by CIDR restrictions on the role',
  })
  // From the wrong address, a wrong secret id still learns nothing.
  await rejects(logIn('wrong'), INVALID)
  // A refused login has not used it up.
  options.remoteAddress = '::ffff:10.1.0.1'
  ok(await logIn(bound))
  await rejects(logIn(bound), INVALID)
})

test('login binds the token to the addresses of the secret id', async () => {
  const options = { remoteAddress: '10.1.0.1' }
  const { engine, make, logIn } = await engineWith({ token_bound_cidrs: '10.0.0.0/8' }, options)
  const secretId = await make({ token_bound_cidrs: '10.1.0.0/16' })
  const grant = await logIn(secretId)
  deepEqual(grant?.token.boundCidrs, ['10.1.0.0/16'])
  deepEqual((await logIn(await make()))?.token.boundCidrs, ['10.0.0.0/8'])
  const renewed = await renewLogin({ store: memoryEntries(engine.entries()) }, grant.internal ?? {})
  deepEqual(renewed?.boundCidrs, ['10.1.0.0/16'])

  options.remoteAddress = '10.2.0.1'
  await rejects(logIn(secretId), { status: 403 })
  // The role has been narrowed: a token for all of the secret id's blocks would be too wide.
  options.remoteAddress = '10.1.0.1'
  await engine.write('role/web', { token_bound_cidrs: '10.1.0.0/24' })
  await rejects(logIn(secretId), { status: 403 })
})

test('login needs no secret id when the role says so, only the right address', async () => {
  const options = { remoteAddress: '10.1.0.1' }
  const role = { bind_secret_id: false, secret_id_bound_cidrs: '10.0.0.0/8' }
  const { logIn } = await engineWith(role, options)
  deepEqual((await logIn(''))?.metadata, { role_name: 'web' })
  ok(await logIn('ignored'))
  options.remoteAddress = '11.0.0.1'
  await rejects(logIn(''), { status: 400 })
})

test('login follows the role id when it is changed', async () => {
  const { engine, make, logIn } = await engineWith()
  const secretId = await make()
  await engine.write('role/web/role-id', { role_id: 'new' })
  await rejects(logIn(secretId), INVALID)
  equal((await logIn(secretId, 'new'))?.alias, 'new')
})

test('renewLogin() gives the settings as they are now, and nothing once the role is gone', async () => {
  const { engine } = await engineWith({ token_ttl: 60 })
  await engine.write('role/web', { token_ttl: 90 })
  const renew = () => renewLogin({ store: memoryEntries(engine.entries()) }, { role_name: 'web' })
  equal((await renew())?.ttlSeconds, 90)
  await engine.delete('role/web')
  equal(await renew(), undefined)
})
