/**
 * `npm run soak`: a login of a real PostgreSQL is rotated every two seconds, by the server as
 * it is, while apps open new connections through the adapters, and readers read and log in.
 *
 *   npm run soak -- --minutes 3
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { NO_POSTGRES, startPostgres } from '../../support/postgres.ts'
import { rotatingServer, type RotatingServer } from '../../support/rotating-server.ts'
import type { Load } from './app.ts'
import { startCrowd } from './load.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    every: { type: 'string', default: '2' },
    apps: { type: 'string', default: '8' },
    pause: { type: 'string', default: '100' },
  },
})
const [minutes, every, apps, pauseMs] = [
  values.minutes,
  values.every,
  values.apps,
  values.pause,
].map(Number) as [number, number, number, number]
if (![minutes, every, apps, pauseMs].every((each) => each > 0)) {
  console.error('--minutes, --every, --apps and --pause must be above zero')
  process.exit(2)
}
if (NO_POSTGRES) {
  console.error(NO_POSTGRES)
  process.exit(2)
}

async function loadsOf(at: RotatingServer, port: number): Promise<Load[]> {
  const loads: Load[] = []
  for (let n = 1; n <= apps + 2; n++) {
    const kind = n <= apps ? 'app' : 'reader'
    const token = await at.appToken()
    const own = { address: at.server.address, token, role: 'app', ports: { postgres: port } }
    loads.push({ kind, name: `${kind}-${n}`, pauseMs, ...own })
  }
  return loads
}

/** MiB that a process has in memory. */
const memoryOf = (pid: number): number =>
  Math.round(
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
  )

await using postgres = await startPostgres(['log_statement=ddl', 'log_connections=off'])
await using at = await rotatingServer(postgres, { quiet: 0, undo_window: 0 })
const crowd = await startCrowd(await loadsOf(at, postgres.port))
const begin = performance.now()
const end = begin + minutes * 60_000
const memory: number[] = []
let [rotations, held] = [0, 0]
const took: number[] = []
while (performance.now() < end) {
  const from = performance.now()
  const answer = await at.rotate()
  if (answer.status < 300) {
    rotations++
    await at.until(({ state }) => state === 'IDLE')
    took.push(performance.now() - from)
  } else if (answer.status === 409) held++
  else throw new Error(`${answer.status} ${answer.text}`)
  if (rotations % 10 === 0) memory.push(memoryOf(at.server.pid))
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${rotations} rotations, ${crowd.failed.length} failed`)
  }
  await sleep(Math.max(0, from + every * 1000 - performance.now()))
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
const logins = await crowd.logins()
const failed = [...crowd.failed]
await crowd.stop()
const sorted = took.toSorted((a, b) => a - b)
const share = (part: number) => Math.round(sorted[Math.floor((sorted.length - 1) * part)] ?? 0)
for (const each of failed.slice(0, 20)) console.log(`failed: ${each.who}: ${each.why}`)
console.log(
  JSON.stringify({
    pass: failed.length === 0 && rotations > 0,
    minutes: Math.round((performance.now() - begin) / 600) / 100,
    rotations,
    held,
    rotationMs: { p50: share(0.5), p99: share(0.99), max: share(1) },
    logins,
    failed: failed.length,
    memoryMib: { first: memory[0], last: memory.at(-1) },
  }),
)
process.exitCode = failed.length === 0 ? 0 : 1
