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
