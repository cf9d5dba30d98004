/** Rules that hold for every declaration, so that help, completion and docs can trust them. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { envelopeOf, fakeVault, runAgainst, runCli } from '../../test/support/fake-vault.ts'
import { completionScript } from './completion.ts'
import { commandsOf, FAMILIES } from './families.ts'
import { globalFlags } from './settings.ts'

const all = (await Promise.all(FAMILIES.map(commandsOf))).flat()
const nameOf = (command: { path: readonly string[] }) => command.path.join(' ')

test('every family holds commands, and no path is declared twice', async () => {
  for (const family of FAMILIES) ok((await commandsOf(family)).length > 0, family.name)
  equal(new Set(all.map(nameOf)).size, all.length)
})

test('a family of one command says of it what the command says', async () => {
  for (const family of FAMILIES) {
    const [first, ...more] = await commandsOf(family)
    if (more.length === 0 && first?.path.length === 1)
      equal(family.summary, first.summary, family.name)
  }
})

test('every summary is one short line without a full stop', () => {
  for (const { summary } of [...all, ...FAMILIES]) match(summary, /^[A-Z][^\n]{5,75}[^.\s]$/)
})

test('every command has an example, and each names the program', () => {
  for (const command of all) {
    const examples = command.examples ?? []
    ok(examples.length > 0, nameOf(command))
    for (const { line } of examples) match(line, /\bcoffer\b/)
  }
})

test('every flag has a help, a plain name and no double', () => {
  for (const command of all) {
    const names = Object.entries(command.flags).flatMap(([name, flag]) => [
      name,
      ...(flag.alias ?? []),
    ])
    equal(new Set(names).size, names.length, nameOf(command))
    for (const [name, flag] of Object.entries(command.flags)) {
      match(name, /^[a-z][a-z0-9-]*$/)
      if (flag.hidden !== true) match(flag.help, /^\S.*[.]$/s, `${nameOf(command)} -${name}`)
    }
  }
  for (const flag of Object.values(globalFlags)) match(flag.help, /^\S.*[.]$/s)
})

test('only the last argument is many, and none after an optional one is needed', () => {
  for (const command of all) {
    const args = command.args ?? []
    for (const arg of args.slice(0, -1)) equal(arg.many, undefined, nameOf(command))
    const from = args.findIndex((arg) => arg.optional === true)
    if (from >= 0) for (const arg of args.slice(from)) equal(arg.optional, true, nameOf(command))
  }
})

for (const command of all) {
  test(`${nameOf(command)} -help prints usage and exit codes, to stdout, in 80 columns`, async () => {
    for (const word of ['-h', '-help', '--help']) {
      const { code, out, err } = await runCli([...command.path, word])
      equal(code, 0)
      equal(err, '')
      ok(out.startsWith(`Usage: coffer ${nameOf(command)}`))
      match(out, /\nExit codes:\n\n {2}0 {2}/)
      for (const line of out.split('\n')) {
        ok(line.length <= 80, `too wide: ${line}`)
      }
    }
  })
}

test('every mistake and every refusal tells the next step, in 80 columns', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-families-'))
  // Nothing listens there.
  const options = { env: { VAULT_ADDR: 'http://127.0.0.1:1' }, home: folder }
  try {
    for (const { path, args = [] } of all) {
      const needed = args.filter(({ optional }) => optional !== true)
      const words = needed.map(({ name }) => (name.includes('=') ? 'a=b' : 'no/such'))
      const lines = [[...path, '-no-such-flag']]
      if (needed.length > 0) lines.push([...path])
      // The others would start something, or look through the folder that the test runs in.
      if (!/^(?:server|agent|run|watch|scan|scrub)$/.test(path[0] ?? '')) {
        lines.push([...path, ...words], [...path, ...Array.from({ length: 12 }, () => 'a')])
      }
      for (const argv of lines) {
        const { code, err } = await runCli(argv, options)
        if (code === 0) continue
        match(err, /^hint: \S/m, argv.join(' '))
        for (const line of err.split('\n')) ok(!/^hint: .{75,}/.test(line), line)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what -format=json prints is JSON, or one line that says what was done', async () => {
  const v2 = { type: 'kv', path: 'no/', options: { version: '2' } }
  // Something of everything that a command looks for in an answer.
  const data = {
    ...{ ...v2, keys: ['a'], data: { a: 'b' }, metadata: { version: 1 }, capabilities: ['read'] },
    ...{ state: 'IDLE', holders: [], history: [], steps: [], refused_by: [], emergency_cuts: [] },
    ...{
      entries: [],
      versions: {},
      checkpoints: [],
      public_key: Buffer.alloc(32).toString('base64'),
    },
  }
  await using vault = await fakeVault({ '*': envelopeOf(data) })
  let printed = 0
  for (const { path, args = [] } of all) {
    // The token is printed as it is, also by Vault; the others start something.
    if (/^(?:server|agent|run|watch|scan|scrub|print)$/.test(path[0] ?? '')) continue
    const needed = args.filter(({ optional }) => optional !== true)
    const words = needed.map(({ name }) => (name.includes('=') ? 'a=b' : 'no/such'))
    const { code, out, err } = await runAgainst(vault, [...path, '-format=json', ...words])
    ok(!err.includes('internal error'), `${path.join(' ')}: ${err}`)
    if (code !== 0 || out === '' || /^(?:Success!|All revocation) [^\n]*\n$/.test(out)) continue
    ok(/^[[{"]/.test(out), `${path.join(' ')}: ${out}`)
    JSON.parse(out)
    printed++
  }
  ok(printed > 45, `${printed}`)
})

test('help speaks under the name the program was started by', async () => {
  const { out } = await runCli(['kv', 'get', '-h'], { program: 'vault' })
  match(out, /^Usage: vault kv get /)
  ok(!out.includes('coffer'))
})

test('completionScript() is a script that bash can read, with every command in it', () => {
  const script = completionScript('bash', 'coffer', all)
  const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })
  equal(status, 0, stderr)
  for (const command of all) ok(script.includes(`"${nameOf(command)}") words=`), nameOf(command))
})

test('completionScript() completes words, and flags after a dash', () => {
  const ask = (words: string[]) => {
    const list = words.map((word) => `"${word}"`).join(' ')
    const tail = `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _coffer_complete; echo "\${COMPREPLY[*]}"`
    const input = `${completionScript('bash', 'coffer', all)}\n${tail}`
    return spawnSync('bash', { input, encoding: 'utf8' }).stdout.trim().split(' ')
  }
  deepEqual(ask(['coffer', 'kv', 'metadata', '']), ['get', 'put', 'patch', 'delete'])
  deepEqual(ask(['coffer', 'kv', 'get', '-vers']), ['-version='])
  ok(ask(['coffer', '']).includes('operator'))
})
