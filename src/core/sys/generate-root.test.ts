import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type Answered, type TestCore, testCore } from '../../../test/support/test-core.ts'

const nobody = { token: undefined }
const OTP = 'abcdefghijklmnopqrstuvwxyz01'

const post = ({ ask }: TestCore, path: string, data: Record<string, unknown> = {}) =>
  ask('write', `sys/generate-root/${path}`, data, nobody)
const refused = ({ status, body }: Answered) => [status, body.errors?.[0]]

test('generate-root refuses a password of another length, PGP and a second start', async () => {
  const core = await testCore()
  deepEqual(refused(await post(core, 'attempt', { otp: OTP.slice(1) })), [
    400,
    'OTP string has incorrect length',
  ])
  equal((await post(core, 'attempt', { pgp_key: 'x' })).status, 400)
  equal((await post(core, 'attempt')).status, 200)
  deepEqual(refused(await post(core, 'attempt')), [400, 'root generation already in progress'])
})

test('generate-root refuses keys without an attempt, with a wrong nonce, and that do not fit', async () => {
  const core = await testCore()
  const key = core.unsealKeys[0]
  deepEqual(refused(await post(core, 'update', { key, nonce: 'x' })), [
    400,
    'no root generation in progress',
  ])
  const { body } = await post(core, 'attempt')
  deepEqual(refused(await post(core, 'update', { key, nonce: 'x' })), [
    400,
    `incorrect nonce supplied; nonce for this root generation operation is "${String(body['nonce'])}"`,
  ])
  const nonce = body['nonce']
  const wrong = await post(core, 'update', { key: 'ab'.repeat(32), nonce })
  match(wrong.body.errors![0]!, /^root generation failed: the keys do not fit/)
  const tokens = await core.core.tokens.accessors((await core.core.begin(false))!)
  equal(tokens.length, 1)
})

test('generate-root is cancelled by its nonce or by sudo, and by nobody else', async () => {
  const core = await testCore()
  const cancel = async (data: object, as: object = nobody) =>
    (await core.ask('delete', 'sys/generate-root/attempt', { ...data }, as)).status
  const { body } = await post(core, 'attempt')
  equal(await cancel({}), 403)
  equal(await cancel({ nonce: body['nonce'] }), 204)
  await post(core, 'attempt')
  equal(await cancel({}, { token: core.root }), 204)
  equal(await cancel({}), 204)
})

test('decode-token refuses what is missing or of another length', async () => {
  const core = await testCore()
  for (const [data, text] of [
    [{}, 'missing encoded token'],
    [{ encoded_token: 'AAAA' }, 'missing otp'],
    [{ encoded_token: 'AAAA', otp: 'ab' }, 'the encoded token and the otp differ in length'],
  ] as const) {
    const answer = await core.ask('write', 'sys/decode-token', { ...data }, nobody)
    deepEqual(refused(answer), [400, text])
  }
})

for (const given of [undefined, OTP]) {
  test(`generate-root gives a root token, with ${given ? 'a given' : 'a made'} password`, async () => {
    const core = await testCore()
    const started = await post(core, 'attempt', given ? { otp: given } : {})
    const otp = given ?? (started.body['otp'] as string)
    equal(started.body['otp'], given ? '' : otp)
    deepEqual(
      [started.body['otp_length'], started.body['required'], started.body['progress']],
      [28, 1, 0],
    )
    const shown = await core.ask('read', 'sys/generate-root/attempt', {}, nobody)
    deepEqual([shown.body['started'], shown.body['otp']], [true, ''])

    const done = await post(core, 'update', {
      nonce: started.body['nonce'],
      key: core.unsealKeys[0],
    })
    equal(done.body['complete'], true)
    const encoded_token = done.body['encoded_token'] as string
    equal(done.body['encoded_root_token'], encoded_token)
    ok(!encoded_token.includes('='))
    const decoded = await core.ask('write', 'sys/decode-token', { encoded_token, otp }, nobody)
    const token = decoded.body.data!['token'] as string
    match(token, /^hvs\.[0-9A-Za-z]{24}$/)
    notEqual(token, core.root)
    const self = await core.ask('read', 'sys/audit', {}, { token })
    equal(self.status, 200)
    const after = await core.ask('read', 'sys/generate-root/attempt', {}, nobody)
    equal(after.body['started'], false)
  })
}

test('generate-root makes one token of many requests with the last key', async () => {
  const core = await testCore()
  const { body } = await post(core, 'attempt')
  const data = { nonce: body['nonce'], key: core.unsealKeys[0] }
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(core, 'update', data)))
  equal(answers.filter(({ status }) => status === 200).length, 1)
  const tokens = await core.core.tokens.accessors((await core.core.begin(false))!)
  equal(tokens.length, 2)
})
