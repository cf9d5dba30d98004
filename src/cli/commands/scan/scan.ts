/** `scan`: looks for secrets in files, in what is staged, in history. */
import { COFFER_VERSION } from '../../../lib/version.ts'
import type { ScanConfig } from '../../../scan/config/read-config.ts'
import {
  type Format,
  FORMATS,
  type Out,
  type Reporter,
  shown,
} from '../../../scan/report/report.ts'
import {
  add,
  type Finding,
  GitError,
  newTally,
  type ScanOptions,
  type Tally,
} from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { indexKeyFlag } from '../index-key-flag.ts'
import { baselineCreate, baselineUpdate } from './baseline-command.ts'
import { fixFlags } from './fix-flags.ts'
import { installHook } from './hook-command.ts'
import { progress } from './progress.ts'
import { reportFlags } from './report-flags.ts'
import { type Setup, setupFlags, setupOf } from './setup.ts'
import { findingsFor, sourceFlags } from './sources.ts'
import { fileText } from './file-text.ts'

/** Formats that tell what was looked at and what was skipped themselves. */
const SAYS_ALL = new Set(['text', 'json', 'html'])
const formats = Object.keys(FORMATS)

const flags = {
  format: flag.string('How to print what is found.', { default: 'text', oneOf: formats }),
  template: flag.string('Print by this file instead, see docs/concepts/scan.md.'),
  ...sourceFlags,
  ...setupFlags,
  index: flag.string('Know the secrets of a vault by this file of `coffer fingerprints`.'),
  'index-key': indexKeyFlag,
  reveal: flag.bool('Print values as they are. They are masked without this.'),
  ...fixFlags,
  ...reportFlags,
  verify: flag.bool('Ask providers whether what is found is alive. It is sent to them.'),
  'verify-host': flag.list('A host that -verify may ask, or HOST=URL. May be given many times.'),
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
    {
      does: 'What is known to the vault, and a case for each on the server',
      line: 'coffer scan -index=secrets.index -report',
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
  if (at.flags.fix) return runFix(at)
  if (at.flags.rotate) {
    throw new CliError('-rotate goes with -fix', {
      hint: 'coffer leaked report -rotate PATH has a leaked secret rotated',
    })
  }
  const { template } = at.flags
  const out = outOf(at)
  const reporter =
    template === undefined
      ? (await FORMATS[at.flags.format as Format]())(out)
      : await templateIn(template, out)
  const tally = newTally()
  const setup = await setupOf(at)
  const verify = await verifierFor(at)
  const leaks = await leaksFor(at)
  const about = await aboutFor(at)
  let findings = 0
  for await (const finding of foundBy(at, setup, tally)) {
    findings++
    leaks?.add(finding)
    const verified = await verify?.(finding)
    const told = await about?.(finding)
    const whole = { ...finding, ...(verified && { verified }), ...(told && { about: told }) }
    reporter.finding(shown(whole, at.flags.reveal))
  }
  refuseNothing(tally, at)
  const summary = { tally, findings, rules: await rulesIn(setup), version: COFFER_VERSION }
  reporter.end(summary)
  // Formats for programs have no place for it, and what was skipped must be told somewhere.
  if (template !== undefined || !SAYS_ALL.has(at.flags.format)) {
    const { closing } = await import('../../../scan/report/text.ts')
    for (const line of closing(summary)) at.io.stderr.write(`${line}\n`)
  }
  if (findings > 0 && template === undefined && at.flags.format === 'text') {
    at.io.stderr.write(WHAT_NEXT)
  }
  await leaks?.send()
  return findings > 0 ? at.flags['exit-code'] : 0
}

const WHAT_NEXT = `hint: take it out ("coffer scan -fix" puts it into a vault), or say that it is
      none: a comment coffer:allow in its line, or "coffer scan baseline create"
`

/** Of files as they are now: what is in history is out already, and no line of it can be changed. */
async function runFix(at: At): Promise<number> {
  const { staged, history, diff, stdin } = at.flags
  if (staged || history || stdin || diff !== undefined || at.args.includes('-')) {
    throw new CliError('-fix changes files: it goes with paths alone')
  }
  if (at.flags.report) throw new CliError('-report goes without -fix', { hint: 'report first' })
  if (at.flags.rotate) needsIndex(at, '-rotate')
  const tally = newTally()
  const findings: Finding[] = []
  for await (const finding of foundBy(at, await setupOf(at), tally)) findings.push(finding)
  refuseNothing(tally, at)
  const { fix } = await import('./fix.ts')
  return fix(at, findings)
}

async function leaksFor(at: At) {
  if (!at.flags.report) return undefined
  needsIndex(at, '-report')
  return (await import('./report.ts')).reporting(at)
}

function needsIndex({ flags: { index } }: At, what: string): void {
  if (index !== undefined) return
  throw new CliError(`${what} is about secrets that the vault knows: it needs -index`, {
    hint: 'coffer fingerprints -out=secrets.index, then -index=secrets.index',
  })
}

/** What can ask is loaded only where it is wanted: a hook is quicker without it. */
async function verifierFor({ flags: { verify, 'verify-host': words } }: At) {
  if (!verify) return undefined
  const { hostsOf, PROBED_HOSTS, verifier } = await import('../../../scan/verify/verify.ts')
  if (words.length === 0) {
    throw new CliError('-verify asks only hosts that are named', {
      hint: `-verify-host=HOST, one of ${PROBED_HOSTS.join(', ')}`,
    })
  }
  try {
    return verifier(hostsOf(words))
  } catch (error) {
    if (error instanceof TypeError) throw new CliError(`-verify-host: ${error.message}`)
    throw error
  }
}

/** For people, and where an index says whose secrets these may be. */
async function aboutFor(at: At) {
  const { index, format, template } = at.flags
  if (index === undefined || format !== 'text' || template !== undefined) return undefined
  return (await import('./about.ts')).aboutFrom(at)
}

async function templateIn(file: string, out: Out): Promise<Reporter> {
  const { readTemplate, TemplateError } = await import('../../../scan/report/template.ts')
  try {
    return readTemplate(fileText(file, 'the template'), out)
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new CliError(`scan: the template ${file}: ${error.message}`)
  }
}

/** What is found and not accepted; what git says is wrong becomes an error of the command. */
async function* foundBy(at: At, setup: Setup, tally: Tally): AsyncGenerator<Finding> {
  const bar = progress(at.io)
  const options: ScanOptions = {
    tally,
    index: await indexOf(at),
    comments: !at.flags['no-comments'],
    noIgnore: at.flags['no-ignore'],
    rules: setup.rules,
    fingerprintKey: setup.accepted.baseline?.key,
    ...(bar && { onProgress: bar.update }),
  }
  const whyAccepted = await accepting(setup)
  try {
    for await (const finding of findingsFor(at, options)) {
      const why = whyAccepted(finding)
      bar?.clear()
      if (why === undefined) yield finding
      else add(tally.leftOut, why, finding.path)
    }
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw new CliError(`scan: ${error.message}`)
  } finally {
    bar?.clear()
  }
}

async function indexOf({
  flags: { index, 'index-key': signer },
}: At): Promise<ScanOptions['index']> {
  if (index === undefined) return undefined
  return (await import('../fingerprints-file.ts')).fingerprintsIn(index, signer)
}

/** Most projects have accepted nothing. */
async function accepting({ accepted }: Setup): Promise<(finding: Finding) => string | undefined> {
  if (Object.values(accepted).every((one) => one === undefined)) return () => undefined
  return (await import('../../../scan/accepted.ts')).acceptedBy(accepted)
}

async function rulesIn({ rules }: Setup): Promise<number> {
  // Git runs already when rules are loaded; nothing here may load them sooner.
  const { ALL_RULES } = await import('../../../rules/all.ts')
  const config = rules?.options as ScanConfig | undefined
  if (config === undefined) return ALL_RULES.length
  return config.rules.length + (config.builtin ? ALL_RULES.length - config.disabled.length : 0)
}

/** A commit without a text is fine; a folder without one is a mistake in the command. */
function refuseNothing(tally: Tally, at: At): void {
  const { staged, 'pre-push': push } = at.flags
  if (staged || push !== undefined || tally.files + tally.blobs + tally.commits > 0) return
  const why = [...tally.skipped].map(([reason, { count }]) => `${count} ${reason}`).join(', ')
  throw new CliError(`scan: there was nothing to scan${why === '' ? '' : `: ${why}`}`, {
    hint: 'name a path, or see what ignore files leave out with -no-ignore',
  })
}

function outOf({ io }: At): Out {
  const { stdout } = io
  const colour = stdout.isTTY === true && !io.env['NO_COLOR']
  const columns = Number(io.env['COLUMNS']) || (stdout as { columns?: number }).columns || 80
  return { write: (text) => void stdout.write(text), colour, columns: Math.min(columns, 160) }
}

export const commands = [scan, baselineCreate, baselineUpdate, installHook]
