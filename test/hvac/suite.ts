/**
 * hvac's own integration suite, as its source distribution carries it, against coffer under the name
 * `vault` on PATH. What it starts, stops and asks is its own; nothing of it is kept here but the
 * names of the tests that pass.
 */
import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync } from 'node:fs'
import { readFileSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { COMPILED } from '../support/compiled.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const VENV = join(ROOT, '.venv')
const SDIST = 'hvac-2.4.0'
export const PASSES_FILE = join(ROOT, 'test/hvac/passes.txt')

export type Outcome = 'passed' | 'failed' | 'skipped'
/** By `file::Class::test`. */
export type Outcomes = ReadonlyMap<string, Outcome>

/** The Python that has what the suite imports; undefined when there is none. */
export function suitePython(): string | undefined {
  const python = process.env['COFFER_PYTHON'] || join(VENV, 'bin/python')
  try {
    execFileSync(python, ['-c', 'import hvac, pytest, xdist, flask, authlib, hcl'], {
      stdio: 'ignore',
    })
    return python
  } catch {
    return undefined
  }
}

/** The packed suite, fetched once from the package index; undefined when that cannot be reached. */
export function fetchSuite(python: string): string | undefined {
  const folder = join(VENV, 'hvac')
  const packed = join(folder, `${SDIST}.tar.gz`)
  if (existsSync(packed)) return packed
  try {
    const what = ['hvac==2.4.0', '--no-binary', ':all:', '--no-deps', '-d', folder]
    execFileSync(python, ['-m', 'pip', 'download', '--quiet', '--no-input', ...what], {
      stdio: 'ignore',
    })
  } catch {
    return undefined
  }
  return existsSync(packed) ? packed : undefined
}

/** Runs it, and tells how each of its tests ended. `only` = paths below tests/integration_tests. */
export async function runSuite(
  python: string,
  packed: string,
  only: readonly string[] = [],
): Promise<{ outcomes: Outcomes; reasons: ReadonlyMap<string, string>; log: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-hvac-'))
  try {
    execFileSync('tar', ['xzf', packed, '-C', dir])
    const suite = join(dir, SDIST)
    prepare(suite)
    const bin = join(dir, 'bin')
    mkdirSync(bin)
    symlinkSync(join(ROOT, 'bin/coffer'), join(bin, 'vault'))
    // The suite looks for Java before it starts its directory, which is none here.
    symlinkSync('/bin/true', join(bin, 'java'))
    const report = join(dir, 'report.xml')
    const paths = only.length > 0 ? only : ['']
    const child = spawn(
      python,
      [
        ...['-m', 'pytest', '-q', '--tb=short', '-p', 'no:cacheprovider'],
        ...['-n', String(availableParallelism() + 1), '--dist', 'loadscope'],
        `--junitxml=${report}`,
        ...paths.map((path) => join('tests/integration_tests', path)),
      ],
      {
        cwd: suite,
        env: {
          PATH: `${bin}:${process.env['PATH']}`,
          HOME: dir,
          XDG_CACHE_HOME: COMPILED,
          PYTHONDONTWRITEBYTECODE: '1',
        },
      },
    )
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
    await new Promise((done) => child.once('close', done))
    if (!existsSync(report)) return { outcomes: new Map(), reasons: new Map(), log }
    return { ...read(readFileSync(report, 'utf8')), log }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** What the suite needs that it does not bring, or brought in too old a state. */
function prepare(suite: string): void {
  const files = join(suite, 'tests/config_files')
  mkdirSync(join(files, 'generated'), { recursive: true })
  // A directory in Java is replaced by slapd.
  copyFileSync(join(import.meta.dirname, 'ldap_test.py'), join(suite, 'ldap_test.py'))
  // The pair it comes with has expired.
  const [key, certificate] = [join(files, 'client-key.pem'), join(files, 'client-cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30'],
      ...['-keyout', key, '-out', certificate, '-config', join(files, 'client.cnf')],
    ],
    { stdio: 'ignore' },
  )
  if (globSync(join(files, 'client-*.pem')).length < 2) throw new Error('no client certificate')
}

const CASE = /<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g

/** JUnit's XML, as pytest writes it. */
function read(xml: string) {
  const outcomes = new Map<string, Outcome>()
  const reasons = new Map<string, string>()
  for (const [, attributes, , inside = ''] of xml.matchAll(CASE)) {
    const attribute = (name: string) =>
      new RegExp(`\\b${name}="([^"]*)"`).exec(attributes!)?.[1] ?? ''
    const path = attribute('classname').replace('tests.integration_tests.', '').split('.')
    const name = `${path.slice(0, -1).join('/')}.py::${path.at(-1)}::${attribute('name')}`
    const failed = /<(?:failure|error)\b/.test(inside)
    outcomes.set(name, failed ? 'failed' : inside.includes('<skipped') ? 'skipped' : 'passed')
    const why = /message="([^"]*)"/.exec(inside)?.[1]
    if (why !== undefined) reasons.set(name, why.replaceAll('&#10;', ' ').slice(0, 200))
  }
  return { outcomes, reasons }
}

export function expectedPasses(): string[] {
  return readFileSync(PASSES_FILE, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
}
