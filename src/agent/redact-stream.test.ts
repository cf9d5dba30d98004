import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type NamedValue, redactStream } from './redact-stream.ts'

/** What comes out, and the most that was held back on the way. */
async function pass(values: readonly NamedValue[], chunks: readonly (string | Buffer)[]) {
  const stream = redactStream(values)
  const out: Buffer[] = []
  stream.on('data', (chunk: Buffer) => out.push(chunk))
  const done = new Promise((resolve) => stream.on('end', resolve))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await done
  return Buffer.concat(out).toString()
}

const one: NamedValue[] = [{ value: 'hunter2-ä-secret', name: 'PW' }]

test('redactStream() finds a value split at every offset, into two and into three', async () => {
  const text = Buffer.from('user=app password=hunter2-ä-secret;')
  const want = 'user=app password=[redacted PW];'
  for (let i = 0; i <= text.length; i++) {
    equal(await pass(one, [text.subarray(0, i), text.subarray(i)]), want)
    for (let j = i; j <= text.length; j += 3) {
      equal(await pass(one, [text.subarray(0, i), text.subarray(i, j), text.subarray(j)]), want)
    }
  }
  const bytes = Array.from(text, (_byte, i) => text.subarray(i, i + 1))
  equal(await pass(one, bytes), want)
})

test('redactStream() holds back what may become a value, and nothing else', async () => {
  const stream = redactStream(one)
  const seen: string[] = []
  stream.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
  const write = async (text: string) => {
    stream.write(text)
    await new Promise((resolve) => setImmediate(resolve))
    return seen.splice(0).join('')
  }
  equal(await write('Password: '), 'Password: ')
  equal(await write('got hunt'), 'got ')
  equal(await write('ing'), 'hunting')
  equal(await write('hunter2-'), '')
  stream.end()
  await new Promise((resolve) => stream.on('end', resolve))
  equal(seen.join(''), 'hunter2-')
})

test('redactStream() takes the longer of two values, and both when they overlap', async () => {
  const values = [
    { value: 'abcd', name: 'A' },
    { value: 'abcdef', name: 'B' },
    { value: 'efgh', name: 'C' },
  ]
  equal(await pass(values, ['x abcd x']), 'x [redacted A] x')
  equal(await pass(values, ['x abcd', 'ef x']), 'x [redacted B] x')
  equal(await pass(values, ['x abcdef', 'gh x']), 'x [redacted B] x')
  equal(await pass([{ value: 'aaaa', name: 'A' }], ['aaa', 'aaaa', 'aaab']), '[redacted A]b')
})

test('redactStream() leaves values of three characters, and bytes that are no text', async () => {
  equal(await pass([{ value: '443', name: 'PORT' }], ['port 443']), 'port 443')
  const stream = redactStream(one)
  const raw = Buffer.from([0xff, 0x00, 0xc3, 0x28, 0x80])
  stream.end(raw)
  ok(Buffer.concat(await stream.toArray()).equals(raw))
})

test('redactStream() gives the same for every way to cut, and no value in it', async () => {
  const piece = fc.constantFrom('ab', 'aba', 'abab', 'c', 'abcab', '-')
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 20 }),
      async (pieces, sizes) => {
        const values = [
          { value: 'ababa', name: '1' },
          { value: 'abcab', name: '2' },
          { value: 'bcabc', name: '3' },
        ]
        const text = pieces.join('')
        const chunks: string[] = []
        let rest = text
        for (const size of sizes) {
          chunks.push(rest.slice(0, size))
          rest = rest.slice(size)
        }
        const cut = await pass(values, [...chunks, rest])
        equal(cut, await pass(values, [text]))
        for (const { value } of values) ok(!cut.includes(value))
      },
    ),
  )
})
