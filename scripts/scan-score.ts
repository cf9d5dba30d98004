/**
 * Scores the rules on labelled samples of public scanners, one set at a time: how many of the secrets
 * are found, and how many of the texts that hold none are reported. The samples are not part of the
 * project; without them one line says that nothing was scored.
 *
 *   node scripts/scan-score.ts                        prints the table
 *   node scripts/scan-score.ts --write                and puts it into docs/reference/scanner.md
 *   node scripts/scan-score.ts --misses [set]         what was missed, and what was reported wrongly
 *   SCAN_CORPORA=/data/corpora.tar.zst node scripts/scan-score.ts
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { zstdDecompressSync } from 'node:zlib'
import { compileRules, type Matcher } from '../src/rules/matcher.ts'
import { scannerPage } from './scanner-page.ts'

const ROOT = resolve(import.meta.dirname, '..')
export const PAGE = join(ROOT, 'docs/reference/scanner.md')

export const corporaPath = (): string =>
  process.env['SCAN_CORPORA'] ?? join(ROOT, '../shared/data/scanner-corpora.tar.zst')

/** One labelled text. `scope` of a negative: nothing at all, or only one rule, must not fire. */
type Sample = {
  readonly text: string
  readonly label: 0 | 1
  readonly provider: string
  readonly rule?: string
  readonly path?: string
  readonly scope?: 'any' | 'rule'
  readonly inline_allow?: boolean
}

export type Score = {
  readonly set: string
  readonly secrets: number
  readonly found: number
  readonly clean: number
  readonly reported: number
  readonly missed: readonly Sample[]
  readonly wrong: readonly Sample[]
}

export function scoreCorpora(archive: Uint8Array, matcher = compileRules()): Score[] {
  return filesOfTar(zstdDecompressSync(archive))
    .filter(({ name }) => name.endsWith('.jsonl'))
    .map(({ name, bytes }) => {
      const lines = Buffer.from(bytes).toString('utf8').split('\n').filter(Boolean)
      return scoreOf(
        name.replace(/^.*\/|\.jsonl$/g, ''),
        lines.map((line) => JSON.parse(line) as Sample),
        matcher,
      )
    })
    .sort((a, b) => (a.set < b.set ? -1 : 1))
}

function scoreOf(set: string, samples: readonly Sample[], matcher: Matcher): Score {
  const secrets = samples.filter(({ label }) => label === 1)
  const clean = samples.filter(({ label, scope }) => label === 0 && scope === 'any')
  const missed = secrets.filter((sample) => !isReported(sample, matcher))
  const wrong = clean.filter((sample) => isReported(sample, matcher))
  return {
    set,
    secrets: secrets.length,
    found: secrets.length - missed.length,
    clean: clean.length,
    reported: wrong.length,
    missed,
    wrong,
  }
}

/** A line that says itself that it is allowed is left out by the commit scanner, so it is here. */
function isReported({ text, path, inline_allow }: Sample, matcher: Matcher): boolean {
  return inline_allow !== true && matcher.find(text, { path }).length > 0
}

/** The files of a ustar archive. */
function filesOfTar(tar: Uint8Array): { name: string; bytes: Uint8Array }[] {
  const files: { name: string; bytes: Uint8Array }[] = []
  const text = (from: number, to: number) =>
    Buffer.from(tar.subarray(from, to)).toString('latin1').replace(/\0.*$/s, '')
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const size = Number.parseInt(text(at + 124, at + 136), 8)
    files.push({ name: text(at, at + 100), bytes: tar.subarray(at + 512, at + 512 + size) })
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

export function scoreTable(scores: readonly Score[]): string {
  const percent = (part: number, whole: number) =>
    whole === 0 ? 'none given' : `${((100 * part) / whole).toFixed(1)} %`
  const rows = scores.map(
    ({ set, secrets, found, clean, reported }) =>
      `| ${set} | ${secrets} | ${percent(found, secrets)} | ${clean} | ${percent(reported, clean)} |`,
  )
  return [
    '| Set | Secrets | Found | Texts without one | Reported |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { write: { type: 'boolean' }, misses: { type: 'boolean' } },
    allowPositionals: true,
  })
  const path = corporaPath()
  if (existsSync(path)) {
    const scores = scoreCorpora(readFileSync(path))
    console.log(scoreTable(scores))
    if (values.write) writeFileSync(PAGE, scannerPage(scoreTable(scores)))
    for (const score of scores) {
      if (values.misses && (positionals.length === 0 || positionals.includes(score.set)))
        printMisses(score)
    }
  } else {
    console.log('skipped: the labelled samples are not here (set SCAN_CORPORA to their archive)')
  }
}

function printMisses({ set, missed, wrong }: Score): void {
  for (const [kind, list] of [
    ['missed', missed],
    ['wrongly reported', wrong],
  ] as const) {
    console.log(`\n${set}: ${kind}`)
    for (const { provider, rule, path, text } of list)
      console.log(`  ${provider} ${rule ?? path ?? ''} ${JSON.stringify(text.slice(0, 240))}`)
  }
}
