/**
 * Runs every test this machine can run. What starts servers has a process for each file; what only
 * computes shares one with others, as to load the code takes longer than to test it. A test that lacks
 * something it needs says so in one line; COFFER_TEST_STRICT=1 turns each such skip into a failure.
 *
 *   npm test                    all
 *   npm test -- acl kv          files whose path contains one of the words
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync, mkdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'

/** What takes longest goes first, so that nothing long is left alone at the end. */
const LONG =
  /(hvac-suite|sim|scripts\/run|rotation-torture|rotation-kills|docs|demo|watch)\.test\.ts$/
/** A file that takes longer hangs: its output so far is worth more than waiting. */
const FILE_MS = 240_000
const PIPES_MS = 2000
const BATCH = 8
const SLOWEST = 8

/** Files that run in one process. */
type Work = readonly string[]
type Ended = { file: string; ms: number; output: string; failed: boolean }

const words = process.argv.slice(2)
const isWanted = (file: string) => words.length === 0 || words.some((word) => file.includes(word))
const apart = globSync('test/**/*.test.ts', { exclude: ['**/node_modules/**'] })
const queue: Work[] = [
  ...apart
    .filter(isWanted)
    .sort(longFirst)
    .map((file) => [file]),
  ...batches(globSync('src/**/*.test.ts').filter(isWanted).sort()),
]
if (queue.length === 0) {
  console.error(`no test file matches: ${words.join(' ')}`)
  process.exit(1)
}

// What node made of the sources is shared by all test files and the programs they start.
const cache = resolve('node_modules/.cache/coffer-test')
mkdirSync(cache, { recursive: true, mode: 0o700 })
const env = {
  ...process.env,
  COFFER_TEST_CACHE: cache,
  NODE_COMPILE_CACHE: join(cache, 'coffer'),
}

const total = queue.flat().length
const begin = performance.now()
const running = new Map<ChildProcess, string>()
let done = 0
const ended: Ended[] = []
const skips: string[] = []
const counts = new Map<string, number>()

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    console.error(`ended by ${signal} after ${seconds(performance.now() - begin)} s, before:`)
    for (const [child, file] of running) {
      console.error(`  ${file}`)
      child.kill('SIGTERM')
    }
    process.exit(1)
  })
}

// Most of what takes long waits: for a process, a clock, a disk. Half of the places take such files,
// from the front, and the others what computes, from the back, until they meet.
const places = Array.from({ length: availableParallelism() * 2 }, async (_, place) => {
  for (;;) {
    const work = place % 2 === 0 ? queue.shift() : queue.pop()
    if (work === undefined) return
    tell(await run(work))
    done += work.length
    if (process.stderr.isTTY && done < total) process.stderr.write(`\r${done}/${total} files\r`)
  }
})
await Promise.all(places)
const isGood = summarize()
process.exit(isGood ? 0 : 1)

function longFirst(a: string, b: string): number {
  return Number(LONG.test(b)) - Number(LONG.test(a)) || (a < b ? -1 : 1)
}

/** Hooks of a whole file would be hooks of its neighbours: such a file has a process of its own. */
function batches(files: readonly string[]): Work[] {
  const all: string[][] = []
  let open: string[] = []
  for (const file of files) {
    if (/^(?:before|beforeEach|afterEach)\(/m.test(readFileSync(file, 'utf8'))) all.push([file])
    else {
      if (open.length === 0) all.push(open)
      open.push(file)
      if (open.length === BATCH) open = []
    }
  }
  return all
}

async function run(work: Work): Promise<Ended> {
  const start = performance.now()
  const file = work.length === 1 ? work[0]! : `${work[0]!} … ${work.at(-1)!}`
  const flags = ['--no-warnings', '--test-reporter=spec']
  const program = work.length === 1 ? work : ['scripts/test-batch.ts', ...work]
  const child = spawn(process.execPath, [...flags, ...program], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  })
  running.set(child, file)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  const hanging = setTimeout(() => {
    output += `\n${file} has not ended after ${seconds(FILE_MS)} s: SIGTERM\n`
    child.kill('SIGTERM')
  }, FILE_MS)
  const code = await new Promise<number>((done) => {
    child.once('exit', (status) => {
      child.once('close', () => done(status ?? 1))
      // A process that a test left behind may hold on to the pipes.
      setTimeout(done, PIPES_MS, status ?? 1).unref()
    })
    child.once('error', () => done(1))
  })
  clearTimeout(hanging)
  // A file that ends the process takes the tests of its neighbours along.
  const isWhole = /^ℹ tests [1-9]/m.test(output)
  running.delete(child)
  return { file, ms: performance.now() - start, output, failed: code !== 0 || !isWhole }
}

/** Prints what is worth reading of a file's output, and counts the rest. */
function tell(result: Ended): void {
  ended.push(result)
  const lines: string[] = []
  for (const line of result.output.split('\n')) {
    const count = /^ℹ (tests|pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line)
    if (count) counts.set(count[1]!, (counts.get(count[1]!) ?? 0) + Number(count[2]))
    else if (/^\s*﹣.*# ./.test(line))
      skips.push(line.replace(/^\s*﹣\s*/, '').replace(/\s*\([\d.]+ms\)/, ''))
    // A thousand passing lines hide the one that matters.
    else if (
      process.env['COFFER_TEST_VERBOSE'] ||
      !/^\s*(✔|▶|ℹ (suites|duration_ms) |$)/.test(line)
    )
      lines.push(line)
  }
  if (lines.length > 0) console.log(`${result.file}\n${lines.join('\n')}`)
  else if (result.failed) console.log(`${result.file}\nended badly, without a word`)
}

function summarize(): boolean {
  const strict = process.env['COFFER_TEST_STRICT'] === '1'
  for (const skip of skips) console.log(`skipped: ${skip}`)
  if (strict && skips.length > 0) console.error('skips are forbidden here (COFFER_TEST_STRICT=1)')
  if (total > SLOWEST) {
    const slowest = [...ended].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST)
    console.log(`slowest: ${slowest.map(({ file, ms }) => `${file} ${seconds(ms)} s`).join(', ')}`)
  }
  for (const [name, count] of counts) console.log(`ℹ ${name} ${count}`)
  console.log(`ℹ files ${total} in ${seconds(performance.now() - begin)} s`)
  const failed = ended.filter((result) => result.failed)
  for (const { file, output } of failed) {
    console.log(`failed: ${file}`)
    const names = output.split('\n').filter((line) => /^\s*✖ (?!failing tests:)/.test(line))
    for (const name of new Set(names.map((line) => line.trim()))) console.log(`  ${name}`)
  }
  return failed.length === 0 && !(strict && skips.length > 0)
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
