/** What a scan is told by files that lie about: configurations, baselines, what other tools ignore. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Accepted } from '../../../scan/accepted.ts'
import type * as baselines from '../../../scan/baseline.ts'
import type { ScanConfig } from '../../../scan/config/read-config.ts'
import type { ScannerOptions } from '../../../scan/scan.ts'
import { CliError } from '../../cli-error.ts'
import { whyUnreadable } from '../../unreadable.ts'
import { type Context, flag } from '../../command.ts'
import { folderOf } from './sources.ts'

/** In the folder that is scanned, or above it. */
export const BASELINE_FILE = '.coffer-baseline.json'

export const setupFlags = {
  config: flag.string('Rules and allowlists of gitleaks or betterleaks, instead of those found.'),
  'no-config': flag.bool('Do not look for .betterleaks.toml and .gitleaks.toml.'),
  'skip-refused': flag.bool('Go on without those rules of a configuration that are refused.'),
  baseline: flag.string(
    `The file of what is accepted. Default: ${BASELINE_FILE}, if there is one.`,
  ),
  'no-baseline': flag.bool(
    'Tell what was accepted, too: in a baseline, or in files of other tools.',
  ),
}
type At = Pick<Context<typeof setupFlags>, 'args' | 'flags' | 'io'>

const CONFIGS = ['.betterleaks.toml', '.gitleaks.toml']

export type Setup = { readonly rules: ScannerOptions['rules']; readonly accepted: Accepted }

/** The folder that is scanned: files that say how are looked for there and above, up to its repository. */
export function startOf({ args }: Pick<At, 'args'>): string {
  const [first = '.'] = args
  return resolve(first === '-' || !existsSync(first) ? '.' : folderOf(first))
}

/** Throws a CliError that says what is wrong with which file. */
export async function setupOf(at: At): Promise<Setup> {
  const start = startOf(at)
  return {
    rules: await rulesOf(at, start),
    accepted: at.flags['no-baseline'] ? {} : await acceptedFor(at, start),
  }
}

async function rulesOf({ flags, io }: At, start: string): Promise<ScannerOptions['rules']> {
  const file = flags.config ?? (flags['no-config'] ? undefined : findUp(CONFIGS, start))
  if (file === undefined) return undefined
  // Where there is no configuration, what reads one is not loaded: a hook is quicker.
  const { ConfigRefused, readConfig } = await reader(file)
  const problems: string[] = []
  let options: ScanConfig
  try {
    options = readConfig(file, flags['skip-refused'] ? problems : undefined)
  } catch (error) {
    if (!(error instanceof ConfigRefused)) throw error
    throw new CliError(
      `${file} is refused:\n${error.problems.map((one) => `  ${one}`).join('\n')}`,
      {
        hint: '-skip-refused goes on without these, -no-config without the file',
      },
    )
  }
  for (const problem of problems) io.stderr.write(`scan: ${file}: without ${problem}\n`)
  const name = import.meta.url.endsWith('.ts') ? 'config-rules.ts' : 'config-rules.js'
  return { module: new URL(`../../../scan/config/${name}`, import.meta.url).href, options }
}

/** In a bare clone, as a hook may be run from, the one package that this needs is not there. */
async function reader(file: string) {
  try {
    return await import('../../../scan/config/read-config.ts')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new CliError(`${file} cannot be read: the package smol-toml is not installed`, {
      hint: 'run npm ci --omit=dev where coffer is; or -no-config',
    })
  }
}

async function acceptedFor({ flags }: At, start: string): Promise<Accepted> {
  const baseline = flags.baseline ?? findUp([BASELINE_FILE], start)
  const hashes = findUp(['.secrets.baseline'], start)
  const places = findUp(['.gitleaksignore', '.betterleaksignore'], start)
  return {
    baseline: baseline === undefined ? undefined : await readBaseline(baseline),
    hashes: hashes === undefined ? undefined : await parsed(hashes, 'parseSecretsBaseline'),
    places:
      places === undefined
        ? undefined
        : { root: dirname(places), list: await parsed(places, 'parseGitleaksIgnore') },
  }
}

/** Throws a CliError. */
export const readBaseline = (file: string): Promise<baselines.Baseline> =>
  parsed(file, 'parseBaseline')

type Parsers = Pick<
  typeof baselines,
  'parseBaseline' | 'parseSecretsBaseline' | 'parseGitleaksIgnore'
>

/** What reads such files is loaded where there is one. */
async function parsed<Name extends keyof Parsers>(
  file: string,
  name: Name,
): Promise<ReturnType<Parsers[Name]>> {
  const { BaselineError, ...parsers } = await import('../../../scan/baseline.ts')
  try {
    return parsers[name](readFileSync(file, 'utf8')) as ReturnType<Parsers[Name]>
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof BaselineError) throw new CliError(`scan: ${file}: ${error.message}`)
    if (code === undefined) throw error
    throw new CliError(`scan: ${file} cannot be read: ${whyUnreadable(error)}`, {
      ...(code === 'ENOENT' && { hint: 'coffer scan baseline create makes one' }),
    })
  }
}

/** The first of these files in the folder or above it; not beyond the repository. */
export function findUp(names: readonly string[], start: string): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    const found = names.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) return found
    if (existsSync(join(folder, '.git')) || folder === dirname(folder)) return undefined
  }
}
