import { deepEqual, equal, rejects } from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { type Io } from './io.ts'
import { readPairs, readTextPairs } from './pairs.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-pairs-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'value')

function from(stdin: string, interactive = true): { io: Io; interactive: boolean } {
  const sink = { write: () => true }
  const io = { env: {}, stdin: Readable.from([stdin]), stdout: sink, stderr: sink, home: '/' }
  return { io, interactive }
}

const wrong: [string[], RegExp][] = [
  [['hunter2'], /argument 1 must be key=value, @file or -$/],
  [['a=1', '=hunter2'], /argument 2 must be/],
  [['-'], /standard input is not JSON$/],
  [['a=-', 'b=-'], /standard input can be read only once$/],
  [
    ['a=@/nonexistent/hunter'],
    /cannot read the file "\/nonexistent\/hunter": there is no such file$/,
  ],
]
for (const [words, expected] of wrong) {
  test(`readPairs() refuses ${words.join(' ')}`, async () => {
    await rejects(readPairs(words, from('hunter2')), (error: Error) => {
      equal(expected.test(error.message), true, error.message)
      return !error.message.includes('hunter2')
    })
  })
}

test('readPairs() refuses JSON that is no object', async () => {
  for (const text of ['[1]', '"hunter2"', 'null', '1']) {
    await rejects(readPairs(['-'], from(text)), /standard input is not a JSON object/)
  }
})

test('readPairs() reads text, files and standard input', async () => {
  writeFileSync(file, 'from file\n')
  const words = ['a=1', 'b=x=y', `c=@${file}`, 'd=-', String.raw`e=\@home`, 'f=']
  const expected = { a: '1', b: 'x=y', c: 'from file\n', d: 'piped', e: '@home', f: '' }
  deepEqual(await readPairs(words, from('piped')), expected)
})

test('readPairs() keeps the numbers of JSON exact', async () => {
  const read = await readPairs(['-'], from('{"n":12345678901234567890,"f":1.10}'))
  equal(JSON.stringify(read), '{"n":12345678901234567890,"f":1.10}')
})

test('readPairs() reads a whole object from a file, and lets pairs add to it', async () => {
  writeFileSync(file, '{"a":1,"b":[true]}')
  deepEqual(await readPairs([`@${file}`, 'c=2'], from('')), { a: 1, b: [true], c: '2' })
})

test('readPairs() makes a list of a key that is given twice', async () => {
  deepEqual(await readPairs(['p=a', 'p=b', 'p=c'], from('')), { p: ['a', 'b', 'c'] })
})

test('readPairs() reads nothing from standard input where it may not', async () => {
  deepEqual(await readPairs(['a=-'], from('piped', false)), { a: '' })
})

test('readTextPairs() makes text of everything', async () => {
  const read = await readTextPairs(['-'], from('{"a":1,"b":{"c":true},"d":"x"}'))
  deepEqual(read, { a: '1', b: '{"c":true}', d: 'x' })
})
