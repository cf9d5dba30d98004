/** From bytes to core's Request and back, without a core: what reaches it, and what never does. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { type Part, raw, request } from '../../test/support/raw-http.ts'
import { json } from '../core/envelope.ts'
import { type Request, type Response } from '../core/turn.ts'
import { Failure } from '../kit/failure.ts'
import { JSON_BUDGET } from '../lib/json.ts'
import { BodyMemory } from './body.ts'
import { allowListMethod } from './list-method.ts'
import { type RefusedRequest } from '../core/audit-refused.ts'
import { answer, type WireOptions } from './wire.ts'

const CANARY = 'CANARY-0a1b2c3d'
let seen: Request[] = []
let told: RefusedRequest[] = []
let entered = 0
let handle: () => Promise<Response>
let crowded = false
let extra: readonly string[] = []
const server = createServer({ requireHostHeader: false }, (incoming, response) => {
  const options: WireOptions = {
    async refused(asked) {
      told.push(asked)
    },
    handle(asked) {
      seen.push(asked)
      return handle()
    },
    maxRequestBytes: 4 * 1024 * 1024,
    jsonBudget: JSON_BUDGET,
    requireRequestHeader: false,
    openMetrics: false,
    headers: () => ['Cache-Control', 'no-store', ...extra],
    cors: async () => undefined,
    addressOf: () => '192.0.2.1',
    enter() {
      if (crowded) return undefined
      entered++
      return () => entered--
    },
    bodies: new BodyMemory(2 ** 30),
    streams: new Set(),
  }
  void answer(incoming, response, options)
})
allowListMethod(server)
let port = 0
before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  port = (server.address() as AddressInfo).port
})
after(() => void server.close())
beforeEach(() => {
  seen = []
  told = []
  crowded = false
  extra = []
  handle = async () => json(200, '{"data":null}')
})

const say = (line: string, headers: Record<string, string> = {}, body = '') =>
  raw(port, [request(line, headers, body)])
const errorsOf = (body: string) => (JSON.parse(body) as { errors: string[] }).errors

async function refused(status: number, ...parts: Part[]) {
  const answered = await raw(port, parts)
  equal(answered.status, status, String(parts[0]).slice(0, 100))
  ok(Array.isArray(errorsOf(answered.body)))
  match(answered.text, /^Content-Type: application\/json\r$/im)
  match(answered.text, /^Cache-Control: no-store\r$/im)
  ok(!answered.text.includes('CANARY'), 'nothing of the request is said again')
  equal(seen.length, 0, 'core was not asked')
  equal(entered, 0)
  return answered
}

const BAD_PATHS = [
  'a/../b',
  'a/./b',
  '..',
  'a//b',
  '/a',
  'a/%2e%2e/b',
  'a/%2E%2e/b',
  'a%2fb',
  'a%2Fb',
  'a%5cb',
  'a%252e%252e',
  'a%252fb',
  'a%25252f',
  'a/%c0%ae%c0%ae/b',
  'a/%e0%80%ae/b',
  'a/%c0%af/b',
  'a%00b',
  'a%01',
  'a%0a',
  'a%7f',
  'a%c2%85',
  'a%e2%80%8b',
  'a%ef%bb%bf',
  'a%ed%a0%80',
  'a%',
  'a%zz',
  'a%ff',
]

test('answer() refuses every other spelling of a path before core is asked', async () => {
  for (const path of BAD_PATHS) {
    for (const method of ['GET', 'LIST', 'DELETE']) {
      await refused(400, request(`${method} /v1/secret/data/${path}`))
    }
  }
  await refused(400, request(`GET /v1/${'a'.repeat(5_000)}`))
})

test('answer() refuses methods, encodings and types with the status of each', async () => {
  for (const method of ['OPTIONS', 'TRACE', 'PROPFIND', 'LINK', 'BIND', 'LOCK', 'SEARCH']) {
    await refused(405, request(`${method} /v1/secret/data/a`))
  }
  const data = `{"data":{"a":"${CANARY}"}}`
  const post = 'POST /v1/secret/data/a'
  await refused(415, request(post, { 'Content-Encoding': 'gzip' }, data))
  await refused(415, request('PATCH /v1/a', { 'Content-Type': 'application/json' }, data))
  await refused(400, request('PATCH /v1/a', {}, data))
  await refused(400, request(post, {}, `{"data":{"a":"${CANARY}"`))
  await refused(400, request(post, {}, `["${CANARY}"]`))
  await refused(400, request(post, {}, '['.repeat(200_000)))
  await refused(403, request(post, { 'X-Vault-Token': `${CANARY}${'x'.repeat(9_000)}` }, data))
  for (const strange of [`${CANARY}/../a`, 'a//b', 'a%2fb', 'a\\b', 'a/./b', `a\xff${CANARY}`]) {
    const asked = request(post, { 'X-Vault-Namespace': strange }, data)
    await refused(400, Buffer.from(asked, 'latin1'))
  }
  await refused(400, request('GET /v1/a?list=true&scan=true'))
  await refused(400, request('GET /v1/a?list=CANARY'))
  for (const ttl of ['-1', CANARY, '1e300', '9'.repeat(400), '0x10', 'NaN']) {
    await refused(400, request('GET /v1/a', { 'X-Vault-Wrap-TTL': ttl }))
  }
})

test('answer() refuses a body that is too large and lets its sender read why', async () => {
  const head = 'POST /v1/sys/policies/acl/a HTTP/1.1\r\nHost: a\r\n'
  const mebibyte = Buffer.alloc(1024 * 1024, 'a')
  const announced = `${head}Content-Length: ${8 * mebibyte.length}\r\n\r\n`
  const eight = Array.from({ length: 8 }, () => mebibyte)
  await refused(413, announced, ...eight)
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), mebibyte, Buffer.from('\r\n')])
  const chunks = Array.from({ length: 8 }, () => chunk)
  await refused(413, `${head}Transfer-Encoding: chunked\r\n\r\n`, ...chunks, '0\r\n\r\n')
})

test('answer() closes the connection when it has not read the request to its end', async () => {
  const rest = 'GET /v1/secret/data/smuggled HTTP/1.1\r\nHost: a\r\n\r\n'
  const head = `POST /v1/a%00 HTTP/1.1\r\nHost: a\r\nContent-Length: ${rest.length}\r\n\r\n`
  const { statuses, closed } = await raw(port, [head, 50, rest])
  deepEqual(statuses, [400])
  ok(closed)
  equal(seen.length, 0)
})

test('answer() says nothing of an error that is not a Failure', async () => {
  handle = () => Promise.reject(new Error(CANARY))
  const { status, text } = await say('GET /v1/a')
  equal(status, 500)
  ok(!text.includes('CANARY'))
  equal(entered, 0)
})

test('answer() survives headers and bodies that cannot be sent', async () => {
  extra = ['X-Bad', 'line\nbreak']
  equal((await say('GET /v1/a')).status, 0)
  extra = []
  handle = async () => ({ status: 200, contentType: 'x', body: undefined as never })
  equal((await say('GET /v1/a')).status, 500)
  handle = async () => json(200, '{}')
  equal((await say('GET /v1/a')).status, 200)
})

test('answer() refuses when too much is going on and says when to come back', async () => {
  crowded = true
  const { text } = await refused(503, request('GET /v1/a'))
  match(text, /^Retry-After: 1\r$/m)
})

test('answer() survives a client that goes away while its request is worked on', async () => {
  let release = () => {}
  handle = () => new Promise((done) => (release = () => done(json(200, '{}'))))
  await raw(port, [request('GET /v1/a')], 50)
  equal(entered, 1)
  release()
  await new Promise((done) => setTimeout(done, 20))
  equal(entered, 0)
  handle = async () => json(200, '{}')
  equal((await say('GET /v1/a')).status, 200)
})

test('answer() gives core the verb, the path and the data that were sent', async () => {
  const cases: [line: string, body: string, verb: string, data: object][] = [
    ['GET /v1/a/b?version=2', '', 'read', { version: '2' }],
    ['GET /v1/a/b?x=1&x=2', '', 'read', { x: ['1', '2'] }],
    ['GET /v1/a/b?list=true&after=c', '', 'list', { after: 'c' }],
    ['LIST /v1/a/b', '', 'list', {}],
    ['DELETE /v1/a/b?versions=1', '', 'delete', { versions: '1' }],
    ['PUT /v1/a/b?ignored=1', '{"a":1}', 'write', { a: 1 }],
    ['POST /v1/a/b?list=true', '{"a":1}', 'write', { a: 1 }],
    ['POST /v1/a/b', '', 'write', {}],
  ]
  for (const [line, body, verb, data] of cases) {
    seen = []
    equal((await say(line, { 'X-HTTP-Method-Override': 'DELETE' }, body)).status, 200)
    equal(seen[0]!.verb, verb, line)
    equal(seen[0]!.path, 'a/b')
    deepEqual(seen[0]!.data, data)
  }
})

test('answer() lets no parameter change what data is', async () => {
  await say('GET /v1/a?__proto__=x&__proto__=y&constructor=z')
  const { data } = seen[0]!
  deepEqual(Object.keys(data).sort(), ['__proto__', 'constructor'])
  equal(Object.getPrototypeOf(data), Object.prototype)
  equal((await say('GET /v1/a', { ['__proto__']: 'x', constructor: 'y' })).status, 200)
})

test('answer() sends no body with 204 and HEAD, and the form of a failure otherwise', async () => {
  handle = async () => ({ status: 204, contentType: 'application/json', body: '' })
  equal((await say('POST /v1/a', {}, '{}')).body, '')
  handle = () => Promise.reject(new Failure('bad_request', ''))
  equal((await say('GET /v1/a')).body, '{"errors":[]}\n')
  equal((await say('HEAD /v1/a')).body, '')
  equal((await say('GET /elsewhere')).body, '{"errors":[]}\n')
})

test('answer() takes one spelling of a namespace and says it back as it came', async () => {
  for (const [sent, read] of [
    ['a/b', 'a/b'],
    ['/a/b/', 'a/b'],
    ['', undefined],
    ['/', undefined],
    ['root', undefined],
    ['root/', undefined],
  ] as const) {
    const answered = await say('GET /v1/secret/data/a', { 'X-Vault-Namespace': sent })
    equal(seen.at(-1)!.namespace, read)
    match(answered.text, new RegExp(`X-Vault-Namespace: ${sent}\r\n`))
  }
  ok(!(await say('GET /v1/secret/data/a')).text.includes('X-Vault-Namespace'))
})

test('what an answer says of a header replaces what the listener says', async () => {
  extra = ['X-Two', 'a', 'X-Two', 'b']
  handle = async () => ({ ...json(200, '{}'), headers: { 'cache-control': 'max-age=60' } })
  const answered = await say('GET /v1/x')
  match(answered.text, /^cache-control: max-age=60\r$/m)
  ok(!answered.text.includes('no-store'))
  match(answered.text, /^X-Two: a\r\nX-Two: b\r$/m)
})

test('answer() has a refusal written down under the address that counts, also behind a proxy', async () => {
  equal((await say('GET /v1/a/../b')).status, 400)
  equal(told.length, 1)
  equal(told[0]!.remoteAddress, '192.0.2.1')
  equal(told[0]!.path, 'a/../b')
})
