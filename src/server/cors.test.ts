/** Pages of other origins: nothing until it is configured, and then exactly what was. */
import { deepEqual, equal, throws } from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { testCore, type TestCore } from '../../test/support/test-core.ts'
import { crossOrigin } from './cors.ts'
import { type Listener, listen } from './listen.ts'

let made: TestCore
let listener: Listener
before(async () => {
  made = await testCore()
  listener = await listen(made.core, { host: '127.0.0.1', port: 0 })
})
after(() => listener.close(0))

type Answered = { status: number | undefined; headers: Record<string, unknown>; body: string }

function ask(method: string, path: string, headers: Record<string, string>): Promise<Answered> {
  const { port } = listener.address
  return new Promise((done, failed) => {
    const asked = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      let body = ''
      answer.on('data', (chunk: Buffer) => (body += chunk.toString()))
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, body }))
    })
    asked.on('error', failed)
    asked.end(method === 'POST' ? '{"a":1}' : undefined)
  })
}

const HEALTH = '/v1/sys/health'
const here = { Origin: 'https://ui.example.com' }
const preflight = { ...here, 'Access-Control-Request-Method': 'PUT' }

test('without a setting, an origin changes nothing', async () => {
  const { status, headers } = await ask('GET', HEALTH, here)
  deepEqual([status, headers['access-control-allow-origin']], [200, undefined])
  equal((await ask('OPTIONS', HEALTH, preflight)).status, 405)
})

test('another origin than those that are named is refused, before anything else', async () => {
  await made.ask('write', 'sys/config/cors', { allowed_origins: ['https://other.example.com'] })
  for (const [method, headers] of [
    ['GET', here],
    ['POST', here],
    ['OPTIONS', preflight],
    ['GET', { Origin: 'null' }],
    ['GET', { Origin: 'https://other.example.com.evil.net' }],
  ] as const) {
    const { status, body, headers: got } = await ask(method, HEALTH, headers)
    deepEqual([status, JSON.parse(body)], [403, { errors: ['origin not allowed'] }], method)
    equal(got['access-control-allow-origin'], undefined)
  }
  equal((await ask('GET', HEALTH, {})).status, 200, 'who is no browser is not asked')
})

test('a named origin is told so, on errors too, and its questions are answered', async () => {
  await made.ask('write', 'sys/config/cors', {
    allowed_origins: ['https://ui.example.com'],
    allowed_headers: ['X-Custom'],
  })
  const plain = await ask('GET', HEALTH, here)
  deepEqual(
    [plain.status, plain.headers['access-control-allow-origin'], plain.headers['vary']],
    [200, 'https://ui.example.com', 'Origin'],
  )
  equal(plain.headers['access-control-allow-methods'], undefined)
  const refused = await ask('GET', '/v1/sys/mounts', here)
  deepEqual(
    [refused.status, refused.headers['access-control-allow-origin']],
    [403, 'https://ui.example.com'],
  )
  const asked = await ask('OPTIONS', '/v1/secret/data/a', preflight)
  deepEqual([asked.status, asked.body], [200, ''])
  equal(asked.headers['access-control-max-age'], '300')
  equal(
    asked.headers['access-control-allow-methods'],
    'DELETE,GET,OPTIONS,POST,PUT,LIST,PATCH,SCAN',
  )
  const allowed = String(asked.headers['access-control-allow-headers']).split(',')
  for (const name of ['Content-Type', 'X-Vault-Token', 'X-Vault-Namespace', 'X-Custom']) {
    equal(allowed.includes(name), true, name)
  }
  for (const method of ['TRACE', '']) {
    const headers = { ...here, 'Access-Control-Request-Method': method }
    equal((await ask('OPTIONS', HEALTH, headers)).status, 405)
  }
})

test('the setting counts from the next request on, and ends with its deletion', async () => {
  await made.ask('write', 'sys/config/cors', { allowed_origins: ['*'] })
  equal((await ask('GET', HEALTH, { Origin: 'https://any.net' })).headers['vary'], 'Origin')
  await made.ask('delete', 'sys/config/cors')
  equal((await ask('GET', HEALTH, { Origin: 'https://any.net' })).headers['vary'], undefined)
})

test('a header that is no name is not kept, since it would be sent', async () => {
  const { status } = await made.ask('write', 'sys/config/cors', {
    allowed_origins: ['*'],
    allowed_headers: ['X-A\r\nX-B: c'],
  })
  equal(status, 400)
})

test('crossOrigin() compares whole origins', () => {
  const config = { allowed_origins: ['https://a.net'], allowed_headers: [] }
  for (const origin of ['https://a.net/', 'https://A.net', 'http://a.net', 'https://a.net:8443']) {
    throws(() => crossOrigin(config, { origin, method: 'GET', requestMethod: undefined }))
  }
})
