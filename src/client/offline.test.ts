/** The offline cache on a real disk: what is in it, who may use it, and what it refuses. */
import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Secret } from '../lib/secret.ts'
import { ConfigError } from './errors.ts'
import { createOfflineCache, OfflineCacheError, type OfflineOptions } from './offline.ts'
import { UnsafeFileError } from './own-file.ts'

const BINDING = '["https://vault.example","","approle"]'
const CANARY = 'canary-6f1d'

function place(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-offline-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'cache')
  const errors: unknown[] = []
  const open = (options: Partial<OfflineOptions> = {}, binding = BINDING) =>
    createOfflineCache({ file, ...options }, binding, (error) => errors.push(error))
  return { dir, file, errors, open }
}

test('what was put is there for the next process, with its numbers exact', async (t) => {
  const { open } = place(t)
  const value = { data: { password: CANARY, pin: 12345678901234567890n } }
  await open().put('secret/app', value)
  await open().put('secret/other', 1)
  deepEqual(await open().get('secret/app'), value)
  equal(await open().get('secret/none'), undefined)
  await open().remove('secret/app')
  equal(await open().get('secret/app'), undefined)
  equal(await open().get('secret/other'), 1)
})

test('nothing is on disk in clear, all of it is 0600, and no draft is left', async (t) => {
  const { dir, open } = place(t)
  await open().put('secret/app', { password: CANARY })
  deepEqual(readdirSync(dir).sort(), ['cache', 'cache.key'])
  for (const name of readdirSync(dir)) {
    const bytes = readFileSync(join(dir, name))
    for (const text of [CANARY, 'secret/app', 'password', 'approle', 'vault.example']) {
      ok(!bytes.includes(text), `${name} holds ${text}`)
    }
    equal(statSync(join(dir, name)).mode & 0o777, 0o600)
  }
})

test('the same content is never the same file', async (t) => {
  const { file, open } = place(t)
  await open().put('a', 1)
  const once = readFileSync(file)
  await open().put('a', 1)
  notEqual(readFileSync(file).toString('hex'), once.toString('hex'))
})

test('every flipped byte and every cut is refused', async (t) => {
  const { file, open } = place(t)
  await open().put('secret/app', { password: CANARY })
  const whole = readFileSync(file)
  for (let at = 0; at < whole.length; at++) {
    const bytes = Buffer.from(whole)
    bytes[at]! ^= 1
    writeFileSync(file, bytes)
    await rejects(open().get('secret/app'), OfflineCacheError, `byte ${at}`)
  }
  for (const length of [0, 1, 20, 60, whole.length - 1]) {
    writeFileSync(file, whole.subarray(0, length))
    await rejects(open().get('secret/app'), OfflineCacheError, `${length} bytes`)
  }
})

test('a damaged file is told of and made anew when there is something to put', async (t) => {
  const { file, errors, open } = place(t)
  await open().put('a', 1)
  writeFileSync(file, 'damaged', { mode: 0o600 })
  await open().put('b', 2)
  ok(errors[0] instanceof OfflineCacheError)
  equal(errors.length, 1)
  equal(await open().get('b'), 2)
})

test('the file is for one server, one identity and one key', async (t) => {
  const { dir, file, open } = place(t)
  await open().put('a', CANARY)
  const others: [Partial<OfflineOptions>, string][] = [
    [{}, '["https://other.example","","approle"]'],
    [{}, '["https://vault.example","","token"]'],
    [{ key: new Secret('k'.repeat(32)) }, BINDING],
    [{ keyFile: join(dir, 'another.key') }, BINDING],
  ]
  for (const [options, binding] of others) {
    await rejects(open(options, binding).get('a'), OfflineCacheError)
  }
  const key = new Secret(Buffer.alloc(32, 7))
  const given = join(dir, 'given')
  await open({ file: given, key }).put('a', 1)
  equal(await open({ file: given, key }).get('a'), 1)
  ok(!readdirSync(dir).includes('given.key'))
  await rejects(open({ file: given, key: new Secret('short') }).get('a'), ConfigError)
  writeFileSync(join(dir, 'short.key'), 'c2hvcnQ=', { mode: 0o600 })
  await rejects(open({ keyFile: join(dir, 'short.key') }).put('a', 1), ConfigError)
  equal(readFileSync(file).includes(CANARY), false)
})

test('a file or key that others may use, or a link, is refused and left alone', async (t) => {
  for (const name of ['cache', 'cache.key']) {
    const { dir, open } = place(t)
    await open().put('a', 1)
    const path = join(dir, name)
    for (const mode of [0o640, 0o604, 0o622, 0o660]) {
      chmodSync(path, mode)
      const before = readFileSync(path)
      await rejects(open().get('a'), UnsafeFileError)
      await rejects(open().put('a', 2), UnsafeFileError)
      deepEqual(readFileSync(path), before)
    }
    chmodSync(path, 0o600)
    equal(await open().get('a'), 1)
    copyFileSync(path, `${path}.real`)
    chmodSync(`${path}.real`, 0o600)
    rmSync(path)
    symlinkSync(`${path}.real`, path)
    await rejects(open().get('a'), UnsafeFileError)
    await rejects(open().put('a', 2), UnsafeFileError)
  }
})

test('a file of another uid is refused', async (t) => {
  const { file, open } = place(t)
  await open().put('a', 1)
  const uid = process.getuid?.()
  if (uid === undefined) return t.skip('this system has no uids')
  // Root may give the file away; anyone else has to be somebody else for the moment.
  if (uid === 0) chownSync(file, 65534, 65534)
  else t.mock.method(process as { getuid: () => number }, 'getuid', () => uid + 1)
  await rejects(open().get('a'), /belongs to uid/)
  await rejects(open().put('a', 2), UnsafeFileError)
})

test('entries are used until their age, also when the clock was set back', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
  const { open } = place(t)
  await open().put('a', 1)
  t.mock.timers.setTime(1_800_000_000_000 + 60_000)
  equal(await open({ maxAgeMs: 60_000 }).get('a'), 1)
  t.mock.timers.setTime(1_800_000_000_000 + 60_001)
  equal(await open({ maxAgeMs: 60_000 }).get('a'), undefined)
  t.mock.timers.setTime(1_800_000_000_000 - 60_001)
  equal(await open({ maxAgeMs: 60_000 }).get('a'), undefined)
})

test('many puts at once, and several that open at once, keep one key and all entries', async (t) => {
  const { open } = place(t)
  const cache = open()
  await Promise.all(Array.from({ length: 20 }, (_, i) => cache.put(String(i), i)))
  for (let i = 0; i < 20; i++) equal(await open().get(String(i)), i)
  const { dir, open: other } = place(t)
  await Promise.all(Array.from({ length: 8 }, () => other().put('a', 1)))
  deepEqual(readdirSync(dir).sort(), ['cache', 'cache.key'])
  equal(await other().get('a'), 1)
})
