import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { kvV2 } from './v2.ts'

const nested = { a: { b: { c: 'canary', d: 1 }, e: {} }, f: [{ g: 'canary' }], h: null }

test('subkeys has nothing at an unknown key or version', async () => {
  const kv = testEngine(kvV2)
  equal(await kv.read('subkeys/app'), undefined)
  await kv.write('data/app', { data: nested })
  equal(await kv.read('subkeys/app', { version: '2' }), undefined)
  equal(await kv.read('subkeys/'), undefined)
})

test('subkeys shows names as deep as asked, with null for everything else', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/app', { data: nested })
  await kv.write('data/app', { data: {} })
  const rows = [
    [0, { a: { b: { c: null, d: null }, e: null }, f: null, h: null }],
    [1, { a: null, f: null, h: null }],
    [2, { a: { b: null, e: null }, f: null, h: null }],
    [3, { a: { b: { c: null, d: null }, e: null }, f: null, h: null }],
    [-1, { a: null, f: null, h: null }],
  ] as const
  for (const [depth, subkeys] of rows) {
    deepEqual(dataOf(await kv.read('subkeys/app', { depth, version: 1 })), {
      subkeys,
      metadata: {
        version: 1,
        created_time: '2026-01-01T00:00:00Z',
        deletion_time: '',
        destroyed: false,
        custom_metadata: null,
      },
    })
  }
  deepEqual(dataOf(await kv.read('subkeys/app'))['subkeys'], {})
})

test('subkeys never shows a value, whatever the secret and the depth', async () => {
  const kv = testEngine(kvV2)
  const secret = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      fc.constant('canary'),
      fc.array(tie('node'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node')),
    ),
  })).node
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), secret), fc.nat(5), async (data, depth) => {
      await kv.write('data/app', { data: JSON.parse(JSON.stringify(data)) as object })
      const shown = JSON.stringify(dataOf(await kv.read('subkeys/app', { depth }))['subkeys'])
      ok(!/:(?!null|\{)/.test(shown.replace(/"(?:[^"\\]|\\.)*":/g, ':')), shown)
    }),
  )
})
