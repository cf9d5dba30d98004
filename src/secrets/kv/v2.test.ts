import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, testEngine } from '../../../test/support/test-engine.ts'
import { parseJson } from '../../lib/json.ts'
import { SECRET_CHARS_MAX } from './data.ts'
import { kvV2 } from './v2.ts'

const secretData = { password: 'canary-value' }
const body = (text: string) => parseJson(text) as Record<string, unknown>

type Kv = ReturnType<typeof testEngine>
type Case = { what: string; run: (kv: Kv) => Promise<unknown>; status: number; text: string }

const NO_MATCH = 'check-and-set parameter did not match the current version'
const CAS_NEEDED = 'check-and-set parameter required for this call'
const NOT_CAS = 'error parsing check-and-set parameter'
const NOT_TO_FOLDER = "cannot write to a path ending in '/'"
const FIELD = 'Field validation failed: error converting input for field'

const write = (options: Record<string, unknown>) => (kv: Kv) =>
  kv.write('data/app', { data: secretData, options })
const refused = (what: string, text: string, run: Case['run']): Case => {
  return { what, run, status: 400, text }
}

const cases: readonly Case[] = [
  refused('write without a path', 'missing path', (kv) => kv.write('data/', { data: {} })),
  refused('write to a folder', NOT_TO_FOLDER, (kv) => kv.write('data/a/', { data: {} })),
  refused('write without data', 'no data provided', (kv) => kv.write('data/app', {})),
  refused('write of null', 'no data provided', (kv) => kv.write('data/app', { data: null })),
  refused('write of a string', `${FIELD} "data": expected an object`, (kv) =>
    kv.write('data/app', { data: 'canary-value' }),
  ),
  refused('write of a list', `${FIELD} "data": expected an object`, (kv) =>
    kv.write('data/app', { data: ['canary-value'] }),
  ),
  refused('write with options that are none', `${FIELD} "options": expected an object`, (kv) =>
    kv.write('data/app', { data: secretData, options: 'canary-value' }),
  ),
  refused('write with cas 2 after version 1', NO_MATCH, write({ cas: 2 })),
  refused('write with cas 0 where there is a key', NO_MATCH, write({ cas: 0 })),
  refused('write with cas "7"', NO_MATCH, write({ cas: '7' })),
  refused('write with cas -1', NO_MATCH, write({ cas: -1 })),
  refused('write with cas 2^64', NO_MATCH, (kv) =>
    kv.write('data/app', body('{"data":{},"options":{"cas":18446744073709551616}}')),
  ),
  refused('write with cas "x"', NOT_CAS, write({ cas: 'x' })),
  refused('write with cas ""', NOT_CAS, write({ cas: '' })),
  refused('write with cas null', NOT_CAS, write({ cas: null })),
  refused('write with cas true', NOT_CAS, write({ cas: true })),
  refused('write with cas 0.5', NOT_CAS, write({ cas: 0.5 })),
  refused('write with cas 1.0', NOT_CAS, (kv) =>
    kv.write('data/app', body('{"data":{},"options":{"cas":1.0}}')),
  ),
  refused('write without cas where the mount wants it', CAS_NEEDED, async (kv) => {
    await kv.write('config', { cas_required: true })
    return write({})(kv)
  }),
  refused('write without cas where the key wants it', CAS_NEEDED, async (kv) => {
    await kv.write('metadata/app', { cas_required: true })
    return write({})(kv)
  }),
  refused('patch without data', 'no data provided', (kv) => kv.patch('data/app', {})),
  refused('patch of null', 'no data provided', (kv) => kv.patch('data/app', { data: null })),
  refused('patch without a path', 'missing path', (kv) => kv.patch('data/', { data: {} })),
  refused('patch with a stale cas', NO_MATCH, (kv) =>
    kv.patch('data/app', { data: {}, options: { cas: 5 } }),
  ),
  refused('patch without cas where the key wants it', CAS_NEEDED, async (kv) => {
    await kv.write('metadata/app', { cas_required: true })
    return kv.patch('data/app', { data: {} })
  }),
  refused('patch into more than a secret may be', 'would be longer', async (kv) => {
    const half = 'x'.repeat(SECRET_CHARS_MAX / 2)
    await kv.patch('data/app', { data: { one: half } })
    return kv.patch('data/app', { data: { two: half } })
  }),
  {
    what: 'patch of no key',
    run: (kv) => kv.patch('data/no', { data: {} }),
    status: 404,
    text: '',
  },
  {
    what: 'patch of a key without versions',
    run: async (kv) => {
      await kv.write('metadata/empty', { max_versions: 1 })
      return kv.patch('data/empty', { data: {} })
    },
    status: 404,
    text: '',
  },
  {
    what: 'patch of the metadata of no key',
    run: (kv) => kv.patch('metadata/no', { max_versions: 1 }),
    status: 404,
    text: '',
  },
  refused('delete of no version', 'No version number provided', (kv) => kv.write('delete/app')),
  refused('undelete of no version', 'No version number provided', (kv) =>
    kv.write('undelete/app', { versions: [] }),
  ),
  refused('destroy of no version', 'no version number provided', (kv) =>
    kv.write('destroy/app', { versions: '' }),
  ),
  refused('delete of versions that are none', `${FIELD} "versions"`, (kv) =>
    kv.write('delete/app', { versions: ['one'] }),
  ),
  refused('metadata without a path', 'missing path', (kv) =>
    kv.write('metadata/', { max_versions: 1 }),
  ),
  refused('metadata of a folder', NOT_TO_FOLDER, (kv) =>
    kv.write('metadata/a/', { max_versions: 1 }),
  ),
  refused('metadata with a negative period', "cannot provide negative value '-5'", (kv) =>
    kv.write('metadata/app', { delete_version_after: -5 }),
  ),
  refused('metadata with max_versions -1', 'max_versions must be between 0', (kv) =>
    kv.write('metadata/app', { max_versions: -1 }),
  ),
  refused('metadata patch with max_versions 2^32', 'max_versions must be between 0', (kv) =>
    kv.patch('metadata/app', { max_versions: 2 ** 32 }),
  ),
  refused('config with max_versions -1', 'max_versions must be between 0', (kv) =>
    kv.write('config', { max_versions: -1 }),
  ),
  refused('config with max_versions "1e9"', `${FIELD} "max_versions"`, (kv) =>
    kv.write('config', { max_versions: '1e9' }),
  ),
]

for (const { what, run, status, text } of cases) {
  test(`kv v2 refuses a ${what} with ${status} and changes nothing`, async () => {
    const kv = testEngine(kvV2)
    await kv.write('data/app', { data: secretData })
    let before = ''
    const failure = await run({
      ...kv,
      ...remember(kv, () => (before = JSON.stringify([...kv.entries()]))),
    }).then(
      () => undefined,
      (error: unknown) => error as Error & { status?: number },
    )
    equal(failure?.status, status)
    ok(text === '' ? failure.message === '' : failure.message.includes(text), failure.message)
    ok(!failure.message.includes('canary'), failure.message)
    equal(JSON.stringify([...kv.entries()]), before)
  })
}

/** Takes a note of what is stored before every change, so the last one made can be checked. */
function remember(kv: Kv, note: () => void): Pick<Kv, 'write' | 'patch'> {
  const noted =
    <A extends unknown[], R>(run: (...args: A) => R) =>
    (...args: A) => {
      note()
      return run(...args)
    }
  return { write: noted(kv.write), patch: noted(kv.patch) }
}

const INVALID = (verb: string) =>
  'Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API ' +
  `endpoints to use. If using the Vault CLI, use 'vault kv ${verb}' for this operation.`
const AT_ROOT = 'Non-listing operations on the root of a K/V v2 mount are not supported.'

test('kv v2 answers 404 with an explanation at a path that has no meaning', async () => {
  const kv = testEngine(kvV2)
  const answers = [
    [await kv.read('app'), INVALID('get')],
    [await kv.list('app'), INVALID('list')],
    [await kv.list(''), INVALID('list')],
    [await kv.write('app', { any: 'thing' }), INVALID('put')],
    [await kv.patch('app/x', {}), INVALID('patch')],
    [await kv.delete('app'), INVALID('delete')],
    [await kv.read('config/x'), INVALID('get')],
    [await kv.read('data'), AT_ROOT],
    [await kv.write('data', { data: {} }), AT_ROOT],
    [await kv.delete('metadata'), AT_ROOT],
    [await kv.patch('metadata', {}), AT_ROOT],
    [await kv.write('undelete', { versions: [1] }), AT_ROOT],
  ] as const
  for (const [reply, warning] of answers) {
    equal(reply?.status, 404)
    equal(reply.data, undefined)
    deepEqual(reply.warnings, [warning])
  }
})

test('kv v2 answers a write with the version it made', async () => {
  const kv = testEngine(kvV2)
  await kv.write('metadata/app', { custom_metadata: { owner: 'pay' } })
  const reply = await kv.write('data/app', { data: secretData, options: { cas: '0' } })
  equal(reply?.status, undefined)
  deepEqual(dataOf(reply), {
    version: 1,
    created_time: '2026-01-01T00:00:00Z',
    deletion_time: '',
    destroyed: false,
    custom_metadata: { owner: 'pay' },
  })
  const second = await kv.write('data/app', { data: {}, options: { cas: 1, unknown: true } })
  equal(dataOf(second)['version'], 2)
})

test('kv v2 reads the newest version or the one asked for', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/a/b', { data: { n: 1 } })
  kv.clock.advance(1500)
  await kv.write('data/a/b', { data: { n: 2 } })
  const metadata = {
    version: 2,
    created_time: '2026-01-01T00:00:01.5Z',
    deletion_time: '',
    destroyed: false,
    custom_metadata: null,
  }
  deepEqual(dataOf(await kv.read('data/a/b')), { data: { n: 2 }, metadata })
  for (const version of ['0', '-1', '2', 2]) {
    deepEqual(dataOf(await kv.read('data/a/b', { version }))['data'], { n: 2 })
  }
  deepEqual(dataOf(await kv.read('data/a/b', { version: '1' }))['data'], { n: 1 })
})

test('kv v2 has nothing at an unknown key or version, a folder, or a key without versions', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/a/b', { data: {} })
  await kv.write('metadata/empty', { max_versions: 3 })
  equal(await kv.read('data/a/b', { version: '2' }), undefined)
  for (const path of ['data/', 'data/a', 'data/a/', 'data/a/b/', 'data/empty', 'metadata/a']) {
    equal(await kv.read(path), undefined)
  }
  for (const path of ['data/no', 'metadata/no', 'data/', 'metadata/a/']) {
    equal(await kv.delete(path), undefined)
  }
  for (const verb of ['delete', 'undelete', 'destroy']) {
    equal(await kv.write(`${verb}/no`, { versions: '1' }), undefined)
  }
  equal(kv.entries().size, 3)
})

test('kv v2 answers 404 with the metadata of a deleted or destroyed version', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/app', { data: secretData })
  await kv.write('data/app', { data: secretData })
  kv.clock.advance(1000)
  equal(await kv.delete('data/app'), undefined)
  const deleted = await kv.read('data/app')
  equal(deleted?.status, 404)
  const metadata = {
    version: 2,
    created_time: '2026-01-01T00:00:00Z',
    deletion_time: '2026-01-01T00:00:01Z',
    destroyed: false,
    custom_metadata: null,
  }
  deepEqual(dataOf(deleted), { data: null, metadata })
  const subkeys = await kv.read('subkeys/app')
  equal(subkeys?.status, 404)
  deepEqual(dataOf(subkeys), { subkeys: null, metadata })
  const patched = await kv.patch('data/app', { data: { more: 1 } })
  equal(patched?.status, 404)
  deepEqual(dataOf(patched), metadata)
  equal(await kv.write('destroy/app', { versions: [1] }), undefined)
  const destroyed = await kv.read('data/app', { version: '1' })
  equal(destroyed?.status, 404)
  deepEqual(dataOf(destroyed), {
    data: null,
    metadata: { ...metadata, version: 1, deletion_time: '', destroyed: true },
  })
})

test('kv v2 writes nothing when versions are already as asked', async () => {
  const kv = testEngine(kvV2)
  await kv.write('data/app', { data: secretData })
  await kv.write('data/app', { data: secretData })
  await kv.write('delete/app', { versions: [1] })
  await kv.write('destroy/app', { versions: [2] })
  const before = kv.entries().get('metadata/app')
  for (const [verb, versions] of [
    ['delete', '1,2,3,-1,0'],
    ['undelete', [2, 7]],
    ['destroy', ['2', 9]],
  ] as const) {
    kv.clock.advance(1000)
    equal(await kv.write(`${verb}/app`, { versions }), undefined)
    equal(await kv.delete('data/app'), undefined)
    equal(kv.entries().get('metadata/app'), before)
  }
})

test('kv v2 says of a write whether the key exists, even when every version is deleted', async () => {
  const kv = testEngine(kvV2)
  const exists = async (path: string) => {
    const found = kvV2.endpoints.find((endpoint) => endpoint.path === 'data/:path*')
    const get = async (key: string) => kv.entries().get(key)
    return found?.exists?.({ data: { path }, store: { get } } as never)
  }
  equal(await exists('app'), false)
  await kv.write('data/app', { data: {} })
  await kv.delete('data/app')
  equal(await exists('app'), true)
  equal(await exists(''), false)
  await kv.delete('metadata/app')
  equal(await exists('app'), false)
})

test('kv v2 has no list of data and no read of destroy', async () => {
  const kv = testEngine(kvV2)
  await rejects(kv.list('data/'), { code: 'unsupported_operation' })
  await rejects(kv.read('destroy/app'), { code: 'unsupported_operation' })
})
