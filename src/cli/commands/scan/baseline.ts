/** `scan baseline`: writes down what is accepted, so that scans tell only what is new. */
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { type Baseline, baselineText, newKey } from '../../../scan/baseline.ts'
import { GitError, newTally } from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import type { At } from './baseline-command.ts'
import { BASELINE_FILE, findUp, readBaseline, setupOf, startOf } from './setup.ts'
import { findingsFor } from './sources.ts'

export async function create(at: At): Promise<void> {
  const file = at.flags.baseline ?? join(startOf(at), BASELINE_FILE)
  if (existsSync(file)) {
    throw new CliError(`${file} is there already`, { hint: 'coffer scan baseline update' })
  }
  const { findings } = await write(at, file, newKey())
  at.io.stdout.write(`Wrote ${file}: ${findings.length} accepted\n`)
}

export async function update(at: At): Promise<void> {
  const file =
    at.flags.baseline ?? findUp([BASELINE_FILE], startOf(at)) ?? join(startOf(at), BASELINE_FILE)
  const old = await readBaseline(file)
  const { findings } = await write(at, file, old.key)
  const prints = (of: Baseline['findings']) => new Set(of.map(({ fingerprint }) => fingerprint))
  const [before, now] = [prints(old.findings), prints(findings)]
  const [added, gone] = [now.difference(before).size, before.difference(now).size]
  at.io.stdout.write(`Wrote ${file}: ${now.size} accepted, ${added} new, ${gone} gone\n`)
}

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
