import { deepEqual, equal, match } from 'node:assert/strict'
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gitRepo } from '../../test/support/git-repo.ts'
import { runCli } from '../../test/support/fake-vault.ts'
import { placesOf, scanned, tokenOf } from '../../test/support/scan.ts'

const [ONE, TWO, THREE] = [tokenOf('one'), tokenOf('two'), tokenOf('three')]

test('history finds what was deleted, with the commit that brought it', async () => {
  using repo = gitRepo()
  repo.commit({ 'a.txt': 'nothing\n' })
  const bad = repo.commit({ 'a.txt': `nothing\nkey ${ONE}\n` })
  repo.commit({ 'a.txt': 'nothing\n' })
  equal((await scanned(repo.folder)).code, 0)
  const { code, found } = await scanned('-history', repo.folder)
  equal(code, 1)
  deepEqual(placesOf(found), ['a.txt:2:5'])
  equal(found[0]!.commit, bad)
  equal(found[0]!.author, 'Ada "the\u0001first" Õun')
})

test('history tells a secret once in each path, however often the file changes', async () => {
  using repo = gitRepo()
  const first = repo.commit({ 'a.txt': `${ONE}\n` })
  for (let i = 0; i < 5; i++) repo.commit({ 'a.txt': `${ONE}\n${i}\n` })
  repo.git('mv', 'a.txt', 'b.txt')
  repo.commit({ 'c.txt': `${ONE} once more\n` })
  const { found } = await scanned('-history', repo.folder)
  deepEqual(placesOf(found), ['a.txt:1:1', 'c.txt:1:1'])
  equal(found[0]!.commit, first)
})

test('history sees what only a merge has, and no merge twice', async () => {
  using repo = gitRepo()
  repo.commit({ a: 'a\n' })
  repo.git('checkout', '-qb', 'side')
  repo.commit({ b: `b ${TWO}\n` })
  repo.git('checkout', '-q', 'main')
  repo.commit({ c: 'c\n' })
  repo.git('merge', '-q', '--no-commit', '--no-ff', 'side')
  const merge = repo.commit({ evil: `${ONE}\n`, a: `a ${THREE}\n` })
  const { found, err } = await scanned('-history', repo.folder)
  deepEqual(placesOf(found), ['a:1:3', 'b:1:3', 'evil:1:1'])
  equal(found.find(({ path }) => path === 'evil')!.commit, merge)
  match(err, /4 commits, 5 blobs/)
})

test('history takes no name for a commit or a status, whatever is in it', async () => {
  using repo = gitRepo()
  const names = [
    ':100644 100644 1111111111111111111111111111111111111111 2222222222222222222222222222222222222222 M',
    '\u0001a'.repeat(3),
    'new\nline',
    '"quoted"',
    '-dash',
    'a'.repeat(40),
    'ümläut',
    ' space ',
  ]
  repo.commit(Object.fromEntries(names.map((name, i) => [name, `${tokenOf(`n${i}`)}\n`])))
  const { found } = await scanned('-history', repo.folder)
  deepEqual(found.map(({ path }) => path).sort(), names.toSorted())
  const files = await scanned(repo.folder)
  deepEqual(files.found.length, names.length)
  equal((await scanned('-staged', repo.folder)).code, 0)
})

test('history passes gitlinks over, and the files of a submodule are scanned as files', async () => {
  using inner = gitRepo()
  inner.commit({ 'in.txt': `${ONE}\n` })
  using repo = gitRepo()
  repo.commit({ a: 'a\n' })
  repo.git('-c', 'protocol.file.allow=always', 'submodule', 'add', '-q', inner.folder, 'sub')
  repo.commit({})
  equal((await scanned('-history', repo.folder)).code, 0)
  const { found } = await scanned(repo.folder)
  deepEqual(placesOf(found), [`${join(repo.folder, 'sub', 'in.txt')}:1:1`])
})

test('history of all refs includes branches, tags and the stash', async () => {
  using repo = gitRepo()
  repo.commit({ a: 'a\n' })
  repo.git('checkout', '-qb', 'side')
  repo.commit({ b: `${ONE}\n` })
  repo.git('tag', 'kept')
  repo.git('checkout', '-q', 'main')
  repo.git('branch', '-qD', 'side')
  repo.write({ a: `${TWO}\n` })
  repo.git('stash', '-q')
  deepEqual(placesOf((await scanned('-history', repo.folder)).found), ['a:1:1', 'b:1:1'])
})

test('history works in a bare repository, a shallow clone and a worktree', async () => {
  using repo = gitRepo()
  repo.commit({ a: `${ONE}\n` })
  repo.commit({ a: 'gone\n' })
  repo.commit({ b: `${TWO}\n` })
  using bare = gitRepo(['--bare'])
  repo.git('push', '-q', bare.folder, 'main')
  deepEqual(placesOf((await scanned('-history', bare.folder)).found), ['a:1:1', 'b:1:1'])
  using shallow = gitRepo()
  shallow.git('fetch', '-q', '--depth=1', `file://${repo.folder}`, 'main:got')
  deepEqual(placesOf((await scanned('-history', shallow.folder)).found), ['b:1:1'])
  const tree = join(bare.folder, 'tree')
  bare.git('worktree', 'add', '-q', tree, 'main')
  deepEqual(placesOf((await scanned('-history', tree)).found), ['a:1:1', 'b:1:1'])
  deepEqual(placesOf((await scanned(tree)).found), [`${join(tree, 'b')}:1:1`])
})

test('an empty repository is nothing to scan, and no crash', async () => {
  using repo = gitRepo()
  const { code, err } = await scanned('-history', repo.folder)
  equal(code, 2)
  match(err, /nothing to scan/)
  equal((await scanned('-staged', repo.folder)).code, 0)
  // In the very first commit, too.
  repo.write({ a: `${ONE}\n` })
  repo.git('add', 'a')
  deepEqual(placesOf((await scanned('-staged', repo.folder)).found), ['a:1:1'])
})

test('a folder that is no repository is an error that says so', async () => {
  const { code, err } = await scanned('-history', '/')
  equal(code, 2)
  match(err, /not a git repository/)
  equal((await scanned('-diff=--output=/tmp/x', '.')).code, 2)
  equal((await scanned('-diff=no-such-ref..HEAD', '.')).code, 2)
})

test('staged looks at what is added, not at the work tree and not at what was there', async () => {
  using repo = gitRepo()
  repo.commit({ old: `line\n${ONE}\n`, gone: `${TWO}\n` })
  repo.write({ old: `first\nline\n${ONE}\nmore\n`, loose: `${THREE}\n` })
  repo.git('add', 'old')
  equal((await scanned('-staged', repo.folder)).code, 0)
  repo.write({ old: `first\nline\n${ONE}\nmore ${TWO}\n` })
  repo.git('add', 'old')
  repo.write({ old: 'clean again, but not staged\n' })
  const { code, found } = await scanned('-staged', repo.folder)
  equal(code, 1)
  deepEqual(placesOf(found), ['old:4:6'])
})

test('staged: what moves is not new, what is copied is', async () => {
  using repo = gitRepo()
  repo.commit({ a: `${ONE}\n`, b: `${TWO}\n` })
  renameSync(join(repo.folder, 'a'), join(repo.folder, 'moved'))
  repo.write({ copy: `${TWO}\n` })
  repo.git('add', '-A')
  deepEqual(placesOf((await scanned('-staged', repo.folder)).found), ['copy:1:1'])
})

test('staged: two files with the same content are two findings', async () => {
  using repo = gitRepo()
  repo.write({ a: `${ONE}\n`, b: `${ONE}\n` })
  repo.git('add', '-A')
  deepEqual(placesOf((await scanned('-staged', repo.folder)).found), ['a:1:1', 'b:1:1'])
})

test('a range tells what it adds, not what was there, nor what a merge brings from outside', async () => {
  using repo = gitRepo()
  repo.commit({ a: `${ONE}\n`, b: 'b\n' })
  repo.git('checkout', '-qb', 'topic')
  repo.commit({ a: `more\n${ONE}\n` })
  const bad = repo.commit({ b: `b\n${TWO}\n` })
  repo.commit({ b: 'b\n' })
  repo.git('checkout', '-q', 'main')
  repo.commit({ other: `${THREE}\n` })
  repo.git('checkout', '-q', 'topic')
  repo.git('merge', '-q', '--no-ff', 'main')
  // Moved into a file of another name: it was there before.
  repo.git('mv', 'a', 'elsewhere')
  repo.commit({})
  const { found } = await scanned('-diff=main..HEAD', repo.folder)
  deepEqual(placesOf(found), ['b:2:1'])
  equal(found[0]!.commit, bad)
})

test('a repository cannot run programs, hide commits or change what is listed', async () => {
  using repo = gitRepo()
  const proof = join(repo.folder, '..', `${Date.now()}-proof`)
  const bad = repo.commit({ 'a.txt': `${ONE}\n`, 'b.txt': 'b\n' })
  const good = repo.commit({ 'a.txt': 'clean\n' })
  repo.git('config', 'core.fsmonitor', `touch ${proof}; false`)
  repo.git('config', 'diff.external', `touch ${proof}`)
  repo.git('config', 'log.showSignature', 'true')
  repo.git('config', 'diff.orderFile', '/no/such/file')
  repo.git('config', 'log.diffMerges', 'off')
  repo.git('config', 'diff.relative', 'true')
  repo.git('replace', '-f', bad, good)
  deepEqual(placesOf((await scanned('-history', repo.folder)).found), ['a.txt:1:1'])
  equal((await scanned(repo.folder)).code, 0)
  equal((await scanned('-staged', repo.folder)).code, 0)
  equal(existsSync(proof), false)
})

test('files: names that are no UTF-8 are read, shown with marks, and count once', async () => {
  for (const inGit of [true, false]) {
    using repo = gitRepo()
    if (!inGit) rmSync(join(repo.folder, '.git'), { recursive: true })
    const name = Buffer.concat([Buffer.from(`${repo.folder}/d`), Buffer.from([0xff, 0xfe])])
    mkdirSync(name)
    writeFileSync(Buffer.concat([name, Buffer.from('/x')]), `${ONE}\n`)
    const { found, err } = await scanned(repo.folder)
    deepEqual(placesOf(found), [`${repo.folder}/d\uFFFD\uFFFD/x:1:1`])
    match(err, /1 file,/)
  }
})

test('files: what git ignores is counted and named; a link is no way out', async () => {
  using repo = gitRepo()
  repo.write({
    '.gitignore': 'out/\n*.log\n',
    'out/x': ONE,
    'a.log': ONE,
    'src/a': 'clean\n',
    '.git/kept': ONE,
  })
  symlinkSync('..', join(repo.folder, 'src', 'up'))
  symlinkSync('loop', join(repo.folder, 'loop'))
  const { code, err } = await scanned(repo.folder)
  equal(code, 0)
  match(err, /Skipped, ignored: 2 \(.*a\.log, .*out/)
  match(err, /Skipped, symbolic link: 2/)
  equal((await scanned('-no-ignore', repo.folder)).found.length, 2)
  // Somebody has named it.
  equal((await scanned(join(repo.folder, 'out'))).found.length, 1)
})

test('history reads the messages of commits and tags, told as such and counted', async () => {
  using repo = gitRepo()
  const status = `:100644 100644 ${'1'.repeat(40)} ${'2'.repeat(40)} M`
  const bad = repo.commit({ a: 'a\n' }, `fix\n\n${status}\n\nthe key is ${ONE}\n`)
  repo.commit({}, status)
  repo.git('commit', '-q', '--allow-empty', '--allow-empty-message', '-m', '')
  repo.git('tag', '-a', 'v1', '-m', `release\n\nwith ${TWO}`, 'HEAD')
  repo.git('tag', 'light')
  repo.commit({ a: `${ONE} and ${THREE}\n` }, `again ${ONE}`)
  const { found, err } = await scanned('-history', repo.folder)
  deepEqual(placesOf(found), [
    '<commit message>:5:12',
    '<message of tag v1>:3:6',
    'a:1:1',
    `a:1:${ONE.length + 6}`,
  ])
  equal(found.find(({ path }) => path === '<commit message>')!.commit, bad)
  match(err, /4 commits, 2 blobs, 4 messages/)
  const told = (...argv: string[]) => scanned(...argv, repo.folder)
  // A range has its own messages, and the tags on its commits.
  deepEqual(placesOf((await told('-diff=HEAD~1..HEAD')).found), [
    '<commit message>:1:7',
    'a:1:1',
    `a:1:${ONE.length + 6}`,
  ])
  deepEqual(placesOf((await told('-diff=HEAD~2..HEAD~1')).found), ['<message of tag v1>:3:6'])
  const sarif = await runCli(['scan', '-history', '-format=sarif', repo.folder])
  match(sarif.out, /"uri": "%3Ccommit%20message%3E"/)
})

test('a push of a tag on an old commit is stopped for what the tag says', async () => {
  using remote = gitRepo(['--bare'])
  using repo = gitRepo()
  repo.commit({ a: 'a\n' })
  repo.git('remote', 'add', 'origin', remote.folder)
  repo.git('push', '-q', 'origin', 'main')
  repo.git('fetch', '-q')
  repo.git('tag', '-a', 'v1', '-m', `see ${ONE}`)
  const tag = repo.git('rev-parse', 'v1')
  const stdin = `refs/tags/v1 ${tag} refs/tags/v1 ${'0'.repeat(40)}\n`
  const argv = ['scan', '-pre-push=origin', '-format=jsonl', repo.folder]
  const { code, out } = await runCli(argv, { stdin })
  equal(code, 1)
  match(out, /<message of tag v1>/)
})

test('history looks at all of every blob, whether it lies alone or among others', async () => {
  using repo = gitRepo()
  const line = `${'x y '.repeat(20)}\n`
  const sizes = [100_000, 65_536, 3_000, 1_500_000, 100_000, 5_000_000, 200_000]
  const files: Record<string, string> = {}
  let bytes = 0
  for (const [i, size] of sizes.entries()) {
    const text = `${line.repeat(Math.ceil(size / line.length))}${i} ${ONE}\n`
    files[`f${i}`] = text
    bytes += text.length
  }
  repo.commit(files)
  const { found, err } = await scanned('-history', repo.folder)
  deepEqual(found.map(({ path }) => path).toSorted(), Object.keys(files))
  match(err, new RegExp(`${(bytes / 1e6).toFixed(1)} MB`))
})
