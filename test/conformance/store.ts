/** What every store promises (src/storage/store.ts), as one suite that each of them runs. */
import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NOTHING_EXPECTED, type Store, StoreConflict } from '../../src/storage/store.ts'

const bytes = (text: string) => Buffer.from(text)
const put = (key: string, text: string) => ({ key, value: bytes(text) })
const drop = (key: string) => ({ key, value: undefined })
const textOf = async (store: Store, key: string) => {
  const entry = await store.get(key)
  return entry && Buffer.from(entry.value).toString()
}

/** `open` makes a fresh, empty store. */
export function testStore(name: string, open: () => Promise<Store>): void {
  const on = (title: string, run: (store: Store) => Promise<void>) =>
    test(`${name} store ${title}`, async () => {
      const store = await open()
      try {
        await run(store)
      } finally {
        await store.close()
      }
    })

  on('refuses a write when what was read has changed, and writes nothing of it', async (store) => {
    const first = await store.write([put('a', '1')], NOTHING_EXPECTED)
    await store.write([put('a', '2')], NOTHING_EXPECTED)
    const stale = { keys: [{ key: 'a', revision: first }], ranges: [] }
    await rejects(store.write([put('a', '3'), put('b', '3')], stale), StoreConflict)
    const absent = { keys: [{ key: 'a', revision: 0 }], ranges: [] }
    await rejects(store.write([put('a', '3')], absent), StoreConflict)
    equal(await textOf(store, 'a'), '2')
    equal(await textOf(store, 'b'), undefined)
  })

  on('refuses a write when a name has come to, or gone from, a listed prefix', async (store) => {
    const since = await store.write([put('x/a', '1')], NOTHING_EXPECTED)
    const listed = { keys: [], ranges: [{ prefix: 'x/', since }] }
    await store.write([put('y/a', '1')], NOTHING_EXPECTED)
    await store.write([put('z', '1')], listed)
    await store.write([put('x/b', '1')], NOTHING_EXPECTED)
    await rejects(store.write([put('z', '2')], listed), StoreConflict)
    const later = { keys: [], ranges: [{ prefix: 'x/', since: await store.revision() }] }
    await store.write([drop('x/a')], NOTHING_EXPECTED)
    await rejects(store.write([put('z', '2')], later), StoreConflict)
  })

  on('lets exactly one of many racing writers win', async (store) => {
    const revision = await store.write([put('one', '0')], NOTHING_EXPECTED)
    const expect = { keys: [{ key: 'one', revision }], ranges: [] }
    const race = Array.from({ length: 50 }, (_, i) => store.write([put('one', `${i}`)], expect))
    const results = await Promise.allSettled(race)
    equal(results.filter((r) => r.status === 'fulfilled').length, 1)
  })

  on('answers absence with undefined and an empty list', async (store) => {
    equal(await store.get('nope'), undefined)
    deepEqual(await store.list(''), [])
    deepEqual(await store.list('nope/'), [])
  })

  on('gives back the bytes that were written, and forgets what was deleted', async (store) => {
    const value = Buffer.from([0, 255, 10, 0])
    const revision = await store.write([{ key: 'k', value }], NOTHING_EXPECTED)
    const entry = await store.get('k')
    deepEqual(Buffer.from(entry!.value), value)
    equal(entry!.revision, revision)
    await store.write([drop('k')], NOTHING_EXPECTED)
    equal(await store.get('k'), undefined)
  })

  on('lists direct children in order, folders with a slash, page by page', async (store) => {
    const keys = ['d/a', 'd/b', 'd/b/c', 'd/b/d', 'd/e/f/g', 'd-', 'dd', 'e']
    await store.write(
      keys.map((key) => put(key, key)),
      NOTHING_EXPECTED,
    )
    deepEqual(await store.list('d/'), ['a', 'b', 'b/', 'e/'])
    deepEqual(await store.list(''), ['d-', 'd/', 'dd', 'e'])
    deepEqual(await store.list('d/', { limit: 2 }), ['a', 'b'])
    deepEqual(await store.list('d/', { after: 'b', limit: 1 }), ['b/'])
    deepEqual(await store.list('d/', { after: 'b/' }), ['e/'])
  })

  on('names what has changed since a revision, deletions included', async (store) => {
    await store.write([put('a', '1')], NOTHING_EXPECTED)
    const since = await store.revision()
    equal((await store.changes(since))?.keys.size, 0)
    await store.write([put('b', '1'), drop('a')], NOTHING_EXPECTED)
    const changes = await store.changes(since)
    equal(changes!.keys.size, 2)
    equal(changes!.keys.get('a'), changes!.revision)
    equal(changes!.keys.get('b'), changes!.revision)
    equal(changes!.revision, await store.revision())
    notEqual(changes!.revision, since)
    await store.write([], NOTHING_EXPECTED)
    const later = await store.changes(changes!.revision)
    equal(later!.revision, await store.revision())
  })

  on('names what is due, most overdue first, until it is written without a time', async (store) => {
    const at = (key: string, due: number) => ({ ...put(key, key), due })
    await store.write([at('c', 30), at('a', 10), at('b', 20), put('x', '')], NOTHING_EXPECTED)
    deepEqual(await store.due(5, 10), { keys: [], next: 10 })
    deepEqual(await store.due(25, 10), { keys: ['a', 'b'], next: 30 })
    deepEqual(await store.due(99, 2), { keys: ['a', 'b'], next: 30 })
    await store.write([put('a', ''), drop('b')], NOTHING_EXPECTED)
    deepEqual(await store.due(99, 10), { keys: ['c'], next: undefined })
  })

  on('keeps a log in the order of its writes, and drops its beginning', async (store) => {
    const texts = async (after = 0, limit = 10) =>
      (await store.log(after, limit)).map(({ value }) => Buffer.from(value).toString())
    deepEqual(await texts(), [])
    equal(await store.logFromEnd(0), undefined)
    const revisions: number[] = []
    for (const [i, text] of ['one', 'two', 'three'].entries()) {
      const batch = [put(`k${i}`, 'x'), drop('k0'), put('long', 'y'.repeat(i))]
      revisions.push(await store.write(batch, NOTHING_EXPECTED, { append: bytes(text) }))
      await store.write([put('other', text)], NOTHING_EXPECTED)
    }
    deepEqual(await texts(), ['one', 'two', 'three'])
    deepEqual(await texts(revisions[0], 1), ['two'])
    deepEqual(await texts(revisions[2]), [])
    deepEqual(
      (await store.log(0, 10)).map(({ revision }) => revision),
      revisions,
    )
    equal(await textOf(store, 'long'), 'yy')
    deepEqual(
      [await store.logFromEnd(0), await store.logFromEnd(2), await store.logFromEnd(3)],
      [revisions[2], revisions[0], undefined],
    )
    await store.write([], NOTHING_EXPECTED, { dropTo: revisions[1]! })
    deepEqual(await texts(), ['three'])
    equal((await store.changes(revisions[0]!))?.keys.has('long'), true)
  })

  on('keeps no record of a write it refuses', async (store) => {
    const stale = { keys: [{ key: 'a', revision: 7 }], ranges: [] }
    await rejects(store.write([put('a', '1')], stale, { append: bytes('x') }), StoreConflict)
    deepEqual(await store.log(0, 10), [])
  })

  on('behaves as a map does, whatever the order of writes', async (store) => {
    const key = fc.constantFrom('a', 'b', 'b/c', 'b/d', 'e/f')
    const write = fc.record({ key, value: fc.option(fc.string(), { nil: undefined }) })
    let prefix = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(write, { maxLength: 4 }), { maxLength: 8 }),
        async (all) => {
          const model = new Map<string, string>()
          const at = `${prefix++}/`
          for (const batch of all) {
            await store.write(
              batch.map((w) => ({
                key: at + w.key,
                value: w.value === undefined ? w.value : bytes(w.value),
              })),
              NOTHING_EXPECTED,
            )
            for (const w of batch) {
              if (w.value === undefined) model.delete(w.key)
              else model.set(w.key, w.value)
            }
          }
          for (const k of ['a', 'b', 'b/c', 'b/d', 'e/f']) {
            equal(await textOf(store, at + k), model.get(k))
          }
          const names = [...model.keys()].map((k) => (k.includes('/') ? `${k.split('/')[0]}/` : k))
          deepEqual(await store.list(at), [...new Set(names)].sort())
        },
      ),
      { numRuns: 30 },
    )
    ok(prefix > 0)
  })
}
