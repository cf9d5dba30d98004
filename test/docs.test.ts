/**
 * The documentation, as far as a program can tell that it is true: every link leads somewhere, every
 * named file, test, step, command and metric exists, every example is accepted, generated pages are
 * fresh, and every console block is run against a server of its own.
 *
 * In a console block `$` and `>` lines are commands and the lines below are what they print; `2>`
 * lines go to stderr, `[2]` is an exit code other than 0. `…` in a line stands for anything; alone on
 * a line, for any lines. 127.0.0.1:8200 and /var/lib/coffer stand for where the server really is.
 */
import { deepEqual, equal, fail, ok } from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { generatedPages, strayPages } from '../scripts/gen.ts'
import { readAgentConfig } from '../src/agent/config.ts'
import { commandsOf, FAMILIES } from '../src/cli/families.ts'
import { globalFlags } from '../src/cli/settings.ts'
import { METRICS } from '../src/core/metrics.ts'
import { parsePolicy } from '../src/core/policies.ts'
import { type Engine } from '../src/kit/engine.ts'
import { readConfig } from '../src/server/config.ts'
import { cleanEnv, startServer, type StartOptions, type TestServer } from './support/server.ts'
import { testEngine } from './support/test-engine.ts'

// One server for each page, and each of them watches for the end of this process.
process.setMaxListeners(0)

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const exists = (path: string) => existsSync(join(ROOT, path))
const WHERE = ['*.md', '{docs,changelog,examples}/**/*.md', 'src/**/*.md']
const pages = WHERE.flatMap((glob) => globSync(glob, { cwd: ROOT })).sort()
const written = pages.filter((page) => !page.startsWith('docs/reference/'))

type Block = { language: string; text: string; line: number }

/** Fenced blocks of a page. */
function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  let open: Block | undefined
  for (const [i, line] of read(page).split('\n').entries()) {
    if (!line.trimStart().startsWith('```')) {
      if (open) open.text += `${line}\n`
    } else if (open) {
      blocks.push(open)
      open = undefined
    } else open = { language: line.trim().slice(3), text: '', line: i + 2 }
  }
  return blocks
}

/** The page without its blocks: in those a bracket is a bracket. */
const proseOf = (page: string) => read(page).replaceAll(/^\s*```[^]*?^\s*```$/gm, '')

/** Links of a page: the file they lead to, and the heading in it. */
function linksOf(page: string): { to: string; heading: string }[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^https?:/.test(target)) return []
    const [path = '', heading = ''] = target.split('#')
    return [{ to: path === '' ? page : join(dirname(page), path), heading }]
  })
}

/** Headings as a link names them. */
function headingsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('no link is dead', () => {
  const dead = pages.flatMap((page) =>
    linksOf(page).flatMap(({ to, heading }) => {
      if (!exists(to)) return [`${page}: ${to}`]
      if (heading === '' || headingsOf(to).includes(heading)) return []
      return [`${page}: ${to}#${heading}`]
    }),
  )
  deepEqual(dead, [])
})

test('every page can be reached from the README', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const { to } of linksOf(page)) if (to.endsWith('.md') && exists(to)) reached.add(to)
  }
  deepEqual(
    pages.filter((page) => !reached.has(page)),
    [],
  )
})

test('pages are as long as they may be', () => {
  const most: Record<string, number> = {
    'README.md': 120,
    'ARCHITECTURE.md': 200,
    'STYLE.md': 150,
    'CONTRIBUTING.md': 60,
  }
  for (const page of pages.filter((name) => name.startsWith('docs/decisions/'))) most[page] = 60
  for (const [page, lines] of Object.entries(most)) {
    const has = read(page).split('\n').length - 1
    ok(has <= lines, `${page}: ${has} lines, at most ${lines}`)
  }
})

test('no page names a place that only its writer has', () => {
  const texts = [...pages, ...globSync('src/**/*.ts', { cwd: ROOT })]
  const found = texts.flatMap((page) => {
    const places =
      /(?<![\w.-])\/(?:work|root|Users)\/|(?<![\w.-])\/home\/\w|registry\.[\w.-]+\.\w+/g
    return (read(page).match(places) ?? []).map((place) => `${page}: ${place}`)
  })
  deepEqual(found, [])
})

test('every file that is named is there', () => {
  const named =
    /`((?:src|test|docs|scripts|bin|examples|changelog)\/[\w./*-]*|[\w-]+\.(?:md|yaml|json))`/g
  const missing = written.flatMap((page) =>
    [...proseOf(page).matchAll(named)].flatMap(([, path = '']) => {
      if (path.includes('*'))
        return globSync(path, { cwd: ROOT }).length > 0 ? [] : [`${page}: ${path}`]
      return exists(path) || exists(join(dirname(page), path)) ? [] : [`${page}: ${path}`]
    }),
  )
  deepEqual(missing, [])
})

test('every npm script that is named is there', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const missing = written.flatMap((page) =>
    [...read(page).matchAll(/\bnpm (?:run )?(start|test|(?<=run )[\w-]+)/g)].flatMap(
      ([, name = '']) => (scripts[name] ? [] : [`${page}: npm run ${name}`]),
    ),
  )
  deepEqual(missing, [])
})

test('every command that is named is there, with its flags', async () => {
  const commands = (await Promise.all(FAMILIES.map(commandsOf))).flat()
  const wrong: string[] = []
  for (const page of written) {
    const lines = [
      ...[...proseOf(page).matchAll(/`(?:bin\/)?coffer ([^`]+)`/g)].map(([, line = '']) => line),
      ...blocksOf(page)
        .filter(({ language }) => language === 'sh' || language === 'console')
        .flatMap(({ text }) => [...text.matchAll(/(?:^|\$ |\()coffer (.*)$/gm)])
        .map(([, line = '']) => line.split(/[|>)]| #/)[0]!),
    ]
    for (const line of lines) {
      // What stands behind the dashes belongs to another program.
      const words = line.split(' -- ')[0]!.trim().split(/\s+/)
      const matching = commands.filter(({ path }) =>
        path.every((word, i) => words[i] === word || words[i] === '…'),
      )
      const family = FAMILIES.some(({ name }) => words.length === 1 && name === words[0])
      const flags = words.filter((word) => /^-\w/.test(word)).map((word) => word.split('=')[0]!)
      const known = (flag: string) =>
        [globalFlags, ...matching.map((command) => command.flags)].some((each) =>
          Object.entries(each).some(([name, { alias }]) =>
            [name, ...(alias ?? [])].some((n) => `-${n}` === flag),
          ),
        )
      if (matching.length === 0 && !family) wrong.push(`${page}: coffer ${line}`)
      for (const flag of flags) if (!known(flag)) wrong.push(`${page}: coffer ${line}: ${flag}`)
    }
  }
  deepEqual(wrong, [])
})

test('every metric that is named is there', () => {
  const names = [...read('docs/operate/monitoring.md').matchAll(/\bcoffer_\w+/g)].map(
    ([name]) => name,
  )
  ok(names.length > 5)
  deepEqual(
    names.filter((name) => !(name in METRICS)),
    [],
  )
})

test('ARCHITECTURE tells the pipeline as it is', () => {
  const steps = [...read('src/core/pipeline.ts').matchAll(/^ {2}\['([^']+)',\s+'([^']+)'/gm)]
  const rows = [...read('ARCHITECTURE.md').matchAll(/^\| ([a-z ,]+) \| ([.plos!]{4,5}) \|/gm)]
  ok(steps.length > 10)
  deepEqual(
    rows.map(([, name, on]) => [name, on]),
    steps.map(([, name, on]) => [name, on]),
  )
})

test('README and ARCHITECTURE name every floor', () => {
  const floors = globSync('src/*', { cwd: ROOT }).map((path) => path.slice('src/'.length))
  const map = read('README.md')
  const drawing = blocksOf('ARCHITECTURE.md')[0]!.text
  deepEqual(
    floors.filter((floor) => !map.includes(`\`src/${floor}\``)),
    [],
  )
  deepEqual(
    floors.filter((floor) => !new RegExp(`\\b${floor}\\b`).test(drawing)),
    [],
  )
})

test('every invariant has its test', () => {
  const rows = [...read('ARCHITECTURE.md').matchAll(/`((?:src|test)\/\S+\.test\.ts)`: "([^"]+)"/g)]
  ok(rows.length > 10)
  const missing = rows.flatMap(([, file = '', name = '']) =>
    exists(file) && read(file).includes(`'${name}'`) ? [] : [`${file}: ${name}`],
  )
  deepEqual(missing, [])
})

test('decisions are numbered, in form, and listed', () => {
  const names = globSync('docs/decisions/*.md', { cwd: ROOT }).sort()
  const index = read('docs/README.md')
  for (const [i, page] of names.entries()) {
    const number = String(i + 1).padStart(3, '0')
    ok(page.startsWith(`docs/decisions/${number}-`), `${page}: expected number ${number}`)
    ok(read(page).startsWith(`# ${number} `), `${page}: title`)
    deepEqual(headingsOf(page).slice(1), ['context', 'decision', 'consequences'], page)
    ok(index.includes(`[${number}](${page.slice('docs/'.length)})`), `${page}: not in the index`)
  }
})

test('every dependency at run time has a decision', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: object }
  const texts = globSync('docs/decisions/*.md', { cwd: ROOT }).map(read).join('\n')
  for (const [name, version] of Object.entries(dependencies)) {
    ok(texts.includes(name) && texts.includes(String(version)), `${name} ${version}`)
  }
})

test('what is generated is fresh', async () => {
  const made = await generatedPages()
  deepEqual(strayPages(made), [], 'pages of nothing; run: npm run gen')
  const stale = [...made].filter(([path, text]) => !exists(path) || read(path) !== text)
  deepEqual(
    stale.map(([path]) => path),
    [],
    'run: npm run gen',
  )
})

test('every HCL example is a configuration or a policy', () => {
  for (const page of written) {
    for (const { language, text, line } of blocksOf(page)) {
      if (language !== 'hcl') continue
      const file = `${page}:${line}`
      if (/^path "/m.test(text)) parsePolicy(text)
      else if (/^auto_auth /m.test(text)) readAgentConfig(file, text)
      else {
        const env = { COFFER_SEAL_KEY: '0f'.repeat(32), COFFER_SEAL_KEY_NEW: '1f'.repeat(32) }
        deepEqual(readConfig([{ file, text }], { env }).warnings, [], file)
      }
    }
  }
})

test('the example of an engine compiles and works', async () => {
  const source = blocksOf('docs/develop/engine.md').find(({ language }) => language === 'ts')!.text
  const folder = mkdtempSync(join(tmpdir(), 'coffer-docs-'))
  try {
    const file = join(folder, 'engine.ts')
    const kit = pathToFileURL(join(ROOT, 'src/kit/kit.ts')).href
    const config = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: [],
      files: ['engine.ts'],
    }
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    writeFileSync(file, source.replace('../../kit/kit.ts', join(ROOT, 'src/kit/kit.ts')))
    const tsc = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
    equal(tsc.stdout, '')
    writeFileSync(file, source.replace('../../kit/kit.ts', kit))
    const made = (await import(pathToFileURL(file).href)) as { default: Engine }
    const engine = testEngine(made.default)
    await engine.write('counter/a', { by: 2 })
    await engine.write('counter/a')
    deepEqual((await engine.read('counter/a'))?.data, { value: 3 })
    deepEqual((await engine.list('counter'))?.data, { keys: ['a'] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

type Step = { line: number; command: string; out: string[]; err: string[]; code: number }

function stepsOf(page: string): Step[] {
  const steps: Step[] = []
  for (const block of blocksOf(page).filter(({ language }) => language === 'console')) {
    for (const [i, line] of block.text.trimEnd().split('\n').entries()) {
      const step = steps.at(-1)
      const code = /^\[(\d+)\]$/.exec(line)
      if (line.startsWith('$ ')) {
        steps.push({ line: block.line + i, command: line.slice(2), out: [], err: [], code: 0 })
      } else if (!step) fail(`${page}:${block.line + i}: a console block begins with a command`)
      else if (line.startsWith('> ')) step.command += `\n${line.slice(2)}`
      else if (line.startsWith('2> ')) step.err.push(line.slice(3))
      else if (code) step.code = Number(code[1])
      else step.out.push(line)
    }
  }
  return steps
}

/** Whether a text is what was expected, blank lines at its ends aside. */
function isLike(expected: readonly string[], actual: string): boolean {
  const escape = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const pattern = expected.map((line) =>
    line === '…' ? '(?:.*\n)*?' : `${line.split('…').map(escape).join('.*')}\n`,
  )
  return new RegExp(`^${pattern.join('')}$`).test(
    `${actual.replaceAll(/^\n+|\n+$/g, '')}\n`.replace(/^\n$/, ''),
  )
}

test('a console block is read as it is meant', () => {
  equal(isLike(['out …'], 'out 1\n'), true)
  equal(isLike(['out …'], 'out 1\nmore\n'), false)
  equal(isLike(['a', '…', 'z'], 'a\nb\nc\nz'), true)
  equal(isLike(['a', '…'], 'b\n'), false)
  equal(isLike([], ''), true)
  equal(isLike([], 'a'), false)
  equal(isLike(['a'], ''), false)
})

/** Pages whose server is another than a fresh one in dev mode. */
const SERVERS: Record<string, StartOptions> = {
  'docs/operate/install.md': { kind: 'config', initialize: false },
  'docs/operate/backup.md': { kind: 'config' },
}

for (const page of written.filter((name) => stepsOf(name).length > 0)) {
  const curl = read(page).includes('$ curl') && spawnSync('curl', ['--version']).status !== 0
  test(`the commands of ${page} work`, { skip: curl && 'needs curl' }, async () => {
    await using server = await startServer(SERVERS[page])
    const { home, env } = prepare(server)
    const told = (text: string) =>
      text
        .replaceAll('127.0.0.1:8200', server.address.replace('http://', ''))
        .replaceAll('/var/lib/coffer', join(server.dir, 'data'))
    for (const { line, command, out, err, code } of stepsOf(page)) {
      const ended = await run(told(command), home, env)
      const good =
        ended.code === code && isLike(out.map(told), ended.out) && isLike(err.map(told), ended.err)
      if (!good) {
        fail(
          `${page}:${line}: $ ${command}\nstdout:\n${ended.out}\nstderr:\n${ended.err}\nexit code: ${ended.code}, expected ${code}`,
        )
      }
    }
  })
}

test('the README shows eight commands', () => {
  equal(stepsOf('README.md').length, 8)
})

/** A home with `coffer` on its path and the root token where commands look for it. */
function prepare(server: TestServer) {
  const home = join(server.dir, 'home')
  const bin = join(home, '.bin')
  mkdirSync(bin)
  symlinkSync(join(ROOT, 'bin/coffer'), join(bin, 'coffer'))
  if (server.rootToken) writeFileSync(join(home, '.vault-token'), server.rootToken, { mode: 0o600 })
  const plain = cleanEnv(home, { VAULT_ADDR: server.address })
  const path = [bin, dirname(process.execPath), plain.PATH].join(':')
  return { home, env: { ...plain, PATH: path } }
}

type Ended = { code: number; out: string; err: string }

async function run(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended: Ended = { code: 0, out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (ended.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.err += chunk.toString()))
  ended.code = await new Promise((done) => child.on('close', (code) => done(code ?? -1)))
  return ended
}
