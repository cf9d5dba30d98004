import { deepEqual, equal, rejects, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testCore } from '../../test/support/test-core.ts'
import { systemRandom } from '../lib/random.ts'
import { newMountEntry } from './bootstrap.ts'
import { entriesUnder, removeAll } from './mounts.ts'

const kv = (path: string) => newMountEntry({ path, class: 'secret', type: 'kv' }, systemRandom)

async function withMounts(paths: readonly string[]) {
  const { core } = await testCore()
  const tx = (await core.begin(false))!
  core.mounts.save(tx, paths.map(kv))
  return { mounts: core.mounts, tx }
}

test('entriesUnder() lets no key out of its mount', async () => {
  const { tx } = await withMounts([])
  const store = entriesUnder(tx, 'm/one/')
  tx.put('m/two/secret', { a: 1 })
  tx.put('secret', { a: 1 })
  for (const key of ['/secret', 'a//b', '//', '/']) {
    throws(() => store.get(key), TypeError)
    throws(() => store.remove(key), TypeError)
    throws(() => store.list(key), TypeError)
    throws(() => store.put(key, {}), TypeError)
  }
  // These are names like any other: nothing here takes dots for a way up.
  for (const key of ['../two/secret', '../../secret', './../two/secret']) {
    equal(await store.get(key), undefined)
  }
  store.put('../two/secret', { b: 1 })
  deepEqual(await tx.get('m/two/secret'), { a: 1 })
})

test('find() knows the mount of a path by whole segments only', async () => {
  const { mounts, tx } = await withMounts(['a/', 'b/c/', 'auth/x/'])
  const found = async (path: string) => (await mounts.find(tx, path))?.entry.path
  for (const [path, mount] of [
    ['a/x', 'a/'],
    ['a', 'a/'],
    ['a/', 'a/'],
    ['ab/x', undefined],
    ['A/x', undefined],
    ['b/c/d', 'b/c/'],
    ['b/c', 'b/c/'],
    ['b/x', undefined],
    ['b', undefined],
    ['', undefined],
    ['auth/x/login', 'auth/x/'],
    ['x/login', undefined],
    ['constructor/x', undefined],
    ['__proto__', undefined],
  ] as const) {
    equal(await found(path), mount, path)
  }
})

test('find() agrees with the plain rule for any table without overlaps', async () => {
  const part = fc.constantFrom('a', 'b', 'ab', 'c')
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  await fc.assert(
    fc.asyncProperty(fc.array(path, { maxLength: 5 }), path, async (all, asked) => {
      const apart = all.filter((one, i) =>
        all.every(
          (other, j) => i === j || !`${one}/`.startsWith(`${other}/`) || (one === other && i < j),
        ),
      )
      const { mounts, tx } = await withMounts(apart.map((one) => `${one}/`))
      const expected = apart.find((one) => `${asked}/`.startsWith(`${one}/`))
      equal((await mounts.find(tx, asked))?.entry.path, expected && `${expected}/`)
    }),
    { numRuns: 50 },
  )
})

test('all() and find() leave out mounts whose engine this build has not', async () => {
  const { core } = await testCore()
  const tx = (await core.begin(false))!
  const strange = newMountEntry({ path: 's/', class: 'secret', type: 'strange' }, systemRandom)
  core.mounts.save(tx, [strange, kv('a/')])
  equal(await core.mounts.find(tx, 's/x'), undefined)
  deepEqual((await core.mounts.table(tx)).mounts.length, 2)
  await rejects(async () => (await core.mounts.find(tx, 's/x'))!.entry)
})

test('removeAll() removes what lies below and nothing beside', async () => {
  const { tx } = await withMounts([])
  for (const path of ['m/1/a', 'm/1/b/c', 'm/1/b/d/e', 'm/10/a', 'm/2/a']) tx.put(path, { a: 1 })
  await removeAll(tx, 'm/1/')
  deepEqual(await tx.list('m/'), ['10/', '2/'])
  deepEqual(await tx.list('m/1/'), [])
})
