/**
 * `scan install-hook` beside the managers of hooks that people use, the real ones: each stops a commit
 * with a token, lets a clean one through with its own hook, and -doctor says what is so.
 */
import { equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../support/fake-vault.ts'
import { gitRepo, type GitRepo } from '../support/git-repo.ts'
import { tokenOf } from '../support/scan.ts'

const root = resolve(import.meta.dirname, '../..')
const modules = join(import.meta.dirname, 'node_modules')
const noModules = existsSync(join(modules, 'lefthook'))
  ? false
  : 'husky and lefthook are not here: npm ci --prefix test/interop (.ci/run does)'
const python = process.env['COFFER_PYTHON'] || join(root, '.venv/bin/python')
const framework = join(dirname(python), 'pre-commit')
const noFramework = existsSync(framework)
  ? false
  : 'pre-commit is not in the venv of Python: .ci/run puts it there'

const TOKEN = tokenOf('managed')
const install = (repo: GitRepo, ...flags: string[]) =>
  runCli(['scan', 'install-hook', ...flags, repo.folder])

/** Starts a program in the repository, as a developer would there. */
function run(repo: GitRepo, program: string, args: readonly string[], env = {}) {
  const outer = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: repo.folder,
    encoding: 'utf8',
    env: { ...Object.fromEntries(outer), GIT_CONFIG_GLOBAL: '/dev/null', ...env },
  })
  return { code: status, said: stdout + stderr }
}

function tryCommit(repo: GitRepo, files: Record<string, string>, env?: Record<string, string>) {
  repo.write(files)
  repo.git('add', '-A')
  return repo.tried(['commit', '-q', '-m', 'try'], env)
}

/** A token is stopped, what is clean goes through, and their own hook runs then. */
function holds(repo: GitRepo, env?: Record<string, string>): void {
  const bad = tryCommit(repo, { a: `${TOKEN}\n` }, env)
  equal(bad.code, 1)
  match(bad.said, /a:1:1 /)
  ok(!bad.said.includes(TOKEN))
  const good = tryCommit(repo, { a: 'clean\n' }, env)
  equal(good.code, 0, good.said)
  match(good.said, /theirs ran/)
}

/** A push is stopped when a commit that no hook saw has a token. */
function holdsPush(repo: GitRepo, env?: Record<string, string>): void {
  using remote = gitRepo(['--bare'])
  repo.git('remote', 'add', 'origin', remote.folder)
  const clean = repo.tried(['push', '-q', 'origin', 'main'], env)
  equal(clean.code, 0, clean.said)
  repo.write({ b: `${TOKEN}\n` })
  repo.git('add', '-A')
  repo.git('commit', '-q', '--no-verify', '-m', 'past the hook')
  const bad = repo.tried(['push', '-q', 'origin', 'main'], env)
  equal(bad.code, 1)
  match(bad.said, /b:1:1 /)
}

test('husky: its hooks call ours and its own', { skip: noModules }, async () => {
  using repo = gitRepo()
  const husky = () => run(repo, process.execPath, [join(modules, 'husky/bin.js')])
  equal(husky().code, 0)
  repo.write({ '.husky/pre-commit': 'echo theirs ran\n', '.husky/.gitignore': '_\n' })
  match((await install(repo, '-doctor')).out, /pre-commit: is not installed/)
  equal((await install(repo)).code, 0)
  const { code, out } = await install(repo, '-doctor')
  equal(out, 'pre-commit: runs\npre-push: runs\n')
  equal(code, 0)
  holds(repo)
  holdsPush(repo)
  // `npm install` runs husky again.
  husky()
  equal((await install(repo, '-doctor')).code, 0)
  await install(repo, '-uninstall')
  equal((await install(repo, '-doctor')).code, 1)
  equal(tryCommit(repo, { a: `${TOKEN}\n` }).code, 0)
})

test('lefthook: it reads ours beside its own', { skip: noModules }, async () => {
  using repo = gitRepo()
  const env = { LEFTHOOK_BIN: join(modules, '.bin/lefthook') }
  repo.write({
    'lefthook.yml': 'pre-commit:\n  commands:\n    mine:\n      run: echo theirs ran\n',
    '.gitignore': 'lefthook-local.yml\n',
  })
  equal((await install(repo)).code, 0)
  // Written, but lefthook has not been told yet.
  const before = await install(repo, '-doctor')
  equal(before.code, 1)
  match(before.out, /pre-commit: does not run: .* is missing/)
  equal(run(repo, env.LEFTHOOK_BIN, ['install']).code, 0)
  equal((await install(repo, '-doctor')).out, 'pre-commit: runs\npre-push: runs\n')
  holds(repo, env)
  holdsPush(repo, env)
})

test('the pre-commit framework: it calls ours first', { skip: noFramework }, async () => {
  using repo = gitRepo()
  const home = mkdtempSync(join(tmpdir(), 'coffer-pre-commit-'))
  try {
    const env = { PRE_COMMIT_HOME: home }
    const hook = '{id: m, name: m, entry: echo theirs ran, language: system, verbose: true'
    repo.write({
      '.pre-commit-config.yaml': `repos:\n- repo: local\n  hooks: [${hook}, always_run: true}]\n`,
    })
    equal(run(repo, framework, ['install'], env).code, 0)
    match((await install(repo, '-doctor')).out, /pre-commit: is not installed, the framework/)
    equal((await install(repo)).code, 0)
    equal((await install(repo, '-doctor')).out, 'pre-commit: runs\npre-push: runs\n')
    holds(repo, env)
    holdsPush(repo, env)
    // The other way round: the framework finds ours and moves it.
    await install(repo, '-uninstall')
    equal(run(repo, framework, ['uninstall'], env).code, 0)
    await install(repo)
    equal(run(repo, framework, ['install'], env).code, 0)
    equal((await install(repo, '-doctor')).out, 'pre-commit: runs\npre-push: runs\n')
    equal(tryCommit(repo, { a: `${TOKEN}\n` }, env).code, 1)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

test('the pre-commit framework runs what our repository offers', { skip: noFramework }, () => {
  using offer = gitRepo()
  using repo = gitRepo()
  const home = mkdtempSync(join(tmpdir(), 'coffer-pre-commit-'))
  try {
    mkdirSync(join(offer.folder, 'bin'))
    symlinkSync(join(root, 'bin/coffer'), join(offer.folder, 'bin/coffer'))
    const hooks = '.pre-commit-hooks.yaml'
    copyFileSync(join(root, hooks), join(offer.folder, hooks))
    offer.commit({})
    const tried = () => {
      repo.git('add', '-A')
      const args = ['try-repo', offer.folder, 'coffer-scan', '--ref', 'HEAD']
      return run(repo, framework, args, { PRE_COMMIT_HOME: home })
    }
    repo.write({ a: `${TOKEN}\n` })
    const bad = tried()
    equal(bad.code, 1)
    match(bad.said, /a:1:1 /)
    ok(!bad.said.includes(TOKEN))
    repo.write({ a: 'clean\n' })
    equal(tried().code, 0)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
