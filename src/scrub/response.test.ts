import { equal, ok } from 'node:assert/strict'
import http, { type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import zlib from 'node:zlib'
import { guardServer } from './response.ts'
import { createScrubber } from './scrubber.ts'

const VALUE = 'tr0ub4dor/&3-secret'
const LABEL = '[secret n]'

type Answer = { status: number; headers: http.IncomingHttpHeaders; body: Buffer }

/** What a client gets of an answer that `write` writes behind a guard. */
async function answered(
  write: (response: ServerResponse) => void,
  method = 'GET',
): Promise<Answer> {
  const server = http.createServer((_request, response) => write(response))
  guardServer(server, createScrubber({ values: [{ value: VALUE, name: 'n' }] }))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    const { port } = server.address() as AddressInfo
    return await new Promise<Answer>((done, fail) => {
      http
        .request({ port, method, agent: false }, (answer) => {
          const parts: Buffer[] = []
          answer.on('data', (part: Buffer) => parts.push(part))
          answer.on('error', fail)
          answer.on('end', () => {
            const { statusCode = 0, headers } = answer
            done({ status: statusCode, headers, body: Buffer.concat(parts) })
          })
        })
        .on('error', fail)
        .end()
    })
  } finally {
    server.close()
  }
}

test('guardServer() cleans an answer in one piece, and tells its new length', async () => {
  const { body, headers } = await answered((response) => {
    const text = JSON.stringify({ error: `no login with ${VALUE}` })
    response.setHeader('content-length', text.length)
    response.end(text)
  })
  equal(body.toString(), `{"error":"no login with ${LABEL}"}`)
  equal(headers['content-length'], String(body.length))
})

test('guardServer() cleans what was announced by writeHead, whatever form its headers have', async () => {
  for (const headers of [
    { 'Content-Length': '19', 'X-A': 'b' },
    ['Content-Length', '19', 'X-A', 'b'],
  ]) {
    const answer = await answered((response) => {
      response.writeHead(418, 'Teapot', headers)
      response.end(VALUE)
    })
    equal(answer.status, 418)
    equal(answer.body.toString(), LABEL)
    equal(answer.headers['x-a'], 'b')
    equal(answer.headers['content-length'], String(LABEL.length))
  }
})

test('guardServer() catches a value that is written in pieces, at every split', async () => {
  for (let at = 1; at < VALUE.length; at += 3) {
    const { body } = await answered((response) => {
      response.setHeader('content-length', VALUE.length + 2)
      response.write(`<${VALUE.slice(0, at)}`)
      response.end(`${VALUE.slice(at)}>`)
    })
    equal(body.toString(), `<${LABEL}>`)
  }
})

for (const [coding, encode, decode] of [
  ['gzip', zlib.gzipSync, zlib.gunzipSync],
  ['deflate', zlib.deflateSync, zlib.inflateSync],
  ['br', zlib.brotliCompressSync, zlib.brotliDecompressSync],
] as const) {
  test(`guardServer() looks into an answer that is ${coding}`, async () => {
    const { body, headers } = await answered((response) => {
      const packed = encode(Buffer.from(`<${VALUE}>`.repeat(50)))
      response.writeHead(200, { 'content-encoding': coding, 'content-length': packed.length })
      response.end(packed)
    })
    equal(headers['content-encoding'], coding)
    equal(decode(body).toString(), `<${LABEL}>`.repeat(50))
  })
}

test('guardServer() lets nothing out of an answer that is not what its header says', async () => {
  const failed = await answered((response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' })
    response.end(VALUE)
  }).catch((error: unknown) => error)
  ok(failed instanceof Error)
})

test('guardServer() leaves alone what has no body, and a long clean one', async () => {
  const none = await answered((response) => response.writeHead(204).end())
  equal(none.status, 204)
  const head = await answered((response) => {
    response.setHeader('content-length', 5)
    response.end()
  }, 'HEAD')
  equal(head.headers['content-length'], '5')
  const long = 'clean text, '.repeat(200_000)
  const { body } = await answered((response) => {
    for (let i = 0; i < long.length; i += 50_000) response.write(long.slice(i, i + 50_000))
    response.end()
  })
  equal(body.toString(), long)
})

test('guardServer() streams: what is written goes out before the end', async () => {
  let early = false
  await answered((response) => {
    response.write('first\n')
    response.socket?.once('drain', () => {})
    setImmediate(() => {
      early = response.headersSent
      response.end('last\n')
    })
  })
  ok(early)
})
