import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'

async function wrapped(data: Record<string, unknown> = { a: 1 }) {
  const core = await testCore()
  await core.ask('write', 'secret/data/x', { data })
  const made = await core.ask('read', 'secret/data/x', {}, { wrapTtlSeconds: 60, wrapAsJwt: true })
  const info = made.body['wrap_info'] as Record<string, string>
  return { core, made, info, jwt: info['token']! }
}

const claimsOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>

test('a wrapping token as a JWT says what it is, and the public key proves it', async () => {
  const { core, made, jwt } = await wrapped()
  const { jti, ...claims } = claimsOf(jwt)
  const iat = Math.floor(core.clock.now() / 1000)
  deepEqual(claims, { addr: '', exp: iat + 60, iat, type: 'wrapping' })
  match(String(jti), /^hvs\./)
  match(String((made.body['warnings'] as string[])[0]), /^No redirect address set/)
  const { body } = await core.ask('read', 'sys/wrapping/pubkey', {}, { token: undefined })
  const point = (decimal: unknown) =>
    Buffer.from(BigInt(String(decimal)).toString(16).padStart(132, '0'), 'hex').toString(
      'base64url',
    )
  const { jwt_x, jwt_y, jwt_curve } = body.data!
  const jwk = { kty: 'EC', crv: String(jwt_curve), x: point(jwt_x), y: point(jwt_y) }
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const [header, payload, signature] = jwt.split('.') as [string, string, string]
  const text = Buffer.from(`${header}.${payload}`)
  const bytes = Buffer.from(signature, 'base64url')
  ok(verify('sha512', text, { key, dsaEncoding: 'ieee-p1363' }, bytes))
})

test('it is looked up and opened once, by itself or in a body', async () => {
  for (const how of ['itself', 'body'] as const) {
    const { core, jwt } = await wrapped()
    const found = await core.ask(
      'write',
      'sys/wrapping/lookup',
      { token: jwt },
      { token: undefined },
    )
    equal(found.body.data!['creation_path'], 'secret/data/x')
    const open = () =>
      how === 'itself'
        ? core.ask('write', 'sys/wrapping/unwrap', {}, { token: jwt })
        : core.ask('write', 'sys/wrapping/unwrap', { token: jwt })
    const opened = await open()
    deepEqual((opened.body.data as Record<string, unknown>)['data'], { a: 1 })
    const again = await open()
    equal(again.status, 400)
    deepEqual(again.body.errors, ['wrapping token is not valid or does not exist'])
  }
})

test('it is moved into another, and opens nothing but what it wraps', async () => {
  const { core, jwt } = await wrapped()
  equal((await core.ask('read', 'secret/data/x', {}, { token: jwt })).status, 403)
  equal((await core.ask('read', 'auth/token/lookup-self', {}, { token: jwt })).status, 403)
  const moved = await core.ask('write', 'sys/wrapping/rewrap', { token: jwt })
  const { token } = moved.body['wrap_info'] as { token: string }
  notEqual(token, jwt)
  equal((await core.ask('write', 'sys/wrapping/unwrap', {}, { token: jwt })).status, 400)
  equal((await core.ask('write', 'sys/wrapping/unwrap', {}, { token })).status, 200)
})

test('a JWT that is not of this server, or was changed, is no wrapping token', async () => {
  const { core, jwt } = await wrapped()
  const other = await wrapped()
  const [header, payload, signature] = jwt.split('.') as [string, string, string]
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`
  for (const bad of [
    other.jwt,
    `${header}.${payload}.${flipped}`,
    `${header}.${part({ ...claimsOf(jwt), exp: 9e9 })}.${signature}`,
    `${part({ alg: 'none' })}.${payload}.`,
    `${part({ alg: 'HS512', typ: 'JWT' })}.${payload}.${signature}`,
    `${header}.${payload}`,
    'eyJ',
  ]) {
    equal((await core.ask('write', 'sys/wrapping/unwrap', { token: bad })).status, 400, bad)
    equal((await core.ask('write', 'sys/wrapping/unwrap', {}, { token: bad })).status, 400, bad)
    equal((await core.ask('write', 'sys/wrapping/lookup', { token: bad })).status, 400, bad)
  }
  equal((await core.ask('write', 'sys/wrapping/unwrap', { token: jwt })).status, 200)
})
