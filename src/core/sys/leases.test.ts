import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { type LeaseJob } from '../../kit/call.ts'
import { defineEngine, endpoint, lease, t } from '../../kit/kit.ts'
import { systemRandom } from '../../lib/random.ts'
import { type TestCore, testCore } from '../../../test/support/test-core.ts'
import approle from '../../auth/approle/engine.ts'
import { newMountEntry } from '../bootstrap.ts'
import { getLease } from '../leases.ts'

type Far = { revoked: string[]; renewed: [string, number][]; broken: boolean }

/** An engine whose foreign system is an array. */
function rental(far: Far) {
  const fail = () => {
    if (far.broken) throw new Error('the far system is away')
  }
  return defineEngine({
    type: 'rental',
    help: 'Lends things.',
    endpoints: [
      endpoint('thing/:name', {
        help: 'A thing for an hour, for three at most.',
        fields: {
          name: t.name({ help: 'Which.' }),
          fixed: t.bool({ help: 'Not to be renewed.', default: false }),
        },
        read: ({ data }) =>
          lease(
            { name: data.name },
            {
              kind: 'thing',
              secret: { name: data.name },
              ttlSeconds: 3600,
              maxTtlSeconds: 10_800,
              renewable: !data.fixed,
            },
          ),
      }),
    ],
    leases: {
      thing: {
        async revoke({ secret }: LeaseJob) {
          fail()
          far.revoked.push(String(secret['name']))
        },
        async renew({ secret }: LeaseJob, seconds) {
          fail()
          far.renewed.push([String(secret['name']), seconds])
        },
      },
    },
  })
}

type Rental = TestCore & { far: Far; take: (name: string, data?: object) => Promise<string> }

async function rentalCore(): Promise<Rental> {
  const far: Far = { revoked: [], renewed: [], broken: false }
  const made = await testCore({ engines: [rental(far), approle] })
  const tx = (await made.core.begin(false))!
  const { mounts } = await made.core.mounts.table(tx)
  const entry = newMountEntry({ path: 'rent/', class: 'secret', type: 'rental' }, systemRandom)
  made.core.mounts.save(tx, [...mounts, entry])
  await made.core.commit(tx)
  const take = async (name: string, data = {}) => {
    const { body } = await made.ask('read', `rent/thing/${name}`, { ...data })
    return body['lease_id'] as string
  }
  return { ...made, far, take }
}

const errorOf = async (answer: Promise<{ status: number; body: { errors?: string[] } }>) => {
  const { status, body } = await answer
  return [status, ...(body.errors ?? [])]
}

test('lease endpoints refuse ids that are not there', async () => {
  const { ask } = await rentalCore()
  for (const id of ['rent/thing/x/nope', '/x', 'x//y', '../x']) {
    const data = { lease_id: id }
    deepEqual(await errorOf(ask('write', 'sys/leases/lookup', data)), [400, 'invalid lease'])
    deepEqual(await errorOf(ask('write', 'sys/leases/renew', data)), [400, 'lease not found'])
    equal((await ask('write', 'sys/leases/revoke', data)).status, 204)
  }
  for (const path of ['lookup', 'renew', 'revoke']) {
    const missing = await errorOf(ask('write', `sys/leases/${path}`))
    deepEqual(missing, [400, 'lease_id must be specified'])
  }
  equal((await ask('list', 'sys/leases/lookup/nowhere')).status, 404)
})

test('lease endpoints that reach all leases ask for sudo', async () => {
  const { ask, take } = await rentalCore()
  const id = await take('a')
  await ask('write', 'sys/policies/acl/most', {
    policy: 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }',
  })
  const made = await ask('write', 'auth/approle/role/r', { token_policies: 'most' })
  equal(made.status, 204)
  const { body: role } = await ask('read', 'auth/approle/role/r/role-id')
  const { body: secret } = await ask('write', 'auth/approle/role/r/secret-id')
  const login = await ask('write', 'auth/approle/login', { ...role.data, ...secret.data })
  const { client_token: token } = login.body['auth'] as { client_token: string }
  for (const [verb, path] of [
    ['list', 'sys/leases/lookup'],
    ['list', 'sys/leases/lookup/rent'],
    ['write', 'sys/leases/revoke-prefix/rent'],
    ['write', 'sys/leases/revoke-force/rent'],
    ['write', 'sys/revoke-prefix/rent'],
    ['write', 'sys/revoke-force/rent'],
    ['read', 'sys/leases'],
  ] as const) {
    equal((await ask(verb, path, {}, { token })).status, 403, `${verb} ${path}`)
  }
  equal((await ask('write', 'sys/leases/lookup', { lease_id: id }, { token })).status, 200)
})

test('renew refuses what ended, what is fixed and what has lived its time', async () => {
  const { ask, take, clock } = await rentalCore()
  const fixed = await take('fixed', { fixed: true })
  deepEqual(await errorOf(ask('write', 'sys/leases/renew', { lease_id: fixed })), [
    400,
    'lease is not renewable',
  ])
  const id = await take('a')
  const negative = await ask('write', 'sys/leases/renew', { lease_id: id, increment: -1 })
  equal(negative.status, 400)
  clock.advance(3_599_000)
  equal((await ask('write', 'sys/leases/renew', { lease_id: id })).status, 200)
  await ask('write', 'sys/leases/revoke', { lease_id: id })
  deepEqual(await errorOf(ask('write', 'sys/leases/renew', { lease_id: id })), [
    400,
    'lease not found',
  ])
})

test('renew refuses a lease past its time that nothing has cleaned away', async () => {
  const { ask, take, clock, core } = await rentalCore()
  core.expiry.stop()
  const id = await take('a')
  clock.advance(3_600_000)
  deepEqual(await errorOf(ask('write', 'sys/leases/renew', { lease_id: id })), [
    400,
    'lease expired',
  ])
  deepEqual(await errorOf(ask('write', 'sys/leases/lookup', { lease_id: id })), [
    400,
    'invalid lease',
  ])
})

test('renew prolongs within the maximum counted from the issue', async () => {
  const { ask, take, clock, far } = await rentalCore()
  const id = await take('a')
  clock.advance(1_800_000)
  const first = await ask('write', 'sys/leases/renew', { lease_id: id, increment: '2h' })
  equal(first.status, 200)
  equal(first.body.data, null)
  deepEqual(
    [first.body['lease_id'], first.body['lease_duration'], first.body['renewable']],
    [id, 7200, true],
  )
  clock.advance(7_000_000)
  const last = await ask('write', `sys/leases/renew/${id}`, { increment: 20_000 })
  equal(last.body['lease_duration'], 10_800 - 8800)
  match((last.body['warnings'] as string[])[0]!, /^TTL of "5h33m20s" exceeded.*"3h";/)
  deepEqual(far.renewed, [
    ['a', 7200],
    ['a', 2000],
  ])
  const legacy = await ask('write', 'sys/renew', { lease_id: id })
  equal(legacy.body['lease_duration'], 2000)
  const { body } = await ask('write', 'sys/leases/lookup', { lease_id: id })
  deepEqual(body.data, {
    id,
    issue_time: '2026-01-01T00:00:00Z',
    expire_time: '2026-01-01T03:00:00Z',
    last_renewal: '2026-01-01T02:26:40Z',
    renewable: true,
    ttl: 2000,
  })
})

test('renew takes the old end back when the engine cannot', async () => {
  const { ask, take, far, core, clock } = await rentalCore()
  const id = await take('a')
  clock.advance(1000)
  far.broken = true
  equal((await ask('write', 'sys/leases/renew', { lease_id: id })).status, 500)
  const entry = (await getLease((await core.begin(false))!, id))!
  deepEqual([entry.expiresAt - entry.issuedAt, entry.lastRenewalAt], [3_600_000, undefined])
})

test('revoke ends a lease before it answers', async () => {
  const { ask, take, far } = await rentalCore()
  const id = await take('a')
  equal((await ask('write', 'sys/leases/revoke', { lease_id: id })).status, 204)
  deepEqual(far.revoked, ['a'])
  equal((await ask('write', `sys/revoke/${await take('b')}`)).status, 204)
  deepEqual(far.revoked, ['a', 'b'])
})

test('revoke without sync answers 202 and expiry ends the lease', async () => {
  const { ask, take, far, core } = await rentalCore()
  const id = await take('a')
  equal((await ask('write', 'sys/leases/revoke', { lease_id: id, sync: false })).status, 202)
  deepEqual(far.revoked, [])
  deepEqual(await errorOf(ask('write', 'sys/leases/lookup', { lease_id: id })), [
    400,
    'invalid lease',
  ])
  await core.expiry.pass()
  deepEqual(far.revoked, ['a'])
})

test('revoke says when the engine could not, and the lease counts as gone', async () => {
  const { ask, take, far } = await rentalCore()
  const id = await take('a')
  far.broken = true
  const [status, text] = await errorOf(ask('write', 'sys/leases/revoke', { lease_id: id }))
  equal(status, 400)
  match(String(text), /^failed to revoke 1 of 1 leases/)
  deepEqual(await errorOf(ask('write', 'sys/leases/renew', { lease_id: id })), [
    400,
    'lease not found',
  ])
})

test('revoke-prefix ends what lies below and nothing beside', async () => {
  const { ask, take, far } = await rentalCore()
  await take('a')
  await take('ab')
  const beside = await take('a')
  equal((await ask('write', 'sys/leases/revoke-prefix')).status, 404)
  equal((await ask('write', `sys/leases/revoke-prefix/rent/thing/a`)).status, 204)
  deepEqual(far.revoked, ['a', 'a'])
  equal((await ask('write', 'sys/leases/lookup', { lease_id: beside })).status, 400)
  deepEqual((await ask('list', 'sys/leases/lookup/rent/thing')).body.data, { keys: ['ab/'] })
  deepEqual((await ask('list', 'sys/leases/lookup')).body.data, { keys: ['rent/'] })
})

test('revoke-prefix below auth ends tokens that expire', async () => {
  const { ask, root } = await rentalCore()
  await ask('write', 'auth/approle/role/r', {})
  const { body: role } = await ask('read', 'auth/approle/role/r/role-id')
  const { body: secret } = await ask('write', 'auth/approle/role/r/secret-id')
  const login = await ask('write', 'auth/approle/login', { ...role.data, ...secret.data })
  const { client_token: token } = login.body['auth'] as { client_token: string }
  equal((await ask('read', 'cubbyhole/x', {}, { token })).status, 404)
  equal((await ask('write', 'sys/leases/revoke-prefix/auth/approle')).status, 204)
  equal((await ask('read', 'cubbyhole/x', {}, { token })).status, 403)
  equal((await ask('write', 'sys/leases/revoke-prefix/auth/token')).status, 204)
  equal((await ask('read', 'cubbyhole/x', {}, { token: root })).status, 404)
})

test('revoke-force forgets a lease whose engine fails', async () => {
  const { ask, take, far } = await rentalCore()
  const id = await take('a')
  far.broken = true
  equal((await ask('write', 'sys/leases/revoke-force/rent')).status, 204)
  equal((await ask('list', 'sys/leases/lookup/rent')).status, 404)
  equal((await ask('write', 'sys/leases/lookup', { lease_id: id })).status, 400)
})

test('leases that cannot be ended are counted and listed', async () => {
  const { ask, take, far, core, clock } = await rentalCore()
  const id = await take('a')
  far.broken = true
  await ask('write', 'sys/leases/revoke', { lease_id: id, sync: false })
  for (let i = 0; i < 8; i++) {
    clock.advance(600_000)
    await core.expiry.pass()
  }
  equal((await ask('read', 'sys/leases/count')).status, 400)
  const count = await ask('read', 'sys/leases/count', { type: 'irrevocable' })
  equal(count.body.data!['lease_count'], 1)
  deepEqual(Object.values(count.body.data!['counts'] as object), [1])
  equal((await ask('read', 'sys/leases', { type: 'irrevocable', limit: 'x' })).status, 400)
  const { body } = await ask('read', 'sys/leases', { type: 'irrevocable', limit: '5' })
  deepEqual(body.data!['leases'], [{ lease_id: id, error: 'the far system is away' }])
  far.broken = false
  equal((await ask('write', 'sys/leases/revoke', { lease_id: id })).status, 204)
  deepEqual(far.revoked, ['a'])
})

test('tidy is accepted', async () => {
  const { ask } = await rentalCore()
  equal((await ask('write', 'sys/leases/tidy')).status, 202)
})
