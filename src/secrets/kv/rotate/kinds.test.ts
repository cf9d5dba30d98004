/** Secrets that are rotated: values made here, keys made elsewhere, values that a person brings. */
import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { ADMIN, fakeKeys, templatesFor } from '../../../../test/support/fake-keys.ts'
import { rotationHouse } from '../../../../test/support/rotation-house.ts'

const service = await fakeKeys()
after(() => service.close())

const RULES = { quiet: 2, undo_window: 2, reader_hold: 600 }
const CONFIG = 'sys/coffer/rotate/config/secret/app/db'
const NOW = 'sys/coffer/rotate/now/secret/app/db'

type Told = { data: Record<string, string>; metadata: { version: number } }

async function house() {
  const made = await rotationHouse()
  const read = async (more: Record<string, unknown> = {}) => {
    const answer = await made.ask('read', 'secret/data/app/db', more)
    const told = answer.body?.data as unknown as Told | undefined
    return { ...answer, data: told?.data ?? {}, metadata: told?.metadata ?? { version: 0 } }
  }
  const declare = (more: Record<string, unknown> = {}) =>
    made.ask('write', CONFIG, { kind: 'generated', field: 'password', ...RULES, ...more })
  const status = async () =>
    (await made.ask('read', 'sys/coffer/rotate/status/secret/app/db')).body.data!
  return { ...made, read, declare, status }
}

test('a generated value is a version of the secret, and its number is the generation', async () => {
  const { declare, read, ask } = await house()
  await ask('write', 'secret/data/app/db', { data: { host: 'db1' } })
  equal((await declare()).status, 204)
  const first = await read()
  deepEqual(
    [first.data['host'], first.metadata.version, first.headers['X-Coffer-Generation']],
    ['db1', 2, '2'],
  )
  match(first.data['password']!, /^[0-9A-Za-z]{32}$/)
  equal((await ask('write', NOW)).status, 200)
  const second = await read()
  notEqual(second.data['password'], first.data['password'])
  deepEqual([second.metadata.version, second.headers['X-Coffer-Generation']], [3, '3'])
  equal((await read({ version: 1 })).headers['X-Coffer-Generation'], undefined)
})

test('what is there already is served as the first generation, unchanged', async () => {
  const { declare, read, ask } = await house()
  await ask('write', 'secret/data/app/db', { data: { password: 'by hand' } })
  equal((await declare()).status, 204)
  const { data, metadata, headers } = await read()
  deepEqual(
    [data['password'], metadata.version, headers['X-Coffer-Generation']],
    ['by hand', 1, '1'],
  )
})

test('a password policy makes the value', async () => {
  const { declare, read, ask } = await house()
  const policy = 'length = 20\nrule "charset" { charset = "abc" min-chars = 20 }'
  await ask('write', 'sys/policies/password/abc', { policy })
  equal((await declare({ policy: 'abc' })).status, 204)
  match((await read()).data['password']!, /^[abc]{20}$/)
  const missing = await ask('write', 'sys/coffer/rotate/config/secret/x', {
    kind: 'generated',
    field: 'p',
    policy: 'none',
  })
  equal(missing.status, 500)
  match(missing.text, /policy does not exist/)
})

test('the rotated field is not written by hand; the others are, and keep the generation', async () => {
  const { declare, read, ask } = await house()
  await declare()
  const { password } = (await read()).data
  for (const data of [{ password: 'mine' }, { host: 'x' }]) {
    const { status, text } = await ask('write', 'secret/data/app/db', { data })
    equal(status, 400)
    match(text, /the field \\"password\\" of this secret is rotated/)
  }
  equal((await ask('patch', 'secret/data/app/db', { data: { password: 'mine' } })).status, 400)
  equal((await ask('patch', 'secret/data/app/db', { data: { host: 'db1' } })).status, 200)
  const patched = await read()
  deepEqual(
    [patched.data, patched.metadata.version, patched.headers['X-Coffer-Generation']],
    [{ password, host: 'db1' }, 2, '1'],
  )
})

test('a rotation that is deleted leaves the secret, which is written by hand again', async () => {
  const { declare, read, ask } = await house()
  await declare()
  equal((await ask('delete', CONFIG)).status, 204)
  const left = await read()
  ok(left.data['password'])
  equal(left.headers['X-Coffer-Generation'], undefined)
  equal((await ask('write', 'secret/data/app/db', { data: { a: 'b' } })).status, 200)
  equal((await ask('read', CONFIG)).status, 404)
})

test('a secret that is destroyed takes its rotation along', async () => {
  const { declare, ask } = await house()
  await declare()
  equal((await ask('delete', 'secret/metadata/app/db')).status, 204)
  equal((await ask('read', CONFIG)).status, 404)
})

test('config takes the right to write the secret, and says what is wrong', async () => {
  const { ask, declare } = await house()
  await ask('write', 'sys/policies/acl/ops', {
    policy: 'path "sys/coffer/rotate/*" { capabilities = ["create", "update", "read"] }',
  })
  const { body } = await ask('write', 'auth/token/create', { policies: ['ops'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  equal((await ask('write', CONFIG, { kind: 'generated', field: 'p' }, { token })).status, 403)
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ kind: 'magic' }, /kind must be one of generated, http, assisted/],
    [{ field: '' }, /missing field/],
    [{ length: 3 }, /length must be between/],
    [{ period: '1h', schedule: '0 3 * * *' }, /not both/],
    [{ schedule: 'often' }, /five fields/],
    [{ kind: 'http' }, /template must be an object/],
  ]
  for (const [more, why] of wrong) {
    const { status, text } = await declare(more)
    equal(status, 400, text)
    match(text, why)
  }
  equal(
    (await ask('write', 'sys/coffer/rotate/config/nowhere/x', { kind: 'generated' })).status,
    404,
  )
})

test('a rolled back value is told as the generation it was', async () => {
  const { declare, read, ask } = await house()
  await declare()
  const first = await read()
  await ask('write', NOW)
  equal((await ask('write', 'sys/coffer/rotate/rollback/secret/app/db')).status, 200)
  const back = await read()
  equal(back.data['password'], first.data['password'])
  deepEqual([back.metadata.version, back.headers['X-Coffer-Generation']], [3, '1'])
})

const http = {
  kind: 'http',
  field: 'key',
  id_field: 'key_id',
  template: templatesFor(service.url),
  secrets: { admin: ADMIN },
}
const valueOf = (id: string | undefined) => service.keys.get(id ?? '')?.secret

test('a key of another server is made, proven, served, and the old one taken away in the end', async () => {
  const { declare, read, ask, pass } = await house()
  service.keys.clear()
  const { status, text } = await declare(http)
  equal(status, 204, text)
  const first = (await read()).data
  equal(first['key'], valueOf(first['key_id']))
  equal((await ask('write', NOW)).status, 200)
  equal(service.keys.size, 2, 'both work')
  const second = (await read()).data
  notEqual(second['key'], first['key'])
  await pass(10)
  deepEqual([...service.keys.keys()], [second['key_id']])
})

test('a key whose making was not answered is found by its label, and does not stay', async () => {
  const { declare, read } = await house()
  service.keys.clear()
  service.loseReply('/keys')
  // The first request of all is the search; the next one is lost.
  await declare(http)
  const { key_id } = (await read()).data
  deepEqual([...service.keys.keys()], [key_id])
})

test('a service that is away is waited for, and nothing it says goes into the status', async () => {
  const { declare, status, pass, read } = await house()
  service.keys.clear()
  service.answerWith(503)
  const answer = await declare(http)
  equal(answer.status, 500)
  match(answer.text, /answered with status 503/)
  const text = JSON.stringify(await status())
  ok(!text.includes(ADMIN))
  service.answerWith(0)
  await pass(60)
  ok(valueOf((await read()).data['key_id']))
})

test('a declared template shows neither headers nor secrets, and its host is fixed', async () => {
  const { declare, ask } = await house()
  await declare(http)
  const { body, text } = await ask('read', CONFIG)
  deepEqual(body.data?.['secrets'], ['admin'])
  ok(!text.includes(ADMIN) && !text.includes('Bearer'))
  for (const url of [
    'http://10.0.0.1/keys',
    'https://{{value}}.example.com/',
    'https://user:{{value}}@example.com/',
    'https://example.com{{value}}/x',
    'ftp://example.com/',
    'file:///etc/passwd',
  ]) {
    const verify = { url }
    const made = await ask('write', 'sys/coffer/rotate/config/secret/y', {
      ...http,
      template: { ...http.template, verify },
    })
    equal(made.status, 400, url)
  }
})

test('a value cannot break out of the request it is put into', async () => {
  const { declare, ask, status } = await house()
  service.keys.set('id-x', { name: 'x', secret: 'good' })
  const verify = { url: `${service.url}/whoami`, headers: { authorization: 'Bearer {{value}}' } }
  equal((await declare({ kind: 'assisted', template: { verify } })).status, 204)
  const { status: code } = await ask('write', NOW, { value: 'good\r\nx-evil: 1' })
  equal(code, 500)
  match(String((await status())['trouble']), /control characters/)
})

test('an assisted value is proven, staged, and served when somebody says so', async () => {
  const { declare, ask, status, read, pass } = await house()
  service.keys.clear()
  service.keys.set('id-a', { name: 'a', secret: 'brought-by-a-person' })
  const verify = { url: `${service.url}/whoami`, headers: { authorization: 'Bearer {{value}}' } }
  equal((await declare({ kind: 'assisted', template: { verify } })).status, 204)
  equal((await ask('write', NOW)).status, 400, 'a value is missing')
  const staged = await ask('write', NOW, { value: 'brought-by-a-person' })
  deepEqual([staged.status, staged.body.data?.['state']], [200, 'STAGED'])
  equal((await read()).status, 404)
  const again = await ask('write', NOW, { value: 'another' })
  equal(again.status, 409)
  equal((await ask('write', 'sys/coffer/rotate/activate/secret/app/db')).status, 200)
  equal((await read()).data['password'], 'brought-by-a-person')
  await pass(5)
  equal((await status())['state'], 'IDLE')

  await ask('write', NOW, { value: 'mistyped' })
  await pass(400)
  deepEqual([(await status())['state'], (await status())['hold_reason']], ['HELD', 'apply'])
  equal((await read()).data['password'], 'brought-by-a-person')
  ok(!JSON.stringify(await status()).includes('mistyped'))
})

test('a KV secret that is not rotated is answered as ever', async () => {
  const { ask } = await house()
  await ask('write', 'secret/data/plain', { data: { a: 'b' } })
  const { headers, body } = await ask('read', 'secret/data/plain')
  deepEqual([headers, (body.data as { data: object }).data], [{}, { a: 'b' }])
})
