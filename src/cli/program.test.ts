import { equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { runCli } from '../../test/support/fake-vault.ts'

test('an unknown command exits with 127 and suggests the one that was meant', async () => {
  const { code, out, err } = await runCli(['statsu'])
  equal(code, 127)
  equal(out, '')
  equal(err, 'unknown command: coffer statsu\nhint: did you mean: coffer status\n')
})

test('an unknown subcommand exits with 127 and suggests one of its family', async () => {
  const { code, err } = await runCli(['kv', 'gte', 'secret/a'])
  equal(code, 127)
  match(err, /^unknown command: coffer kv gte\nhint: did you mean: coffer kv get\n$/)
  const deep = await runCli(['kv', 'metadata', 'gett'])
  match(
    deep.err,
    /unknown command: coffer kv metadata gett\nhint: did you mean: coffer kv metadata get\n/,
  )
})

test('no command at all exits with 127 and lists them', async () => {
  const { code, out, err } = await runCli([])
  equal(code, 127)
  equal(out, '')
  match(err, /^Usage: coffer <command>/)
})

test('a family alone is a mistake, with its list; with -h it is a question', async () => {
  const mistake = await runCli(['kv'])
  equal(mistake.code, 1)
  match(mistake.err, /metadata get +Shows/)
  const question = await runCli(['kv', 'metadata', '-h'])
  equal(question.code, 0)
  match(question.out, /^Usage: coffer kv metadata <subcommand>/)
  ok(!question.out.includes('undelete'))
})

test('help is a command, a flag, and a flag of every command', async () => {
  for (const argv of [['help'], ['-h'], ['--help'], ['-help']]) {
    match((await runCli(argv)).out, /^Usage: coffer <command>/)
  }
  match((await runCli(['help', 'kv', 'get'])).out, /^Usage: coffer kv get /)
})

test('wrong usage exits with 1 and points to the help of the command', async () => {
  const { code, err } = await runCli(['kv', 'get'])
  equal(code, 1)
  equal(err, 'Not enough arguments (expected 1, got 0)\nhint: see: coffer kv get -help\n')
})

test('version says coffer’s own version, or Vault’s under the name of Vault', async () => {
  match((await runCli(['version'])).out, /^coffer \d+\.\d+\.\d+ /)
  for (const program of ['vault', 'bao']) {
    for (const argv of [['version'], ['-version'], ['--version'], ['-v']]) {
      const { out } = await runCli(argv, { program })
      match(out, /^Vault v1\.21\.4 \([0-9a-f]{40}\), built 2026-\d\d-\d\dT\S+Z\n$/)
    }
  }
  const asked = await runCli(['version'], {
    program: 'vault',
    env: { COFFER_VAULT_VERSION: '1.15.0' },
  })
  match(asked.out, /^Vault v1\.15\.0 /)
})

test('flags of the whole program may stand before the command', async () => {
  const { code, out } = await runCli([
    '-address',
    'http://h:1',
    '-output-curl-string',
    'read',
    'a/b',
  ])
  equal(code, 0)
  equal(out, 'curl -H "X-Vault-Request: true" http://h:1/v1/a/b\n')
})

test('-autocomplete-install says what to do instead', async () => {
  const { code, err } = await runCli(['-autocomplete-install'])
  equal(code, 1)
  match(err, /hint: add to ~\/\.bashrc: source <\(coffer completion bash\)/)
})

test('the program starts by its real name, and by the names of Vault', () => {
  const bin = (name: string) => {
    const env = { ...process.env, COFFER_NAME: name }
    const { stdout } = spawnSync(process.execPath, ['src/cli/main.ts', 'version'], {
      env,
      encoding: 'utf8',
    })
    return stdout
  }
  match(bin('coffer'), /^coffer /)
  match(bin('vault'), /^Vault v/)
  match(bin('something-else'), /^coffer /)
})
