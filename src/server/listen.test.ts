/** Sockets and their limits, against a whole core: who is cut off, with which words, and who is not. */
import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { raw, request } from '../../test/support/raw-http.ts'
import { testCore } from '../../test/support/test-core.ts'
import { devCertificate } from './dev-cert.ts'
import { listen, type ListenOptions } from './listen.ts'
import { readTlsFiles } from './tls-files.ts'

async function listening(options: Partial<ListenOptions> = {}) {
  const { core, root, logs } = await testCore()
  const listener = await listen(core, { host: '127.0.0.1', port: 0, ...options })
  return {
    port: listener.address.port,
    root,
    logs,
    reload: () => listener.reload(),
    async [Symbol.asyncDispose]() {
      await listener.close(0)
      await core.close()
    },
  }
}

const HEALTH = request('GET /v1/sys/health')
const isAlive = async (port: number) => equal((await raw(port, [HEALTH])).status, 200)

test('listen() refuses what the parser refuses, in the form of the API, and closes', async () => {
  await using server = await listening()
  const line = 'POST /v1/secret/data/a HTTP/1.1\r\nHost: a\r\n'
  const chunked = `${line}Transfer-Encoding: chunked\r\n\r\n`
  const bad: [name: string, status: number, text: string][] = [
    [
      'both lengths',
      400,
      `${line}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['lengths twice', 400, `${line}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['a negative length', 400, `${line}Content-Length: -1\r\n\r\n{}`],
    ['a length with a sign', 400, `${line}Content-Length: +2\r\n\r\n{}`],
    ['bare LF', 400, 'GET /v1/sys/health HTTP/1.1\nHost: a\n\n'],
    ['bare LF in the header', 400, 'GET /v1/sys/health HTTP/1.1\r\nHost: a\nX: y\r\n\r\n'],
    ['bare CR', 400, 'GET /v1/sys/health HTTP/1.1\r\nHost: a\rX: y\r\n\r\n'],
    ['obs-fold', 400, 'GET /v1/sys/health HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n'],
    ['a space before the colon', 400, 'GET /v1/sys/health HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['another encoding', 400, `${line}Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['two encodings', 400, `${line}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk that lies', 400, `${line}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`],
    ['a chunk extension cut by LF', 400, `${chunked}2;a\n{}\r\n0\r\n\r\n`],
    ['a chunk extension with a LF inside', 400, `${chunked}2;a="\n"\r\n{}\r\n0\r\n\r\n`],
    ['a chunk extension with a CR inside', 400, `${chunked}2;a\rb\r\n{}\r\n0\r\n\r\n`],
    ['a large chunk extension', 400, `${chunked}2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`],
    ['a chunk that ends in LF', 400, `${chunked}2\r\n{}\n0\r\n\r\n`],
    ['HTTP/0.9', 400, 'GET /v1/sys/health\r\n\r\n'],
    ['HTTP/2.0 in one line', 400, 'GET /v1/sys/health HTTP/2.0\r\nHost: a\r\n\r\n'],
    ['no Host', 400, 'GET /v1/sys/health HTTP/1.1\r\n\r\n'],
    ['two Hosts', 400, 'GET /v1/sys/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a method in lower case', 400, 'get /v1/sys/health HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['bytes above 127 in the path', 400, 'GET /v1/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a large header', 431, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`],
    ['many headers', 431, `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(150)}\r\n`],
    ['CONNECT', 405, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ]
  for (const [name, status, text] of bad) {
    const answered = await raw(server.port, [Buffer.from(text, 'latin1')])
    equal(answered.status, status, name)
    ok(Array.isArray((JSON.parse(answered.body) as { errors: unknown }).errors), name)
    equal(answered.statuses.length, 1, name)
    ok(answered.closed, name)
  }
  await isAlive(server.port)
})

test('listen() serves beside what it does not know: __proto__, Expect, Upgrade', async () => {
  await using server = await listening()
  for (const header of ['__proto__', 'constructor', 'Expect', 'Upgrade', 'HTTP2-Settings']) {
    const { status } = await raw(server.port, [request('GET /v1/sys/health', { [header]: 'x' })])
    equal(status, 200, header)
  }
})

test('listen() cuts off who sends a header too slowly, soon after the time is up', async () => {
  await using server = await listening({ httpReadHeaderTimeoutSeconds: 1 })
  const slow = ['GET /v1/sys/health HTTP/1.1\r\n', 'Host: a\r\n', 'X: y\r\n'].flatMap((part) => [
    part,
    900,
  ])
  const all = Array.from({ length: 20 }, () => raw(server.port, slow, 5_000))
  await isAlive(server.port)
  for (const { status, closed, body } of await Promise.all(all)) {
    ok(closed)
    equal(status, 408)
    match(body, /did not arrive in time/)
  }
  await isAlive(server.port)
})

test('listen() cuts off a body that stops half-way', async () => {
  await using server = await listening({
    httpReadTimeoutSeconds: 1,
    httpReadHeaderTimeoutSeconds: 1,
  })
  const head = 'POST /v1/sys/unseal HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"key":"'
  const { status, closed, statuses } = await raw(server.port, [head], 5_000)
  equal(status, 408)
  equal(statuses.length, 1)
  ok(closed)
  await isAlive(server.port)
})

test('listen() waits for no body where none is announced', async () => {
  await using server = await listening()
  const kept = request('POST /v1/sys/unseal', { Connection: 'keep-alive' })
  // Neither is an answer to bytes that never come, nor are the next request's taken for a body.
  const { statuses } = await raw(server.port, [kept + HEALTH], 15_000)
  deepEqual(statuses, [400, 200])
})

test('listen() closes a connection that says nothing between requests', async () => {
  await using server = await listening({ httpIdleTimeoutSeconds: 1 })
  const one = HEALTH.replace('Connection: close', 'Connection: keep-alive')
  const { status, closed } = await raw(server.port, [one], 5_000)
  equal(status, 200)
  ok(closed)
})

test('listen() understands a request that comes a byte at a time', async () => {
  await using server = await listening()
  const headers = { 'X-Vault-Token': server.root }
  const bytes = (line: string) =>
    request(line, headers)
      .split('')
      .flatMap((byte): (string | number)[] => [byte, 0])
  equal((await raw(server.port, bytes('GET /v1/secret/metadata?list=true'))).status, 404)
  // The first LIST of a connection is known by its letters in one piece.
  equal((await raw(server.port, bytes('LIST /v1/secret/metadata'))).status, 400)
  const whole = request('LIST /v1/secret/metadata', { ...headers, Connection: 'keep-alive' })
  const { statuses } = await raw(server.port, [whole, 20, ...bytes('LIST /v1/secret/metadata')])
  deepEqual(statuses, [404, 404])
})

test('listen() serves while 200 connections do nothing', async () => {
  await using server = await listening()
  const idle: Socket[] = []
  for (let i = 0; i < 200; i++) {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    if (i % 2 === 0) socket.write('GET /v1/sys/health HTTP/1.1\r\n')
    idle.push(socket)
  }
  await isAlive(server.port)
  for (const socket of idle) socket.destroy()
  await isAlive(server.port)
})

test('listen() with TLS outlives bytes that are no TLS', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-listen-'))
  try {
    const { certFile, keyFile } = await devCertificate(dir, '127.0.0.1')
    await using server = await listening({ tls: { certFile, keyFile } })
    const garbage = [
      HEALTH,
      '\x16\x03\x01\xff\xff',
      '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00',
      '\0',
    ]
    for (const text of garbage) await raw(server.port, [Buffer.from(text, 'latin1')], 300)
    const text = await new Promise<string>((done, failed) => {
      let said = ''
      const socket = connectTls(server.port, '127.0.0.1', { rejectUnauthorized: false })
      socket.on('data', (chunk: Buffer) => (said += chunk.toString()))
      socket.on('close', () => done(said))
      socket.on('error', failed)
      // LIST must be found inside TLS too, and in pieces once there has been one.
      const headers = { 'X-Vault-Token': server.root }
      socket.write(request('LIST /v1/secret/metadata', { ...headers, Connection: 'keep-alive' }))
      setTimeout(() => socket.write('LI'), 40)
      setTimeout(() => socket.write(request('ST /v1/secret/metadata', headers)), 60)
    })
    equal(text.match(/HTTP\/1\.1 404 /g)?.length, 2)
    match(text, /strict-transport-security/i)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('listen() serves on with what it has when new certificates cannot be used', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-listen-'))
  const other = mkdtempSync(join(tmpdir(), 'coffer-listen-'))
  try {
    const { certFile, keyFile } = await devCertificate(dir, '127.0.0.1')
    const strange = await devCertificate(other, '127.0.0.1')
    await using server = await listening({ tls: { certFile, keyFile } })
    const shown = () =>
      new Promise<string>((done, failed) => {
        const socket = connectTls(server.port, '127.0.0.1', { rejectUnauthorized: false }, () => {
          done(socket.getPeerCertificate().fingerprint256)
          socket.end()
        })
        socket.on('error', failed)
      })
    const first = await shown()
    const key = readFileSync(keyFile)
    const wrong: [() => void, RegExp][] = [
      [
        () => rmSync(keyFile),
        /^error: .*the certificate of before stays: tls_key_file .*no such file/,
      ],
      [
        () => writeFileSync(keyFile, readFileSync(strange.keyFile)),
        /tls_key_file .* is not the key of/,
      ],
      [() => writeFileSync(keyFile, 'swordfish'), /tls_key_file .* holds no private key in PEM/],
      [() => writeFileSync(certFile, 'swordfish'), /tls_cert_file .* holds no certificate in PEM/],
    ]
    for (const [act, said] of wrong) {
      act()
      server.reload()
      match(server.logs.at(-1)!, said)
      ok(!server.logs.at(-1)!.includes('swordfish'))
      throws(() => readTlsFiles({ certFile, keyFile }), { name: 'TlsUnusable' })
      equal(await shown(), first)
      writeFileSync(keyFile, key)
    }
    writeFileSync(certFile, readFileSync(strange.certFile))
    writeFileSync(keyFile, readFileSync(strange.keyFile))
    server.reload()
    match(server.logs.at(-1)!, /^info: .*read again$/)
    ok((await shown()) !== first)
  } finally {
    for (const each of [dir, other]) rmSync(each, { recursive: true, force: true })
  }
})
