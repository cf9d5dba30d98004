import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { QUICK_ENGINES } from '../../../test/support/quick-userpass.ts'
import { remoteStore } from '../../../test/support/remote-store.ts'
import { type Answered, type TestCore, testCore } from '../../../test/support/test-core.ts'
import { hotp } from '../../crypto/totp.ts'
import { memoryStore } from '../../storage/memory.ts'

const NONE = { token: undefined }
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function keyOf(url: string): Buffer {
  let bits = ''
  for (const letter of new URL(url).searchParams.get('secret')!) {
    bits += BASE32.indexOf(letter).toString(2).padStart(5, '0')
  }
  return Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)))
}

type Auth = {
  client_token: string
  entity_id: string
  mfa_requirement: { mfa_request_id: string; mfa_constraints: Record<string, unknown> } | null
}
const authOf = ({ body }: Answered) => body['auth'] as Auth

/** Ann has enrolled; `enforcement` says for whom a second factor is asked. */
async function withMfa(
  enforcement: (of: {
    accessor: string
    entity: string
    test: TestCore
  }) => Promise<object> = async ({ accessor }) => ({ auth_method_accessors: accessor }),
  settings: Record<string, unknown> = {},
) {
  const test = await testCore({ engines: QUICK_ENGINES, store: remoteStore(memoryStore()) })
  const { ask, clock } = test
  await ask('write', 'sys/auth/userpass', { type: 'userpass' })
  await ask('write', 'auth/userpass/users/ann', { password: 'right' })
  const accessor = String((await ask('read', 'sys/auth/userpass')).body.data!['accessor'])
  const first = await ask('write', 'auth/userpass/login/ann', { password: 'right' }, NONE)
  const entity = authOf(first).entity_id
  const made = await ask('write', 'identity/mfa/method/totp', {
    issuer: 'coffer',
    method_name: 'app',
    ...settings,
  })
  const method = String(made.body.data!['method_id'])
  const enrolled = await ask('write', 'identity/mfa/method/totp/admin-generate', {
    method_id: method,
    entity_id: entity,
  })
  const key = keyOf(String(enrolled.body.data!['url']))
  const written = await ask('write', 'identity/mfa/login-enforcement/all', {
    mfa_method_ids: method,
    ...(await enforcement({ accessor, entity, test })),
  })
  equal(written.status, 204, written.text)
  const code = (skew = 0) =>
    hotp(key, Math.floor(clock.now() / 30_000) + skew, { algorithm: 'SHA1', digits: 6 })
  const logIn = (mfa?: string, { name = 'ann', password = 'right', on = test } = {}) =>
    on.ask(
      'write',
      `auth/userpass/login/${name}`,
      { password },
      {
        ...NONE,
        ...(mfa !== undefined && { headers: { 'X-Vault-MFA': mfa } }),
      },
    )
  const validate = (id: string, passcode: unknown, { on = test, as = method } = {}) =>
    on.ask(
      'write',
      'sys/mfa/validate',
      { mfa_request_id: id, mfa_payload: { [as]: passcode } },
      NONE,
    )
  const begun = async (on = test) =>
    authOf(await logIn(undefined, { on })).mfa_requirement!.mfa_request_id
  return { test, ask, clock, accessor, entity, method, key, code, logIn, validate, begun, first }
}

const tokensOf = async ({ ask }: TestCore) =>
  ((await ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]).length

test('a login that needs a second factor gets a question, and no token before the answer', async () => {
  const { test: core, logIn, validate, code, method, ask } = await withMfa()
  const before = await tokensOf(core)
  const answer = await logIn()
  equal(answer.status, 200)
  const auth = authOf(answer)
  equal(auth.client_token, '')
  equal(auth.entity_id, '')
  deepEqual(auth.mfa_requirement!.mfa_constraints, {
    all: { any: [{ type: 'totp', id: method, uses_passcode: true, name: 'app' }] },
  })
  match(String(answer.body['warnings']), /subject to MFA validation/)
  equal(await tokensOf(core), before)
  const id = auth.mfa_requirement!.mfa_request_id
  equal((await validate(id, ['000000'])).status, 403)
  equal((await validate(id, [])).status, 403)
  equal((await validate(id, [code()], { as: 'another' })).status, 403)
  equal((await validate('00000000-0000-4000-8000-000000000000', [code()])).status, 400)
  equal((await validate('../token', [code()])).status, 400)
  equal(await tokensOf(core), before)
  const done = await validate(id, [code()])
  equal(done.status, 200, done.text)
  const token = authOf(done).client_token
  const self = await ask('read', 'auth/token/lookup-self', {}, { token })
  deepEqual(
    [self.body.data!['display_name'], self.body.data!['path']],
    ['userpass-ann', 'auth/userpass/login/ann'],
  )
  const again = await validate(id, [code(1)])
  deepEqual([again.status, again.body.errors], [400, ['invalid request ID']])
})

test('a wrong password gets no question, and the second factor alone nothing', async () => {
  const { logIn, code } = await withMfa()
  equal((await logIn(undefined, { password: 'wrong' })).status, 400)
  equal((await logIn(`app:${code()}`, { password: 'wrong' })).status, 400)
  // The code was not spent by that.
  equal((await logIn(`app:${code()}`)).status, 200)
})

test('X-Vault-MFA brings the second factor with the first', async () => {
  const { logIn, code, method, test: core, clock } = await withMfa()
  for (const bad of [':123456', '', ' : ', `${method}:other=123456`]) {
    const { status, body } = await logIn(bad)
    equal(status, 400, bad)
    match(body.errors![0]!, /^failed to parse X-Vault-MFA header: /)
  }
  const before = await tokensOf(core)
  for (const wrong of ['app', 'app:', 'app:12345', 'app:abcdef', 'other:000000']) {
    const { status, body } = await logIn(wrong)
    equal(status, 403, wrong)
    match(body.errors![0]!, /^failed to satisfy enforcement all\. error: /)
  }
  equal(await tokensOf(core), before)
  notEqual(authOf(await logIn(`app:${code()}`)).client_token, '')
  clock.advance(30_000)
  notEqual(authOf(await logIn(`${method}:passcode=${code()}`)).client_token, '')
})

test('S14 a code counts once, however it is spelled, in its window and on every process', async () => {
  const {
    logIn,
    code,
    test: core,
    clock,
  } = await withMfa(undefined, { max_validation_attempts: 100 })
  const other = await core.sibling()
  for (const skew of [-1, 0, 1]) {
    const right = code(skew)
    const wide = right.replace(/./g, (digit) => String.fromCodePoint(0xff10 + Number(digit)))
    equal((await logIn(`app:${wide}`)).status, 403)
    const spaced = ` ${right.slice(0, 3)} ${right.slice(3)} `
    equal((await logIn(`app:${spaced}`)).status, 200, String(skew))
    for (const spelled of [right, ` ${right}`, `${right} `, spaced, `passcode=${right}`, wide]) {
      for (const on of [core, other]) {
        equal((await logIn(`app:${spelled}`, { on })).status, 403, `${skew} ${spelled}`)
      }
    }
  }
  clock.advance(30_000)
  // What lies before an accepted code does not count any more, though it was never used.
  equal((await logIn(`app:${code()}`)).status, 403)
  clock.advance(30_000)
  equal((await logIn(`app:${code()}`)).status, 200)
})

test('of fifty logins with one code at once, on two processes, one succeeds', async () => {
  const { logIn, code, test: core } = await withMfa(undefined, { max_validation_attempts: 100 })
  const other = await core.sibling()
  const before = await tokensOf(core)
  const header = `app:${code()}`
  const all = Array.from({ length: 50 }, (_, i) => logIn(header, { on: i % 2 ? other : core }))
  const statuses = (await Promise.all(all)).map(({ status }) => status)
  equal(statuses.filter((status) => status === 200).length, 1)
  ok(statuses.every((status) => [200, 403, 503].includes(status)))
  equal((await tokensOf(core)) - before, 1)
})

test('of fifty answers to one question at once, one gets a token', async () => {
  const {
    begun,
    validate,
    code,
    test: core,
  } = await withMfa(undefined, {
    max_validation_attempts: 100,
  })
  const other = await core.sibling()
  const id = await begun()
  const before = await tokensOf(core)
  const all = Array.from({ length: 50 }, (_, i) =>
    validate(id, [code(i % 3 === 0 ? 1 : 0)], { on: i % 2 ? other : core }),
  )
  const statuses = (await Promise.all(all)).map(({ status }) => status)
  equal(statuses.filter((status) => status === 200).length, 1)
  equal((await tokensOf(core)) - before, 1)
})

test('wrong codes make a pause that gets longer, on every process, and a right one ends that', async () => {
  const { logIn, code, test: core, clock } = await withMfa()
  const other = await core.sibling()
  const wrong = async () => {
    const all = Array.from({ length: 50 }, (_, i) =>
      logIn('app:000000', { on: i % 2 ? other : core }),
    )
    for (const { status } of await Promise.all(all)) ok(status === 403 || status === 503)
  }
  await wrong()
  for (const seconds of [90, 180]) {
    const paused = await logIn(`app:${code()}`)
    equal(paused.status, 403)
    match(paused.body.errors![0]!, new RegExp(`attempts exceeded; try again in ${seconds} seconds`))
    clock.advance(seconds * 1000)
    if (seconds === 90) await wrong()
  }
  equal((await logIn(`app:${code()}`)).status, 200)
})

test('what was typed amiss is no try', async () => {
  const { logIn, code } = await withMfa(undefined, { max_validation_attempts: 1 })
  for (const odd of ['', '1', '12345', '1234567', 'abcdef', '-12345', '1e5000', '0x1234']) {
    equal((await logIn(`app:${odd}`)).status, 403)
  }
  equal((await logIn(`app:${code()}`)).status, 200)
})

test('a question is over after five minutes, and lasts over a restart', async () => {
  const { begun, validate, code, test: core, clock } = await withMfa()
  const id = await begun()
  clock.advance(299_999)
  equal((await validate(id, [code()], { on: await core.sibling() })).status, 200)
  const late = await begun()
  clock.advance(300_000)
  equal((await validate(late, [code()])).status, 400)
  await core.core.expiry.pass()
  const tx = await core.core.begin(false)
  deepEqual(await tx!.list('mfa-request/'), [])
})

test('a question is about its mount and its entity as they are now', async () => {
  const { begun, validate, code, ask, entity, clock } = await withMfa()
  const disabled = await begun()
  await ask('write', `identity/entity/id/${entity}`, { disabled: true })
  equal((await validate(disabled, [code()])).status, 403)
  await ask('write', `identity/entity/id/${entity}`, { disabled: false })
  clock.advance(30_000)
  const moved = await begun()
  await ask('delete', 'sys/auth/userpass')
  await ask('write', 'sys/auth/userpass', { type: 'userpass' })
  equal((await validate(moved, [code()])).status, 400)
})

test('a token of an answer can be wrapped like that of a login', async () => {
  const { begun, method, code, ask } = await withMfa()
  const body = { mfa_request_id: await begun(), mfa_payload: { [method]: code() } }
  const wrapped = await ask('write', 'sys/mfa/validate', body, { ...NONE, wrapTtlSeconds: 60 })
  equal(wrapped.body['auth'], null)
  const info = wrapped.body['wrap_info'] as { token: string }
  const opened = await ask('write', 'sys/wrapping/unwrap', {}, { token: info.token })
  notEqual(authOf(opened).client_token, '')
})

test('S15 an enforcement of an entity, a group or a type holds for every spelling and after a restart', async () => {
  const spellings = ['ann', 'Ann', 'aNn', 'anN', 'ANn', 'AnN', 'aNN', 'ANN', '%61nn']
  const marks = [' ', '\t', '\n', '\0', '.', '-', '\u00a0', '\u200b', '\u0301', '\u202e', '\u2060']
  const around = marks.flatMap((mark) => [`${mark}ann`, `ann${mark}`, `${mark}ann${mark}`])
  const looks = ['ａｎｎ', 'ＡＮＮ', '\u0430nn', 'a\u0578n', 'ann%20', 'ann%00', 'ⓐnn', '𝐚nn']
  equal(new Set([...spellings, ...around, ...looks]).size, 50)
  for (const enforcement of [
    async ({ entity }: { entity: string }) => ({ identity_entity_ids: entity }),
    async () => ({ auth_method_types: ['userpass'] }),
    async ({ entity, test: { ask } }: { entity: string; test: TestCore }) => {
      const group = (name: string, more: object) =>
        ask('write', 'identity/group', { name, ...more })
      const inner = await group('inner', { member_entity_ids: entity })
      const outer = await group('outer', { member_group_ids: inner.body.data!['id'] })
      return { identity_group_ids: outer.body.data!['id'] }
    },
  ]) {
    const { logIn, test: core } = await withMfa(enforcement)
    for (const on of [core, await core.sibling()]) {
      for (const name of spellings) {
        const auth = authOf(await logIn(undefined, { name, on }))
        deepEqual([auth.client_token, Boolean(auth.mfa_requirement)], ['', true], name)
      }
      for (const name of [...around, ...looks]) {
        notEqual((await logIn(undefined, { name, on })).status, 200, name)
      }
    }
  }
})

test('an entity that becomes part of another keeps what was asked of it', async () => {
  const { ask, entity, logIn } = await withMfa(async ({ entity: id }) => ({
    identity_entity_ids: id,
  }))
  const other = String((await ask('write', 'identity/entity', {})).body.data!['id'])
  const merge = { from_entity_ids: entity, to_entity_id: other }
  equal((await ask('write', 'identity/entity/merge', merge)).status, 204)
  ok(authOf(await logIn()).mfa_requirement)
})

test('who is not asked logs in as before, also with a header', async () => {
  const { ask, logIn } = await withMfa(async ({ entity }) => ({ identity_entity_ids: entity }))
  await ask('write', 'auth/userpass/users/bob', { password: 'right' })
  for (const header of [undefined, 'app:000000']) {
    notEqual(authOf(await logIn(header, { name: 'bob' })).client_token, '')
  }
  await ask('delete', 'identity/mfa/login-enforcement/all')
  notEqual(authOf(await logIn()).client_token, '')
})

test('every enforcement has to be satisfied, and a service this build does not ask never is', async () => {
  const { ask, accessor, logIn, code, validate } = await withMfa()
  const duo = await ask('write', 'identity/mfa/method/duo', {
    method_name: 'push',
    integration_key: 'ik',
    secret_key: 'sk',
    api_hostname: 'api.example',
  })
  const mfa_method_ids = [duo.body.data!['method_id']]
  await ask('write', 'identity/mfa/login-enforcement/more', {
    mfa_method_ids,
    auth_method_accessors: accessor,
  })
  const auth = authOf(await logIn())
  deepEqual(Object.keys(auth.mfa_requirement!.mfa_constraints), ['all', 'more'])
  equal((await validate(auth.mfa_requirement!.mfa_request_id, [code()])).status, 403)
  const id = auth.mfa_requirement!.mfa_request_id
  const refused = await validate(id, [], { as: 'push' })
  equal(refused.status, 403)
  const both = { mfa_request_id: id, mfa_payload: { app: [code(1)], push: [] } }
  const answer = await ask('write', 'sys/mfa/validate', both, NONE)
  deepEqual(
    [answer.status, answer.body.errors],
    [
      403,
      [
        'failed to satisfy enforcement more. error: mfa method type duo is not supported by this build',
      ],
    ],
  )
})

test('whoever has enrolled nothing does not come in', async () => {
  const { ask, logIn, method, entity } = await withMfa()
  const body = { method_id: method, entity_id: entity }
  equal((await ask('write', 'identity/mfa/method/totp/admin-destroy', body)).status, 204)
  const { status, body: said } = await logIn('app:000000')
  deepEqual(
    [status, said.errors],
    [403, ['failed to satisfy enforcement all. error: no secret of MFA method "app" is enrolled']],
  )
})

test('a key is told once, and an entity enrols itself', async () => {
  const { ask, method, entity, first } = await withMfa()
  const admin = (more = {}) =>
    ask('write', 'identity/mfa/method/totp/admin-generate', {
      method_id: method,
      entity_id: entity,
      ...more,
    })
  const again = await admin()
  equal(again.status, 200)
  equal(again.body.data, null)
  match(String(again.body['warnings']), /already has a secret for MFA method "app"/)
  for (const path of ['', '/totp']) {
    const { text } = await ask('list', `identity/mfa/method${path}`)
    ok(!/secret=|"key"/.test(text))
  }
  const forced = await admin({ force: true })
  match(String(forced.body.data!['url']), /^otpauth:\/\/totp\/coffer:[0-9a-f-]+\?/)
  const png = Buffer.from(String(forced.body.data!['barcode']), 'base64')
  deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [200, 200])

  const self = (token: string | undefined) =>
    ask('write', 'identity/mfa/method/totp/generate', { method_id: method }, { token })
  equal((await self(undefined)).status, 403)
  // Root is nobody.
  const root = await ask('write', 'identity/mfa/method/totp/generate', { method_id: method })
  equal(root.status, 400)
  await ask('write', 'sys/policies/acl/default', {
    policy: 'path "identity/mfa/method/totp/generate" { capabilities = ["update"] }',
  })
  const token = authOf(first).client_token
  match(String((await self(token)).body['warnings']), /already has a secret/)
  const body = { method_id: method, entity_id: entity }
  await ask('write', 'identity/mfa/method/totp/admin-destroy', body)
  ok((await self(token)).body.data!['url'])
})

test('methods refuse what makes no sense, and never show a secret', async () => {
  const { ask, method } = await withMfa()
  const totp = (settings: Record<string, unknown>) =>
    ask('write', 'identity/mfa/method/totp', settings)
  const base = { issuer: 'x' }
  for (const bad of [
    {},
    { issuer: 'a:b' },
    { ...base, digits: 7 },
    { ...base, skew: 2 },
    { ...base, skew: -1 },
    { ...base, period: 0 },
    { ...base, period: '2h' },
    { ...base, key_size: 1 },
    { ...base, key_size: 100_000 },
    { ...base, qr_size: -1 },
    { ...base, qr_size: 100_000 },
    { ...base, algorithm: 'MD5' },
    { ...base, max_validation_attempts: -1 },
    { ...base, max_validation_attempts: 1000 },
    { ...base, method_name: 'app' },
    { ...base, method_name: method },
    { ...base, method_name: 'a:b' },
  ]) {
    equal((await totp(bad)).status, 400, JSON.stringify(bad))
  }
  const read = await ask('read', `identity/mfa/method/totp/${method}`)
  deepEqual(read.body.data, {
    id: method,
    name: 'app',
    type: 'totp',
    namespace_id: 'root',
    issuer: 'coffer',
    period: 30,
    key_size: 20,
    qr_size: 200,
    algorithm: 'SHA1',
    digits: 6,
    skew: 1,
    max_validation_attempts: 5,
  })
  deepEqual((await ask('read', `identity/mfa/method/${method}`)).body.data, read.body.data)
  equal((await ask('read', `identity/mfa/method/duo/${method}`)).status, 404)
  equal((await ask('write', `identity/mfa/method/totp/${method}`, { digits: 8 })).status, 204)
  equal((await ask('delete', `identity/mfa/method/totp/${method}`)).status, 400)

  equal((await ask('write', 'identity/mfa/method/okta', { org_name: 'x' })).status, 400)
  const settings = Buffer.from('use_base64_key=hidden\norg_alias=o\nidp_url=https://x\n')
  for (const [type, secret] of [
    ['okta', { org_name: 'o', api_token: 'hidden' }],
    ['duo', { integration_key: 'hidden', secret_key: 'hidden', api_hostname: 'h' }],
    ['pingid', { settings_file_base64: settings.toString('base64') }],
  ] as const) {
    const made = await ask('write', `identity/mfa/method/${type}`, secret)
    equal(made.status, 200, made.text)
    const path = `identity/mfa/method/${type}/${String(made.body.data!['method_id'])}`
    const shown = await ask('read', path)
    ok(!shown.text.includes('hidden') && !shown.text.includes('settings_file'))
    equal((await ask('delete', path)).status, 204)
    equal((await ask('read', path)).status, 404)
  }
})

test('enforcements refuse names of nothing', async () => {
  const { ask, accessor, method } = await withMfa()
  const path = 'identity/mfa/login-enforcement/x'
  const right = { mfa_method_ids: method, auth_method_accessors: accessor }
  for (const bad of [
    {},
    { mfa_method_ids: method },
    { auth_method_accessors: accessor },
    { ...right, mfa_method_ids: 'nothing' },
    { ...right, auth_method_accessors: 'nothing' },
    { ...right, auth_method_types: 'nothing' },
    { ...right, auth_method_types: 'kv' },
    { ...right, identity_group_ids: 'nothing' },
    { ...right, identity_entity_ids: 'nothing' },
  ]) {
    equal((await ask('write', path, bad)).status, 400, JSON.stringify(bad))
  }
  equal((await ask('write', path, right)).status, 204)
  const { data } = (await ask('read', path)).body
  deepEqual(data, {
    id: data!['id'],
    name: 'x',
    mfa_method_ids: [method],
    auth_method_accessors: [accessor],
    auth_method_types: [],
    identity_group_ids: [],
    identity_entity_ids: [],
    namespace_id: 'root',
    namespace_path: '',
  })
  deepEqual((await ask('list', 'identity/mfa/login-enforcement')).body.data!['keys'], ['all', 'x'])
  equal((await ask('delete', path)).status, 204)
  equal((await ask('read', path)).status, 404)
})
