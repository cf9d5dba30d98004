import { equal } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { test } from 'node:test'
import transport from './pino-transport.ts'

test('transport() is not finished before its last line is in the file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-transport-'))
  try {
    const destination = join(folder, 'log')
    const value = 'some-Value-77'
    const stream = transport({ values: [{ value, name: 'n' }], rules: false, destination })
    const lines = Array.from({ length: 2000 }, (_, i) => `line ${i} ${value}\n`)
    for (const line of lines) stream.write(line)
    stream.end()
    await finished(stream)
    const text = readFileSync(destination, 'utf8')
    equal(text, lines.join('').replaceAll(value, '[secret n]'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
