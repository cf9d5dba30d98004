import { equal, ok } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { compileRules } from '../rules/matcher.ts'
import { createScrubber } from './scrubber.ts'
import { scrubStream } from './stream.ts'

const token = ['ghp', 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8'].join('_')
/** As random as the lines of a key are, and the same in every run. */
const KEY_LINES = Array.from({ length: 20 }, (_, i) =>
  `${i === 0 ? 'MIIE' : ''}${createHash('sha512').update(`line ${i}`).digest('base64')}`.slice(
    0,
    64,
  ),
)
const PEM = ['-----BEGIN RSA PRIVATE KEY-----', ...KEY_LINES, '-----END RSA PRIVATE KEY-----'].join(
  '\n',
)

const pieces = (whole: string, size: number) => {
  const found: Buffer[] = []
  const bytes = Buffer.from(whole)
  for (let at = 0; at < bytes.length; at += size) found.push(bytes.subarray(at, at + size))
  return Readable.from(found)
}

test('scrubStream() applies rules to lines, wherever they are cut', async () => {
  const scrubber = createScrubber({ rules: compileRules() })
  const line = `pushed with password = "Zk7pQ2xV9mR4tL8w" to origin\n`
  for (const size of [1, 2, 3, 7, 20, 1000]) {
    const clean = await text(pieces(`first\n${line}last`, size).pipe(scrubStream(scrubber)))
    ok(!clean.includes('Zk7pQ2xV9mR4tL8w'), `${size}: ${clean}`)
    ok(clean.startsWith('first\n') && clean.endsWith('last'), clean)
  }
})

test('scrubStream() waits for the end of a private key, and cuts all of it', async () => {
  const scrubber = createScrubber({ rules: compileRules() })
  for (const size of [10, 64, 300, 5000]) {
    const clean = await text(pieces(`a\n${PEM}\nz\n`, size).pipe(scrubStream(scrubber)))
    for (const line of KEY_LINES) ok(!clean.includes(line), `${size}: ${clean}`)
    ok(clean.startsWith('a\n') && clean.endsWith('z\n'), clean)
  }
})

test('scrubStream() does not wait for a key that is only mentioned', async () => {
  const scrubber = createScrubber({ rules: compileRules() })
  const said = `expected -----BEGIN RSA PRIVATE KEY----- here\nnext line, which is no key\n`
  const stream = scrubStream(scrubber)
  stream.write(said)
  const first = await new Promise<Buffer>((done) => stream.once('data', done))
  equal(first.toString(), said)
})

test('scrubStream() looks into lines that do not end', async () => {
  const scrubber = createScrubber({
    values: [{ value: 'known-Value-77', name: 'k' }],
    rules: compileRules(),
  })
  const filler = '{"a":"some words in between, nothing else"},'.repeat(2000)
  const whole = `${filler}{"password":"Zk7pQ2xV9mR4tL8w"}${filler}known-Value-77${filler}`
  const clean = await text(pieces(whole, 1013).pipe(scrubStream(scrubber)))
  ok(!clean.includes('known-Value-77') && !clean.includes('Zk7pQ2xV9mR4tL8w'))
  equal(clean.split('[secret').length - 1, 2)
})

test('scrubStream() names a value that is known by its name, and not by the rule', async () => {
  const scrubber = createScrubber({
    values: [{ value: token, name: 'ci v2' }],
    rules: compileRules(),
  })
  equal(await text(pieces(`x ${token} y\n`, 9).pipe(scrubStream(scrubber))), 'x [secret ci v2] y\n')
})
