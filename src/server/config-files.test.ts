import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ConfigError, loadConfig } from './config.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-config-'))
after(() => rmSync(dir, { recursive: true }))

const load = (...paths: string[]) =>
  loadConfig(
    paths.map((path) => join(dir, path)),
    { env: {} },
  )
function write(path: string, text: string | Buffer): void {
  mkdirSync(join(dir, path, '..'), { recursive: true })
  writeFileSync(join(dir, path), text)
}
const STORAGE = 'storage "inmem" {}\n'
const LISTENER = 'listener "tcp" { tls_disable = true }\n'

function problemsOf(...paths: string[]): string {
  try {
    load(...paths)
  } catch (error) {
    ok(error instanceof ConfigError)
    return error.message.replaceAll(dir, '')
  }
  throw new Error('expected a ConfigError')
}

test('loadConfig() refuses to start without a file', () => {
  throws(() => loadConfig([]), /^ConfigError: -config: no configuration is named; expected a file/)
})

test('loadConfig() tells of every path that cannot be read', () => {
  mkdirSync(join(dir, 'empty'))
  write('empty/notes.txt', 'x')
  write('empty/.hidden.hcl', 'x')
  mkdirSync(join(dir, 'strange/sub.hcl'), { recursive: true })
  write('latin.hcl', Buffer.from([0x61, 0xff]))
  write('large.hcl', `${STORAGE}${LISTENER}${'#'.repeat(1024 * 1024)}`)
  const expected = 'a configuration file, or a folder with *.hcl and *.json files'
  equal(
    problemsOf('none.hcl', 'empty', 'latin.hcl', 'large.hcl', 'strange'),
    [
      `/none.hcl: no such file or folder; expected ${expected}`,
      `/empty: no files in this folder; expected ${expected}`,
      `/latin.hcl: the file is not UTF-8 text; expected ${expected}`,
      '/large.hcl: the file is too large; expected at most 1 MiB',
      `/strange/sub.hcl: cannot be read (EISDIR); expected ${expected}`,
    ].join('\n'),
  )
})

test('loadConfig() comes to an end with an endless device', () => {
  throws(() => loadConfig(['/dev/zero']), /^ConfigError: \/dev\/zero: the file is too large; /)
})

test('loadConfig() refuses a file it may not read', () => {
  write('closed.hcl', STORAGE)
  chmodSync(join(dir, 'closed.hcl'), 0)
  const root = process.geteuid?.() === 0
  // Nothing is closed to root, so the test is somebody else for a moment.
  if (root) process.seteuid?.(65_534)
  try {
    equal(
      problemsOf('closed.hcl'),
      '/closed.hcl: permission denied; expected a file that the server may read',
    )
  } finally {
    if (root) process.seteuid?.(0)
  }
})

test('loadConfig() names the file of each problem', () => {
  write('two/a.hcl', `${STORAGE}listener "tcp" { tls_disable = true x = 1 }`)
  write('two/b.json', '{"ui": 7,\n"workers": "a"}')
  ok(
    /^\/two\/a\.hcl:2: unknown key "x" .*\n\/two\/b\.json:1: "ui" .*\n\/two\/b\.json:2: "work/.test(
      problemsOf('two'),
    ),
    problemsOf('two'),
  )
  write('bad/a.hcl', 'x = ')
  write('bad/b.hcl', 'y')
  equal(problemsOf('bad').split('\n').length, 2)
})

test('loadConfig() merges files: lists grow, of single keys the last counts', () => {
  write('all/10.hcl', `storage "inmem" {}\nui = true\nlog_level = "warn"\n${LISTENER}`)
  write('all/20.json', '{"log_level": "debug", "storage": {"sqlite": {"path": "/d"}}}')
  write('all/20.txt', 'not read')
  write('more.hcl', 'listener "tcp" { address = ":1" tls_disable = 1 }\naudit "file" "a" {}')
  const config = load('all', 'more.hcl')
  deepEqual(config.storage, { type: 'sqlite', path: '/d' })
  deepEqual([config.ui, config.logLevel], [true, 'debug'])
  deepEqual(
    config.listeners.map(({ port }) => port),
    [8200, 1],
  )
  deepEqual(
    config.audit.map(({ path }) => path),
    ['a/'],
  )
  equal(load('more.hcl', 'all').logLevel, 'debug')
  equal(load('all/20.json', 'all/10.hcl').logLevel, 'warn')
})

test('loadConfig() refuses seals and audit paths that several files give', () => {
  write('seals/a.hcl', `${STORAGE}${LISTENER}seal "shamir" {}\naudit "file" "x" {}`)
  write('seals/b.hcl', 'seal "shamir" {}\naudit "file" "x" {}')
  equal(
    problemsOf('seals'),
    '/seals/b.hcl:1: a second seal is given; expected one seal\n' +
      '/seals/b.hcl:2: audit device "x/" is given twice, first in /seals/a.hcl:4;' +
      ' expected a path of its own for each',
  )
})

test('loadConfig() warns of a seal key in a file that others can read', () => {
  const seal = `seal "static" { current_key_id = "a" current_key = "${'0f'.repeat(32)}" }`
  write('sealed.hcl', STORAGE + LISTENER + seal)
  chmodSync(join(dir, 'sealed.hcl'), 0o644)
  equal(load('sealed.hcl').warnings.length, 1)
  chmodSync(join(dir, 'sealed.hcl'), 0o600)
  equal(load('sealed.hcl').warnings.length, 0)
})
