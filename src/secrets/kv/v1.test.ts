import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { JsonText } from '../../kit/json-text.ts'
import { parseJson } from '../../lib/json.ts'
import { kvV1 } from './v1.ts'

const body = (text: string) => parseJson(text) as Record<string, unknown>

test('kv v1 refuses a write without a path or without data', async () => {
  const kv = testEngine(kvV1)
  await rejects(kv.write('', { a: 1 }), { status: 400, message: 'missing path' })
  await rejects(kv.write('app', {}), { status: 400, message: 'missing data fields' })
  await rejects(kv.write('a/', { a: 1 }), { status: 400 })
  await rejects(kv.patch('app', { a: 1 }), { code: 'unsupported_operation' })
  equal(kv.entries().size, 0)
})

test('kv v1 has nothing at an unknown path or a folder, and deletes it all the same', async () => {
  const kv = testEngine(kvV1)
  await kv.write('a/b', { x: 1 })
  for (const path of ['', 'no', 'a', 'a/', 'a/b/']) {
    equal(await kv.read(path), undefined)
    equal(await kv.delete(path), undefined)
  }
  ok(await kv.read('a/b'))
  equal(await kv.list('no'), undefined)
  equal(await kv.list('a/b/'), undefined)
})

test('kv v1 replaces the whole object and keeps names that mean something elsewhere', async () => {
  const kv = testEngine(kvV1)
  equal(await kv.write('app', { path: '/bin', data: { x: null }, version: 9 }), undefined)
  const reply = await kv.read('app')
  equal(reply?.warnings, undefined)
  deepEqual(dataOf(reply), { path: '/bin', data: { x: null }, version: 9 })
  await kv.write('app', { other: true })
  deepEqual(dataOf(await kv.read('app')), { other: true })
  equal(await kv.delete('app'), undefined)
  equal(await kv.read('app'), undefined)
})

test('kv v1 takes lease_duration from ttl or lease, else from the mount', async () => {
  const kv = testEngine(kvV1, { defaultTtlSeconds: 777 })
  const rows = [
    ['{"a":1}', 777],
    ['{"ttl":"1h"}', 3600],
    ['{"ttl":60}', 60],
    ['{"ttl":"90"}', 90],
    ['{"ttl":""}', 0],
    ['{"lease":"2m"}', 120],
    ['{"ttl":"5s","lease":"2m"}', 5],
    ['{"ttl":"soon"}', 777],
    ['{"ttl":"soon","lease":"2m"}', 777],
    ['{"ttl":-5}', 777],
    ['{"ttl":1.5}', 777],
    ['{"ttl":null}', 777],
    ['{"ttl":{"a":1}}', 777],
    ['{"ttl":1e400}', 777],
  ] as const
  for (const [text, seconds] of rows) {
    await kv.write('app', body(text))
    equal((await kv.read('app'))?.leaseSeconds, seconds, text)
  }
})

test('kv v1 gives any object back digit for digit, as the same text object while unchanged', async () => {
  const kv = testEngine(kvV1)
  const read = async () => {
    const data = (await kv.read('app'))?.data
    ok(data instanceof JsonText)
    return data
  }
  for (const text of ['{"n":9007199254740993,"m":[1e400,1.0]}', '{"__proto__":{"a":1}}']) {
    await kv.write('app', body(text))
    equal((await read()).text, text)
  }
  const first = await read()
  equal(await read(), first)
  await kv.write('app', { n: 1 })
  notEqual(await read(), first)
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), async (data) => {
      const text = JSON.stringify(data)
      await kv.write('any', body(text))
      deepEqual(dataOf(await kv.read('any')), parseJson(text))
    }),
  )
})

test('kv v1 lists names and folders', async () => {
  const kv = testEngine(kvV1)
  for (const path of ['b', 'a', 'a/x']) await kv.write(path, { v: 1 })
  const atRoot = { data: { path: '' }, store: memoryEntries(kv.entries()) } as never
  deepEqual(await kvV1.endpoints[0]?.list?.(atRoot), { keys: ['a', 'a/', 'b'] })
  deepEqual(dataOf(await kv.list('a')), { keys: ['x'] })
})

test('kv v1 says of a write whether there is an entry', async () => {
  const kv = testEngine(kvV1)
  await kv.write('app', { v: 1 })
  const get = async (key: string) => kv.entries().get(key)
  const exists = (path: string) =>
    kvV1.endpoints[0]?.exists?.({ data: { path }, store: { get } } as never)
  equal(await exists('app'), true)
  equal(await exists('no'), false)
  equal(await exists(''), false)
})
