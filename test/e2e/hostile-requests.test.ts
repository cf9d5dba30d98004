/**
 * What a stranger, or a client that has gone wrong, can send to a real server: each is refused with
 * the status and in the form of the API, none is echoed, none changes anything, and whoever comes
 * next is served.
 */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { after, before, test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type Part, raw, request } from '../support/raw-http.ts'
import { type Api, http, startServer, type TestServer } from '../support/server.ts'

const CANARY = 'CANARY-5d41402abc4b'
const MEBIBYTE = 1024 * 1024

let server: TestServer
let api: Api
let port = 0
let slowPort = 0
let state = ''

before(async () => {
  server = await startServer({
    kind: 'config',
    audit: true,
    hcl: `listener "tcp" {
  address = "127.0.0.1:0"
  tls_disable = true
  http_read_header_timeout = "1s"
  http_read_timeout = "2s"
}`,
  })
  port = Number(new URL(server.address).port)
  slowPort = Number(/Listener 2: tcp \(addr: "127\.0\.0\.1:(\d+)"/.exec(server.output())![1])
  api = http(server.address, { token: server.rootToken })
  await api.write('sys/mounts/secret', { type: 'kv', options: { version: '2' } })
  await api.write('sys/mounts/kv1', { type: 'kv', options: { version: '1' } })
  await api.write('sys/auth/approle', { type: 'approle' })
  await api.write('auth/approle/role/app', { token_policies: ['default'] })
  await api.write('secret/data/app', { data: { password: 'correct-horse' } })
  state = await stateOf()
})
after(async () => {
  await server[Symbol.asyncDispose]()
})

/** Everything that could have been changed, as text. */
async function stateOf(): Promise<string> {
  const parts = [
    api.read('sys/mounts'),
    api.read('sys/auth'),
    api.list('sys/policies/acl'),
    api.list('auth/token/accessors'),
    api.list('secret/metadata'),
    api.read('secret/metadata/app'),
    api.list('kv1'),
    api.read('auth/approle/role/app'),
    api.list('auth/approle/role/app/secret-id'),
  ].map(async (answer) => {
    const { status, body } = await answer
    return [status, body['data'] ?? null]
  })
  return JSON.stringify(await Promise.all(parts))
}

let slowest = { name: '', ms: 0 }

async function refused(name: string, status: number | readonly number[], parts: readonly Part[]) {
  const answer = await raw(port, parts, 8_000)
  const pauses = parts.reduce<number>((sum, part) => sum + (typeof part === 'number' ? part : 0), 0)
  if (answer.tookMs - pauses > slowest.ms) slowest = { name, ms: answer.tookMs - pauses }
  ok([status].flat().includes(answer.status), `${name}: ${answer.status} ${answer.body}`)
  if (!String(parts[0]).startsWith('HEAD ')) {
    const { errors } = JSON.parse(answer.body) as { errors: unknown }
    ok(Array.isArray(errors), name)
  }
  match(answer.text, /^content-type: application\/json\r$/im, name)
  ok(!answer.text.includes('CANARY'), `${name} is echoed`)
}

/** Nothing has happened, and the next one is served. */
async function unharmed(t: TestContext) {
  equal((await api.read('secret/data/app')).at('data.data.password'), 'correct-horse')
  equal(await stateOf(), state)
  ok(!server.output().includes('CANARY'), 'in the log')
  ok(!readFileSync(server.auditFile, 'utf8').includes('CANARY'), 'in the audit log')
  t.diagnostic(`slowest so far: ${slowest.ms.toFixed(0)} ms, ${slowest.name}`)
}

const withToken = (more: Record<string, string> = {}) => ({
  'X-Vault-Token': server.rootToken,
  ...more,
})

test('S40 a body that is no JSON object, or too deep, is refused without being quoted', async (t) => {
  const bodies = [
    `{"data":{"a":"${CANARY}"`,
    `{"data":{"a":"${CANARY}"}}}`,
    `{"data":${CANARY}}`,
    `{"data":{"a":"${CANARY}\n"}}`,
    `["${CANARY}"]`,
    `"${CANARY}"`,
    `{"a":"${CANARY}",}`,
    `{"a":'${CANARY}'}`,
    `\ufeff{"a":"${CANARY}"`,
  ]
  const lines = ['POST /v1/secret/data/app', 'PUT /v1/kv1/a', 'POST /v1/auth/approle/login']
  for (const line of lines) {
    for (const body of bodies) await refused(body, 400, [request(line, withToken(), body)])
  }
  const post = 'POST /v1/secret/data/app'
  await refused('10^6 deep', 400, [request(post, withToken(), '['.repeat(10 ** 6))])
  const objects = `{"data":${'{"a":'.repeat(2 * 10 ** 5)}`
  await refused('10^6 deep objects', 400, [request(post, withToken(), objects)])
  const many = `{"data":[${'1,'.repeat(10 ** 5)}1]}`
  await refused('many values', 400, [request(post, withToken(), many)])
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const fields = `${CANARY}=1&`.repeat(50_000)
  await refused('many form fields', 400, [request(post, withToken(form), fields)])
  await unharmed(t)
})

test('S41 a body of 33 MiB is refused, announced or not, with a token or without', async (t) => {
  const part = Buffer.alloc(MEBIBYTE, CANARY)
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), part, Buffer.from('\r\n')])
  for (const headers of [withToken(), {}]) {
    const head = (more: Record<string, string>) =>
      request('POST /v1/secret/data/app', { ...headers, ...more })
    const announced = head({ 'Content-Length': String(33 * MEBIBYTE) })
    await refused('33 MiB announced', 413, [announced, ...Array<Buffer>(33).fill(part)])
    const chunked = head({ 'Transfer-Encoding': 'chunked' })
    await refused('33 MiB chunked', 413, [chunked, ...Array<Buffer>(33).fill(chunk), '0\r\n\r\n'])
  }
  await unharmed(t)
})

test('compressed bodies, wrong types of PATCH, both lengths: each has its status', async (t) => {
  const data = `{"data":{"a":"${CANARY}"}}`
  const post = 'POST /v1/secret/data/app'
  const zipped = gzipSync(data)
  const head = request(
    post,
    withToken({ 'Content-Length': `${zipped.length}`, 'Content-Encoding': 'gzip' }),
  )
  await refused('gzip', 415, [head, zipped])
  const sent = request(post, withToken({ 'Content-Length': `${zipped.length}` }))
  await refused('gzip that does not say so', 400, [sent, zipped])
  for (const type of ['application/json', 'text/plain', 'application/json-patch+json', CANARY]) {
    const patch = request('PATCH /v1/secret/data/app', withToken({ 'Content-Type': type }), data)
    await refused(`PATCH ${type}`, 415, [patch])
  }
  await refused('PATCH without a type', 400, [
    request('PATCH /v1/secret/data/app', withToken(), data),
  ])
  const both = withToken({ 'Content-Length': '5', 'Transfer-Encoding': 'chunked' })
  await refused('both lengths', 400, [request(post, both), '0\r\n\r\n'])
  await refused('bare LF', 400, [request(post, withToken(), data).replaceAll('\r\n', '\n')])
  await refused('obs-fold', 400, [request(post, withToken({ X: `a\r\n ${CANARY}` }), data)])
  await refused('a huge header', 431, [request(post, withToken({ X: CANARY.repeat(1_000) }), data)])
  await unharmed(t)
})

test('every other spelling of a path is refused before anyone is asked who they are', async (t) => {
  const spellings = [
    '..', '.', 'a/../b', '%2e%2e', '%2E%2e', '%2e', '.%2e', 'a%2fb', 'a%2F..%2Fb', '%5c..%5c',
    '%252e%252e', '%252f', '%25252e', '%c0%ae%c0%ae', '%c0%af', '%e0%80%ae', '%00', 'a%00b', '%0a',
    '%0d%0aX:%20y', '%1b', '%7f', '%c2%80', '%c2%85', '%e2%80%8b', '%ef%bb%bf', '%ed%a0%80', '%ff',
    '%', '%zz', 'a//b', '/a', 'a\\b',
  ] // prettier-ignore
  for (const base of [
    'secret/data',
    'sys/policies/acl',
    'auth/approle/role',
    'kv1',
    'sys/mounts',
  ]) {
    for (const bad of spellings) {
      for (const headers of [{}, withToken()]) {
        const line = `GET /v1/${base}/${bad}/a?b=${CANARY}`
        await refused(line, 400, [request(line, headers)])
      }
      const line = `POST /v1/${base}/${bad}`
      await refused(line, 400, [request(line, withToken(), `{"data":{"a":"${CANARY}"}}`)])
    }
  }
  await unharmed(t)
})

test('a bad token of any form gets 403, whatever it asks for', async (t) => {
  const tokens = ['', 'x', CANARY, 'hvs.', 'hvb.', 'hvr.', 's.', 'b.', `hvs.${CANARY}`, `hvb.${CANARY}`,
    `hvs.${'A'.repeat(94)}`, `hvb.${'A'.repeat(138)}`, `s.${'A'.repeat(24)}`, `${CANARY}${'x'.repeat(9_000)}`,
    '\xe9\xff', '\x80', 'a b', '"', '__proto__', 'constructor', '../sys', `${CANARY}\tx`] // prettier-ignore
  for (const token of tokens) {
    for (const line of [
      'GET /v1/secret/data/app',
      'GET /v1/sys/mounts',
      'LIST /v1/auth/token/accessors',
    ]) {
      const text = request(line, { 'X-Vault-Token': token })
      await refused(`token ${token.slice(0, 20)}`, 403, [Buffer.from(text, 'latin1')])
      const bearer = request(line, { Authorization: `Bearer ${token}` })
      await refused(`bearer ${token.slice(0, 20)}`, 403, [Buffer.from(bearer, 'latin1')])
    }
  }
  for (const control of ['\x00', '\x01', '\x0b', '\x7f']) {
    const text = request('GET /v1/sys/mounts', { 'X-Vault-Token': `${CANARY}${control}` })
    await refused('a control character', 400, [Buffer.from(text, 'latin1')])
  }
  await unharmed(t)
})

test('a method that is not ours is refused, those that stand for LIST inside too', async (t) => {
  const known = ['OPTIONS', 'TRACE', 'LINK', 'BIND', 'LOCK', 'PROPFIND', 'SEARCH', 'PURGE']
  for (const method of known) {
    await refused(method, 405, [request(`${method} /v1/secret/metadata`, withToken())])
  }
  for (const method of ['HELP', 'list', 'get', 'Post', 'LISTX', 'FOO', '', CANARY]) {
    await refused(method, 400, [request(`${method} /v1/secret/metadata`, withToken())])
  }
  await refused('CONNECT', 405, [request('CONNECT secret:1', withToken())])
  await unharmed(t)
})

test('names that every object has are only names', async (t) => {
  const keys = ['__proto__', 'constructor', 'prototype', 'toString']
  for (const key of keys) {
    const headers = withToken({ [key]: CANARY })
    equal((await raw(port, [request('GET /v1/secret/data/app', headers)])).status, 200)
    const line = `GET /v1/secret/data/app?${key}=a&${key}=b`
    equal((await raw(port, [request(line, withToken())])).status, 200)
    const login = `{"${key}":{"admin":true},"role_id":"${CANARY}","secret_id":"x"}`
    await refused(key, 400, [request('POST /v1/auth/approle/login', {}, login)])
    const text = `{"data":{"${key}":{"polluted":true}}}`
    equal((await raw(port, [request(`POST /v1/secret/data/own`, withToken(), text)])).status, 200)
    const patch = withToken({ 'Content-Type': 'application/merge-patch+json' })
    const merged = request('PATCH /v1/secret/data/own', patch, text)
    equal((await raw(port, [merged])).status, 200)
    const read = await api.read('secret/data/own')
    deepEqual(Object.entries(read.at('data.data') as object), [[key, { polluted: true }]])
    ok(!(await api.read('sys/health')).text.includes('polluted'))
    await api.delete('secret/metadata/own')
  }
  await unharmed(t)
})

test('a request that comes a byte at a time is the same request', async (t) => {
  const whole = request('LIST /v1/secret/metadata', withToken({ Connection: 'keep-alive' }))
  for (const [line, before] of [
    // A connection is known to use LIST from its first one on, which must come in one piece.
    ['LIST /v1/secret/metadata', [whole, 50]],
    ['GET /v1/secret/metadata?list=1', []],
  ] as const) {
    const bytes = request(line, withToken())
      .split('')
      .flatMap((byte): Part[] => [byte, 0])
    const { statuses, text } = await raw(port, [...before, ...bytes])
    deepEqual([...new Set(statuses)], [200])
    equal(text.match(/"keys":\["app"\]/g)?.length, before.length > 0 ? 2 : 1)
  }
  const post = request('POST /v1/sys/capabilities-self', withToken(), '{"path":"secret/data/app"}')
  const bytes = post.split('').flatMap((byte): Part[] => [byte, 0])
  match((await raw(port, bytes)).body, /"root"/)
  await unharmed(t)
})

test('requests on one connection are answered in turn, and a body is never one of them', async (t) => {
  const keep = { Connection: 'keep-alive' }
  const login = (word: string) => {
    const body = `${word}${CANARY}`
    const head = { ...keep, 'Content-Length': String(body.length) }
    return [request('POST /v1/auth/approle/login', head), 30, body, 30]
  }
  const { statuses, text } = await raw(port, [
    request('LIST /v1/secret/metadata', withToken(keep)),
    30,
    ...login('LIST '),
    request('LIST /v1/secret/metadata', withToken(keep)),
    30,
    ...login('GET /v1/secret/data/app '),
    request('LIST /v1/secret/metadata', withToken(keep)),
    30,
    ...login('LINK '),
    request('GET /v1/sys/health', keep) +
      request('LIST /v1/secret/metadata?x', withToken()).replace('LIST', 'GET'),
  ])
  deepEqual(statuses, [200, 400, 200, 400, 200, 400, 200, 404])
  ok(!text.includes('CANARY'))
  await unharmed(t)
})

test('who is slow is cut off, who goes away is forgotten, and the others are served', async (t) => {
  const line = 'POST /v1/secret/data/app HTTP/1.1\r\nHost: a\r\n'
  const slow = Array.from({ length: 50 }, () =>
    raw(slowPort, [line, 700, `X-Vault-Token: ${CANARY}\r\n`, 700, 'X: y\r\n', 700], 6_000),
  )
  const half = raw(slowPort, [`${line}Content-Length: 1000\r\n\r\n{"data":"${CANARY}`], 6_000)
  const idle: Socket[] = Array.from({ length: 200 }, () => connect(port, '127.0.0.1'))
  for (const socket of idle) socket.on('error', () => {})
  equal((await api.read('secret/data/app')).status, 200)
  for (const { status, closed } of await Promise.all([...slow, half])) {
    equal(status, 408)
    ok(closed)
  }
  for (const socket of idle) socket.destroy()
  // These hang up while they are worked on, or in the middle of what they say.
  const leaving = Array.from({ length: 50 }, (_, i) =>
    raw(
      port,
      [i % 2 ? request('GET /v1/sys/mounts', withToken()) : `${line}Content-Length: 9\r\n\r\n{`],
      2,
    ),
  )
  await Promise.all(leaving)
  await unharmed(t)
})
