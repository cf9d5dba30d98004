/** `scan`: looks for secrets in files, in what is staged, in history. */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { COFFER_VERSION } from '../../lib/version.ts'
import { ALL_RULES } from '../../rules/all.ts'
import { type Format, FORMATS, type Out, shown } from '../../scan/report/report.ts'
import { closing } from '../../scan/report/text.ts'
import {
  type Finding,
  GitError,
  newTally,
  scanHistory,
  scanInput,
  type ScanOptions,
  scanPaths,
  scanStaged,
  type Tally,
} from '../../scan/scan.ts'
import { CliError } from '../cli-error.ts'
import { type Context, defineCommand, flag } from '../command.ts'
import { fingerprintsIn } from './fingerprints-file.ts'
import { progress } from './scan-progress.ts'

/** Formats that tell what was looked at and what was skipped themselves. */
const SAYS_ALL = new Set(['text', 'json', 'html'])
const formats = Object.keys(FORMATS)

const flags = {
  format: flag.string('How to print what is found.', { default: 'text', oneOf: formats }),
  staged: flag.bool('Only what is about to be committed.'),
  history: flag.bool('All that was ever committed, on all refs.'),
  diff: flag.string('Only commits in this range: main..HEAD.'),
  stdin: flag.bool('Standard input; so does the path -.'),
  'stdin-name': flag.string('The name that standard input would have as a file.', {
    default: 'stdin',
  }),
  index: flag.string('Know the secrets of a vault by this file of `coffer fingerprints`.'),
  reveal: flag.bool('Print values as they are. They are masked without this.'),
  'no-ignore': flag.bool('Scan what ignore files leave out, too.'),
  'no-comments': flag.bool('Comments such as coffer:allow do not count.'),
  'exit-code': flag.int('The exit code when there are findings.', { default: 1 }),
}
type At = Context<typeof flags>

export const scan = defineCommand({
  path: ['scan'],
  summary: 'Looks for secrets in files and in git',
  help:
    'Scans files and folders (what git ignores is left out), standard input, what is staged, or all ' +
    'of history. Values are masked in every output. A comment with coffer:allow in the line of a ' +
    `finding allows it. Formats: ${formats.join(', ')}. A run that had nothing to look at is an error.`,
  examples: [
    { does: 'This folder', line: 'coffer scan' },
    { does: 'Before a commit', line: 'coffer scan -staged' },
    { does: 'Everything that was ever committed', line: 'coffer scan -history' },
    {
      does: 'What a branch adds, for a code scanning page',
      line: 'coffer scan -diff=main..HEAD -format=sarif',
    },
    { does: 'A text from elsewhere', line: 'kubectl get cm app -o yaml | coffer scan -' },
  ],
  globals: false,
  args: [
    { name: 'path', help: 'Files and folders. Default: this folder.', optional: true, many: true },
  ],
  flags,
  exits: { 0: 'nothing was found', 1: 'something was found', 2: 'the scan could not be done' },
  errorExit: 2,
  run: (at) => runScan(at),
})

async function runScan(at: At): Promise<number> {
  const tally = newTally()
  const bar = progress(at.io)
  const index = at.flags.index === undefined ? undefined : fingerprintsIn(at.flags.index)
  const options: ScanOptions = {
    tally,
    index,
    comments: !at.flags['no-comments'],
    noIgnore: at.flags['no-ignore'],
    ...(bar && { onProgress: bar.update }),
  }
  const reporter = FORMATS[at.flags.format as Format](outOf(at))
  let findings = 0
  try {
    for await (const finding of findingsFor(at, options)) {
      findings++
      bar?.clear()
      reporter.finding(shown(finding, at.flags.reveal))
    }
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw new CliError(`scan: ${error.message}`, { exit: 2 })
  } finally {
    bar?.clear()
  }
  refuseNothing(tally, at)
  const summary = { tally, findings, rules: ALL_RULES.length, version: COFFER_VERSION }
  reporter.end(summary)
  // Formats for programs have no place for it, and what was skipped must be told somewhere.
  if (!SAYS_ALL.has(at.flags.format)) {
    for (const line of closing(summary)) at.io.stderr.write(`${line}\n`)
  }
  return findings > 0 ? at.flags['exit-code'] : 0
}

async function* findingsFor(at: At, options: ScanOptions): AsyncGenerator<Finding> {
  const { staged, history, diff, stdin } = at.flags
  const modes = [staged, history, diff !== undefined, stdin].filter(Boolean).length
  if (modes > 1) {
    throw new CliError('only one of -staged, -history, -diff and -stdin can be given', { exit: 2 })
  }
  const paths = at.args.length === 0 ? ['.'] : at.args
  if (stdin || paths.includes('-')) {
    if (paths.some((path) => path !== '-' && path !== '.')) {
      throw new CliError('standard input cannot be scanned together with paths', { exit: 2 })
    }
    const parts: Buffer[] = []
    for await (const part of at.io.stdin) parts.push(Buffer.from(part as Uint8Array))
    yield* scanInput(Buffer.concat(parts), at.flags['stdin-name'], options)
    return
  }
  for (const path of paths) missing(path)
  if (!staged && !history && diff === undefined) {
    yield* scanPaths(paths, options)
    return
  }
  if (paths.length > 1) {
    throw new CliError('git is asked about one repository at a time: name one folder', { exit: 2 })
  }
  const folder = statSync(paths[0]!).isDirectory() ? paths[0]! : dirname(paths[0]!)
  if (staged) yield* scanStaged(folder, options)
  else yield* scanHistory(folder, diff === undefined ? [] : rangeOf(diff), options)
}

/** Words that begin with a dash would be options of git. */
function rangeOf(diff: string): string[] {
  const words = diff.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0 || words.some((word) => word.startsWith('-'))) {
    throw new CliError('-diff must be a range of commits, such as main..HEAD', { exit: 2 })
  }
  return words
}

function missing(path: string): void {
  try {
    statSync(path)
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw new CliError(`scan: ${path} cannot be read (${code})`, { exit: 2 })
  }
}

/** A commit without a text is fine; a folder without one is a mistake in the command. */
function refuseNothing(tally: Tally, at: At): void {
  if (at.flags.staged || tally.files + tally.blobs + tally.commits > 0) return
  const why = [...tally.skipped].map(([reason, { count }]) => `${count} ${reason}`).join(', ')
  throw new CliError(`scan: there was nothing to scan${why === '' ? '' : `: ${why}`}`, {
    exit: 2,
    hint: 'name a path, or see what ignore files leave out with -no-ignore',
  })
}

function outOf({ io }: At): Out {
  const { stdout } = io
  const colour = stdout.isTTY === true && !io.env['NO_COLOR']
  const columns = Number(io.env['COLUMNS']) || (stdout as { columns?: number }).columns || 80
  return { write: (text) => void stdout.write(text), colour, columns: Math.min(columns, 160) }
}

export const commands = [scan]
