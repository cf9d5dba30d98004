import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'

const hello = Buffer.from('hello').toString('base64')

test('tools refuse what they do not know', async () => {
  const { ask } = await testCore()
  for (const [path, data, text] of [
    ['hash', { algorithm: 'md5', input: hello }, 'unsupported algorithm md5'],
    ['hash/toString', { input: hello }, 'unsupported algorithm toString'],
    [
      'hash',
      { format: 'x', input: hello },
      'unsupported encoding format x; must be "hex" or "base64"',
    ],
    [
      'hash',
      { input: 'hello!' },
      'unable to decode input as base64: not standard base64 with its padding',
    ],
    ['random', { bytes: 0 }, '"bytes" cannot be less than 1'],
    ['random/131073', {}, '"bytes" should be less than 131072'],
    ['random/platform/x', {}, '"bytes" must be a whole number'],
    ['random/dice', {}, 'unsupported entropy source "dice"; must be platform, seal or all'],
    ['random', { format: 'x' }, 'unsupported encoding format x; must be "hex" or "base64"'],
  ] as const) {
    const { status, body } = await ask('write', `sys/tools/${path}`, data)
    equal(status, 400, path)
    deepEqual(body.errors, [text])
  }
})

test('hash matches known digests', async () => {
  const { ask } = await testCore()
  const sum = async (path: string, data: object) =>
    (await ask('write', `sys/tools/${path}`, { input: hello, ...data })).body.data!['sum']
  equal(await sum('hash', {}), '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824')
  equal(await sum('hash/sha2-224', {}), 'ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193')
  equal(
    await sum('hash/sha3-256', { format: 'base64' }),
    Buffer.from('3338be694f50c5f338814986cdf0686453a888b84f424d792af4b9202398f392', 'hex').toString(
      'base64',
    ),
  )
})

test('random gives as many bytes as asked, from any source', async () => {
  const { ask } = await testCore()
  const size = async (path: string, data: object, format: 'hex' | 'base64' = 'base64') => {
    const { body } = await ask('write', `sys/tools/${path}`, { ...data })
    return Buffer.from(body.data!['random_bytes'] as string, format).length
  }
  equal(await size('random', {}), 32)
  equal(await size('random', { bytes: '7', format: 'hex' }, 'hex'), 7)
  equal(await size('random/16', { bytes: 3 }), 16)
  equal(await size('random/seal', { bytes: 9 }), 9)
  equal(await size('random/all/131072', {}), 131_072)
})
