import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gitRepo } from '../../test/support/git-repo.ts'
import { scanned, tokenOf } from '../../test/support/scan.ts'
import { type IndexedValue, makeIndex, openIndex } from '../rules/fingerprints.ts'
import { compileRules } from '../rules/matcher.ts'
import { BlobSet } from './blob-set.ts'
import { scanText } from './scan-text.ts'
import { workerPool } from './worker-pool.ts'

const FILLER = 'some words of a text that has nothing in it\n'.repeat(12_000)

test('threads find what one finds, in the same order, by a configuration too', async () => {
  using repo = gitRepo()
  const config = '[extend]\nuseDefault=true\n[[rules]]\nid="acme"\nregex="acme-[0-9]{6}"\n'
  const files = Object.fromEntries(
    Array.from({ length: 24 }, (_, i) => [
      `f${String(i).padStart(2, '0')}`,
      `${FILLER}${i % 3 === 0 ? `${tokenOf(`t${i}`)}\nacme-${100_000 + i}\n` : ''}`,
    ]),
  )
  repo.commit({ '.gitleaks.toml': config, ...files })
  const all = await scanned(repo.folder)
  const expected = Object.keys(files).filter((_, i) => i % 3 === 0)
  deepEqual(
    all.found.map(({ path, line, rule }) => `${path.slice(-3)}:${line}:${rule}`),
    expected.flatMap((name) => [`${name}:12001:github-pat`, `${name}:12002:acme`]),
  )
  match(all.err, /25 files, 12\.\d MB/)
  const history = await scanned('-history', repo.folder)
  equal(history.found.length, all.found.length)
  deepEqual(new Set(history.found.map(({ path }) => path)), new Set(expected))
})

test('a thread that cannot start ends the scan with its error', async () => {
  const pool = workerPool({ rules: { module: 'file:///no/such/module.js', options: {} } }, 2)
  async function* batches() {
    for (let i = 0; i < 9; i++) yield { files: [{ path: '/dev/null', bytes: 0 }] }
  }
  await rejects(async () => {
    for await (const _ of pool.run(batches())) ok(false)
  }, /no\/such\/module/)
  await pool.close()
})

test('a secret of the vault is told as that, with where it is kept, instead of by a rule', () => {
  const secret = tokenOf('vault')
  const ref = { path: 'secret/app', field: 'gh', version: 2, live: true }
  const value: IndexedValue = { ...ref, value: secret }
  const index = openIndex(makeIndex([value], { now: 0 }))
  const scanner = { matcher: compileRules(), index }
  // Letters of two bytes before it: offsets of bytes are none of the text.
  const { spots } = scanText(`ÄÖ\nkey é ${secret}\n`, { path: 'f' }, scanner)
  deepEqual(
    spots.map(({ rule, line, column, known }) => ({ rule, line, column, known })),
    [{ rule: 'vault-secret', line: 2, column: 7, known: ref }],
  )
  const encoded = Buffer.from(secret).toString('base64')
  equal(scanText(`x ${encoded}\n`, { path: 'f' }, scanner).spots[0]!.rule, 'vault-secret')
  // The index itself lies in repositories; what is in it is no secret.
  const file = JSON.stringify({ index: JSON.stringify(makeIndex([value], { now: 0 })) })
  deepEqual(scanText(file, { path: 'secrets.index' }, { matcher: compileRules() }).spots, [])
})

test('BlobSet has what was added and nothing else, past every growth', () => {
  const set = new BlobSet()
  const id = (i: number) =>
    i.toString(16).padStart(8, '0').split('').toReversed().join('') + 'ab'.repeat(16)
  for (let i = 0; i < 5000; i++) equal(set.add(id(i)), true)
  for (let i = 0; i < 5000; i++) equal(set.add(id(i)), false)
  for (let i = 5000; i < 6000; i++) equal(set.has(id(i)), false)
  equal(set.size, 5000)
  equal(new BlobSet().has(id(1)), false)
})

test('a file that grows or goes while it is scanned is no crash', async () => {
  using repo = gitRepo()
  const file = join(repo.folder, 'a')
  writeFileSync(file, 'x\n')
  repo.commit({ b: 'b\n' })
  repo.git('rm', '-q', '--cached', 'a')
  // Git lists it, and it is gone.
  repo.git('add', 'a')
  repo.write({ c: 'c\n' })
  rmSync(file)
  const { code, err } = await scanned(repo.folder)
  equal(code, 0)
  match(err, /Skipped, vanished: 1 \(.*\/a\)/)
})
