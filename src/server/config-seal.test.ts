import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ConfigError, readConfig } from './config.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-config-seal-'))
after(() => rmSync(dir, { recursive: true }))

const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - i * 5))
const OTHER = Buffer.alloc(32, 7)
const HEX = KEY.toString('hex')
const BASE = 'storage "inmem" {}\nlistener "tcp" { tls_disable = true }\n'

function keyFile(name: string, content: string | Buffer, mode = 0o600): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return `file://${path}`
}

function read(inside: string, env: Record<string, string> = {}, open = false) {
  const text = `${BASE}seal "static" {\n${inside}\n}`
  return readConfig([{ file: 'a.hcl', text, private: !open }], { env })
}
const seal = (current: string, env?: Record<string, string>) =>
  read(`current_key_id = "one"\ncurrent_key = ${JSON.stringify(current)}`, env).seal

const refused: [string, string, RegExp][] = [
  ['a text that is no key', 'CANARY', /is no key; expected file:\/\/\/path, env:\/\/NAME, or 32/],
  ['hex of 31 bytes', HEX.slice(2), /is no key/],
  ['hex of 33 bytes', `${HEX}00`, /is no key/],
  ['base64 of 33 bytes', Buffer.alloc(33, 1).toString('base64'), /is no key/],
  ['base64 with bits too many', `${'A'.repeat(42)}B=`, /is no key/],
  ['an unset variable', 'env://CANARY', /names a variable that is not set; expected the variable/],
  ['an empty variable', 'env://EMPTY', /names a variable that is not set/],
  ['a variable without key', 'env://WRONG', /names a variable that holds no key/],
  ['a file that is not there', 'file:///CANARY', /names a file that does not exist/],
  ['a folder', `file://${dir}`, /names something that is no key file/],
  ['a device', 'file:///dev/zero', /names something that is no key file/],
  ['a short file', keyFile('CANARY-short', KEY.subarray(1)), /names a file that holds no key/],
  [
    'a long file',
    keyFile('CANARY-long', Buffer.alloc(2000)),
    /names something that is no key file/,
  ],
  [
    'a file for the group',
    keyFile('CANARY-group', KEY, 0o640),
    /group or others.*; expected mode 06/,
  ],
  [
    'a file for all',
    keyFile('CANARY-all', KEY, 0o604),
    /names a file that group or others can use/,
  ],
  ['a writable file', keyFile('CANARY-w', KEY, 0o602), /names a file that group or others can use/],
]

for (const [what, source, problem] of refused) {
  test(`readConfig() refuses ${what} as a seal key, and does not show it`, () => {
    throws(
      () => seal(source, { EMPTY: '', WRONG: 'CANARY' }),
      (error: ConfigError) => {
        equal(error.problems.length, 1, error.message)
        ok(error.message.startsWith('a.hcl:5: "current_key" in seal "static" '), error.message)
        ok(problem.test(error.message), error.message)
        ok(!/CANARY/.test(error.message) && !error.message.includes(source), error.message)
        return true
      },
    )
  })
}

const incomplete: [string, string, RegExp][] = [
  ['no id', `current_key = "${HEX}"`, /:3: "current_key_id" in seal "static" is missing; expected/],
  ['no key', 'current_key_id = "a"', /:3: "current_key" in seal "static" is missing; expected/],
  [
    'a previous key without id',
    `current_key_id = "a" current_key = "${HEX}"\nprevious_key = "${HEX}"`,
    /:5: "previous_key" in seal "static" stands alone; expected previous_key_id beside it/,
  ],
  [
    'a previous id without key',
    `current_key_id = "a" current_key = "${HEX}"\nprevious_key_id = "b"`,
    /:5: "previous_key_id" in seal "static" stands alone; expected previous_key beside it/,
  ],
  [
    'one id for both keys',
    `current_key_id = "a" current_key = "${HEX}"\nprevious_key_id = "a" previous_key = "${HEX}"`,
    /:5: "previous_key_id" in seal "static" is the current key's; expected another id/,
  ],
]

for (const [what, inside, problem] of incomplete) {
  test(`readConfig() refuses a static seal with ${what}`, () => {
    throws(
      () => read(inside),
      (error: ConfigError) => {
        equal(error.problems.length, 1, error.message)
        ok(problem.test(error.message), error.message)
        return !error.message.includes(HEX)
      },
    )
  })
}

test('readConfig() takes a seal key in every form', () => {
  const env = { KEY: HEX, KEY64: `${KEY.toString('base64')}\n` }
  const sources = [
    HEX,
    HEX.toUpperCase(),
    KEY.toString('base64'),
    KEY.toString('base64url'),
    'env://KEY',
    'env://KEY64',
    keyFile('raw', KEY),
    keyFile('hex', `${HEX}\n`, 0o400),
    keyFile('base64', KEY.toString('base64')),
  ]
  for (const source of sources) {
    deepEqual(seal(source, env), { type: 'static', keys: [{ id: 'one', key: KEY }] }, source)
  }
})

test('readConfig() gives the current key first', () => {
  const text = `previous_key_id = "one" previous_key = "${HEX}"
    current_key_id = "two" current_key = "env://NEW"`
  const { keys } = read(text, { NEW: OTHER.toString('hex') }).seal as { keys: unknown }
  deepEqual(keys, [
    { id: 'two', key: OTHER },
    { id: 'one', key: KEY },
  ])
})

test('readConfig() warns of a key in a file that others can read', () => {
  const inside = `current_key_id = "one"\ncurrent_key = "${HEX}"`
  deepEqual(read(inside, {}, true).warnings, [
    'a.hcl:5: "current_key" in seal "static" stands in a file that group or others can read',
  ])
  deepEqual(read(inside).warnings, [])
  const elsewhere = 'current_key_id = "one"\ncurrent_key = "env://KEY"'
  deepEqual(read(elsewhere, { KEY: HEX }, true).warnings, [])
})

test('readConfig() finds a key file under the current directory', () => {
  const before = process.cwd()
  mkdirSync(join(dir, 'keys'))
  keyFile('keys/one', KEY)
  try {
    process.chdir(dir)
    deepEqual(seal('file://keys/one'), { type: 'static', keys: [{ id: 'one', key: KEY }] })
  } finally {
    process.chdir(before)
  }
})
