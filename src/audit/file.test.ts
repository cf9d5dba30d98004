/** The file device: a file of whole lines that only its owner reads, also when the disk is full. */
import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileAudit } from './file.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-file-audit-'))
after(() => rmSync(dir, { recursive: true, force: true }))
let count = 0
const fresh = () => join(dir, `audit-${++count}.log`)
const modeOf = (file: string) => statSync(file).mode & 0o777

test('fileAudit refuses what is no file, and a link in the place of one', () => {
  const link = fresh()
  writeFileSync(`${link}.target`, '')
  symlinkSync(`${link}.target`, link)
  mkdirSync(join(dir, 'folder'))
  for (const path of [link, join(dir, 'folder'), join(dir, 'missing', 'x'), '']) {
    throws(() => fileAudit.open({ file_path: path }), { status: 400 })
  }
  for (const mode of ['rw', '99', '0888', '1777', '-1', '0600x']) {
    throws(() => fileAudit.open({ file_path: fresh(), mode }), /octal file mode/)
  }
})

test('fileAudit makes a file that only its owner can read, and appends', () => {
  const file = fresh()
  const device = fileAudit.open({ file_path: file })
  device.write('one\n')
  device.close()
  equal(modeOf(file), 0o600)
  const again = fileAudit.open({ file_path: file })
  again.write('two\né\n')
  again.close()
  equal(readFileSync(file, 'utf8'), 'one\ntwo\né\n')
})

test('reopen() goes on in a new file, and in the old one when there can be none', () => {
  const file = fresh()
  const device = fileAudit.open({ file_path: file })
  device.write('one\n')
  renameSync(file, `${file}.1`)
  device.write('two\n')
  device.reopen()
  device.write('three\n')
  equal(readFileSync(`${file}.1`, 'utf8'), 'one\ntwo\n')
  equal(readFileSync(file, 'utf8'), 'three\n')
  renameSync(file, `${file}.2`)
  mkdirSync(file)
  throws(() => device.reopen(), /sanity check failed/)
  device.write('four\n')
  equal(readFileSync(`${file}.2`, 'utf8'), 'three\nfour\n')
  device.close()
})

test('write() throws when the disk is full', () => {
  const device = fileAudit.open({ file_path: '/dev/full' })
  throws(() => device.write('one\n'))
  throws(() => device.write('two\n'))
  device.close()
})

test('write() after half a line begins a new one', () => {
  const file = fresh()
  // A limit on the size of files stands for the full disk; it is lifted by putting a shorter file.
  const script = `
    import { truncateSync } from 'node:fs'
    import { fileAudit } from '${join(import.meta.dirname, 'file.ts')}'
    const device = fileAudit.open({ file_path: '${file}' })
    device.write('x'.repeat(900) + '\\n')
    let failed = 0
    for (let i = 0; i < 2; i++) {
      try { device.write('y'.repeat(500) + '\\n') } catch { failed++ }
    }
    truncateSync('${file}', 910)
    device.write('z\\n')
    device.write('z\\n')
    console.log(failed)
  `
  const run = spawnSync(
    'sh',
    ['-c', `ulimit -f 2; exec '${process.execPath}' --input-type=module -`],
    { input: script, encoding: 'utf8' },
  )
  equal(run.stderr, '')
  equal(run.stdout.trim(), '2')
  const lines = readFileSync(file, 'utf8').split('\n')
  equal(lines[0], 'x'.repeat(900))
  match(lines[1]!, /^y+$/)
  deepEqual(lines.slice(2), ['z', 'z', ''])
})

test('fileAudit writes nowhere when told to discard, and leaves nothing open', () => {
  const device = fileAudit.open({ file_path: 'discard' })
  device.write('one\n')
  device.reopen()
  device.close()
  const file = fresh()
  appendFileSync(file, '')
  const other = fileAudit.open({ path: file, mode: '0640' })
  other.close()
  throws(() => other.write('x'))
  ok(modeOf(file) !== 0)
})

test('newestFirst gives whole lines from the end, in blocks, and not more than was asked for', async () => {
  const file = fresh()
  const device = fileAudit.open({ file_path: file })
  // Longer than a block, shorter, and one that ends a block exactly.
  const lines = [7, 3_000_000, 5, 1_048_575, 1_048_576, 90, 400_000, 400_000, 400_000].map(
    (length, i) => `${i}${'x'.repeat(length)}\n`,
  )
  for (const line of lines) device.write(line)
  const read = async (bytesMax: number) => {
    const blocks: string[] = []
    for await (const block of device.newestFirst!(bytesMax)) blocks.unshift(block.toString())
    for (const block of blocks) ok(block === '' || /^\d[x]+\n/.test(block))
    return blocks.join('')
  }
  ok((await read(1e9)) === lines.join(''))
  ok((await read(500_000)) === lines.at(-1))
  ok((await read(3)) === '')
  rmSync(file)
  symlinkSync('/etc/hostname', file)
  await rejects(read(10), { code: 'ELOOP' })
  device.close()
})
