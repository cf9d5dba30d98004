/**
 * Runs every session in this folder against a real server of its own. A session is text: `$` and
 * `>` lines are commands, the lines below are what they print, `2>` lines go to stderr, `[2]` is an
 * exit code other than 0. `…` in a line stands for anything; alone on a line, for any lines.
 */
import { equal, fail } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { test } from 'node:test'
import { COMPILED } from '../support/compiled.ts'

type Step = { line: number; command: string; out: string[]; err: string[]; code: number }
type Ended = { code: number; out: string; err: string }

function parse(text: string): Step[] {
  const steps: Step[] = []
  for (const [i, line] of text.split('\n').entries()) {
    const step = steps.at(-1)
    const code = /^\[(\d+)\]$/.exec(line)
    if (line.startsWith('# ')) continue
    if (line.startsWith('$ '))
      steps.push({ line: i + 1, command: line.slice(2), out: [], err: [], code: 0 })
    else if (step === undefined) continue
    else if (line.startsWith('> ')) step.command += `\n${line.slice(2)}`
    else if (line.startsWith('2> ') || line === '2>') step.err.push(line.slice(3))
    else if (code) step.code = Number(code[1])
    else step.out.push(line)
  }
  return steps
}

function matches(expected: readonly string[], actual: string): boolean {
  const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const lines = expected.join('\n').trim().split('\n')
  const pattern = lines.map((line) =>
    line === '…' ? '(?:.*\n)*?' : `${line.split('…').map(escape).join('.*')}\n`,
  )
  return new RegExp(`^${lines.join('') === '' ? '' : pattern.join('')}$`).test(
    `${actual.trim()}\n`.replace(/^\n$/, ''),
  )
}

async function run(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn('sh', ['-c', command], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended: Ended = { code: 0, out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (ended.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (ended.err += chunk.toString()))
  ended.code = await new Promise((done) => child.on('close', (code) => done(code ?? -1)))
  return ended
}

/** Starts a server in dev mode; gives its address and its unseal key, as it prints them. */
async function startServer(
  coffer: string,
  env: NodeJS.ProcessEnv,
): Promise<{ child: ChildProcess; banner: string }> {
  const flags = [
    '-dev',
    '-dev-root-token-id=root',
    '-dev-listen-address=127.0.0.1:0',
    '-dev-no-store-token',
  ]
  const child = spawn(coffer, ['server', ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let banner = ''
  const ready = new Promise<void>((done, refuse) => {
    const read = (chunk: Buffer) => {
      banner += chunk.toString()
      if (/VAULT_ADDR='http[^']+'/.test(banner) && banner.includes('Root Token: ')) done()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('close', (code) => refuse(new Error(`the server ended with ${code}:\n${banner}`)))
    setTimeout(() => refuse(new Error(`the server did not start:\n${banner}`)), 15_000).unref()
  })
  try {
    await ready
    return { child, banner }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

for (const file of globSync('test/scripts/*.txt').sort()) {
  test(`session ${basename(file, '.txt')}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'coffer-session-'))
    const bin = join(folder, '.bin')
    mkdirSync(bin)
    for (const name of ['coffer', 'vault']) symlinkSync(resolve('bin/coffer'), join(bin, name))
    const path = `${bin}:${process.env['PATH']}`
    const plain = { HOME: folder, NO_COLOR: '1', PATH: path, XDG_CACHE_HOME: COMPILED }
    const { child, banner } = await startServer(join(bin, 'coffer'), plain)
    try {
      const address = /VAULT_ADDR='([^']+)'/.exec(banner)?.[1]
      writeFileSync(join(folder, 'unseal-key'), /Unseal Key: (\S+)/.exec(banner)?.[1] ?? '')
      const env = { ...plain, VAULT_ADDR: address, VAULT_TOKEN: 'root' }
      for (const step of parse(readFileSync(file, 'utf8'))) {
        const { code, out, err } = await run(step.command, folder, env)
        const good = code === step.code && matches(step.out, out) && matches(step.err, err)
        if (!good) {
          fail(
            `${file}:${step.line}: $ ${step.command}\nstdout:\n${out}\nstderr:\n${err}\nexit code: ${code}, expected ${step.code}`,
          )
        }
      }
    } finally {
      child.kill('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

test('a session is read as it is meant', () => {
  const [first, second, ...more] = parse('# words\n$ a\n> b\nout …\n2> err\n[2]\n\n$ c\n')
  equal(
    JSON.stringify(first),
    '{"line":2,"command":"a\\nb","out":["out …",""],"err":["err"],"code":2}',
  )
  equal(second?.command, 'c')
  equal(more.length, 0)
  equal(matches(['out …', ''], 'out 1\n'), true)
  equal(matches(['out …'], 'out 1\nmore\n'), false)
  equal(matches(['a', '…', 'z'], 'a\nb\nc\nz'), true)
  equal(matches(['a', '…', 'z'], 'a\nz'), true)
  equal(matches([], 'a'), false)
  equal(matches([''], ''), true)
})
