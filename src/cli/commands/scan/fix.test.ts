import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse as parseDotenv } from 'dotenv'
import { parse as parseToml } from 'smol-toml'
import {
  envelopeOf,
  fakeVault,
  runAgainst,
  type Answers,
} from '../../../../test/support/fake-vault.ts'
import { gitRepo, type GitRepo } from '../../../../test/support/git-repo.ts'
import { tokenOf } from '../../../../test/support/scan.ts'
import { parseReference } from '../../../client/reference.ts'
import { ed25519Signer } from '../../../crypto/ed25519.ts'
import { makeIndex } from '../../../rules/fingerprints.ts'
import { rewriteLine } from '../../../scan/fix/rewrite.ts'

const [ONE, TWO, THREE] = [tokenOf('one'), tokenOf('two'), tokenOf('three')]
const DATA = 'secret/data/app'

/** A KV engine with one secret, version 2. */
function kv(stored: Record<string, unknown>, broken = false) {
  const state = { data: stored, version: Object.keys(stored).length > 0 ? 3 : 0 }
  const bodies: { options: { cas: number } }[] = []
  const answers: Answers = {
    'GET sys/internal/ui/mounts/secret/app': envelopeOf({
      path: 'secret/',
      type: 'kv',
      options: { version: '2' },
    }),
    [`GET ${DATA}`]: () =>
      state.version === 0
        ? { status: 404, body: { errors: [] } }
        : envelopeOf({ data: state.data, metadata: { version: state.version } }),
    [`PUT ${DATA}`]: ({ body }) => {
      const sent = JSON.parse(body) as { data: Record<string, unknown>; options: { cas: number } }
      bodies.push(sent)
      if (sent.options.cas !== state.version)
        return { status: 400, body: { errors: ['check-and-set'] } }
      if (!broken) state.data = sent.data
      state.version++
      return envelopeOf({ version: state.version })
    },
  }
  return { state, answers, bodies }
}

async function fixed(repo: GitRepo, engine: ReturnType<typeof kv>, ...argv: string[]) {
  await using vault = await fakeVault(engine.answers)
  return await runAgainst(vault, ['scan', '-fix', '-fix-path=secret/app', ...argv, repo.folder])
}
const textOf = (repo: GitRepo, name: string) => readFileSync(join(repo.folder, name), 'utf8')

test('fix puts what is found into the vault and a reference in its place', async () => {
  using repo = gitRepo()
  repo.write({
    '.env': `A=1\nGH_TOKEN=${ONE}\n`,
    'app.yml': `github:\n  token: ${ONE} # ours\n  other: "${TWO}"\n`,
    'app.json': JSON.stringify({ ghToken: THREE }),
    'app.toml': `gh = '${TWO}'\n`,
    'app.ts': `const ghKey = '${THREE}', other = "${TWO}"\n`,
    'app.py': `GH = "${ONE}"\n`,
  })
  const engine = kv({ KEEP: 'this', GH_TOKEN: 'something else' })
  const { code, out, err } = await fixed(repo, engine, '-yes')
  deepEqual({ code, err }, { code: 0, err: '' })
  ok(![ONE, TWO, THREE].some((secret) => out.includes(secret)))
  // Nothing that was there is lost or changed.
  const names = ['KEEP', 'GH_TOKEN', 'GH_TOKEN_2', 'gh', 'ghToken']
  deepEqual(Object.keys(engine.state.data).sort(), names.toSorted())
  equal(engine.state.data['GH_TOKEN'], 'something else')
  const values = new Map(Object.entries(engine.state.data).map(([name, value]) => [value, name]))
  const referenceFor = (secret: string) => `vault://secret/app#${values.get(secret)}`
  equal(parseDotenv(textOf(repo, '.env'))['GH_TOKEN'], referenceFor(ONE))
  equal(
    textOf(repo, 'app.yml'),
    `github:\n  token: ${referenceFor(ONE)} # ours\n  other: "${referenceFor(TWO)}"\n`,
  )
  deepEqual(JSON.parse(textOf(repo, 'app.json')), { ghToken: referenceFor(THREE) })
  equal(parseToml(textOf(repo, 'app.toml'))['gh'], referenceFor(TWO))
  equal(textOf(repo, 'app.ts'), 'const ghKey = process.env.GH_KEY, other = process.env.OTHER\n')
  equal(textOf(repo, 'app.py'), 'GH = os.environ["GH"]\n')
  match(out, /set GH_KEY=vault:\/\/secret\/app#/)
  match(out, /app\.py needs: import os/)
  for (const secret of [ONE, TWO, THREE])
    equal(parseReference(referenceFor(secret)).mount, 'secret')
  equal(engine.bodies.length, 1)
  equal(engine.bodies[0]!.options.cas, 3)
})

test('fix changes nothing when nobody agrees', async () => {
  using repo = gitRepo()
  repo.write({ '.env': `GH_TOKEN=${ONE}\n` })
  const engine = kv({})
  const { code, out, err } = await fixed(repo, engine)
  equal(code, 2)
  match(out, /- GH_TOKEN=ghp_\*{8}\n\+ GH_TOKEN="vault:\/\/secret\/app#GH_TOKEN"/)
  match(err, /nothing was changed/)
  equal(textOf(repo, '.env'), `GH_TOKEN=${ONE}\n`)
  equal(engine.bodies.length, 0)
})

test('fix touches no file when the vault does not give the value back, or refuses it', async () => {
  for (const engine of [
    kv({}, true),
    {
      ...kv({}),
      answers: {
        ...kv({}).answers,
        [`PUT ${DATA}`]: { status: 403, body: { errors: ['permission denied'] } },
      },
    },
  ]) {
    using repo = gitRepo()
    repo.write({ '.env': `GH_TOKEN=${ONE}\n` })
    const { code, err } = await fixed(repo, engine, '-yes')
    equal(code, 2)
    match(err, /does not give back|permission denied/)
    equal(textOf(repo, '.env'), `GH_TOKEN=${ONE}\n`)
  }
})

test('fix leaves what is not certain, says why, and ends with 1', async () => {
  using repo = gitRepo()
  repo.write({ 'a.txt': `${ONE}\n`, 'b.js': `const url = "https://x:${TWO}@host"\n` })
  const { code, out } = await fixed(repo, kv({}), '-yes')
  equal(code, 1)
  match(out, /left as it is: .*a\.txt:1 .*: it is not known how such a file/)
  match(out, /left as it is: .*b\.js:1 .*: it is only a part/)
  equal(textOf(repo, 'a.txt'), `${ONE}\n`)
})

test('fix keeps what is in the vault already, the mode of the file and its other lines', async () => {
  using repo = gitRepo()
  const file = join(repo.folder, 'run.sh')
  writeFileSync(file, `#!/bin/sh\r\nTOKEN=${ONE}\nexport B='${ONE}'\n`, { mode: 0o750 })
  const engine = kv({ known: ONE })
  const { code } = await fixed(repo, engine, '-yes')
  equal(code, 0)
  equal(engine.bodies.length, 0)
  equal(textOf(repo, 'run.sh'), '#!/bin/sh\r\nTOKEN="${TOKEN:?}"\nexport B="${B:?}"\n')
  equal(statSync(file).mode & 0o777, 0o750)
})

/** Signed, as `coffer fingerprints` writes it. */
function indexOf(values: Parameters<typeof makeIndex>[0]): string {
  const index = JSON.stringify(makeIndex(values, { now: 0 }))
  const signer = ed25519Signer(Buffer.alloc(32, 7))
  const signature = Buffer.from(signer.sign(index)).toString('base64')
  const public_key = Buffer.from(signer.publicKey).toString('base64')
  return JSON.stringify({ index, signature, public_key })
}

const known = (path: string, value: string, live = true) => {
  return { path: `secret/${path}`, field: 'token', version: 2, live, value }
}

test('fix -rotate has the vault rotate what no file holds any more, and nothing else', async () => {
  using repo = gitRepo()
  const [four, five] = [tokenOf('four'), tokenOf('five')]
  repo.write({
    'a.env': `A=${ONE}\nB=${TWO}\nC=${THREE}\nD=${four}\nE=${five}\n`,
    'left.txt': `${TWO}\n`,
  })
  const file = join(repo.folder, '.git/secrets.index')
  const values = [known('one', ONE), known('two', TWO), known('none', THREE), known('bad', four)]
  writeFileSync(file, indexOf([...values, known('old', five, false)]))
  const rotates = (path: string) => `sys/coffer/rotate/${path}`
  const engine = kv({})
  const there = envelopeOf({ state: 'STABLE', generation: 3 })
  const answers: Answers = {
    ...engine.answers,
    [`GET ${rotates('status/secret/one')}`]: there,
    [`GET ${rotates('status/secret/bad')}`]: there,
    [`PUT ${rotates('now/secret/one')}`]: envelopeOf({ state: 'DRAINING', generation: 4 }),
    [`PUT ${rotates('now/secret/bad')}`]: { status: 409, body: { errors: ['held by shop-1'] } },
  }
  await using vault = await fakeVault(answers)
  const argv = ['scan', '-fix', '-rotate', '-fix-path=secret/app', `-index=${file}`, repo.folder]
  const asking = await runAgainst(vault, argv)
  equal(asking.code, 2)
  match(asking.out, /then rotated: secret\/one\n/)
  match(asking.out, /not rotated: secret\/two: it still stands in .*left\.txt:1/)
  match(asking.out, /not rotated: secret\/none: no rotation is declared: coffer write sys/)
  ok(!vault.asked.some(({ method }) => method === 'PUT'))
  const { code, out, err } = await runAgainst(vault, ['scan', '-yes', ...argv.slice(1)])
  match(out, /rotated secret\/one: generation 4 is served/)
  match(out, /not rotated: secret\/bad: .*held by shop-1/)
  equal(code, 2)
  match(
    err,
    /1 of 2 could not be rotated; the files are changed\nhint: coffer rotate status secret\/bad/,
  )
  const put = vault.asked.filter(({ method, path }) => method === 'PUT' && path.includes('rotate'))
  deepEqual(put.map(({ path }) => path).sort(), [
    rotates('now/secret/bad'),
    rotates('now/secret/one'),
  ])
  ok(!textOf(repo, 'a.env').includes(ONE))
  for (const wrong of [['-fix', '-rotate'], ['-rotate'], ['-fix', '-report'], ['-report']])
    equal((await runAgainst(vault, ['scan', ...wrong, repo.folder])).code, 2, wrong.join(' '))
})

test('-report sends what the index knew, once a place, and never a value', async () => {
  using repo = gitRepo()
  repo.write({ a: `${ONE}\n${ONE}\n`, b: `${ONE}\n`, c: `${TWO}\n` })
  const file = join(repo.folder, '.git/secrets.index')
  writeFileSync(file, indexOf([known('one', ONE)]))
  const argv = ['scan', '-report', '-report-source=shop', `-index=${file}`, repo.folder]
  {
    const answer = { 'PUT sys/coffer/leaked': envelopeOf({ id: 'x', new: true }) }
    await using vault = await fakeVault(answer)
    const { code, err } = await runAgainst(vault, argv)
    equal(code, 1)
    match(err, /Reported: 2, not known before: 2\nNot reported, no index knows them: 1/)
    const sent = vault.asked
      .filter(({ path }) => path.endsWith('sys/coffer/leaked'))
      .map(({ body }) => JSON.parse(body) as Record<string, unknown>)
    deepEqual(
      sent.map(({ source }) => source),
      ['a', 'b'].map((f) => `shop ${join(repo.folder, f)}`),
    )
    equal(sent[0]!['path'], 'secret/one')
    ok(!vault.asked.some(({ body }) => body.includes(ONE)))
  }
  await using refusing = await fakeVault({ '*': { status: 403, body: { errors: ['denied'] } } })
  const { code, out, err } = await runAgainst(refusing, argv)
  equal(code, 2)
  match(out, /3 findings|4 findings/)
  match(err, /denied[^]*Reported: 0 of 2\nhint: /)
})

test('fix is about files', async () => {
  using repo = gitRepo()
  for (const flag of ['-staged', '-history', '-diff=a..b'])
    equal((await fixed(repo, kv({}), flag)).code, 2)
})

test('rewriteLine() by kinds of files', () => {
  const cases: [path: string, line: string, expected: string | undefined][] = [
    ['a.go', 'x := "SECRET"', 'x := os.Getenv("X")'],
    ['A.java', 'String x = "SECRET";', 'String x = System.getenv("X");'],
    ['a.rb', "x = 'SECRET'", 'x = ENV.fetch("X")'],
    ['a.rs', 'let x = "SECRET";', 'let x = std::env::var("X").unwrap();'],
    ['a.py', 'x = b"SECRET"', undefined],
    ['a.js', 'x = `pre SECRET`', undefined],
    ['a.json', '{"x": SECRET}', undefined],
    ['a.yml', 'x: pre-SECRET', 'x: pre-${vault://m/p#f}'],
    ['a.properties', 'x=SECRET', 'x=vault://m/p#f'],
    ['a.unknown', 'x = "SECRET"', undefined],
  ]
  for (const [path, line, expected] of cases) {
    const start = line.indexOf('SECRET')
    const done = rewriteLine(
      { path, line, start, end: start + 6 },
      { path: 'm/p', field: 'f' },
      'X',
    )
    equal('line' in done ? done.line : undefined, expected, path)
  }
})
