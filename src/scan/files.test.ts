import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { tar, zip } from '../../test/support/archives.ts'
import { runCli } from '../../test/support/fake-vault.ts'
import { placesOf, scanned, tokenOf } from '../../test/support/scan.ts'
import { expandSample } from '../rules/sample.ts'

const ONE = tokenOf('one')

function folderOf(files: Readonly<Record<string, string | Buffer>>) {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-files-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

/** What is found in one file, as `path:line:column` with the path in it. */
async function placesIn(content: string | Buffer, name = 'f') {
  using at = folderOf({ [name]: content })
  const { found, err } = await scanned(join(at.folder, name))
  return { err, places: placesOf(found).map((place) => place.slice(at.folder.length + 1)) }
}

test('scan finds what a classic hook before commits looks for', async () => {
  const [value, q] = ['Zk7q9Xw2Lm4p', '"']
  const lines = [
    ...['password', 'secret', 'token', 'apikey', 'api_key'].map(
      (name) => `${name} = ${q}${value}${q}`,
    ),
    ...['password', 'secret', 'token', 'apikey', 'api_key'].map((name) => `${name}: ${value}`),
    ...['ghp', 'gho', 'ghu', 'ghs'].map((kind) => tokenOf(kind).replace(/^ghp/, kind)),
    ['sk', 'live', '51HxAbCd9QrStUvWx3yZ0a2B'].join('_'),
    ...['a', 'b', 'p'].map((kind) =>
      [`xox${kind}`, '123456789012', '234567890123', 'AbCdEfGhIjKlMnOpQrStUvWx'].join('-'),
    ),
  ]
  for (const line of lines) {
    const { places } = await placesIn(`${line}\n`, 'settings.txt')
    equal(places.length, 1, line.slice(0, 12))
  }
  for (const kind of ['RSA ', 'EC ', 'DSA ', 'OPENSSH ', '']) {
    const first = kind === 'OPENSSH ' ? 'b3BlbnNzaC1rZXktdjEAAAAA{s40}' : 'MIIEpAIBAAKCAQEA{s48}'
    const body = expandSample(`${first}
{s64}
{s64}
{s64}
{s64}`)
    const pem = ['BEGIN', 'END'].map((word) => `-----${word} ${kind}PRIVATE KEY-----`)
    const { places } = await placesIn(`${pem[0]}\n${body}\n${pem[1]}\n`, 'id.txt')
    equal(places[0], 'id.txt:1:1', kind)
  }
})

test('scan takes its format before and after, and tells paths as they were given', async () => {
  using at = folderOf({ f: `x ${ONE}\n` })
  const here = process.cwd()
  process.chdir(at.folder)
  try {
    for (const argv of [
      ['scan', '--format=jsonl', 'f'],
      ['scan', 'f', '-format', 'jsonl'],
      ['--format=jsonl', 'scan', 'f'],
      ['scan', '-format=jsonl', '.'],
      ['scan', '-format=jsonl', './f'],
      ['scan', '-format=jsonl'],
    ]) {
      const { code, out } = await runCli(argv)
      equal(code, 1, argv.join(' '))
      const { path } = JSON.parse(out) as { path: string }
      equal(path, argv.includes('./f') ? './f' : 'f')
    }
  } finally {
    process.chdir(here)
  }
  equal((await scanned(join(at.folder, 'f'))).found[0]!.path, join(at.folder, 'f'))
})

test('scan ends with 0 when clean, 1 with findings, 2 when it could not be done', async () => {
  using at = folderOf({ bad: ONE, good: 'nothing', none: '' })
  const file = (name: string) => join(at.folder, name)
  equal((await scanned(file('good'))).code, 0)
  equal((await scanned(file('bad'))).code, 1)
  equal((await scanned('-exit-code=7', file('bad'))).code, 7)
  for (const argv of [
    [file('missing')],
    ['-no-such-flag', file('good')],
    ['-exit-code=x', file('good')],
    ['-staged', '-history', at.folder],
    ['-', file('good')],
    [`-index=${file('good')}`, file('good')],
  ]) {
    const { code, err } = await scanned(...argv)
    equal(code, 2, argv.join(' '))
    ok(err.length > 10)
  }
  equal((await runCli(['scan', '-format=tap', file('good')])).code, 2)
  using empty = folderOf({})
  const { code, err } = await scanned(empty.folder)
  equal(code, 2)
  match(err, /there was nothing to scan/)
})

test('scan reads standard input under a name', async () => {
  for (const argv of [['-'], ['-stdin']]) {
    const { code, out } = await runCli(['scan', '-format=jsonl', '-stdin-name=a/b.env', ...argv], {
      stdin: `x\n${ONE}\n`,
    })
    equal(code, 1)
    equal((JSON.parse(out) as { path: string }).path, 'a/b.env')
  }
})

test('scan reads UTF-16 of both kinds, with and without a mark', async () => {
  const text = `first line of a text that is long enough\nkey ${ONE}\n`
  const little = Buffer.from(text, 'utf16le')
  const big = Buffer.from(little).swap16()
  for (const bytes of [
    little,
    big,
    Buffer.concat([Buffer.from([0xff, 0xfe]), little]),
    Buffer.concat([Buffer.from([0xfe, 0xff]), big]),
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]),
  ]) {
    deepEqual((await placesIn(bytes)).places, ['f:2:5'])
  }
})

test('scan finds a secret at every place around the border of two parts, once', async () => {
  const part = 4 * 1024 * 1024
  for (const filler of ['x y\n', 'é, ', 'minified;']) {
    for (const shift of [-9000, -8192, -8150, -40, -20, -1, 0, 1, 8191]) {
      const bytes = Buffer.alloc(part + 40_000, filler)
      // A letter of two bytes must not be cut in two by the secret itself.
      let at = part + shift
      while ((bytes[at]! & 0xc0) === 0x80) at++
      bytes.write(` ${ONE} `, at)
      let end = at + ONE.length + 2
      while ((bytes[end]! & 0xc0) === 0x80) bytes[end++] = 32
      const text = bytes.toString('utf8')
      const offset = text.indexOf(ONE)
      const line = text.slice(0, offset).split('\n').length
      const column = offset - text.lastIndexOf('\n', offset)
      deepEqual((await placesIn(bytes)).places, [`f:${line}:${column}`], `${filler} ${shift}`)
    }
  }
})

test('scan finds a large UTF-16 text in its parts, with the right line', async () => {
  const text = `${'ਅਆ of many lines\n'.repeat(300_000)}key ${ONE}\n`
  deepEqual((await placesIn(Buffer.from(`\uFEFF${text}`, 'utf16le'))).places, ['f:300001:5'])
})

test('scan passes binary files over, and says so', async () => {
  const { places, err } = await placesIn(Buffer.concat([Buffer.alloc(3), Buffer.from(ONE)]))
  deepEqual(places, [])
  match(err, /nothing to scan: 1 binary/)
})

test('scan of two gigabytes of nothing ends soon and holds little', async () => {
  using at = folderOf({ sparse: 'text first\n'.repeat(1000), zeros: '' })
  truncateSync(join(at.folder, 'zeros'), 2 ** 31 + 5)
  truncateSync(join(at.folder, 'sparse'), 2 ** 28)
  const before = process.memoryUsage.rss()
  const { code, err } = await scanned(at.folder)
  equal(code, 0)
  match(err, /Skipped, binary: 1 .*zeros/)
  ok(process.memoryUsage.rss() - before < 200e6)
})

test('scan looks into archives, and archives in them', async () => {
  const inner = zip([{ name: 'deep/a.txt', bytes: `x\n${ONE}\n` }])
  const long = `${'d/'.repeat(70)}b.txt`
  deepEqual((await placesIn(inner, 'a.jar')).places, ['a.jar!deep/a.txt:2:1'])
  deepEqual((await placesIn(tar({ [long]: ONE }), 'a.tar')).places, [`a.tar!${long}:1:1`])
  deepEqual((await placesIn(gzipSync(tar({ b: ONE })), 'a.tgz')).places, ['a.tgz!a.tar!b:1:1'])
  const nested = zip([
    { name: 'lib.jar', bytes: inner, stored: true },
    { name: 'clean', bytes: 'x' },
  ])
  deepEqual((await placesIn(nested, 'a.war')).places, ['a.war!lib.jar!deep/a.txt:2:1'])
})

test('scan reads zip64, where sizes and places are in fields of their own', async () => {
  const archive = zip([
    { name: 'small', bytes: 'x' },
    { name: 'a.txt', bytes: `x\n${ONE}\n`, zip64: 'whole' },
    { name: 'b.txt', bytes: ONE, zip64: 'whole', stored: true },
    { name: 'no field', bytes: ONE, zip64: 'missing' },
  ])
  const { places, err } = await placesIn(archive, 'a.zip')
  deepEqual(places, ['a.zip!a.txt:2:1', 'a.zip!b.txt:1:1'])
  match(err, /archive not readable: 1 \(.*a\.zip!no field\)/)
  // Where the locator points to nothing, or so far that no number says it.
  const locator = archive.lastIndexOf('PK\u0006\u0007')
  for (const offset of [7n, 2n ** 53n, 2n ** 64n - 1n]) {
    const broken = Buffer.from(archive)
    broken.writeBigUInt64LE(offset, locator + 8)
    match((await placesIn(broken, 'a.zip')).err, /archive not readable: 1/)
  }
})

test('scan names what it cannot read in an archive, and reads the rest', async () => {
  const entries = [
    { name: 'locked', bytes: ONE, encrypted: true },
    { name: 'huge', bytes: ONE, zip64: 'missing' },
    { name: 'open', bytes: ONE },
  ] as const
  const { places, err } = await placesIn(zip(entries), 'a.zip')
  deepEqual(places, ['a.zip!open:1:1'])
  match(err, /Skipped, encrypted: 1 \(.*a\.zip!locked\)/)
  match(err, /Skipped, archive not readable: 1 \(.*a\.zip!huge\)/)
  const whole = zip([{ name: 'a', bytes: ONE.repeat(50) }])
  for (const broken of [whole.subarray(0, -10), gzipSync('x'.repeat(5000)).subarray(0, 20)]) {
    match((await placesIn(broken, 'b.zip')).err, /archive not readable/)
  }
  // Two letters do not hide a text.
  deepEqual((await placesIn(`PK\u0003\u0004 and then ${ONE}\n${' '.repeat(30)}`)).places, [
    'f:1:15',
  ])
})

test('scan stops at archives that are made to fill a memory', async () => {
  const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024))
  match((await placesIn(bomb, 'a.gz')).err, /too large/)
  // One budget for all levels: ten in ten in ten would be a thousand.
  const tenfold = (bytes: Buffer) =>
    zip(Array.from({ length: 10 }, (_, i) => ({ name: `${i}.gz`, bytes, stored: true as const })))
  const { err } = await placesIn(
    tenfold(tenfold(gzipSync(Buffer.alloc(50 * 1024 * 1024)))),
    'b.zip',
  )
  match(err, /too large/)
  let deep: Buffer = Buffer.from(ONE)
  for (let i = 0; i < 6; i++) deep = gzipSync(deep)
  match((await placesIn(deep, 'c.gz')).err, /nested too deeply: 1/)
})

test('scan skips what is no file: pipes and sockets, named or found', async () => {
  using at = folderOf({ good: 'text' })
  spawnSync('mkfifo', [join(at.folder, 'pipe')])
  const server = createServer().listen(join(at.folder, 'socket'))
  try {
    await new Promise((done) => server.once('listening', done))
    const { code, err } = await scanned(at.folder)
    equal(code, 0)
    match(err, /Skipped, not a file: 2/)
    match((await scanned(join(at.folder, 'pipe'))).err, /nothing to scan: 1 not a file/)
    // One that was a file when it was listed. To open a pipe waits until somebody writes.
    const program = `import { scanFile } from ${JSON.stringify(new URL('scan-bytes.ts', import.meta.url).href)}
      console.log(scanFile(${JSON.stringify(join(at.folder, 'pipe'))}, { path: 'f' }, {}).skipped)`
    const args = ['--no-warnings', '--input-type=module', '-e', program]
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 })
    equal(stdout, 'not a file\n')
  } finally {
    server.close()
  }
})

test('scan names what it may not read', (t) => {
  using at = folderOf({ good: 'text', locked: ONE })
  chmodSync(join(at.folder, 'locked'), 0)
  mkdirSync(join(at.folder, 'shut'), { mode: 0 })
  chmodSync(at.folder, 0o755)
  // Root may read everything, so somebody else scans.
  const other = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', 'src/cli/main.ts', 'scan', '-format=jsonl', at.folder],
    { encoding: 'utf8', ...other },
  )
  if (/MODULE_NOT_FOUND|EACCES/.test(stderr)) return t.skip('others may not read this checkout')
  equal(status, 0, stderr)
  match(stderr, /Skipped, unreadable: 2/)
  return undefined
})

test('a comment of any tool allows a finding, and nothing else does', async () => {
  const here = [
    'coffer:allow',
    'gitleaks:allow',
    'betterleaks:allow',
    'pragma: allowlist secret',
    'pragma: whitelist secret',
    'kingfisher:ignore',
    'trufflehog:ignore',
    'ggignore',
    'secretlint-disable-line',
  ]
  for (const words of here) deepEqual((await placesIn(`${ONE} # ${words}\n`)).places, [], words)
  const above = [
    'coffer:allow-next-line',
    'pragma: allowlist nextline secret',
    'secretlint-disable-next-line',
    'kingfisher:ignore',
  ]
  for (const words of above) {
    deepEqual((await placesIn(`// ${words}\n${ONE}\n${tokenOf('two')}\n`)).places, ['f:3:1'], words)
  }
  const block = `// secretlint-disable\n${ONE}\n// secretlint-enable\n${ONE}\n`
  deepEqual((await placesIn(block)).places, ['f:4:1'])
  for (const words of ['allow', 'coffer: deny', 'ignore this', 'gitleaks', 'noqa']) {
    deepEqual((await placesIn(`${ONE} # ${words}\n`)).places, ['f:1:1'], words)
  }
  using at = folderOf({ f: `${ONE} # coffer:allow\n` })
  match((await scanned(at.folder)).err, /Allowed by a comment: 1/)
  equal((await scanned('-no-comments', at.folder)).code, 1)
})

test('ignore files outside a repository mean what git says they mean', async () => {
  using at = folderOf({
    '.gitignore': '*.log\n!kept.log\n/only-here\nsub/*\n',
    '.cofferignore': 'a[12].txt\n',
    'a.log': ONE,
    'kept.log': ONE,
    'only-here': ONE,
    'a1.txt': ONE,
    'a3.txt': ONE,
  })
  const names = (await scanned(at.folder)).found.map(({ path }) => path.slice(at.folder.length + 1))
  deepEqual(names, ['a3.txt', 'kept.log'])
})
