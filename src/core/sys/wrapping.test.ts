import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '../../lib/json.ts'
import { type TestCore, testCore } from '../../../test/support/test-core.ts'

const INVALID = ['wrapping token is not valid or does not exist']

type WrapInfo = { token: string; accessor: string; ttl: number; creation_path: string }

async function wrapped({ ask }: TestCore, ttl = 60): Promise<WrapInfo> {
  const made = await ask('write', 'sys/wrapping/wrap', { a: 1 }, { wrapTtlSeconds: ttl })
  return made.body['wrap_info'] as WrapInfo
}

test('wrap refuses without a lifetime', async () => {
  const { ask } = await testCore()
  const { status, body } = await ask('write', 'sys/wrapping/wrap', { a: 1 })
  equal(status, 400)
  deepEqual(body.errors, ['endpoint requires response wrapping to be used'])
})

test('unwrap refuses what is no wrapping token', async () => {
  const { ask, root } = await testCore()
  for (const token of ['hvs.nope', 'x', root, '']) {
    const { status, body } = await ask('write', 'sys/wrapping/unwrap', { token })
    equal(status, 400, token)
    deepEqual(body.errors, INVALID)
  }
  const odd = await ask('write', 'sys/wrapping/unwrap', { token: 7 })
  equal(odd.status, 403)
  deepEqual(odd.body.errors, [
    'error validating wrapping token: could not decode token in request body',
  ])
})

test('unwrap refuses a token past its time', async () => {
  const core = await testCore()
  const { token } = await wrapped(core, 60)
  core.clock.advance(60_000)
  deepEqual((await core.ask('write', 'sys/wrapping/unwrap', { token })).body.errors, INVALID)
  deepEqual((await core.ask('write', 'sys/wrapping/lookup', { token })).body.errors, INVALID)
})

test('lookup refuses no token and one that is unknown', async () => {
  const { ask } = await testCore()
  const none = await ask('write', 'sys/wrapping/lookup', {}, { token: undefined })
  equal(none.status, 400)
  deepEqual(none.body.errors, ['missing "token" value in input'])
  deepEqual((await ask('write', 'sys/wrapping/lookup', { token: 'x' })).body.errors, INVALID)
})

test('a wrapping token reads and does nothing else', async () => {
  const core = await testCore()
  await core.ask('write', 'secret/data/x', { data: { a: 1 } })
  const { token } = await wrapped(core)
  equal((await core.ask('read', 'secret/data/x', {}, { token })).status, 403)
  // That attempt was its one use.
  notEqual((await core.ask('write', 'sys/wrapping/unwrap', {}, { token })).status, 200)
})

test('wrap and unwrap give back the body, to the digit', async () => {
  const { ask } = await testCore()
  const body = { n: 1, list: [1, 'two'], deep: { x: null } }
  const made = await ask('write', 'sys/wrapping/wrap', body, { wrapTtlSeconds: 90 })
  equal(made.status, 200)
  equal(made.body['request_id'], '')
  equal(made.body.data, null)
  const info = made.body['wrap_info'] as WrapInfo
  deepEqual([info.ttl, info.creation_path], [90, 'sys/wrapping/wrap'])
  const opened = await ask('write', 'sys/wrapping/unwrap', { token: info.token })
  deepEqual(opened.body.data, body)
  equal(opened.body['wrap_info'], null)
})

test('unwrap replays the envelope as it was', async () => {
  const { ask } = await testCore()
  await ask('write', 'kv1/big', parseJson('{"n":12345678901234567890}') as never)
  const plain = await ask('read', 'kv1/big')
  const made = await ask('read', 'kv1/big', {}, { wrapTtlSeconds: 60 })
  const { token } = made.body['wrap_info'] as WrapInfo
  const opened = await ask('write', 'sys/wrapping/unwrap', { token })
  const withoutId = (text: string) => text.replace(/"request_id":"[^"]+"/, '')
  equal(withoutId(opened.text), withoutId(plain.text))
  ok(opened.text.includes('12345678901234567890'))
  equal(opened.body['mount_type'], 'kv')
})

test('unwrap takes the wrapping token as the token of the request', async () => {
  const core = await testCore()
  const { token } = await wrapped(core)
  const opened = await core.ask('write', 'sys/wrapping/unwrap', {}, { token })
  deepEqual(opened.body.data, { a: 1 })
  notEqual((await core.ask('write', 'sys/wrapping/unwrap', {}, { token })).status, 200)
  const both = await wrapped(core)
  const named = await core.ask('write', 'sys/wrapping/unwrap', both, { token: both.token })
  deepEqual(named.body.data, { a: 1 })
})

test('unwrap succeeds once of fifty at once, whoever names the token', async () => {
  const core = await testCore()
  const first = await wrapped(core)
  const second = await wrapped(core)
  const tries = Array.from({ length: 50 }, (_, i) =>
    i % 2
      ? core.ask('write', 'sys/wrapping/unwrap', { token: first.token })
      : core.ask('write', 'sys/wrapping/unwrap', {}, { token: first.token }),
  )
  const answers = await Promise.all(tries)
  equal(answers.filter(({ status }) => status === 200).length, 1)
  const named = await Promise.all(
    Array.from({ length: 50 }, () => core.ask('write', 'sys/wrapping/unwrap', second)),
  )
  equal(named.filter(({ status }) => status === 200).length, 1)
  equal(named.filter(({ status }) => status === 400).length, 49)
})

test('lookup tells and does not consume', async () => {
  const core = await testCore()
  const { token } = await wrapped(core, 120)
  for (const [data, as] of [
    [{ token }, undefined],
    [{}, token],
  ] as const) {
    for (const verb of ['read', 'write'] as const) {
      const { status, body } = await core.ask(verb, 'sys/wrapping/lookup', data, { token: as })
      equal(status, 200)
      deepEqual(body.data, {
        creation_path: 'sys/wrapping/wrap',
        creation_time: '2026-01-01T00:00:00Z',
        creation_ttl: 120,
      })
    }
  }
  equal((await core.ask('write', 'sys/wrapping/unwrap', { token })).status, 200)
})

test('rewrap moves the answer to a token that lives as long again', async () => {
  const core = await testCore()
  const old = await wrapped(core, 120)
  core.clock.advance(100_000)
  const made = await core.ask('write', 'sys/wrapping/rewrap', { token: old.token })
  const info = made.body['wrap_info'] as WrapInfo
  deepEqual([info.ttl, info.creation_path], [120, 'sys/wrapping/wrap'])
  deepEqual(
    (await core.ask('write', 'sys/wrapping/unwrap', { token: old.token })).body.errors,
    INVALID,
  )
  core.clock.advance(100_000)
  const opened = await core.ask('write', 'sys/wrapping/unwrap', { token: info.token })
  deepEqual(opened.body.data, { a: 1 })
})

test('rewrap keeps the accessor of a wrapped secret id', async () => {
  const { ask } = await testCore()
  await ask('write', 'auth/approle/role/r', { token_policies: 'default' })
  const made = await ask('write', 'auth/approle/role/r/secret-id', {}, { wrapTtlSeconds: 60 })
  const info = made.body['wrap_info'] as Record<string, string>
  match(info['wrapped_accessor']!, /^[0-9a-f-]{36}$/)
  const again = await ask('write', 'sys/wrapping/rewrap', { token: info['token'] })
  const next = again.body['wrap_info'] as Record<string, string>
  equal(next['wrapped_accessor'], info['wrapped_accessor'])
})
