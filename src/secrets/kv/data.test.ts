/** What happens to a secret between a write and a read: exact digits, one text, time, patches. */
import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { JsonText } from '../../kit/json-text.ts'
import { parseJson } from '../../lib/json.ts'
import { dataEndpoint } from './data.ts'
import { kvV2 } from './v2.ts'

const body = (text: string) => parseJson(text) as Record<string, unknown>

async function textOf(kv: ReturnType<typeof testEngine>, path: string): Promise<string> {
  const reply = await kv.read(path)
  ok(reply?.data instanceof JsonText)
  return reply.data.text
}

test('kv v2 gives every number back digit for digit', async () => {
  const kv = testEngine(kvV2)
  const number = fc.oneof(
    fc.bigInt().map(String),
    fc.double({ noDefaultInfinity: true, noNaN: true }).map((n) => JSON.stringify(n)),
    fc.constantFrom('9007199254740993', '1e400', '-0', '1.0', '0.10', '1E+2', '123456789012345678'),
  )
  await fc.assert(
    fc.asyncProperty(number, number, async (a, b) => {
      const data = `{"n":${a},"deep":{"list":[${b}]}}`
      await kv.write('data/n', body(`{"data":${data}}`))
      ok((await textOf(kv, 'data/n')).startsWith(`{"data":${data},"metadata":`))
      await kv.patch('data/n', body(`{"data":{"more":${b}}}`))
      const patched = `{"n":${a},"deep":{"list":[${b}]},"more":${b}}`
      ok((await textOf(kv, 'data/n')).startsWith(`{"data":${patched},"metadata":`))
    }),
  )
})

test('kv v2 gives any object back as it came', async () => {
  const kv = testEngine(kvV2)
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (data) => {
      const text = JSON.stringify(data)
      await kv.write('data/any', body(`{"data":${text}}`))
      deepEqual(dataOf(await kv.read('data/any'))['data'], parseJson(text))
    }),
  )
  await kv.write('data/proto', body('{"data":{"__proto__":{"a":1},"toJSON":"x"}}'))
  ok((await textOf(kv, 'data/proto')).startsWith('{"data":{"__proto__":{"a":1},"toJSON":"x"},'))
})

test('kv v2 answers a repeated read with the same text object until something changes', async () => {
  const kv = testEngine(kvV2)
  const read = async (query = {}) => (await kv.read('data/app', query))?.data
  await kv.write('data/app', { data: { n: 1 } })
  const first = await read()
  equal(await read(), first)
  equal(await read({ version: 1 }), first)
  await kv.patch('metadata/app', { custom_metadata: { owner: 'pay' } })
  const second = await read()
  notEqual(second, first)
  deepEqual((second as JsonText).value['metadata'], {
    version: 1,
    created_time: '2026-01-01T00:00:00Z',
    deletion_time: '',
    destroyed: false,
    custom_metadata: { owner: 'pay' },
  })
  await kv.write('data/app', { data: { n: 2 } })
  const third = await read()
  deepEqual((third as JsonText).value['data'], { n: 2 })
  deepEqual(((await read({ version: 1 })) as JsonText).value['data'], { n: 1 })
  equal(await read(), third)
})

test('kv v2 reads a secret with two look-ups, neither of them the config', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/app', { data: { n: 1 } })
  const asked: string[] = []
  const store = memoryEntries(kv.entries())
  const counting: typeof store = { ...store, get: (key) => (asked.push(key), store.get(key)) }
  const call = { data: { path: 'app' }, path: 'data/app', store: counting, now: kv.clock.now() }
  ok((await dataEndpoint.read?.(call as never)) instanceof JsonText)
  equal(asked.length, 2)
  equal(asked[0], 'metadata/app')
  ok(/^versions\/[0-9a-f-]{36}\/1$/.test(asked[1]!))
})

test('kv v2 stores a secret as text under a random id, and never under the path', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/x', { data: { a: 1 } })
  await kv.write('data/x/1', { data: { b: 2 } })
  const secrets = [...kv.entries()].filter(([key]) => key.startsWith('versions/'))
  deepEqual(
    secrets.map(([, value]) => value),
    [{ data: '{"a":1}' }, { data: '{"b":2}' }],
  )
  equal(new Set(secrets.map(([key]) => key)).size, 2)
})

test('kv v2 judges the deletion time at each read, also of a text it has kept', async () => {
  const kv = testEngine(kvV2)
  await kv.write('metadata/app', { delete_version_after: '10s' })
  await kv.write('data/app', { data: { n: 1 } })
  kv.clock.advance(9999)
  const alive = await kv.read('data/app')
  equal(alive?.status, undefined)
  const metadata = dataOf(alive)['metadata'] as Record<string, unknown>
  equal(metadata['deletion_time'], '2026-01-01T00:00:10Z')
  kv.clock.advance(1)
  const gone = await kv.read('data/app')
  equal(gone?.status, 404)
  deepEqual(dataOf(gone), { data: null, metadata })
  equal((await kv.patch('data/app', { data: {} }))?.status, 404)
})

test('kv v2 deletes after the shorter of the two periods that are set', async () => {
  const rows = [
    [0, 0, ''],
    [0, 20, '2026-01-01T00:00:20Z'],
    [30, 0, '2026-01-01T00:00:30Z'],
    [30, 20, '2026-01-01T00:00:20Z'],
    [30, 40, '2026-01-01T00:00:30Z'],
    [-1, 40, ''],
  ] as const
  for (const [mount, key, expected] of rows) {
    const kv = testEngine(kvV2)
    await kv.write('config', { delete_version_after: mount })
    await kv.write('metadata/app', { delete_version_after: key })
    equal(dataOf(await kv.write('data/app', { data: {} }))['deletion_time'], expected)
    equal(dataOf(await kv.patch('data/app', { data: {} }))['deletion_time'], expected)
    await kv.write('delete/app', { versions: 2 })
    await kv.write('undelete/app', { versions: 2 })
    const { metadata } = dataOf(await kv.read('data/app')) as { metadata: object }
    deepEqual((metadata as Record<string, unknown>)['deletion_time'], expected)
  }
})

test('kv v2 patches into a new version and leaves the old one as it was', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/app', { data: { user: 'a', inner: { x: 1, y: 2 }, keep: null } })
  const reply = await kv.patch('data/app', {
    data: { user: null, inner: { y: 3 }, fresh: true },
    options: { cas: 1 },
  })
  deepEqual(dataOf(reply), {
    version: 2,
    created_time: '2026-01-01T00:00:00Z',
    deletion_time: '',
    destroyed: false,
    custom_metadata: null,
  })
  const now = dataOf(await kv.read('data/app'))['data']
  deepEqual(now, { inner: { x: 1, y: 3 }, keep: null, fresh: true })
  const before = dataOf(await kv.read('data/app', { version: '1' }))['data']
  deepEqual(before, { user: 'a', inner: { x: 1, y: 2 }, keep: null })
})
