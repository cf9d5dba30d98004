/** Bodies: what is refused before it costs anything, and what is never said about one. */
import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict'
import { type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '../kit/failure.ts'
import { JSON_BUDGET } from '../lib/json.ts'
import { BodyMemory, bodyLimit, parseBody, readBody } from './body.ts'

const CANARY = 'CANARY-0a1b2c3d'
const parse = (text: string | Buffer, type = 'application/json') =>
  parseBody(Buffer.from(text as string), type, JSON_BUDGET)

function incoming(chunks: readonly (string | Buffer)[], headers: Record<string, string> = {}) {
  const stream = Readable.from(
    chunks.map((chunk) => Buffer.from(chunk as string)),
    { objectMode: false },
  )
  return Object.assign(stream, { headers }) as unknown as IncomingMessage
}
const hold = () => new BodyMemory(2 ** 30).hold()

test('parseBody() refuses a body that is no JSON object and never quotes it', () => {
  const hostile = [
    `{"a":"${CANARY}"`,
    `{"a":${CANARY}}`,
    CANARY,
    `"${CANARY}"`,
    `["${CANARY}"]`,
    `{"${CANARY}" 1}`,
    `{"a":"${CANARY}\n"}`,
    `{"a":"${CANARY}\\x"}`,
    `{"a":"${CANARY}"}}`,
    `{"a":01,"b":"${CANARY}"}`,
    `{'a':'${CANARY}'}`,
    `{"a":NaN,"${CANARY}":1}`,
    `1`,
    `true`,
  ]
  for (const text of hostile) {
    throws(
      () => parse(text),
      (error) => {
        ok(error instanceof Failure)
        equal(error.status, 400)
        match(error.message, /^failed to parse JSON input: /)
        return !error.message.includes('CANARY')
      },
      text,
    )
  }
})

test('parseBody() refuses what is too deep, too wide or not UTF-8 before it is parsed', () => {
  throws(() => parse('['.repeat(10 ** 6)), /nested deeper than 64 levels/)
  throws(() => parse('{"a":'.repeat(10 ** 6)), /nested deeper than 64 levels/)
  throws(() => parse(`{"a":[${'1,'.repeat(30_000)}1]}`), /more than 20000 keys and values/)
  throws(
    () => parse(Buffer.from([0x7b, 0x22, 0xc0, 0xae, 0x22, 0x3a, 0x31, 0x7d])),
    /not valid UTF-8/,
  )
})

test('parseBody() refuses a form of too many fields before it takes them apart', () => {
  const form = 'application/x-www-form-urlencoded'
  const heap = process.memoryUsage().heapUsed
  throws(() => parse('a&'.repeat(4 * 1024 * 1024), form), /more than 1000 form fields/)
  ok(process.memoryUsage().heapUsed - heap < 32 * 1024 * 1024)
})

test('parseBody() keeps keys that name parts of every object', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const json = parse(`{"${key}":{"polluted":true}}`)
    deepEqual(Object.keys(json), [key])
    const form = parse(`${key}=1&${key}=2`, 'application/x-www-form-urlencoded')
    deepEqual(Object.keys(form), [key])
    equal(Object.getPrototypeOf(form), Object.prototype)
  }
  equal(({} as Record<string, unknown>)['polluted'], undefined)
})

test('parseBody() reads JSON, forms, and JSON that says it is a form', () => {
  const form = 'application/x-www-form-urlencoded'
  deepEqual(parse(''), {})
  deepEqual(parse(' \r\n\t'), {})
  deepEqual(parse('null'), {})
  deepEqual(parse(' {"a":1}', form), { a: 1 })
  deepEqual(parse('a=1&b=x%20y&a=2', form), { a: '1,2', b: 'x y' })
})

test('parseBody() fails in one way only, whatever it is given', () => {
  const json = fc.json().map((text) => Buffer.from(text))
  const broken = fc
    .tuple(fc.json(), fc.nat(), fc.string())
    .map(([text, at, put]) => text.slice(0, at % (text.length + 1)) + put + text.slice(at))
    .map((text) => Buffer.from(text))
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
  const type = fc.constantFrom('application/json', 'application/x-www-form-urlencoded', '', 'x/y')
  fc.assert(
    fc.property(fc.oneof(json, broken, bytes), type, (body, contentType) => {
      const marked = Buffer.concat([body, Buffer.from(`"${CANARY}`)])
      for (const text of [body, marked]) {
        try {
          ok(typeof parseBody(text, contentType, JSON_BUDGET) === 'object')
        } catch (error) {
          ok(error instanceof Failure)
          ok(!error.message.includes('CANARY'))
        }
      }
    }),
    { numRuns: 1_000 },
  )
})

test('readBody() refuses by what is announced, by what comes, and what is compressed', async () => {
  const announced = incoming(['x'], { 'content-length': '11' })
  await rejects(readBody(announced, 10, hold()), { code: 'too_large' })
  await rejects(readBody(incoming(['123456', '123456']), 10, hold()), { code: 'too_large' })
  for (const encoding of ['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip']) {
    await rejects(readBody(incoming(['x'], { 'content-encoding': encoding }), 10, hold()), {
      code: 'unsupported_media_type',
    })
  }
})

test('readBody() refuses a body that is cut off', async () => {
  const request = incoming(['x'])
  const read = readBody(request, 10, hold())
  request.destroy()
  await rejects(read, /cut off/)
})

test('readBody() keeps bytes, not a buffer for each of them', async () => {
  const bytes = 100_000
  const request = Object.assign(new Readable({ read() {} }), { headers: {} })
  const read = readBody(request as unknown as IncomingMessage, bytes, hold())
  request.emit('data', Buffer.from('a'))
  // Always the same one: what keeps it instead of its byte gets its last byte everywhere.
  const chunk = Buffer.alloc(1)
  for (let i = 1; i < bytes; i++) {
    chunk[0] = 97 + (i % 26)
    request.emit('data', chunk)
  }
  request.emit('end')
  const body = (await read)!
  equal(body.length, bytes)
  equal(body.toString('latin1', 0, 28), 'abcdefghijklmnopqrstuvwxyzab')
  ok(body.buffer.byteLength <= 2 * bytes)
})

test('readBody() puts the chunks together again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ minLength: 1, unit: 'binary' })), async (chunks) => {
      const read = await readBody(incoming(chunks), 10_000, hold())
      equal(read?.toString() ?? '', chunks.join(''))
    }),
    { numRuns: 200 },
  )
})

test('BodyMemory refuses what all bodies together may not have, and gives it back', async () => {
  const memory = new BodyMemory(100_000)
  const [first, second] = [memory.hold(), memory.hold()]
  ok(first.upTo(150_000))
  ok(!second.upTo(150_000))
  ok(second.upTo(64 * 1024), 'a small body is always taken')
  const large = incoming(['x'.repeat(150_000)])
  await rejects(readBody(large, 200_000, second), { code: 'overloaded' })
  first.release()
  first.release()
  ok(second.upTo(150_000))
  ok(!memory.hold().upTo(150_000), 'what was given back twice counts once')
})

test('bodyLimit() gives 32 MiB only to who shows a token, and not for logins', () => {
  const max = 32 * 1024 * 1024
  equal(bodyLimit('secret/data/a', undefined, max), 1024 * 1024)
  equal(bodyLimit('auth/approle/login', 'hvs.x', max), 1024 * 1024)
  equal(bodyLimit('sys/policies/acl/a', 'hvs.x', max), 1024 * 1024)
  equal(bodyLimit('secret/data/a', 'hvs.x', max), max)
  equal(bodyLimit('secret/data/a', undefined, 1000), 1000)
})
