import { deepEqual, equal, rejects } from 'node:assert/strict'
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { removeLeftovers, writeWhole } from './write-file.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-write-'))
after(() => rmSync(dir, { recursive: true }))
const modeOf = (path: string) => statSync(path).mode & 0o777

test('writeWhole() writes with the mode it is told, and only what is new', async () => {
  const path = join(dir, 'a', 'file')
  await rejects(writeWhole(path, 'one', { mode: 0o600 }), { code: 'ENOENT' })
  equal(await writeWhole(path, 'one', { mode: 0o600, makesFolders: true }), true)
  equal(modeOf(path), 0o600)
  equal(await writeWhole(path, 'one', { mode: 0o600 }), false)
  equal(await writeWhole(path, 'one', { mode: 0o644 }), true)
  equal(modeOf(path), 0o644)
  equal(await writeWhole(path, 'two', { mode: 0o600, backup: true }), true)
  deepEqual([readFileSync(path, 'utf8'), readFileSync(`${path}.bak`, 'utf8')], ['two', 'one'])
  equal(modeOf(`${path}.bak`), 0o600)
  deepEqual(readdirSync(join(dir, 'a')).sort(), ['file', 'file.bak'])
})

test('writeWhole() leaves nothing beside a name it cannot take', async () => {
  const path = join(dir, 'b')
  await writeWhole(join(path, 'x'), '', { mode: 0o600, makesFolders: true })
  await rejects(writeWhole(path, 'text', { mode: 0o600 }))
  deepEqual(
    readdirSync(dir).filter((name) => name.startsWith('.')),
    [],
  )
})

test('removeLeftovers() takes old remains of this file, and nothing else', async () => {
  const uuid = '01234567-89ab-4cde-8f01-23456789abcd'
  for (const name of [`.c.${uuid}`, `.d.${uuid}`, '.c.conf', `.c.${uuid}.x`]) {
    writeFileSync(join(dir, name), 'half')
    utimesSync(join(dir, name), 1, 1)
  }
  writeFileSync(join(dir, `.c.1${uuid.slice(1)}`), 'being written')
  await removeLeftovers(join(dir, 'c'))
  deepEqual(
    readdirSync(dir)
      .filter((name) => name.startsWith('.'))
      .sort(),
    ['.c.1' + uuid.slice(1), '.c.conf', `.c.${uuid}.x`, `.d.${uuid}`].sort(),
  )
})
