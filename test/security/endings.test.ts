/** Tokens that end when they must, and ceremonies nobody can hold up. Named by the cases they answer. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { connect } from 'node:net'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { test } from 'node:test'
import { raw, request } from '../support/raw-http.ts'
import { http, startServer } from '../support/server.ts'
import { testCore } from '../support/test-core.ts'

const seed = Number(process.env['COFFER_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** Park and Miller's generator: short, and the same everywhere. */
function dice(start: number) {
  let state = (start % 2147483646) + 1
  return (n: number) => {
    state = (state * 48271) % 2147483647
    return state % n
  }
}

test('S21 no token outlives its maximum, however and whenever it is renewed', async (t) => {
  t.diagnostic(`COFFER_SEED=${seed}`)
  const below = dice(seed)
  const core = await testCore()
  const { ask, clock } = core
  let renewals = 0
  for (let i = 0; renewals < 10_000; i++) {
    const max = 1 + below(120)
    const ttl = 1 + below(150)
    const period = below(4) === 0 ? 1 + below(60) : 0
    const made = await ask('write', 'auth/token/create', {
      policies: ['default'],
      ttl,
      explicit_max_ttl: max,
      ...(period > 0 && { period }),
    })
    equal(made.status, 200, made.text)
    const { client_token: token } = made.body['auth'] as { client_token: string }
    const issued = clock.now()
    for (let turn = 0; turn < 8; turn++) {
      // Often within the last second, before and after it.
      const left = issued + max * 1000 - clock.now()
      const wait = below(3) === 0 ? left - 1000 + below(1100) : below(Math.max(2, left))
      clock.advance(Math.max(0, wait))
      const increment = [0, 1, 3600, 2 ** 31][below(4)]
      const renewed = await ask('write', 'auth/token/renew-self', { increment }, { token })
      renewals++
      const found = await ask('write', 'auth/token/lookup', { token })
      const alive = found.status === 200
      if (clock.now() >= issued + max * 1000) {
        equal(alive, false, `alive ${clock.now() - issued} ms after issue, max ${max} s`)
        ok(renewed.status >= 400)
        break
      }
      if (!alive) break
      const { expire_time, ttl: told } = found.body.data as { expire_time: string; ttl: number }
      ok(expire_time !== null && told >= 0 && told <= max)
      ok(Date.parse(expire_time) <= issued + max * 1000, `${expire_time} is past the maximum`)
    }
  }
})

test('S21 an answer that is an error leaves no token', async () => {
  const { ask } = await testCore()
  const count = async () => (await ask('list', 'auth/token/accessors')).body.data!['keys']
  const before = await count()
  const wrong: Record<string, unknown>[] = [
    { num_uses: -1 },
    { type: 'wooden' },
    { ttl: 'soon' },
    { entity_alias: 'somebody' },
    { type: 'batch', policies: ['default'], num_uses: 3 },
    { id: 'has.dots' },
  ]
  for (const data of wrong) {
    const { status } = await ask('write', 'auth/token/create', data)
    ok(status >= 400, JSON.stringify(data))
  }
  deepEqual(await count(), before)
})

test('S39 a stranger cannot cancel a ceremony, and it completes while many try', async () => {
  await using server = await startServer({ kind: 'config', audit: true, shares: 2, threshold: 2 })
  const stranger = http(server.address)
  const started = await stranger.write('sys/rekey/init', { secret_shares: 1, secret_threshold: 1 })
  const nonce = started.body['nonce'] as string
  ok(nonce)
  const state = { tries: 0, going: true }
  const attack = (async () => {
    while (state.going) {
      const answers = await Promise.all([
        stranger.delete('sys/rekey/init'),
        stranger.send('DELETE', 'sys/rekey/init', { body: { nonce: 'another' } }),
        stranger.write('sys/rekey/init', { secret_shares: 1, secret_threshold: 1 }),
      ])
      for (const { status } of answers) ok(status >= 400 && status < 500, `${status}`)
      state.tries += answers.length
    }
  })()
  const [first, second] = server.unsealKeys
  equal((await stranger.write('sys/rekey/update', { key: first, nonce })).status, 200)
  while (state.tries < 100) await stranger.read('sys/rekey/init')
  state.going = false
  await attack
  const done = await stranger.write('sys/rekey/update', { key: second, nonce })
  equal(done.body['complete'], true, done.text)
})

test('S42 no bytes on the port end the server', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-tls-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', [...made, '-keyout', key, '-out', cert, '-subj', '/CN=localhost'], {
    stdio: 'ignore',
  })
  await using plain = await startServer({
    kind: 'config',
    hcl: `listener "tcp" {
  address = "127.0.0.1:0"
  tls_cert_file = "${cert}"
  tls_key_file = "${key}"
}`,
  })
  rmSync(dir, { recursive: true })
  const tlsPort = /Listener 2: tcp \(addr: "127\.0\.0\.1:(\d+)"/.exec(plain.output())![1]
  const port = Number(new URL(plain.address).port)
  const garbage: (string | Buffer)[] = [
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n\r\n',
    'PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n\r\n',
    Buffer.from('0d0a0d0a000d0a515549540a21110000', 'hex'),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(4096, 0xff)]),
    Buffer.from('16030100050100000100', 'hex'),
    request('GET /v1/sys/health', { __proto__x: 'a', ['__proto__']: 'polluted', constructor: 'x' }),
    'GET /v1/sys/health HTTP/1.1\r\nHost: a\r\n__proto__: x\r\n__proto__: y\r\n\r\n',
    'GET /v1/sys/health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
    Buffer.alloc(64 * 1024, 0x41),
    Buffer.from('00'.repeat(1000), 'hex'),
  ]
  for (const bytes of garbage) {
    await raw(port, [bytes], 300)
    equal((await http(plain.address).read('sys/seal-status')).status, 200)
  }
  equal(({} as Record<string, unknown>)['polluted'], undefined)
  const records = [
    Buffer.from('16030100050100000100', 'hex'),
    Buffer.from('1603030004ffffffff', 'hex'),
    Buffer.from('80010301', 'hex'),
    Buffer.alloc(20_000, 0x16),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ]
  for (const record of records) {
    await new Promise<void>((done) => {
      const socket = connect(Number(tlsPort), '127.0.0.1', () => socket.end(record))
      socket.on('error', () => {})
      socket.on('close', () => done())
      socket.resume()
    })
  }
  for (const servername of ['a'.repeat(255), 'x..y', 'localhost', '\u0001']) {
    await new Promise<void>((done) => {
      const options = { port: Number(tlsPort), host: '127.0.0.1', servername }
      try {
        const socket = connectTls({ ...options, rejectUnauthorized: false }, () => socket.end())
        socket.on('error', () => done())
        socket.on('close', () => done())
      } catch {
        done()
      }
    })
  }
  const alive = await new Promise<string>((done, failed) => {
    const options = { port: Number(tlsPort), host: '127.0.0.1', rejectUnauthorized: false }
    const socket = connectTls(options, () => socket.write(request('GET /v1/sys/health')))
    socket.on('data', (chunk) => done(chunk.toString()))
    socket.on('error', failed)
  })
  ok(alive.startsWith('HTTP/1.1 200'))
})

test('S43 nothing that the API is told becomes a file elsewhere, or one that runs', async () => {
  await using server = await startServer({ kind: 'config', audit: true })
  const api = http(server.address, { token: server.rootToken })
  const place = join(server.dir, 'plugin')
  const wrong: Record<string, string>[] = [
    { file_path: place, prefix: '#!/bin/sh\n' },
    { path: place, prefix: '#!/bin/sh\n' },
    { file_path: place, mode: '0755' },
    { file_path: place, mode: '0711' },
    { file_path: `${server.dir}/../x` },
    { path: 'relative/file' },
    { file_path: place, log_raw: 'true' },
  ]
  for (const options of wrong) {
    const { status } = await api.write('sys/audit/evil', { type: 'file', options })
    equal(status, 400, JSON.stringify(options))
  }
  const plugin = { sha256: 'a'.repeat(64), command: 'sh', type: 'secret' }
  for (const path of ['sys/plugins/catalog/secret/evil', 'sys/plugins/catalog/evil']) {
    const { status } = await api.write(path, plugin)
    ok(status >= 400 && status < 500, `${path}: ${status}`)
  }
  const good = await api.write('sys/audit/good', { type: 'file', options: { file_path: place } })
  equal(good.status, 204)
  equal(statSync(place).mode & 0o777, 0o600)
  ok(!readFileSync(place, 'utf8').startsWith('#!'))
})
