/** LIST through a parser that does not know it, at every place where bytes can be cut. */
import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type Part, raw } from '../../test/support/raw-http.ts'
import { allowListMethod, DISGUISES } from './list-method.ts'

let seen: { method: string; body: string }[] = []
const server = createServer((request, response) => {
  let body = ''
  request.on('data', (chunk: Buffer) => (body += chunk.toString()))
  request.on('end', () => {
    const method = request.method ?? ''
    // Slow, so that the next request arrives while this one is worked on.
    setTimeout(() => {
      seen.push({ method: DISGUISES[method] ?? method, body })
      response.end('ok')
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

test('allowListMethod() never lets a client use the words it uses itself', async () => {
  deepEqual(await methods(`LINK ${REST}`), ['LOCK'])
  deepEqual(await methods(`BIND ${REST}`), ['LOCK'])
  for (const cut of [1, 2, 3, 4]) {
    for (const word of ['LINK', 'LISK', 'LISX', 'LISTK']) {
      const said = await methods(word.slice(0, cut), 10, `${word.slice(cut)} ${REST}`)
      notEqual(said[0], 'LIST', `${word} cut after ${cut}`)
    }
  }
  for (const cut of [1, 2, 3, 4]) {
    for (const word of ['BIND', 'SIND', 'SCAX', 'SCANS', 'SEARCH', 'BCAN']) {
      const said = await methods(word.slice(0, cut), 10, `${word.slice(cut)} ${REST}`)
      notEqual(said[0], 'SCAN', `${word} cut after ${cut}`)
    }
  }
  deepEqual(await methods(`\r\nLINK ${REST}`), ['LOCK'])
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
      deepEqual(await methods(text.slice(0, cut), 5, text.slice(cut)), [word], `cut after ${cut}`)
    }
    const letters = text.split('').flatMap((letter): Part[] => [letter, 1])
    deepEqual(await methods(...letters), [word])
    deepEqual(await methods(`\r\n${text}`), [word])
    deepEqual(await methods('\r\n', 5, text), [word])
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
