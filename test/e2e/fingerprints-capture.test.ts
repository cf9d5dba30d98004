/**
 * What goes over the wire when fingerprints are made: every byte of the answer, head and body, is
 * searched for every form of every value, also decoded, and for pieces of them.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'node:test'
import { type FingerprintIndex, openIndex } from '../../src/rules/fingerprints.ts'
import { hitsIn, type Place } from '../torture/leak-search.ts'
import { http, startServer } from '../support/server.ts'

/** All that the server sends on one connection, as it comes. */
function captured(port: number, request: string): Promise<Buffer> {
  return new Promise((done, fail) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => void socket.write(request))
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
    socket.on('end', () => done(Buffer.concat(chunks)))
    socket.on('error', fail)
  })
}

const made = (seed: string, encoding: 'hex' | 'base64' = 'base64') =>
  createHash('sha512').update(seed).digest(encoding)

/** Tokens, passwords, keys of several lines, JSON with secrets inside; what is left out, too. */
const SECRETS: Record<string, readonly Record<string, unknown>[]> = {
  'app/db': [1, 2, 3].map((version) => ({
    password: made(`db${version}`).slice(0, 24),
    user: 'x',
  })),
  'app/odd': [{ password: `p"ä/ss+w&o'rd<$1>%` }],
  'app/key': [
    { pem: ['-----BEGIN KEY-----', made('1'), made('2'), '-----END KEY-----'].join('\n') },
  ],
  'app/json': [{ config: JSON.stringify({ inner: made('json').slice(0, 30) }) }],
  'app/deep': [{ list: [{ token: made('deep', 'hex').slice(0, 40) }] }],
  'app/short': [{ pin: 'hunter2', other: '481-516' }],
}

function* textsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) yield* textsIn(part)
  }
}

test('no value leaves the server when fingerprints are made, in no form and no piece', async () => {
  await using server = await startServer()
  const api = http(server.address, { token: server.rootToken })
  for (const [path, versions] of Object.entries(SECRETS)) {
    for (const data of versions) {
      equal((await api.write(`secret/data/${path}`, { data })).status, 200)
    }
  }
  await api.write('secret/delete/app/db', { versions: [1] })
  const values = [...textsIn(Object.values(SECRETS))].filter((text) => text.length >= 6)
  ok(values.length >= 9)

  const port = Number(new URL(server.address).port)
  const body = '{"path":""}'
  const wire = await captured(
    port,
    `POST /v1/sys/coffer/fingerprints HTTP/1.1\r\nHost: a\r\nConnection: close\r\n` +
      `X-Vault-Token: ${server.rootToken}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  ok(wire.includes('HTTP/1.1 200'), wire.subarray(0, 200).toString())
  const answer = await api.write('sys/coffer/fingerprints', { path: '' })
  const index = String(answer.at('data.index'))
  const { entries, salt } = JSON.parse(index) as FingerprintIndex
  const places: Place[] = [
    { name: 'the wire', bytes: wire },
    { name: 'the answer', bytes: Buffer.from(answer.text) },
    { name: 'the index', bytes: Buffer.from(index) },
    { name: 'its entries', bytes: Buffer.from(entries, 'base64') },
    { name: 'its salt', bytes: Buffer.from(salt, 'base64') },
    { name: 'the headers', bytes: Buffer.from(JSON.stringify([...answer.headers])) },
  ]
  deepEqual(hitsIn(places, values), [])
  // A window of a value is what an entry begins with the hash of.
  const pieces = values.flatMap((text) =>
    Array.from({ length: text.length - 7 }, (_, at) => Buffer.from(text.slice(at, at + 8))),
  )
  ok(pieces.length > 200)
  for (const { name, bytes } of places) {
    deepEqual(
      pieces.filter((piece) => Buffer.from(bytes).includes(piece)).map(String),
      [],
      `pieces in ${name}`,
    )
  }

  // It is the index of these values all the same, and the search finds what is there.
  const found = openIndex(JSON.parse(index) as FingerprintIndex)
  const { password } = SECRETS['app/db']![2] as { password: string }
  equal(found.find(Buffer.from(`x ${password} y`))[0]?.ref.path, 'secret/app/db')
  const read = await api.read('secret/data/app/db')
  equal(hitsIn([{ name: 'a read', bytes: Buffer.from(read.text) }], values).length, 1)
})
