/** Server-sent events, cut at every byte. */
import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sseReader } from './sse.ts'

type Told = { id?: string; type?: string; data?: string }

/** Reads the text in pieces that end at these places; what was told, in order. */
function read(text: string, cuts: readonly number[] = []): Told[] {
  const told: Told[] = []
  const reader = sseReader({
    onId: (id) => told.push({ id }),
    onMessage: ({ type, data }) => told.push({ type, data }),
  })
  const bytes = Buffer.from(text)
  let from = 0
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    reader.feed(bytes.subarray(from, cut))
    from = Math.max(from, Math.min(cut, bytes.length))
  }
  return told
}

/** The examples of the standard, and what implementations get wrong. */
const CASES: [string, Told[]][] = [
  ['data: YHOO\ndata: +2\ndata: 10\n\n', [{ type: 'message', data: 'YHOO\n+2\n10' }]],
  [
    ': test\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n',
    [
      { id: '1' },
      { type: 'message', data: 'first' },
      { id: '' },
      { type: 'message', data: 'second' },
      { id: '' },
      { type: 'message', data: ' third' },
    ],
  ],
  [
    'data\n\ndata\ndata\n\ndata:',
    [
      { type: 'message', data: '' },
      { type: 'message', data: '\n' },
    ],
  ],
  [
    'event: a\r\ndata: x\r\n\r\nevent: b\rdata: y\r\r',
    [
      { type: 'a', data: 'x' },
      { type: 'b', data: 'y' },
    ],
  ],
  ['\uFEFFdata: x\n\n', [{ type: 'message', data: 'x' }]],
  ['id: 7\n\n: heartbeat\nid: 8\n\n', [{ id: '7' }, { id: '8' }]],
  ['id: a\0b\ndata: x\n\n', [{ type: 'message', data: 'x' }]],
  ['event: gone\n\ndata: x\nretry: 5\nunknown: y\n\n', [{ type: 'message', data: 'x' }]],
  ['id: 1\ndata: cut', []],
  ['id: 1\ndata: cut\n', []],
]

test('sseReader() reads what the standard says, whole and byte by byte', () => {
  for (const [text, expected] of CASES) {
    deepEqual(read(text), expected, JSON.stringify(text))
    const every = Array.from({ length: Buffer.byteLength(text) }, (_, i) => i)
    deepEqual(read(text, every), expected, `in bytes: ${JSON.stringify(text)}`)
  }
})

test('sseReader() gives back what was written, wherever it is cut', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\0]/g, ''))
  const name = line.filter((text) => text !== '' && !text.startsWith(' '))
  const message = fc.record({
    id: fc.option(name, { nil: undefined }),
    type: fc.option(name, { nil: undefined }),
    lines: fc.array(line, { minLength: 1, maxLength: 3 }),
    comment: fc.option(line, { nil: undefined }),
  })
  const end = fc.constantFrom('\n', '\r\n', '\r')
  fc.assert(
    fc.property(fc.array(message), end, fc.array(fc.nat(400)), (messages, newline, cuts) => {
      const expected: Told[] = []
      let last: string | undefined
      let text = ''
      for (const { id, type, lines, comment } of messages) {
        if (comment !== undefined) text += `:${comment}${newline}`
        if (id !== undefined) text += `id: ${id}${newline}`
        if (type !== undefined) text += `event: ${type}${newline}`
        for (const each of lines) text += `data: ${each}${newline}`
        text += newline
        last = id ?? last
        if (last !== undefined) expected.push({ id: last })
        expected.push({ type: type ?? 'message', data: lines.join('\n') })
      }
      deepEqual(read(text, cuts), expected)
    }),
    { numRuns: 500 },
  )
})

test('sseReader() does not keep an event without an end', () => {
  const reader = sseReader({ onId() {}, onMessage() {} })
  const much = Buffer.from('x'.repeat(100_000))
  throws(() => {
    for (let i = 0; i < 20; i++) reader.feed(much)
  }, /larger than 1 MiB/)
  const lines = sseReader({ onId() {}, onMessage() {} })
  throws(() => {
    for (let i = 0; i < 20; i++) lines.feed(Buffer.from(`data: ${'y'.repeat(100_000)}\n`))
  }, /larger than 1 MiB/)
  equal(read('data: x\n\n'.repeat(10)).length, 10)
})
