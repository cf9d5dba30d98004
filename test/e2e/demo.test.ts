/** The demo is a promise to whoever tries coffer first: it plays to its end and shows no value. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createStage, startApp } from '../../scripts/demo-stage.ts'
import { demo } from '../../scripts/demo.ts'
import { NO_POSTGRES } from '../support/postgres.ts'
import { findPython, NO_HVAC } from '../support/python.ts'
import { cleanEnv } from '../support/server.ts'

async function runDemo(env: Record<string, string>): Promise<{ code: number; out: string }> {
  const child = spawn(process.execPath, ['--no-warnings', 'scripts/demo.ts'], { env })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (out += chunk.toString()))
  }
  return { code: await new Promise((done) => child.on('close', (code) => done(code ?? -1))), out }
}

test('a stage does not say that all held when one did not, or when nothing was checked', () => {
  let text = ''
  const stage = createStage((more) => (text += more), false)
  equal(stage.summary(), false)
  stage.check('the sky is up', true)
  equal(stage.summary(), true)
  stage.check('pigs fly', false)
  equal(stage.summary(), false)
  match(text, /✗ DID NOT HOLD: pigs fly/)
  match(text, /Not all of it held: 1 of 2 held/)
  ok(!text.includes('\x1b'))
  text = ''
  const narrow = createStage((more) => (text += more), false, 40)
  narrow.line('app', `said ${'x'.repeat(50)} and more of it`)
  equal(Math.max(...text.split('\n').map((line) => line.length)), 40)
  match(narrow.text(), /x{50} and more of it\n$/)
})

test('startApp() rejects when the app ends without the line, and when it takes too long', async () => {
  const options = { who: 'app', env: {}, onLine: () => {} }
  const run = (script: string) => startApp(process.execPath, ['-e', script], options)
  const ending = run('console.log("one"); process.exitCode = 3')
  equal(await ending.waitFor(/one/, 5000), 'one')
  equal(await ending.waitFor(/two/, 5000).catch((error: Error) => error.message), 'app ended')
  equal(await ending.ended, 3)
  const slow = run('setInterval(() => {}, 1000)')
  const said = await slow.waitFor(/x/, 50).catch((error: Error) => error.message)
  equal(said, 'app did not say /x/ in 50 ms')
  equal(await slow.stop(), 1)
})

test('npm run demo ends with 1 and says why when it cannot be played', async () => {
  const bin = mkdtempSync(join(tmpdir(), 'coffer-demo-'))
  try {
    // Just enough for bin/coffer to start, and no openssl.
    for (const tool of ['sh', 'dirname', 'mktemp', 'rm', 'mkdir', 'cat']) {
      symlinkSync(`/bin/${tool}`, join(bin, tool))
    }
    const { code, out } = await runDemo({ ...cleanEnv(bin), PATH: bin })
    equal(code, 1)
    match(out, /openssl: not found/)
    match(out, /could not be played to its end: the operator could not set the shop up/)
  } finally {
    rmSync(bin, { recursive: true, force: true })
  }
})

test('the demo plays every step and shows no secret value', async () => {
  let shown = ''
  const { held, text, secrets } = await demo({ write: (more) => (shown += more) })
  ok(held, text)
  equal(shown, text)
  const titles = [...text.matchAll(/^\d+\. (.*)$/gm)].map(([, title]) => title)
  deepEqual(titles, [
    'A server starts: SQLite on disk, an audit log, and a key that is split',
    'An operator stores a URL, a key and a certificate, for two environments',
    'The Node app starts in production: vault:// references become values',
    'The Python app fetches the same secrets, with the hvac client',
    'Staging asks for the secrets of production',
    'The store and the audit log are searched for the values',
    'The operator writes a new API key while the Node app runs',
    'A database password is rotated while an app is under load',
    'The operator revokes the secret id; someone starts the app with it again',
    'The server is killed without warning, and started again',
    'The Node app is stopped',
    'The audit log is read',
  ])
  for (const secret of secrets) {
    ok(secret.length >= 20)
    ok(!text.includes(secret))
  }
  ok(secrets.length >= 16)
  ok(!text.includes('\x1b'))
  equal(text.includes(NO_HVAC), findPython() === undefined)
  if (NO_POSTGRES) return match(text, /Left out: postgresql is not installed/)
  match(text, /✓ the app opened [1-9]\d* connections, none failed/)
  match(text, /✓ .* the stolen password is refused/)
})

test('the demo does without Python', async () => {
  process.env['COFFER_PYTHON'] = '/nonexistent/python'
  try {
    const { held, text } = await demo({ write: () => {}, color: true })
    ok(held, text)
    match(text, /Left out: hvac is not installed/)
    match(text, /\x1b\[32m✓/)
  } finally {
    delete process.env['COFFER_PYTHON']
  }
})
