/** A real repository of git in a folder of its own, for tests of what reads history. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type GitRepo = Disposable & {
  readonly folder: string
  /** Runs git and gives what it printed; throws when it fails, unless that is expected. */
  git(...args: string[]): string
  /** As `git`, with the exit code and what it said. */
  tried(args: readonly string[], env?: Record<string, string>): { code: number; said: string }
  /** Writes files, adds them and commits; gives the id. */
  commit(files: Readonly<Record<string, string>>, message?: string): string
  write(files: Readonly<Record<string, string | Buffer>>): void
}

/** What a developer's own configuration says must not matter. */
const ENV = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'Ada "the\u0001first" Õun',
  GIT_AUTHOR_EMAIL: 'ada@test.invalid',
  GIT_COMMITTER_NAME: 'ada',
  GIT_COMMITTER_EMAIL: 'ada@test.invalid',
}

export function gitRepo(init: readonly string[] = [], at?: string): GitRepo {
  const folder = at ?? mkdtempSync(join(tmpdir(), 'coffer-git-'))
  // A hook that runs the tests sets these for its own repository.
  const outer = Object.keys(process.env).filter((name) => name.startsWith('GIT_'))
  const clean = Object.fromEntries(outer.map((name) => [name, undefined]))
  let clock = 1_700_000_000
  const tried: GitRepo['tried'] = (args, env = {}) => {
    const date = `${clock++} +0000`
    const { status, stdout, stderr, error } = spawnSync('git', ['-C', folder, ...args], {
      encoding: 'utf8',
      env: {
        ...process.env,
        ...clean,
        ...ENV,
        GIT_AUTHOR_DATE: date,
        GIT_COMMITTER_DATE: date,
        ...env,
      },
    })
    if (error) throw error
    return { code: status ?? -1, said: stdout + stderr }
  }
  const run = (...args: string[]) => {
    const { code, said } = tried(args)
    if (code !== 0) throw new Error(`git ${args.join(' ')}: ${said}`)
    return said.trim()
  }
  run('init', '-q', '-b', 'main', ...init)
  const write: GitRepo['write'] = (files) => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
  }
  return {
    folder,
    git: run,
    tried,
    write,
    commit(files, message = 'change') {
      write(files)
      run('add', '-A', '--', '.')
      run('commit', '-q', '--allow-empty', '-m', message)
      return run('rev-parse', 'HEAD')
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
