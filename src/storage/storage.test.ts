/** Every store through the one suite, and what only the one on disk can show. */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { testStore } from '../../test/conformance/store.ts'
import { memoryStore } from './memory.ts'
import { sqliteStore } from './sqlite.ts'
import { NOTHING_EXPECTED } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-store-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let made = 0
const freshPath = () => join(folder, `${made++}`, 'coffer.db')

testStore('memory', async () => memoryStore())
testStore('sqlite', async () => sqliteStore({ path: freshPath() }))

const put = (key: string, value: string) => ({ key, value: Buffer.from(value) })

test('sqlite store keeps what it has acknowledged, in a file only its owner can read', async () => {
  const path = freshPath()
  const store = sqliteStore({ path })
  await Promise.all(
    Array.from({ length: 100 }, (_, i) => store.write([put(`k${i}`, `v${i}`)], NOTHING_EXPECTED)),
  )
  await store.close()
  equal(statSync(path).mode & 0o777, 0o600)
  const again = sqliteStore({ path })
  equal(await again.revision(), 100)
  equal(Buffer.from((await again.get('k99'))!.value).toString(), 'v99')
  await again.close()
})

test('sqlite store shows one process what another has written, at its next question', async () => {
  const path = freshPath()
  const [a, b] = [sqliteStore({ path }), sqliteStore({ path })]
  equal(await b.revision(), 0)
  await a.write([put('k', '1')], NOTHING_EXPECTED)
  equal(await b.revision(), 1)
  deepEqual(await b.changes(0), { revision: 1, keys: new Map([['k', 1]]) })
  await b.write([put('k', '2')], { keys: [{ key: 'k', revision: 1 }], ranges: [] })
  equal(await a.revision(), 2)
  equal(Buffer.from((await a.get('k'))!.value).toString(), '2')
  await Promise.all([a.close(), b.close()])
})

test('sqlite store refuses a file that is not a database', async () => {
  const path = join(folder, 'garbage.db')
  writeFileSync(path, 'this is not a database, it only looks like a file of some length'.repeat(99))
  chmodSync(path, 0o600)
  await rejects(async () => sqliteStore({ path }), /not a database/)
})

test('sqlite store says of a place where it cannot be what is wrong with it', async () => {
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const places: [path: string, why: RegExp][] = [
    [folder, /it is a folder; give a file in it, such as .*coffer\.db/],
    [join(file, 'coffer.db'), /file is no folder/],
    [join(file, 'deeper', 'coffer.db'), /file is no folder/],
  ]
  // Where no folder can be made, it does not try for ever.
  if (existsSync('/proc/self'))
    places.push(['/proc/nowhere/coffer.db', /cannot be made \(ENOENT\)/])
  for (const [path, why] of places) {
    await rejects(async () => sqliteStore({ path }), { name: 'StoreUnusable', message: why })
  }
})

test('sqlite store says after close that it is closed', async () => {
  const store = sqliteStore({ path: freshPath() })
  await store.close()
  await rejects(store.write([put('k', '1')], NOTHING_EXPECTED), /closed/)
  ok(true)
})

test('sqlite store that is only open does not keep its process alive', () => {
  const code = `
    const { sqliteStore } = await import(${JSON.stringify(import.meta.resolve('./sqlite.ts'))})
    const store = sqliteStore({ path: ${JSON.stringify(freshPath())} })
    await store.write([], { keys: [], ranges: [] })
    console.log('written')`
  const args = ['--no-warnings', '--input-type=module', '-e', code]
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 5_000 })
  equal(stdout, 'written\n')
  equal(status, 0)
})
