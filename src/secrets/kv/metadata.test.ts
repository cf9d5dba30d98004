import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { parseJson } from '../../lib/json.ts'
import { kvV2 } from './v2.ts'

const IGNORED =
  '"cas_required" set to false, but is mandated by backend config. This value will be ignored.'

async function customOf(kv: ReturnType<typeof testEngine>): Promise<unknown> {
  return dataOf(await kv.read('metadata/app'))['custom_metadata']
}

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']))

// Lengths count bytes: an é has two.
const badNotes: readonly (readonly [Record<string, unknown>, string])[] = [
  [{ '': 'v' }, 'length of key "" is 0 but must be 0 < len(key) <= 128'],
  [{ ['k'.repeat(129)]: 'v' }, 'is 129 but must be 0 < len(key) <= 128'],
  [{ ['é'.repeat(65)]: 'v' }, 'is 130 but must be 0 < len(key) <= 128'],
  [{ k: '' }, 'length of value for key "k" is 0 but must be 0 < len(value) <= 512'],
  [{ k: 'x'.repeat(513) }, 'length of value for key "k" is 513 but must be 0 < len(value) <= 512'],
  [{ 'a\nb': 'v' }, 'key "a\\nb" contains unprintable characters'],
  [{ k: 'a\u00a0b' }, 'value for key "k" contains unprintable characters'],
  [{ k: ['canary'] }, 'value for key "k" must be a string'],
  [{ k: { canary: 1 } }, 'value for key "k" must be a string'],
  [many(65), 'payload must contain at most 64 keys, provided 65'],
]

for (const [notes, text] of badNotes) {
  test(`kv v2 refuses custom_metadata where ${text}`, async () => {
    const kv = testEngine(kvV2)
    await kv.write('metadata/app', { custom_metadata: { kept: 'yes' } })
    for (const change of [kv.write, kv.patch]) {
      await rejects(change('metadata/app', { custom_metadata: notes }), (error: Error) => {
        ok(error.message.includes('custom_metadata validation failed: '), error.message)
        // A patch adds to the note that is there.
        ok(error.message.replace('66', '65').includes(text), error.message)
        ok(!error.message.includes('canary') && error.message.length < 300)
        return true
      })
    }
    deepEqual(await customOf(kv), { kept: 'yes' })
  })
}

test('kv v2 names everything that is wrong with custom_metadata at once', async () => {
  const kv = testEngine(kvV2)
  await rejects(kv.write('metadata/app', { custom_metadata: { '': '', ok: 'v' } }), {
    status: 400,
    message:
      '2 errors occurred:\n' +
      '\t* custom_metadata validation failed: length of key "" is 0 but must be 0 < len(key) <= 128\n' +
      '\t* custom_metadata validation failed: length of value for key "" is 0 but must be 0 < len(value) <= 512\n\n',
  })
  equal(await kv.read('metadata/app'), undefined)
})

test('kv v2 takes custom_metadata up to its limits, and numbers and booleans as Vault does', async () => {
  const kv = testEngine(kvV2)
  const notes = { ...many(63), ['é'.repeat(64)]: 'x'.repeat(512) }
  await kv.write('metadata/app', { custom_metadata: notes })
  deepEqual(await customOf(kv), notes)
  const loose = parseJson('{"n":7,"big":9007199254740993,"yes":true,"no":false}')
  await kv.write('metadata/app', { custom_metadata: loose })
  deepEqual(await customOf(kv), { n: '7', big: '9007199254740993', yes: '1', no: '0' })
})

test('kv v2 replaces custom_metadata on a write and merges it on a patch', async () => {
  const kv = testEngine(kvV2)
  await kv.write('metadata/app', { custom_metadata: { a: '1', b: '2' } })
  await kv.patch('metadata/app', { custom_metadata: { a: null, c: '3', '': null } })
  deepEqual(await customOf(kv), { b: '2', c: '3' })
  await kv.patch('metadata/app', { max_versions: 4 })
  deepEqual(await customOf(kv), { b: '2', c: '3' })
  await kv.write('metadata/app', { custom_metadata: { d: '4' } })
  deepEqual(await customOf(kv), { d: '4' })
  await kv.write('metadata/app', { custom_metadata: {} })
  equal(await customOf(kv), null)
  await kv.write('metadata/app', { custom_metadata: { e: '5' } })
  await kv.patch('metadata/app', { custom_metadata: null })
  equal(await customOf(kv), null)
})

test('kv v2 reads the config back as it stands, and changes only what is sent', async () => {
  const kv = testEngine(kvV2)
  const unset = {
    max_versions: 0,
    cas_required: false,
    metadata_cas_required: false,
    delete_version_after: '0s',
  }
  deepEqual(dataOf(await kv.read('config')), unset)
  equal(await kv.write('config', {}), undefined)
  equal(kv.entries().size, 0)
  equal(
    await kv.write('config', { max_versions: '5', delete_version_after: '3h25m19s' }),
    undefined,
  )
  await kv.write('config', { cas_required: true })
  const set = { ...unset, max_versions: 5, cas_required: true, delete_version_after: '3h25m19s' }
  deepEqual(dataOf(await kv.read('config')), set)
  await kv.write('config', { delete_version_after: -60 })
  equal(dataOf(await kv.read('config'))['delete_version_after'], '-1s')
  await kv.write('config', { delete_version_after: 0 })
  equal(dataOf(await kv.read('config'))['delete_version_after'], '0s')
})

test('kv v2 tells the history and the settings of a key', async () => {
  const kv = testEngine(kvV2)
  equal(await kv.write('metadata/app', { max_versions: 3, delete_version_after: '90m' }), undefined)
  kv.clock.advance(1000)
  await kv.write('data/app', { data: {} })
  await kv.write('data/app', { data: {} })
  await kv.delete('data/app')
  await kv.write('destroy/app', { versions: '1' })
  deepEqual(dataOf(await kv.read('metadata/app')), {
    cas_required: false,
    created_time: '2026-01-01T00:00:00Z',
    current_metadata_version: 1,
    current_version: 2,
    custom_metadata: null,
    delete_version_after: '1h30m0s',
    max_versions: 3,
    metadata_cas_required: false,
    oldest_version: 0,
    updated_time: '2026-01-01T00:00:01Z',
    versions: {
      '1': {
        created_time: '2026-01-01T00:00:01Z',
        deletion_time: '2026-01-01T01:30:01Z',
        destroyed: true,
      },
      '2': {
        created_time: '2026-01-01T00:00:01Z',
        deletion_time: '2026-01-01T00:00:01Z',
        destroyed: false,
      },
    },
  })
})

test('kv v2 makes a key by its metadata, unless the write says nothing', async () => {
  const kv = testEngine(kvV2)
  equal(await kv.write('metadata/app', {}), undefined)
  equal(kv.entries().size, 0)
  await kv.write('metadata/app', { cas_required: true })
  const metadata = dataOf(await kv.read('metadata/app'))
  equal(metadata['current_version'], 0)
  deepEqual(metadata['versions'], {})
  equal(await kv.read('data/app'), undefined)
  await kv.write('data/app', { data: {}, options: { cas: 0 } })
})

test('kv v2 warns when a key would allow what the mount forbids', async () => {
  const kv = testEngine(kvV2)
  await kv.write('config', { cas_required: true })
  const written = await kv.write('metadata/app', { cas_required: false })
  deepEqual(written?.warnings, [IGNORED])
  deepEqual((await kv.patch('metadata/app', { cas_required: false }))?.warnings, [IGNORED])
  equal(await kv.write('metadata/app', { cas_required: true }), undefined)
  await rejects(kv.write('data/app', { data: {} }), /check-and-set parameter required/)
})

test('kv v2 keeps the larger of both limits, ten when none is set, and drops the rest', async () => {
  const rows = [
    [0, 0, 10, 3],
    [2, 0, 2, 11],
    [0, 3, 3, 10],
    [4, 2, 4, 9],
  ] as const
  for (const [mount, key, kept, oldest] of rows) {
    const kv = testEngine(kvV2)
    await kv.write('config', { max_versions: mount })
    await kv.write('metadata/app', { max_versions: key })
    for (let i = 0; i < 12; i++) await kv.write('data/app', { data: { i } })
    const metadata = dataOf(await kv.read('metadata/app'))
    equal(metadata['oldest_version'], oldest)
    equal(metadata['current_version'], 12)
    equal(Object.keys(metadata['versions'] as object).length, kept)
    equal([...kv.entries().keys()].filter((name) => name.startsWith('versions/')).length, kept)
    equal(await kv.read('data/app', { version: oldest - 1 }), undefined)
    ok(await kv.read('data/app', { version: oldest }))
  }
})

test('kv v2 drops many versions in the write after the limit was lowered', async () => {
  const kv = testEngine(kvV2)
  for (let i = 0; i < 9; i++) await kv.write('data/app', { data: { i } })
  await kv.patch('metadata/app', { max_versions: 2 })
  equal(kv.entries().size, 10)
  await kv.write('data/app', { data: {} })
  equal(kv.entries().size, 3)
  equal(dataOf(await kv.read('metadata/app'))['oldest_version'], 9)
})

test('kv v2 removes a key with all its versions, and a new one starts at 1', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/app', { data: { old: 1 } })
  await kv.write('data/app', { data: { old: 2 } })
  await kv.write('data/app/x', { data: {} })
  equal(await kv.delete('metadata/app'), undefined)
  equal(kv.entries().size, 2)
  const reply = await kv.write('data/app', { data: { fresh: 1 }, options: { cas: 0 } })
  equal(dataOf(reply)['version'], 1)
  deepEqual(dataOf(await kv.read('data/app'))['data'], { fresh: 1 })
})

test('kv v2 lists keys and folders in byte order, whole or page by page', async () => {
  const kv = testEngine(kvV2)
  for (const path of ['b', 'a', 'a/x', 'a/x/y', 'Z', 'é']) {
    await kv.write(`data/${path}`, { data: {} })
  }
  const keys = async (path: string, query = {}) => dataOf(await kv.list(path, query))['keys']
  const all = ['Z', 'a', 'a/', 'b', 'é']
  for (const path of ['metadata', 'metadata/']) deepEqual(await keys(path), all)
  for (const limit of [0, -1, 9]) deepEqual(await keys('metadata/', { limit }), all)
  deepEqual(await keys('metadata/a'), ['x', 'x/'])
  deepEqual(await keys('metadata/a/x/'), ['y'])
  deepEqual(await keys('metadata/', { after: 'a', limit: 2 }), ['a/', 'b'])
  deepEqual(await keys('metadata/', { after: '', limit: 1 }), ['Z'])
  equal(await kv.list('metadata/b/'), undefined)
  equal(await kv.list('metadata/none'), undefined)
})

// The cases OpenBao's users rely on: counters of their own, no effect of a refused or empty change.
test('kv v2 refuses a change of metadata that follows another one', async () => {
  const kv = testEngine(kvV2)
  const version = async (key: string) =>
    dataOf(await kv.read(`metadata/${key}`))['current_metadata_version']
  await kv.write('data/first', { data: { a: 1 } })
  equal(await version('first'), 0)
  await kv.write('metadata/first', { metadata_cas: 0, custom_metadata: { owner: 'a' } })
  equal(await version('first'), 1)
  const mismatch = {
    status: 400,
    message: 'metadata check-and-set parameter does not match the current version',
  }
  const missing = {
    status: 400,
    message: 'metadata check-and-set parameter required for this call',
  }
  await rejects(kv.write('metadata/new', { metadata_cas: 1, max_versions: 2 }), {
    status: 400,
    message: 'metadata_cas must be 0 when creating new metadata',
  })
  equal(await kv.read('metadata/new'), undefined)
  await kv.write('metadata/new', { metadata_cas: 0, metadata_cas_required: true })
  for (const ask of ['write', 'patch'] as const) {
    await rejects(kv[ask]('metadata/new', { max_versions: 2 }), missing)
    for (const metadata_cas of [0, 2, -1]) {
      await rejects(kv[ask]('metadata/new', { metadata_cas, max_versions: 2 }), mismatch)
    }
    for (const nothing of [{}, { metadata_cas: 999 }]) {
      equal(await kv[ask]('metadata/new', nothing), undefined)
    }
  }
  equal(await version('new'), 1)
  await kv.patch('metadata/new', { metadata_cas: 1, custom_metadata: { a: 'b' } })
  await kv.write('data/new', { data: {} })
  equal(await version('new'), 2)
  await kv.write('metadata/new', { metadata_cas: 2, metadata_cas_required: false })
  await kv.write('metadata/new', { custom_metadata: {} })
  equal(await version('new'), 4)
  await kv.write('config', { metadata_cas_required: true })
  await rejects(kv.write('metadata/other', { max_versions: 2 }), missing)
  const warned = await kv.write('metadata/new', { metadata_cas: 4, metadata_cas_required: false })
  deepEqual(warned?.warnings, [
    '"metadata_cas_required" set to false, but is mandated by backend config. This value will be ignored.',
  ])
})

test('kv v2 lists keys with all that is known of each', async () => {
  const kv = testEngine(kvV2)
  for (const path of ['a', 'b/c']) await kv.write(`data/${path}`, { data: { n: 1 } })
  const list = dataOf(await kv.list('detailed-metadata'))
  deepEqual(list['keys'], ['a', 'b/'])
  deepEqual(list['key_info'], { a: dataOf(await kv.read('metadata/a')) })
  const scan = dataOf(await kv.scan('detailed-metadata'))
  deepEqual(Object.keys(scan['key_info'] as object), ['a', 'b/c'])
  equal(await kv.list('detailed-metadata/none'), undefined)
})
