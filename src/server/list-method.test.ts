/** LIST through a parser that does not know it, at every place where bytes can be cut. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Part, raw } from '../../test/support/raw-http.ts'
import { allowListMethod, methodOf } from './list-method.ts'

let seen: { method: string; body: string }[] = []
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => (body += chunk.toString()))
  request.on('end', () => {
    // Slow, so that the next request arrives while this one is worked on.
    setTimeout(() => {
      seen.push({ method: methodOf(request), body })
      response.end('ok\n')
    }, 30)
  })
})
allowListMethod(server)
let port = 0
before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  port = (server.address() as AddressInfo).port
})
after(() => void server.close())

async function methods(...parts: Part[]): Promise<string[]> {
  seen = []
  await raw(port, parts)
  return seen.map(({ method }) => method)
}

const LAST = 'Host: a\r\nConnection: close\r\n\r\n'
const REST = `/x HTTP/1.1\r\n${LAST}`

/** A LIST that is answered first: from there on the connection is watched. */
const WATCHED: readonly Part[] = ['LIST /x HTTP/1.1\r\nHost: a\r\n\r\n', 60]

test('allowListMethod() never lets a client use the words it uses itself', async () => {
  for (const word of ['LINK', 'BIND']) {
    deepEqual(await methods(`${word} ${REST}`), [word])
    deepEqual(await methods(...WATCHED, `${word} ${REST}`), ['LIST', 'LOCK'])
    deepEqual(await methods(...WATCHED, `\r\n${word} ${REST}`), ['LIST', 'LOCK'])
  }
  const words = ['LINK', 'LISK', 'LISX', 'LISTK', 'BIND', 'SIND', 'SCAX', 'SCANS', 'SEARCH', 'BCAN']
  for (const cut of [1, 2, 3, 4]) {
    for (const word of words) {
      const parts = [word.slice(0, cut), 10, `${word.slice(cut)} ${REST}`]
      const said = [...(await methods(...parts)), ...(await methods(...WATCHED, ...parts)).slice(1)]
      for (const method of said)
        match(method, /^(?:LINK|BIND|LOCK|SEARCH)$/, `${word} after ${cut}`)
    }
  }
})

test('allowListMethod() leaves every byte of a body alone', async () => {
  const bodies = ['LIST ', 'LINK /', 'SCAN x', 'GET / HTTP/1.1', 'BIND ', 'LI', 'LIS']
  for (const body of bodies) {
    seen = []
    const head = `POST /x HTTP/1.1\r\nContent-Length: ${body.length}\r\n`
    await raw(port, [`${head}Host: a\r\n\r\n`, 10, body, 60, `${head}${LAST}`, 10, body])
    deepEqual(seen, [
      { method: 'POST', body },
      { method: 'POST', body },
    ])
  }
})

test('allowListMethod() leaves a body alone when an earlier request is answered meanwhile', async () => {
  seen = []
  const body = 'LIST of things LIST '
  await raw(port, [
    // Sent together; the body of the second comes when the first has been answered.
    `GET /x HTTP/1.1\r\nHost: a\r\n\r\nPOST /x HTTP/1.1\r\nContent-Length: ${body.length}\r\n${LAST}`,
    80,
    body.slice(0, 15),
    20,
    body.slice(15),
  ])
  deepEqual(seen, [
    { method: 'GET', body: '' },
    { method: 'POST', body },
  ])
})

test('allowListMethod() leaves a header line alone that looks like a request', async () => {
  const parts = ['GET /x HTTP/1.1\r\nHost: a\r\nX: ', 10, 'LIST of things\r\n', 10, LAST.slice(9)]
  deepEqual(await methods(...parts), ['GET'])
})

test('allowListMethod() understands LIST and SCAN wherever they are cut', async () => {
  for (const word of ['LIST', 'SCAN']) {
    const text = `${word} ${REST}`
    for (let cut = 1; cut < 8; cut++) {
      const parts = [text.slice(0, cut), 5, text.slice(cut)]
      deepEqual(await methods(...WATCHED, ...parts), ['LIST', word], `cut after ${cut}`)
    }
    const letters = text.split('').flatMap((letter): Part[] => [letter, 1])
    deepEqual(await methods(...WATCHED, ...letters), ['LIST', word])
    deepEqual(await methods(`\r\n${text}`), [word])
    deepEqual(await methods('\r\n', 5, text), [word])
  }
})

test('allowListMethod() refuses a first LIST whose first letters came by themselves', async () => {
  for (const [word, passed] of [
    ['LIST', 2],
    ['SCAN', 1],
  ] as const) {
    for (let cut = 1; cut < 8; cut++) {
      const text = `${word} ${REST}`
      const said = await methods(text.slice(0, cut), 5, text.slice(cut))
      deepEqual(said, cut <= passed ? [] : [word], `cut after ${cut}`)
    }
  }
})

test('allowListMethod() refuses a first LIST while an answer is still awaited', async () => {
  const first = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'
  const { statuses } = await raw(port, [first, 5, `LIST ${REST}`])
  equal(statuses.at(-1), 400)
})

test('allowListMethod() goes on without an end of what came before', async () => {
  const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'
  const { statuses, closed } = await raw(port, [get, 60, ...WATCHED, get, 60, `LIST ${REST}`])
  deepEqual(statuses, [200, 200, 200, 200])
  ok(closed)
})

test('allowListMethod() lets go of a connection on either side', async () => {
  const { statuses } = await raw(port, WATCHED, 100)
  deepEqual(statuses, [200])
  await raw(port, [...WATCHED, 'NONSENSE\r\n\r\n'])
  server.closeIdleConnections()
  for (let open = 1; open > 0;) {
    await new Promise((done) => setTimeout(done, 5))
    open = await new Promise<number>((done) => server.getConnections((_, count) => done(count)))
  }
})

test('allowListMethod() understands LIST at each turn of a connection that is kept', async () => {
  const head = '/x HTTP/1.1\r\nHost: a\r\n'
  const said = await methods(
    `LIST ${head}\r\n`,
    60,
    `POST ${head}Content-Length: 5\r\n\r\n`,
    10,
    'LIST ',
    60,
    `LIST ${head}\r\n`,
    60,
    `SCAN ${head}\r\n`,
    60,
    'L',
    5,
    `IST ${REST}`,
  )
  deepEqual(said, ['LIST', 'POST', 'LIST', 'SCAN', 'LIST'])
})

test('allowListMethod() refuses a LIST that was sent together with another request', async () => {
  const { statuses } = await raw(port, [`GET /x HTTP/1.1\r\nHost: a\r\n\r\nLIST ${REST}`])
  equal(statuses.includes(200), false)
})
