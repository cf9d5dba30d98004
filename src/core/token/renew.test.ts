import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { type AskOptions, testCore } from '../../../test/support/test-core.ts'

type Data = Record<string, unknown>
type Auth = Data & { client_token: string; accessor: string; policies: string[] }

async function house() {
  const core = await testCore()
  const { ask, clock } = core
  // Validity is judged at use: these tests must not depend on what cleans up.
  core.core.expiry.stop()
  const make = async (data: Data, path = 'auth/token/create') => {
    const answer = await ask('write', path, { policies: ['default'], ...data })
    equal(answer.status, 200, answer.text)
    return answer.body['auth'] as Auth
  }
  const renewSelf = (token: string, data: Data = {}) =>
    ask('write', 'auth/token/renew-self', data, { token })
  const look = async (token: string) =>
    (await ask('read', 'auth/token/lookup-self', {}, { token })).body.data
  return { ...core, make, renewSelf, look, later: (s: number) => clock.advance(s * 1000) }
}

const authOf = (answer: { body: Data }) => answer.body['auth'] as Auth
const wrapped = (text: string) => `1 error occurred:\n\t* ${text}\n\n`

test('renew refuses what cannot be renewed', async () => {
  const { ask, make, root } = await house()
  const { client_token: batch } = await make({ type: 'batch' })
  const { client_token: fixed } = await make({ renewable: false })
  const cases: [Data, string][] = [
    [{}, 'missing token ID'],
    [{ token: 'hvs.x' }, 'token not found'],
    [{ token: batch }, 'batch tokens cannot be renewed'],
    [{ token: fixed }, 'lease is not renewable'],
    [{ token: root }, 'invalid lease ID'],
  ]
  for (const [data, text] of cases) {
    const { status, body } = await ask('write', 'auth/token/renew', data)
    equal(status, 400)
    deepEqual(body.errors, [text])
  }
  const negative = await ask('write', 'auth/token/renew', { token: fixed, increment: -1 })
  equal(negative.status, 400)
})

test('renew-accessor refuses what is no accessor', async () => {
  const { ask } = await house()
  for (const [data, status, text] of [
    [{}, 400, 'missing accessor'],
    [{ accessor: 'x' }, 400, 'invalid accessor'],
    [{ accessor: 'x'.repeat(24) }, 400, 'invalid accessor'],
  ] as const) {
    const answer = await ask('write', 'auth/token/renew-accessor', data)
    equal(answer.status, status)
    deepEqual(answer.body.errors, [wrapped(text)])
  }
})

test('renew refuses a token that has ended', async () => {
  const { ask, make, renewSelf, later } = await house()
  const { client_token: token, accessor } = await make({ ttl: 10 })
  later(10)
  equal((await renewSelf(token)).status, 403)
  equal((await ask('write', 'auth/token/renew', { token })).status, 400)
  equal((await ask('write', 'auth/token/renew-accessor', { accessor })).status, 400)
})

test('renew refuses a token in its last use, which stays the last', async () => {
  const { make, renewSelf } = await house()
  const { client_token: token } = await make({ num_uses: 1, ttl: 60 })
  const { status, body } = await renewSelf(token)
  equal(status, 400)
  deepEqual(body.errors, ['token not found'])
  equal((await renewSelf(token)).status, 403)
})

test('renew does not give back a use', async () => {
  const { make, renewSelf, look } = await house()
  const { client_token: token } = await make({ num_uses: 3, ttl: 60 })
  equal(authOf(await renewSelf(token))['num_uses'], 2)
  equal((await look(token))!['num_uses'], 1)
})

test('renew answers with what is left, by each way', async () => {
  const { ask, make, renewSelf, look, later } = await house()
  const { client_token: token, accessor } = await make({ ttl: '1h' })
  later(1800)
  equal((await look(token))!['ttl'], 1800)
  const self = authOf(await renewSelf(token))
  equal(self['lease_duration'], 3600)
  equal(self.client_token, token)
  equal(self.accessor, accessor)
  equal((await look(token))!['ttl'], 3600)
  equal(
    authOf(await ask('write', 'auth/token/renew', { token, increment: '2h' }))['lease_duration'],
    7200,
  )
  const data = { accessor, increment: 60 }
  const byAccessor = authOf(await ask('write', 'auth/token/renew-accessor', data))
  equal(byAccessor['lease_duration'], 60)
  equal(byAccessor.client_token, '')
  const { ttl, creation_ttl } = (await look(token))!
  deepEqual([ttl, creation_ttl], [60, 3600])
})

test('renew never goes past the maximum, and says so', async () => {
  const { make, renewSelf, look, later } = await house()
  const { client_token: token } = await make({ ttl: 60, explicit_max_ttl: 100 })
  later(50)
  const capped = await renewSelf(token)
  equal(authOf(capped)['lease_duration'], 50)
  deepEqual(capped.body['warnings'], [
    'TTL of "1m" exceeded the effective max_ttl of "50s"; TTL value is capped accordingly',
  ])
  equal((await look(token))!['expire_time'], '2026-01-01T00:01:40Z')
})

// https://nvd.nist.gov/vuln/detail/CVE-2021-32923
test('renew in the last second before the maximum refuses and changes nothing', async () => {
  const { make, renewSelf, look, clock } = await house()
  for (const leftMs of [999, 500, 1]) {
    const { client_token: token } = await make({ ttl: 10, explicit_max_ttl: 10 })
    const end = (await look(token))!['expire_time']
    clock.advance(10_000 - leftMs)
    const { status, body } = await renewSelf(token, { increment: 3600 })
    equal(status, 400)
    deepEqual(body.errors, [wrapped('past the max TTL, cannot renew')])
    equal((await look(token))!['expire_time'], end)
    clock.advance(leftMs)
    equal(await look(token), undefined)
  }
})

test('renew gives a periodic token its period, past every maximum but an explicit one', async () => {
  const { make, renewSelf, later } = await house()
  const { client_token: token } = await make({ period: '24h' })
  for (let day = 0; day < 60; day++) {
    later(86_000)
    equal(authOf(await renewSelf(token, { increment: 5 }))['lease_duration'], 86_400)
  }
  const { client_token: bounded } = await make({ period: '24h', explicit_max_ttl: '30h' })
  later(43_200)
  equal(authOf(await renewSelf(bounded))['lease_duration'], 64_800)
  later(64_800)
  equal((await renewSelf(bounded)).status, 403)
})

test('renew asks the token role as it is now', async () => {
  const { ask, make, renewSelf, look, later } = await house()
  const role = (data: Data) => ask('write', 'auth/token/roles/r', data)
  await role({ token_period: 600, token_explicit_max_ttl: 3600 })
  const { client_token: token } = await make({}, 'auth/token/create/r')
  await role({ token_period: 300 })
  equal(authOf(await renewSelf(token))['lease_duration'], 300)
  equal((await look(token))!['period'], 300)
  await role({ token_explicit_max_ttl: 120 })
  equal(authOf(await renewSelf(token))['lease_duration'], 120)
  equal((await look(token))!['explicit_max_ttl'], 120)
  await role({ token_explicit_max_ttl: 7200 })
  later(60)
  equal(authOf(await renewSelf(token))['lease_duration'], 300)
  await ask('delete', 'auth/token/roles/r')
  const { status, body } = await renewSelf(token)
  equal(status, 400)
  match(body.errors![0]!, /original token role "r" could not be found, not renewing/)
})

test('renew keeps to the maximum asked for at creation, whatever the role says', async () => {
  const { ask, make, renewSelf, later } = await house()
  await ask('write', 'auth/token/roles/r', { token_explicit_max_ttl: 3600 })
  const { client_token: token } = await make({ explicit_max_ttl: 100 }, 'auth/token/create/r')
  await ask('write', 'auth/token/roles/r', { token_explicit_max_ttl: 0 })
  later(40)
  equal(authOf(await renewSelf(token, { increment: 3600 }))['lease_duration'], 60)
})

async function login(core: Awaited<ReturnType<typeof house>>, role: Data) {
  const { ask } = core
  await ask('write', 'auth/approle/role/app', { bind_secret_id: false, ...role })
  const { role_id } = (await ask('read', 'auth/approle/role/app/role-id')).body.data!
  const options: AskOptions = { token: undefined }
  const answer = await ask('write', 'auth/approle/login', { role_id }, options)
  equal(answer.status, 200, answer.text)
  return authOf(answer)
}

const open = { token_bound_cidrs: ['127.0.0.0/8'] }

test('renew of a login asks the role as it is now', async () => {
  const core = await house()
  const { ask, renewSelf, later } = core
  const role = (data: Data) => ask('write', 'auth/approle/role/app', data)
  const { client_token: token } = await login(core, { ...open, token_ttl: 60, token_max_ttl: 600 })
  later(30)
  equal(authOf(await renewSelf(token))['lease_duration'], 60)
  await role({ token_ttl: 120 })
  equal(authOf(await renewSelf(token))['lease_duration'], 120)
  await role({ token_max_ttl: 140 })
  const capped = await renewSelf(token)
  equal(authOf(capped)['lease_duration'], 110)
  await role({ token_period: 50 })
  equal(authOf(await renewSelf(token, { increment: 9 }))['lease_duration'], 50)
})

test('renew of a login refuses when its role is gone', async () => {
  const core = await house()
  const { ask, renewSelf } = core
  const { client_token: token } = await login(core, { ...open, token_ttl: 60 })
  await ask('delete', 'auth/approle/role/app')
  const { status, body } = await renewSelf(token)
  equal(status, 400)
  match(body.errors![0]!, /the role that issued this token could not be found, not renewing/)
})

test('renew of a login refuses past the maximum of its role', async () => {
  const core = await house()
  const { renewSelf, look, clock } = core
  const { client_token: token } = await login(core, { ...open, token_ttl: 60, token_max_ttl: 60 })
  clock.advance(59_500)
  equal((await renewSelf(token)).status, 400)
  clock.advance(500)
  equal(await look(token), undefined)
})

test('renew keeps the leases, policies and metadata of a token', async () => {
  const { make, renewSelf, look, later } = await house()
  const { client_token: token } = await make({ ttl: 60, meta: { a: 'b' }, display_name: 'x' })
  const before = (await look(token))!
  later(5)
  const auth = authOf(await renewSelf(token))
  deepEqual([auth.policies, auth['metadata']], [['default'], { a: 'b' }])
  const after = (await look(token))!
  for (const key of ['expire_time', 'ttl', 'last_renewal', 'last_renewal_time']) {
    delete before[key]
    delete after[key]
  }
  deepEqual(after, before)
})
