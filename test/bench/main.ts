/**
 * npm run bench: how fast coffer is, as ratios to a bare node:http reply on the same machine in the
 * same run, and to another Vault-compatible server where one is named.
 *
 *   npm run bench                                    3 rounds of 6 seconds
 *   npm run bench -- --seconds 10 --rounds 5 --workers 2 --json
 *   npm run bench -- --only login --connections 128
 *   BENCH_PEER_ADDR=http://127.0.0.1:8300 BENCH_PEER_TOKEN=… npm run bench
 *
 * Rounds of all subjects alternate, and the best of each counts: a neighbour on the machine can
 * only make things slower.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Ask, load, type Result } from './load.ts'
import { bareSubject, cofferSubject, peerSubject, type Prepared, type Subject } from './subjects.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '32' },
    workers: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
})
const WARM_UP_SECONDS = 3
const seconds = Number(values.seconds)
const connections = Number(values.connections)

type Row = {
  what: string
  who: string
  subject: Subject
  next: (n: number) => Ask
  best?: Result
  /** CPU time of the server's process for one answer, all threads; the least of all rounds. */
  cpuUs?: number
}

function rowsOf(who: string, prepared: Prepared): Row[] {
  const { subject, read, login, write, list } = prepared
  const row = (what: string, next: (n: number) => Ask): Row => ({
    what,
    who,
    subject,
    next,
  })
  return [
    row('kv v2 read', () => read),
    row('kv v2 write', write),
    row('approle login', () => login),
    row('kv v2 list (50)', () => list),
  ]
}

function rssMb(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined
  try {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kb === undefined ? undefined : Math.round(Number(kb) / 1024)
  } catch {
    return undefined
  }
}

/** User and system time of a process so far (proc(5), fields 14 and 15, in 10 ms ticks). */
function cpuMicroseconds(pid: number | undefined): number {
  if (pid === undefined) return 0
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10_000
  } catch {
    return 0
  }
}

const bare = await bareSubject()
const coffer = await cofferSubject(Number(values.workers))
const idleRssMb = rssMb(coffer.subject.pid)
const peerAddress = process.env['BENCH_PEER_ADDR']
const peer = peerAddress
  ? await peerSubject(peerAddress, process.env['BENCH_PEER_TOKEN'] ?? '')
  : undefined
const bareAsk: Ask = { method: 'GET', path: '/' }
const bareRow: Row = {
  what: 'bare node:http reply',
  who: 'bare',
  subject: bare,
  next: () => bareAsk,
}
const asked = [...rowsOf('coffer', coffer), ...(peer ? rowsOf('peer', peer) : [])]
const rows = [bareRow, ...asked.filter(({ what }) => what.includes(values.only))]
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const row of rows) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kround ${round}: ${row.who} ${row.what}`)
    const { target, pid } = row.subject
    // The first seconds are spent on compiling, on both sides.
    await load(target, row.next, { connections, seconds: WARM_UP_SECONDS })
    const before = cpuMicroseconds(pid)
    const result = await load(target, row.next, { connections, seconds })
    const cpuUs = (cpuMicroseconds(pid) - before) / result.done
    if (pid !== undefined && cpuUs < (row.cpuUs ?? Infinity)) row.cpuUs = cpuUs
    if (result.failed > 0)
      throw new Error(`${row.who} ${row.what}: ${result.failed} answers failed`)
    if (!row.best || result.perSecond > row.best.perSecond) row.best = result
  }
}
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
await Promise.all([bare.stop(), coffer.subject.stop()])

const top = bareRow.best!.perSecond
const table = rows.map(({ who, what, best, cpuUs }) => ({
  who,
  what,
  perSecond: Math.round(best!.perSecond),
  ofBare: best!.perSecond / top,
  ...(cpuUs && { cpuUs: Math.round(cpuUs * 10) / 10 }),
  p50Ms: best!.p50Ms,
  p99Ms: best!.p99Ms,
  ...(who === 'coffer' && peer && { ofPeer: best!.perSecond / peerOf(what) }),
}))

function peerOf(what: string): number {
  return rows.find((row) => row.who === 'peer' && row.what === what)!.best!.perSecond
}

if (values.json) {
  console.log(JSON.stringify({ connections, seconds, idleRssMb, rows: table }, null, 2))
} else {
  console.log(
    'who     what                    per second   of bare  cpu us   p50 ms   p99 ms  of peer',
  )
  for (const row of table) {
    const ofPeer = row.ofPeer === undefined ? '' : `${row.ofPeer.toFixed(2)}x`
    console.log(
      `${row.who.padEnd(8)}${row.what.padEnd(22)}${String(row.perSecond).padStart(12)}` +
        `${(row.ofBare * 100).toFixed(1)} %`.padStart(10) +
        `${(row.cpuUs?.toFixed(1) ?? '').padStart(8)}${row.p50Ms.toFixed(2).padStart(9)}` +
        `${row.p99Ms.toFixed(2).padStart(9)}${ofPeer.padStart(9)}`,
    )
  }
  console.log(
    `\n${connections} connections, file audit on, durable SQLite; RSS at the start ${idleRssMb} MB`,
  )
}
