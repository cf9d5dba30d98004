/**
 * npm run bench:scan: how fast the rules run over source text, as ratios to secretlint's core in the
 * same process and run, and to other scanners where their programs are named.
 *
 *   npm run bench:scan                              over node_modules, 48 MB at most, 5 rounds
 *   npm run bench:scan -- --tree ../linux --mb 200 --rounds 3 --json
 *   BENCH_GITLEAKS=/usr/bin/gitleaks BENCH_KINGFISHER=/usr/bin/kingfisher npm run bench:scan
 *
 * Everything runs on one core: files are read before the clock starts, one thread matches, and the
 * programs of others are told to use one thread. Rounds alternate and the best of each counts.
 * secretlint reads a part of the tree only, the same in each round, because it would take minutes.
 */
import { spawnSync } from 'node:child_process'
import {
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, extname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { lintSource } from '@secretlint/core'
import { creator } from '@secretlint/secretlint-rule-preset-recommend'
import { compileRules } from '../../src/rules/matcher.ts'

const { values } = parseArgs({
  options: {
    tree: { type: 'string', default: 'node_modules' },
    mb: { type: 'string', default: '48' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
})
const SOURCES =
  /\.(?:[cm]?[jt]sx?|json|md|ya?ml|toml|py|go|rs|java|kt|rb|php|c|h|cc|cpp|sh|xml|html|css|sql|tf)$/
const FILE_BYTES_MAX = 4_000_000
const PEER_BYTES_MAX = 12_000_000
const rounds = Number(values.rounds)
const tree = realpathSync(values.tree)

type Source = { readonly path: string; readonly text: string }
type Row = { who: string; bytes: number; found: number; seconds: number }

/** Sources below the tree, in the order of their names, until there are enough. */
function readTree(bytesMax: number): Source[] {
  const sources: Source[] = []
  let bytes = 0
  const visit = (folder: string) => {
    const entries = readdirSync(folder, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (bytes >= bytesMax) return
      const path = join(folder, entry.name)
      if (entry.isDirectory()) visit(path)
      if (!entry.isFile() || !SOURCES.test(entry.name)) continue
      if (statSync(path).size > FILE_BYTES_MAX) continue
      const text = readFileSync(path, 'utf8')
      sources.push({ path, text })
      bytes += text.length
    }
  }
  visit(tree)
  return sources
}

const sizeOf = (sources: readonly Source[]) =>
  sources.reduce((sum, { text }) => sum + text.length, 0)

const started = performance.now()
const matcher = compileRules()
const compiledMs = performance.now() - started
const sources = readTree(Number(values.mb) * 1_000_000)
const some = sources.slice(0, firstBeyond(sources, PEER_BYTES_MAX))
const rows = new Map<string, Row>()

function firstBeyond(list: readonly Source[], bytesMax: number): number {
  let bytes = 0
  return list.findIndex(({ text }) => (bytes += text.length) > bytesMax) + 1 || list.length
}

function keep(row: Row): void {
  const best = rows.get(row.who)
  if (best === undefined || row.seconds < best.seconds) rows.set(row.who, row)
}

function ours(list: readonly Source[], who: string): void {
  const from = performance.now()
  let found = 0
  for (const { path, text } of list) found += matcher.find(text, { path }).length
  keep({ who, bytes: sizeOf(list), found, seconds: (performance.now() - from) / 1000 })
}

async function secretlint(list: readonly Source[]): Promise<void> {
  const config = {
    rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator, options: {} }],
  }
  const from = performance.now()
  let found = 0
  for (const { path, text } of list) {
    const { messages } = await lintSource({
      source: { content: text, filePath: path, ext: extname(path), contentType: 'text' },
      options: { config, noPhysicFilePath: true },
    })
    found += messages.length
  }
  keep({
    who: 'secretlint',
    bytes: sizeOf(list),
    found,
    seconds: (performance.now() - from) / 1000,
  })
}

/** Other programs get the same files in a folder of their own, so that all read the same text. */
function program(
  who: string,
  file: string,
  args: (folder: string) => string[],
  folder: string,
): void {
  const from = performance.now()
  const { error } = spawnSync(file, args(folder), {
    stdio: 'ignore',
    env: { ...process.env, GOMAXPROCS: '1', RAYON_NUM_THREADS: '1' },
  })
  if (error !== undefined) {
    console.error(`${who} does not start: ${error.message}`)
    return
  }
  keep({
    who,
    bytes: sizeOf(sources),
    found: Number.NaN,
    seconds: (performance.now() - from) / 1000,
  })
}

function copyTree(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-bench-scan-'))
  for (const { path, text } of sources) {
    const copy = join(folder, relative(tree, path))
    mkdirSync(dirname(copy), { recursive: true })
    writeFileSync(copy, text)
  }
  return folder
}

const programs: [who: string, file: string | undefined, args: (folder: string) => string[]][] = [
  [
    'gitleaks',
    process.env['BENCH_GITLEAKS'],
    (folder) => ['dir', folder, '--no-banner', '--exit-code=0'],
  ],
  [
    'kingfisher',
    process.env['BENCH_KINGFISHER'],
    (folder) => ['scan', folder, '--no-validate', '--jobs=1'],
  ],
]
const folder = programs.some(([, file]) => file !== undefined) ? copyTree() : undefined
try {
  for (let round = 0; round < rounds; round++) {
    ours(sources, 'coffer')
    ours(some, 'coffer, the same part as secretlint')
    await secretlint(some)
    for (const [who, file, args] of programs) {
      if (file !== undefined && folder !== undefined) program(who, file, args, folder)
    }
  }
} finally {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
}

const speedOf = ({ bytes, seconds }: Row) => bytes / 1e6 / seconds
const own = rows.get('coffer')!
const part = rows.get('coffer, the same part as secretlint')!
const table = [...rows.values()].map((row) => {
  const base = row.who === 'secretlint' ? part : own
  return {
    who: row.who,
    mb: row.bytes / 1e6,
    mbPerSecond: speedOf(row),
    timesSlower: speedOf(base) / speedOf(row),
    foundPerMb: (row.found / row.bytes) * 1e6,
  }
})
if (values.json) {
  console.log(
    JSON.stringify({ rules: matcher.rules.length, files: sources.length, compiledMs, table }),
  )
} else {
  console.log(
    `${matcher.rules.length} rules, ${sources.length} files, rules ready in ${compiledMs.toFixed(0)} ms`,
  )
  console.log('who                                     MB    MB/s   coffer is   found/MB')
  for (const { who, mb, mbPerSecond, timesSlower, foundPerMb } of table) {
    const cells = [
      who.padEnd(36),
      mb.toFixed(1).padStart(6),
      mbPerSecond.toFixed(1).padStart(7),
      `${timesSlower.toFixed(1)} x`.padStart(11),
      (Number.isNaN(foundPerMb) ? '-' : foundPerMb.toFixed(2)).padStart(10),
    ]
    console.log(cells.join(' '))
  }
}
