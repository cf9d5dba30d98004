/**
 * T03: the disk says EIO, once or for ever, at a random sync or write. What was acknowledged before
 * stays, nothing is acknowledged that is not there, reads go on, and nobody crashes. The errors are
 * put in by strace, so only the server under test sees them.
 */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client } from './client.ts'
import { checkAccessors, checkRecord, type Findings, inParallel } from './ledger.ts'
import { type Coffer, newHome, open, within } from './process.ts'
import { type Seeded, seeded } from './seeded.ts'
import { type Writers, writers } from './writers.ts'

export type DiskErrorsResult = Findings & {
  runs: number
  /** Runs in which the error was met in time. */
  hit: number
  acked: number
  failed: number
  /** Sentences about acknowledgements after the end, refused reads and crashes. */
  wrong: string[]
}

/** Why it cannot be done here, or undefined. */
export function cannotInject(): string | undefined {
  const tried = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'])
  return tried.status === 0 ? undefined : 'needs strace, and the right to use it'
}

export type DiskErrors = { runs: number; seed: number; tell?: (text: string) => void }

export async function diskErrors({ runs, seed, tell }: DiskErrors): Promise<DiskErrorsResult> {
  const random = seeded(seed)
  const result: DiskErrorsResult = {
    runs,
    hit: 0,
    acked: 0,
    failed: 0,
    lost: [],
    half: [],
    wrong: [],
  }
  const work = writers(seed)
  const home = newHome()
  const first = await open(home)
  await first.root.ask('POST', 'secret/data/known', { data: { known: true } })
  await first.stop()
  for (let run = 0; run < runs; run++) {
    const fault = faultOf(random, run)
    const coffer = await open(home, { through: straceWith(fault.inject) })
    await suffer(coffer, { fault, work, result })
    await coffer.kill()
    const healthy = await open(home)
    const root = healthy.root
    await inParallel(work.records, (record) => checkRecord(root, record, result))
    await checkAccessors(root, result)
    root.close()
    await healthy.stop()
    tell?.(`run ${run + 1}/${runs}: ${fault.inject}, ${result.hit} hit, ${result.lost.length} lost`)
  }
  result.acked = work.counts.acked
  result.failed = work.counts.unknown
  return result
}

type Fault = { inject: string; forever: boolean }

/** Half of them at a sync, half at a write; half of each for ever. */
function faultOf(random: Seeded, run: number): Fault {
  const forever = run % 4 >= 2
  const sync = run % 2 === 0
  const calls = sync ? 'fsync,fdatasync' : 'pwrite64'
  const when = sync ? 10 + random.below(40) : 60 + random.below(200)
  return { inject: `${calls}:error=EIO:when=${when}${forever ? '+' : ''}`, forever }
}

function straceWith(inject: string): string[] {
  const calls = inject.slice(0, inject.indexOf(':'))
  const quiet = ['strace', '-f', '-qq', '-o', '/dev/null']
  return [...quiet, '-e', `trace=${calls}`, '-e', `inject=${inject}`]
}

type Suffering = { fault: Fault; work: Writers; result: DiskErrorsResult }

async function suffer(coffer: Coffer, { fault, work, result }: Suffering): Promise<void> {
  const { counts } = work
  const before = counts.unknown
  const ended = { byItself: false }
  void coffer.exited.then(() => (ended.byItself = true))
  const writing = work.run(coffer, Infinity, () => {})
  const hit = await within(15_000, () => counts.unknown > before || ended.byItself)
  if (hit) result.hit++
  // What was under way when the error came may still be answered.
  await sleep(300)
  const acked = counts.acked
  const reader = coffer.client(1)
  for (let i = 0; i < 20 && !ended.byItself; i++) await readOn(reader, { fault, result })
  await sleep(500)
  reader.close()
  if (ended.byItself) result.wrong.push(`${fault.inject}: the server ended by itself`)
  const later = counts.acked - acked
  if (hit && fault.forever && later > 0) {
    result.wrong.push(`${fault.inject}: ${later} acknowledged though no write can be durable`)
  }
  if (hit && !fault.forever && later === 0) {
    result.wrong.push(`${fault.inject}: nothing is written any more after one error`)
  }
  await coffer.kill()
  await writing
}

async function readOn(reader: Client, { fault, result }: Pick<Suffering, 'fault' | 'result'>) {
  const { status } = await reader.ask('GET', 'secret/data/known')
  if (status !== 200) result.wrong.push(`${fault.inject}: a read was answered with ${status}`)
}
