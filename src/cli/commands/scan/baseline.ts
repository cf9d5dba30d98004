/** `scan baseline`: writes down what is accepted, so that scans tell only what is new. */
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { BASELINE_FILE, type Baseline, baselineText, newKey } from '../../../scan/baseline.ts'
import { GitError, newTally } from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import { type Context, defineCommand, flag } from '../../command.ts'
import { findUp, readBaseline, setupFlags, setupOf, startOf } from './setup.ts'
import { findingsFor, sourceFlags } from './sources.ts'

const { 'no-baseline': _, ...kept } = setupFlags
const flags = {
  ...sourceFlags,
  ...kept,
  baseline: flag.string(`The file. Default: ${BASELINE_FILE} in the folder that is scanned.`),
}
type At = Context<typeof flags>

const shared = {
  globals: false,
  args: [
    { name: 'path', help: 'Files and folders. Default: this folder.', optional: true, many: true },
  ],
  flags,
  exits: { 0: 'the file is written', 2: 'it could not be done' },
  errorExit: 2,
} as const

export const baselineCreate = defineCommand({
  path: ['scan', 'baseline', 'create'],
  summary: 'Accepts everything that is found now',
  help:
    'Scans, and writes a keyed fingerprint of each finding to a file. Scans that see the file tell ' +
    'only what is not in it. It holds no secret; commit it. Look at what is found first: whatever is ' +
    'accepted is not told again.',
  examples: [
    { does: 'What is in the files now', line: 'coffer scan baseline create' },
    { does: 'What was ever committed', line: 'coffer scan baseline create -history' },
  ],
  ...shared,
  async run(at) {
    const file = at.flags.baseline ?? join(startOf(at), BASELINE_FILE)
    if (existsSync(file)) {
      throw new CliError(`${file} is there already`, { hint: 'coffer scan baseline update' })
    }
    const { findings } = await write(at, file, newKey())
    at.io.stdout.write(`Wrote ${file}: ${findings.length} accepted\n`)
  },
})

export const baselineUpdate = defineCommand({
  path: ['scan', 'baseline', 'update'],
  summary: 'Accepts what is new and forgets what is gone',
  help: 'Scans as `baseline create` does, and writes the file anew under its key.',
  examples: [{ does: 'After a clean-up', line: 'coffer scan baseline update' }],
  ...shared,
  async run(at) {
    const file =
      at.flags.baseline ?? findUp([BASELINE_FILE], startOf(at)) ?? join(startOf(at), BASELINE_FILE)
    const old = readBaseline(file)
    const { findings } = await write(at, file, old.key)
    const prints = (of: Baseline['findings']) => new Set(of.map(({ fingerprint }) => fingerprint))
    const [before, now] = [prints(old.findings), prints(findings)]
    const [added, gone] = [now.difference(before).size, before.difference(now).size]
    at.io.stdout.write(`Wrote ${file}: ${now.size} accepted, ${added} new, ${gone} gone\n`)
  },
})

async function write(at: At, file: string, key: string): Promise<Baseline> {
  const { rules } = await setupOf({ ...at, flags: { ...at.flags, 'no-baseline': true } })
  const findings: Baseline['findings'][number][] = []
  const options = { tally: newTally(), rules, fingerprintKey: key, noIgnore: at.flags['no-ignore'] }
  try {
    for await (const { fingerprint, rule, path, commit } of findingsFor(at, options)) {
      // Relative to the file: the same for everyone, wherever they keep the project.
      const inFolder = relative(dirname(resolve(file)), resolve(path))
      const isRelative = commit !== undefined || inFolder.startsWith('..')
      findings.push({ fingerprint, rule, path: isRelative ? path : inFolder })
    }
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    throw new CliError(`scan: ${error.message}`)
  }
  // Whole or not at all: half a baseline would accept too little.
  writeFileSync(`${file}.new`, baselineText({ key, findings }))
  renameSync(`${file}.new`, file)
  return { key, findings }
}
