import { deepEqual, equal, rejects } from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { type Io } from './io.ts'
import { printer } from './output/printer.ts'
import { askHidden, keyFrom } from './prompt.ts'
import { type Settings } from './settings.ts'

/** A terminal that is not there: it remembers its modes, and types what the test says. */
function terminal(interactive = true) {
  const modes: boolean[] = []
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (on: boolean) => modes.push(on),
  })
  let shown = ''
  const sink = { write: (text: string) => (shown += text) }
  const io: Io = { env: {}, stdin, stdout: sink, stderr: sink, home: '/' }
  const settings = { interactive, color: false, format: 'table' } as Settings
  const at = { io, settings, out: printer(io, settings) }
  const type = (text: string) => setImmediate(() => stdin.write(text))
  return { at, modes, type, shown: () => shown }
}

test('askHidden() shows the question and never the answer', async () => {
  const { at, modes, type, shown } = terminal()
  type('hunt')
  type('er2\r')
  equal(await askHidden(at, 'Unseal Key'), 'hunter2')
  equal(shown(), 'Unseal Key (will be hidden): \n')
  deepEqual(modes, [true, false])
})

test('askHidden() lets a slip be taken back', async () => {
  const { at, type } = terminal()
  type('hunterx\u007fy\b2\n')
  equal(await askHidden(at, 'Password'), 'hunter2')
})

test('askHidden() ends at control-C, and gives the terminal back', async () => {
  const { at, modes, type } = terminal()
  type('hunt\u0003')
  await rejects(askHidden(at, 'Password'), /user canceled/)
  deepEqual(modes, [true, false])
})

test('askHidden() does not ask where it may not', async () => {
  const { at, shown } = terminal(false)
  await rejects(askHidden(at, 'Password'), /Password is missing, and -non-interactive forbids/)
  equal(shown(), '')
})

test('keyFrom() takes an argument, standard input for -, or asks', async () => {
  const { at, type, shown } = terminal()
  equal(await keyFrom(at, ' key ', 'Key'), 'key')
  equal(shown(), '')
  type('typed\n')
  equal(await keyFrom(at, undefined, 'Key'), 'typed')
})
