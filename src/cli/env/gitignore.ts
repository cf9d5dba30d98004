/** Whether git would take a file with secrets in it along, and a line that keeps it from doing so. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

type GitState = 'ignored' | 'not ignored' | 'tracked' | 'no repository'

export function ignoredByGit(file: string): GitState {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: dirname(file), stdio: 'ignore' }).status
  if (git('rev-parse', '--is-inside-work-tree') !== 0) return 'no repository'
  if (git('ls-files', '--error-unmatch', '--', basename(file)) === 0) return 'tracked'
  return git('check-ignore', '-q', '--', basename(file)) === 0 ? 'ignored' : 'not ignored'
}

/** Adds the file to the .gitignore beside it, if it is not there; gives that one's path. */
export function addToIgnored(file: string): string {
  const path = join(dirname(file), '.gitignore')
  const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
  // From the root of its folder, and with what a pattern would read as its own taken as it is.
  const line = `/${basename(file).replaceAll(/[\\*?[\]!# ]/g, '\\$&')}`
  if (!before.split(/\r?\n/).includes(line)) {
    const gap = before === '' || before.endsWith('\n') ? '' : '\n'
    writeFileSync(path, `${before}${gap}${line}\n`)
  }
  return path
}
