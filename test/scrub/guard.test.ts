/** Everything a process can print by, with a guard in front of it: real processes, real loggers. */
import { equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

const VALUE = 'tr0ub4dor/&3-secret'
const LABEL = '[secret db#password v7]'
const DOOR = pathToFileURL('src/scrub/scrub.ts').href
const BASE = import.meta.url

type Ran = { code: number | null; out: string; err: string }

/** Runs a module whose first lines guard the process; `value` and `half` are there. */
async function guarded(body: string, options: { rules?: boolean } = {}): Promise<Ran> {
  const source = `
    import { createRequire } from 'node:module'
    import { createScrubber, guardProcess, scrubDestination, scrubFormat } from ${JSON.stringify(DOOR)}
    const require = createRequire(${JSON.stringify(BASE)})
    const value = ['tr0ub4dor/', '&3-secret'].join('')
    const [half, rest] = [value.slice(0, 9), value.slice(9)]
    const rules = ${options.rules ? '{ find: () => [] }' : 'undefined'}
    const scrubber = createScrubber({ values: [{ value, name: 'db#password v7' }], rules })
    const end = guardProcess(scrubber)
    ${body}`
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', source])
  let out = ''
  let err = ''
  child.stdout.on('data', (bytes: Buffer) => void (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => void (err += bytes.toString()))
  const code = await new Promise<number | null>((done) => child.on('close', done))
  return { code, out, err }
}

/** By what is printed: how, and where it must arrive. */
const WAYS: Record<string, [body: string, to: 'out' | 'err']> = {
  'console.log': ['console.log("a", value, "z")', 'out'],
  'console.error with an object': ['console.error({ a: { value } })', 'err'],
  'console.table': ['console.table([{ value }])', 'out'],
  'process.stdout.write, in two pieces': [
    'process.stdout.write(half); process.stdout.write(rest + "\\n")',
    'out',
  ],
  'process.stderr.write, with a callback and an encoding': [
    'process.stderr.write(Buffer.from(value).toString("base64") + "\\n", "utf8", () => {})',
    'err',
  ],
  'process.stdout.write of hex': [
    'process.stdout.write(Buffer.from(value).toString("hex"))',
    'out',
  ],
  'fs.writeSync(1)': ['require("fs").writeSync(1, value + "\\n")', 'out'],
  'fs.writeSync(1) of a part of a buffer': [
    'require("fs").writeSync(1, Buffer.from("ab" + value + "cd"), 2, value.length)',
    'out',
  ],
  'fs.write(2) in two pieces': [
    'const fs = require("fs"); fs.write(2, half, () => fs.write(2, rest, () => {}))',
    'err',
  ],
  'fs.writev': ['require("fs").writev(1, [Buffer.from(half), Buffer.from(rest)], () => {})', 'out'],
  'fs.writevSync': ['require("fs").writevSync(2, [Buffer.from(half), Buffer.from(rest)])', 'err'],
  'fs.writeFileSync(1)': ['require("fs").writeFileSync(1, value)', 'out'],
  'fs.appendFileSync of /dev/stderr': ['require("fs").appendFileSync("/dev/stderr", value)', 'err'],
  'a named import of fs': ['import { writeSync } from "node:fs"; writeSync(1, value)', 'out'],
  'a write stream on the descriptor': [
    'require("fs").createWriteStream(null, { fd: 1, autoClose: false }).write(value)',
    'out',
  ],
  'a warning of the process': ['process.emitWarning("bad " + value)', 'err'],
  'an uncaught error': ['throw new Error("bad " + value)', 'err'],
  'an uncaught error with a cause and fields': [
    'throw Object.assign(new Error("bad", { cause: new Error(value) }), { url: value })',
    'err',
  ],
  'an uncaught error that is no error': ['throw "bad " + value', 'err'],
  'a rejection that nobody handles': ['Promise.reject(new Error(value))', 'err'],
  'a worker that prints': [
    'new (require("worker_threads").Worker)("import { workerData } from \'node:worker_threads\'; console.log(workerData)", { eval: true, workerData: value })',
    'out',
  ],
  'a worker that writes to the descriptor': [
    'new (require("worker_threads").Worker)("import { workerData } from \'node:worker_threads\'; import { writeSync } from \'node:fs\'; writeSync(1, workerData)", { eval: true, workerData: value })',
    'out',
  ],
  pino: ['require("pino")().info({ nested: { value } }, "says " + value)', 'out'],
  'pino, synchronous': [
    'require("pino")(require("pino").destination({ fd: 2, sync: true })).error(value)',
    'err',
  ],
  winston: [
    'const w = require("winston"); w.createLogger({ transports: [new w.transports.Console()] }).info(value, { value })',
    'out',
  ],
}

for (const [way, [body, to]] of Object.entries(WAYS)) {
  test(`guardProcess() lets no secret out by ${way}`, async () => {
    const ran = await guarded(
      way === 'a warning of the process' ? `process.noDeprecation = false\n${body}` : body,
    )
    ok(!`${ran.out}${ran.err}`.includes('&3-secret'), `${ran.out}${ran.err}`)
    ok(!`${ran.out}${ran.err}`.includes(Buffer.from(VALUE).toString('base64')), ran.err)
    if (way === 'a warning of the process') return
    ok(ran[to].includes(LABEL), `${ran.out}|${ran.err}`)
    equal(ran.code, /uncaught|rejection/.test(way) ? 1 : 0)
  })
}

test('guardProcess() cleans what Node warns of', async () => {
  const source = `import { createScrubber, guardProcess } from ${JSON.stringify(DOOR)}
    const value = ['tr0ub4dor/', '&3-secret'].join('')
    guardProcess(createScrubber({ values: [{ value, name: 'w' }] }))
    process.emitWarning('bad ' + value)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source])
  let err = ''
  child.stderr.on('data', (bytes: Buffer) => void (err += bytes.toString()))
  await new Promise((done) => child.on('close', done))
  match(err, /Warning: bad \[secret w\]/)
  ok(!err.includes('&3-secret'))
})

test('guardProcess() keeps the order of what is printed, and loses nothing', async () => {
  const { out } = await guarded(`
    for (let i = 0; i < 2000; i++) {
      process.stdout.write(i + ' ' + half.slice(0, i % 10))
      console.log(' ' + (i % 7 === 0 ? value : ''))
    }`)
  const lines = out.split('\n').slice(0, -1)
  equal(lines.length, 2000)
  for (const [i, line] of lines.entries()) {
    equal(line, `${i} ${VALUE.slice(0, i % 10).slice(0, 9)} ${i % 7 === 0 ? LABEL : ''}`)
  }
})

test('guardProcess() prints a prompt without waiting for its end, and a line that never ends', async () => {
  const { out } = await guarded(
    `process.stdout.write('Name: ')
     setTimeout(() => process.stdout.write('t'), 50)
     setTimeout(() => {}, 400)`,
    { rules: true },
  )
  equal(out, 'Name: t')
})

test('guardProcess() is taken away whole', async () => {
  const { out } = await guarded(`
    const fs = require('fs')
    console.log(value)
    end()
    console.log(value.length, value.slice(0, 3))
    fs.writeSync(1, value.slice(0, 5))`)
  equal(out, `${LABEL}\n19 tr0\ntr0ub`)
})

test('scrubDestination() and scrubFormat() work without a guard', async () => {
  const { out } = await guarded(`
    end()
    const pino = require('pino')
    pino(scrubDestination(scrubber)).info({ deep: [{ value }] }, value)
    const w = require('winston')
    const format = w.format.combine(w.format.json(), scrubFormat(scrubber))
    const logger = w.createLogger({ format, transports: [new w.transports.Console()] })
    logger.info('says ' + value, { deep: [{ value }], error: new Error(value) })`)
  equal(out.split(LABEL).length - 1, 4, out)
  ok(!out.includes('&3-secret'))
})

test('the transport for pino cleans what comes through its thread', async () => {
  const target = new URL('../../src/scrub/pino-transport.ts', import.meta.url).href
  const { out } = await guarded(`
    end()
    const values = [{ value, name: 'db#password v7' }]
    const transport = { target: ${JSON.stringify(target)}, options: { values } }
    const logger = require('pino')({ transport })
    logger.info({ deep: { value } }, 'says ' + value)
    logger.info('token ghp' + '_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8')`)
  equal(out.split(LABEL).length - 1, 2, out)
  ok(!out.includes('&3-secret'))
})

test('a file that the process writes to by itself is left alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-guard-'))
  try {
    const file = join(folder, 'kept')
    const { code } = await guarded(`
      const fs = require('fs')
      fs.writeFileSync(${JSON.stringify(file)}, value)
      if (fs.readFileSync(${JSON.stringify(file)}, 'utf8') !== value) process.exit(3)`)
    equal(code, 0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
