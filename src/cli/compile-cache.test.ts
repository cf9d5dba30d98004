import { equal } from 'node:assert/strict'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { cacheFolder, isOurs } from '../../bin/compile-cache.mjs'

const folder = mkdtempSync(join(tmpdir(), 'coffer-cache-'))
after(() => rmSync(folder, { recursive: true }))

test('isOurs() refuses a folder that others may write to', () => {
  const open = join(folder, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  equal(isOurs(open), false)
  chmodSync(open, 0o770)
  equal(isOurs(open), false)
})

test('isOurs() refuses a link, and what is no folder', () => {
  const link = join(folder, 'link')
  symlinkSync(folder, link)
  equal(isOurs(link), false)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  equal(isOurs(file), false)
})

test('isOurs() makes a folder for us alone', () => {
  const made = join(folder, 'a', 'b')
  equal(isOurs(made), true)
  equal(statSync(made).mode & 0o777, 0o700)
})

test('cacheFolder() needs a home, and follows XDG_CACHE_HOME', () => {
  equal(cacheFolder({}), undefined)
  equal(cacheFolder({ HOME: 'relative' }), undefined)
  equal(cacheFolder({ HOME: '/h' }), '/h/.cache/coffer')
  equal(cacheFolder({ HOME: '/h', XDG_CACHE_HOME: '/x' }), '/x/coffer')
})
