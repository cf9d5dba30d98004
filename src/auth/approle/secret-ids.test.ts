import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, testEngine, type TestEngineOptions } from '../../../test/support/test-engine.ts'
import approle from './engine.ts'

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

async function engineWith(role: Record<string, unknown> = {}, options: TestEngineOptions = {}) {
  const engine = testEngine(approle, options)
  await engine.write('role/web', { role_id: 'web', ...role })
  const make = async (body: Record<string, unknown> = {}, path = 'role/web/secret-id') =>
    dataOf(await engine.write(path, body)) as {
      secret_id: string
      secret_id_accessor: string
      secret_id_ttl: number
      secret_id_num_uses: number
    }
  return { engine, make }
}

test('every secret id endpoint refuses a missing role', async () => {
  const engine = testEngine(approle)
  const gone = { status: 404, message: 'role "web" does not exist' }
  await rejects(engine.write('role/web/secret-id'), gone)
  await rejects(engine.list('role/web/secret-id'), gone)
  await rejects(engine.write('role/web/custom-secret-id', { secret_id: 'x' }), gone)
  for (const path of ['lookup', 'destroy']) {
    await rejects(engine.write(`role/web/secret-id/${path}`, { secret_id: 'x' }), gone)
    const body = { secret_id_accessor: 'x' }
    await rejects(engine.write(`role/web/secret-id-accessor/${path}`, body), gone)
  }
})

test('every secret id endpoint refuses a missing id', async () => {
  const { engine } = await engineWith()
  for (const path of ['custom-secret-id', 'secret-id/lookup', 'secret-id/destroy']) {
    const missing = { status: 400, message: 'missing secret_id' }
    await rejects(engine.write(`role/web/${path}`, {}), missing)
    await rejects(engine.write(`role/web/${path}`, { secret_id: ' ' }), missing)
  }
  for (const path of ['lookup', 'destroy']) {
    await rejects(engine.write(`role/web/secret-id-accessor/${path}`, {}), {
      status: 400,
      message: 'missing secret_id_accessor',
    })
  }
})

test('a secret id is never wider than its role', async () => {
  const { engine } = await engineWith({
    secret_id_num_uses: 5,
    secret_id_ttl: 600,
    secret_id_bound_cidrs: '10.0.0.0/8',
    token_bound_cidrs: '10.1.0.0/16',
  })
  const uses = "num_uses cannot be higher than the role's secret_id_num_uses"
  const ttl = "ttl cannot be longer than the role's secret_id_ttl"
  const blocks = (inner: string, outer: string) =>
    `CIDR blocks on the secret ID ["${inner}"] should be a subset of CIDR blocks on the role ["${outer}"]`
  const cases: [Record<string, unknown>, number, string][] = [
    [{ num_uses: -1 }, 400, 'num_uses cannot be negative'],
    [{ num_uses: 6 }, 400, uses],
    [{ num_uses: 0 }, 400, uses],
    [{ ttl: 601 }, 400, ttl],
    [{ ttl: 0 }, 400, ttl],
    [{ cidr_list: '11.0.0.0/8' }, 500, blocks('11.0.0.0/8', '10.0.0.0/8')],
    [{ token_bound_cidrs: '10.0.0.0/8' }, 500, blocks('10.0.0.0/8', '10.1.0.0/16')],
  ]
  for (const [body, status, message] of cases) {
    await rejects(engine.write('role/web/secret-id', body), { status, message })
    const custom = { ...body, secret_id: 'custom' }
    await rejects(engine.write('role/web/custom-secret-id', custom), { status, message })
  }
  await rejects(engine.write('role/web/secret-id', { cidr_list: 'x' }), { status: 400 })
  await engine.write('role/web/secret-id', { num_uses: 5, ttl: 600, cidr_list: '10.2.0.0/16' })
})

test('no secret id is made for a role that needs none', async () => {
  const { engine } = await engineWith({
    bind_secret_id: false,
    secret_id_bound_cidrs: '10.0.0.0/8',
  })
  await rejects(engine.write('role/web/secret-id'), {
    status: 400,
    message: 'bind_secret_id is not set on the role',
  })
})

test('metadata that cannot be read is refused without repeating it', async () => {
  const { engine, make } = await engineWith()
  for (const metadata of ['canary', '{"canary":1}', '{"canary"', '["canary"]', '=canary', 'a=']) {
    await rejects(engine.write('role/web/secret-id', { metadata }), (error: Error) => {
      match(error.message, /^failed to parse metadata: /)
      return !error.message.includes('canary')
    })
  }
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  for (const metadata of ['{"a":"b"}', 'a=b', ' a = b ', base64('{"a":"b"}'), base64('a=b')]) {
    const { secret_id } = await make({ metadata })
    const entry = dataOf(await engine.write('role/web/secret-id/lookup', { secret_id }))
    deepEqual(entry['metadata'], { a: 'b' })
  }
})

test('a secret id comes with an accessor, both random, and the limits it got', async () => {
  const { make } = await engineWith({ secret_id_num_uses: 5, secret_id_ttl: 600 })
  const [first, second] = [await make(), await make({ num_uses: 2, ttl: '1m' })]
  match(first.secret_id, UUID4)
  match(first.secret_id_accessor, UUID4)
  ok(new Set([first, second].flatMap((s) => [s.secret_id, s.secret_id_accessor])).size === 4)
  deepEqual([first.secret_id_num_uses, first.secret_id_ttl], [5, 600])
  deepEqual([second.secret_id_num_uses, second.secret_id_ttl], [2, 60])
})

test('a secret id lives no longer than the mount allows', async () => {
  const { make } = await engineWith({}, { maxTtlSeconds: 60 })
  equal((await make({ ttl: '1h' })).secret_id_ttl, 60)
  equal((await make()).secret_id_ttl, 0)
})

test('lookup shows a secret id by itself and by its accessor', async () => {
  const { engine, make } = await engineWith({}, { now: Date.UTC(2026, 0, 1) + 250 })
  const { secret_id, secret_id_accessor } = await make({
    ttl: '1h',
    num_uses: 2,
    cidr_list: '10.0.0.0/8',
    token_bound_cidrs: ['10.1.1.1'],
    metadata: '{"a":"b"}',
  })
  const expected = {
    cidr_list: ['10.0.0.0/8'],
    creation_time: '2026-01-01T00:00:00.25Z',
    expiration_time: '2026-01-01T01:00:00.25Z',
    last_updated_time: '2026-01-01T00:00:00.25Z',
    metadata: { a: 'b' },
    secret_id_accessor,
    secret_id_num_uses: 2,
    secret_id_ttl: 3600,
    token_bound_cidrs: ['10.1.1.1'],
  }
  deepEqual(dataOf(await engine.write('role/WEB/secret-id/lookup', { secret_id })), expected)
  const byAccessor = await engine.write('role/web/secret-id-accessor/lookup', {
    secret_id_accessor,
  })
  deepEqual(dataOf(byAccessor), expected)

  const bare = await make()
  const found = await engine.write('role/web/secret-id/lookup', { secret_id: bare.secret_id })
  const { cidr_list, expiration_time, metadata, token_bound_cidrs } = dataOf(found)
  deepEqual([cidr_list, token_bound_cidrs, metadata], [[], [], {}])
  equal(expiration_time, '0001-01-01T00:00:00Z')
})

test('lookup of what is not there is 204 by secret id and 404 by accessor', async () => {
  const { engine } = await engineWith()
  equal(await engine.write('role/web/secret-id/lookup', { secret_id: 'x' }), undefined)
  const unknown = '9b0d4b6e-0000-4000-8000-000000000000'
  for (const secret_id_accessor of [unknown, 'x', '../../role/web', `${unknown}/`]) {
    await rejects(engine.write('role/web/secret-id-accessor/lookup', { secret_id_accessor }), {
      status: 404,
      message: `failed to find accessor entry for secret_id_accessor: "${secret_id_accessor}"`,
    })
  }
})

test('destroy ends a secret id by itself and by its accessor, with either method', async () => {
  const { engine, make } = await engineWith()
  const before = engine.entries().size
  for (const method of ['write', 'delete'] as const) {
    const { secret_id } = await make()
    equal(await engine[method]('role/web/secret-id/destroy', { secret_id }), undefined)
    equal(await engine[method]('role/web/secret-id/destroy', { secret_id }), undefined)
    const { secret_id_accessor } = await make()
    const path = 'role/web/secret-id-accessor/destroy'
    equal(await engine[method](path, { secret_id_accessor }), undefined)
    await rejects(engine[method](path, { secret_id_accessor }), {
      status: 403,
      message: 'invalid secret id accessor',
    })
  }
  // Only the salt is new; neither secret ids nor accessors stay behind.
  equal(engine.entries().size, before)
})

test('nothing of another role can be reached', async () => {
  const { engine, make } = await engineWith()
  await engine.write('role/db')
  const { secret_id, secret_id_accessor } = await make()
  const entries = new Map(engine.entries())
  await rejects(engine.write('role/db/secret-id-accessor/lookup', { secret_id_accessor }), {
    status: 404,
  })
  for (const method of ['write', 'delete'] as const) {
    await rejects(engine[method]('role/db/secret-id-accessor/destroy', { secret_id_accessor }), {
      status: 403,
    })
    equal(await engine[method]('role/db/secret-id/destroy', { secret_id }), undefined)
  }
  equal(await engine.write('role/db/secret-id/lookup', { secret_id }), undefined)
  deepEqual(dataOf(await engine.list('role/db/secret-id')), { keys: [] })
  deepEqual(engine.entries(), entries)
  deepEqual(dataOf(await engine.list('role/web/secret-id')), { keys: [secret_id_accessor] })
})

test('a custom secret id is taken once per role, and again after it has expired', async () => {
  const { engine, make } = await engineWith()
  const path = 'role/web/custom-secret-id'
  const first = await make({ secret_id: 'chosen', ttl: 60 }, path)
  equal(first.secret_id, 'chosen')
  for (const secret_id of ['chosen', ' chosen ']) {
    await rejects(engine.write(path, { secret_id }), {
      status: 500,
      message: 'SecretID is already registered',
    })
  }
  await engine.write('role/db')
  await make({ secret_id: 'chosen' }, 'role/db/custom-secret-id')
  const tooLong = { secret_id: 'x'.repeat(4097) }
  await rejects(engine.write(path, tooLong), { status: 400 })

  engine.clock.advance(60_000)
  const second = await make({ secret_id: 'chosen' }, path)
  deepEqual(dataOf(await engine.list('role/web/secret-id')), { keys: [second.secret_id_accessor] })
})

test('an expired secret id is gone at once, with no tidy', async () => {
  const { engine, make } = await engineWith()
  const { secret_id, secret_id_accessor } = await make({ ttl: 60 })
  engine.clock.advance(59_999)
  ok(await engine.write('role/web/secret-id/lookup', { secret_id }))
  engine.clock.advance(1)
  equal(await engine.write('role/web/secret-id/lookup', { secret_id }), undefined)
  await rejects(engine.write('role/web/secret-id-accessor/lookup', { secret_id_accessor }), {
    status: 404,
  })
})

test('tidy removes what has expired, and nothing else', async () => {
  const { engine, make } = await engineWith()
  await engine.write('role/db')
  await make({}, 'role/db/secret-id')
  await make({ ttl: 61 })
  const kept = [...engine.entries().keys()].sort()
  await make({ ttl: 60 })
  await make({ ttl: 60 }, 'role/db/secret-id')
  engine.clock.advance(60_000)
  const reply = await engine.write('tidy/secret-id')
  equal(reply?.status, 202)
  equal(reply?.warnings?.length, 1)
  deepEqual([...engine.entries().keys()].sort(), kept)
})

test('no secret id or role id is stored in clear where it is looked up', async () => {
  const { engine, make } = await engineWith({ role_id: 'role-id-canary' })
  const { secret_id } = await make()
  await make({ secret_id: 'chosen-canary' }, 'role/web/custom-secret-id')
  await engine.write('login', { role_id: 'role-id-canary', secret_id })
  for (const [key, value] of engine.entries()) {
    const text = key + JSON.stringify(value)
    ok(!text.includes(secret_id) && !text.includes('chosen-canary'), key)
    if (!key.startsWith('role/')) ok(!text.includes('role-id-canary'), key)
  }
  const digests = [...engine.entries().keys()].filter((key) => key.startsWith('secret/'))
  equal(digests.length, 2)
})

test('two mounts keep the same secret id under different digests', async () => {
  const keys = async () => {
    const { engine, make } = await engineWith()
    await make({ secret_id: 'chosen' }, 'role/web/custom-secret-id')
    return [...engine.entries().keys()].filter((key) => /^(role-id|secret)\//.test(key))
  }
  const [one, two] = [await keys(), await keys()]
  equal(one.length, 2)
  deepEqual(
    one.filter((key) => two.includes(key)),
    [],
  )
})

test('two roles keep the same secret id under different digests', async () => {
  const { engine, make } = await engineWith()
  await engine.write('role/db')
  await make({ secret_id: 'chosen' }, 'role/web/custom-secret-id')
  await make({ secret_id: 'chosen' }, 'role/db/custom-secret-id')
  const keys = [...engine.entries().keys()].filter((key) => key.startsWith('secret/'))
  equal(new Set(keys.map((key) => key.split('/')[2])).size, 2)
})

test('an entry answers only for the whole digest of its secret id', async () => {
  const { engine, make } = await engineWith()
  const { secret_id } = await make()
  for (const proof of ['', '00'.repeat(32)]) {
    for (const [key, entry] of engine.entries()) {
      if (key.startsWith('secret/')) engine.entries().set(key, { ...entry, proof })
    }
    equal(await engine.write('role/web/secret-id/lookup', { secret_id }), undefined)
    await rejects(engine.write('login', { role_id: 'web', secret_id }), { status: 400 })
  }
})

test('only what has the form of an accessor becomes part of a key', async () => {
  const { engine, make } = await engineWith()
  const { secret_id_accessor } = await make()
  for (const [key, entry] of new Map(engine.entries())) {
    if (key.endsWith(secret_id_accessor)) engine.entries().set(`${key}/deeper`, entry)
  }
  const deeper = { secret_id_accessor: `${secret_id_accessor}/deeper` }
  await rejects(engine.write('role/web/secret-id-accessor/lookup', deeper), { status: 404 })
  await rejects(engine.write('role/web/secret-id-accessor/destroy', deeper), { status: 403 })
})
