import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../test/support/fake-vault.ts'
import { gitRepo } from '../../test/support/git-repo.ts'
import { placesOf, scanned, tokenOf } from '../../test/support/scan.ts'
import { BaselineError, baselineText, newKey, parseBaseline } from './baseline.ts'

const [ONE, TWO, THREE] = [tokenOf('one'), tokenOf('two'), tokenOf('three')]
const FILE = '.coffer-baseline.json'

test('a baseline lets what is known pass and nothing else, wherever it moves', async () => {
  using repo = gitRepo()
  repo.commit({ a: `${ONE}\n`, b: `x\n${TWO}\n` })
  const file = join(repo.folder, FILE)
  const made = await runCli(['scan', 'baseline', 'create', repo.folder])
  deepEqual(
    { ...made, out: made.out.replace(repo.folder, '') },
    {
      code: 0,
      err: '',
      out: `Wrote /${FILE}: 2 accepted\n`,
    },
  )
  const text = readFileSync(file, 'utf8')
  ok(!text.includes(ONE) && !text.includes('ghp_'))
  const clean = await scanned(repo.folder)
  equal(clean.code, 0)
  match(clean.err, /Left out, in the baseline: 2/)
  // Moved, on another line, in a commit that was made anew: nothing to tell.
  renameSync(join(repo.folder, 'a'), join(repo.folder, 'moved'))
  repo.write({ b: `x\n\n\n${TWO}\n` })
  repo.commit({})
  repo.git('commit', '-q', '--amend', '-m', 'rebased')
  equal((await scanned(repo.folder)).code, 0)
  equal((await scanned('-history', repo.folder)).code, 0)
  repo.write({ c: `${THREE}\n` })
  deepEqual(placesOf((await scanned(repo.folder)).found), [join(repo.folder, 'c:1:1')])
  equal((await scanned('-no-baseline', repo.folder)).found.length, 3)
  // A folder below finds it, too.
  repo.write({ 'sub/d': `${ONE}\n` })
  equal((await scanned(join(repo.folder, 'sub'))).code, 0)
})

test('baseline create does not overwrite; update keeps the key and tells what changed', async () => {
  using repo = gitRepo()
  repo.commit({ a: `${ONE}\n`, b: `${TWO}\n` })
  await runCli(['scan', 'baseline', 'create', repo.folder])
  const again = await runCli(['scan', 'baseline', 'create', repo.folder])
  equal(again.code, 2)
  match(again.err, /is there already\nhint: coffer scan baseline update/)
  const before = parseBaseline(readFileSync(join(repo.folder, FILE), 'utf8'))
  repo.write({ a: 'clean\n', c: `${THREE}\n` })
  const { out } = await runCli(['scan', 'baseline', 'update', repo.folder])
  match(out, /2 accepted, 1 new, 1 gone/)
  const after = parseBaseline(readFileSync(join(repo.folder, FILE), 'utf8'))
  equal(after.key, before.key)
  deepEqual(
    after.findings.map(({ path }) => path),
    ['b', 'c'],
  )
})

test('baselines of two projects have nothing in common, and one of a project is always the same', async () => {
  const texts: string[] = []
  for (let i = 0; i < 2; i++) {
    using repo = gitRepo()
    repo.commit({ a: `${ONE}\n` })
    await runCli(['scan', 'baseline', 'create', repo.folder])
    const text = readFileSync(join(repo.folder, FILE), 'utf8')
    await runCli(['scan', 'baseline', 'update', repo.folder])
    equal(readFileSync(join(repo.folder, FILE), 'utf8'), text)
    texts.push(text)
  }
  const prints = texts.map((text) => parseBaseline(text).findings[0]!.fingerprint)
  ok(prints[0] !== prints[1])
})

test('baselineText() comes back, sorted, one finding a line', () => {
  const entry = (path: string) => ({ fingerprint: 'a'.repeat(24), rule: 'r', path })
  const one = { key: newKey(), findings: [entry('b"\n'), entry('a'), entry('a')] }
  const text = baselineText(one)
  deepEqual(parseBaseline(text), { ...one, findings: [entry('a'), entry('b"\n')] })
  equal(text.split('\n').length, 9)
})

test('parseBaseline() says what is wrong', () => {
  const key = newKey()
  for (const [text, why] of [
    ['', /no JSON object/],
    ['[]', /no JSON object/],
    ['{"format":"x"}', /format is not/],
    ['{"format":"coffer-baseline/1","salt":"abcd"}', /32 bytes/],
    [`{"format":"coffer-baseline/1","salt":"${key}"}`, /no list/],
    [`{"format":"coffer-baseline/1","salt":"${key}","findings":[{}]}`, /finding 1 lacks/],
  ] as const) {
    throws(
      () => parseBaseline(text),
      (error) => error instanceof BaselineError && why.test(error.message),
    )
  }
})

test('a baseline that is broken ends the scan: nothing is accepted by mistake', async () => {
  using repo = gitRepo()
  repo.commit({ a: `${ONE}\n`, [FILE]: '{}' })
  const { code, err } = await scanned(repo.folder)
  equal(code, 2)
  match(err, /\.coffer-baseline\.json: its format is not/)
  equal((await scanned('-baseline=/no/such/file', repo.folder)).code, 2)
})

test('what gitleaks and detect-secrets have accepted is accepted', async () => {
  using repo = gitRepo()
  const commit = repo.commit({ 'a/x': `${ONE}\n`, b: `\n${TWO}\n`, c: `${THREE}\n` })
  const hash = createHash('sha1').update(ONE).digest('hex')
  const results = { 'other/place': [{ type: 'GitHub Token', hashed_secret: hash, line_number: 9 }] }
  writeFileSync(
    join(repo.folder, '.secrets.baseline'),
    JSON.stringify({ version: '1.5.0', results }),
  )
  repo.write({
    '.gitleaksignore': `# a comment\nb:their-rule:2\n${commit}:c:their-rule:1\nnonsense\n`,
  })
  const files = await scanned(repo.folder)
  // The one with a commit is about history only.
  deepEqual(placesOf(files.found), [join(repo.folder, 'c:1:1')])
  match(files.err, /in \.secrets\.baseline: 2/)
  match(files.err, /in \.gitleaksignore: 1/)
  equal((await scanned('-history', repo.folder)).code, 0)
  // Another line, or another rule of ours, is another finding.
  repo.write({ '.gitleaksignore': 'b:their-rule:1\nb:generic-token:2\n' })
  equal((await scanned(repo.folder)).found.length, 2)
})
