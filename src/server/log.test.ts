import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { lineLog, type LogOptions } from './log.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-log-'))
after(() => rmSync(dir, { recursive: true, force: true }))

function logged(options: Omit<LogOptions, 'fd'>, text: string): string {
  const file = join(dir, 'log')
  const fd = openSync(file, 'w')
  const log = lineLog({ ...options, fd })
  for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) log(level, text)
  closeSync(fd)
  return readFileSync(file, 'utf8')
}

test('lineLog() lets no text end a line, begin one, or talk to a terminal', () => {
  const hostile = 'a\nb\r2026-01-01 [INFO] root logged in\u2028c\x1b[2Jd\x07\x9be\x7f'
  const plain = logged({ level: 'error', format: 'standard' }, hostile)
  equal(plain.split('\n').length, 2)
  ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]/.test(plain))
  const [line, rest] = logged({ level: 'error', format: 'json' }, hostile).split('\n')
  equal(rest, '')
  equal((JSON.parse(line!) as Record<string, string>)['@message'], hostile)
})

test('lineLog() writes what is at least of its level, with the time', () => {
  const lines = logged({ level: 'warn', format: 'standard' }, 'hello').trimEnd().split('\n')
  equal(lines.length, 2)
  match(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z \[WARN\] hello$/)
  equal(logged({ level: 'trace', format: 'json' }, 'x').trimEnd().split('\n').length, 5)
})

test('endOnUncaught() ends the process and does not repeat what the error says', () => {
  const file = join(import.meta.dirname, 'log.ts')
  for (const how of [
    'setImmediate(() => { throw new RangeError(text) })',
    'void Promise.reject(new RangeError(text))',
    'setImmediate(() => { throw text })',
  ]) {
    const script = `
      import { endOnUncaught, lineLog } from '${file}'
      endOnUncaught(lineLog({ level: 'info', format: 'standard' }))
      const text = 'CANARY at x\\n    at CANARY (y:1:1)'
      ${how}
      setTimeout(() => console.log('still here'), 500)
    `
    const run = spawnSync(process.execPath, ['--input-type=module', '-'], {
      input: script,
      encoding: 'utf8',
    })
    deepEqual([run.status, run.stdout], [70, ''])
    match(run.stderr, /^\S+ \[ERROR\] uncaught (?:RangeError|Error): /)
    ok(!run.stderr.includes('CANARY'))
    equal(run.stderr.trimEnd().split('\n').length, 1)
  }
})
