/**
 * T04: no space left. Where the data lies: writes fail at once, reads go on, and writing comes back
 * with the space, without a restart. Where the audit log lies: nothing at all is answered that could
 * not be written there, until it can be again.
 */
import { readFileSync } from 'node:fs'
import { type Answer, at, type Client } from './client.ts'
import { checkAccessors, checkRecord, type Findings, inParallel } from './ledger.ts'
import { type Coffer, open, within } from './process.ts'
import { type SmallDisks, smallDisks } from './small-disks.ts'
import { writers } from './writers.ts'

export type DiskFullResult = Findings & {
  acked: number
  failed: number
  slowestRefusalMs: number
  writesBackMs: number
  refusedUnaudited: number
  /** Lines of the audit log that cannot be read: one may be cut off by the full disk. */
  brokenLines: number
  wrong: string[]
}

const ROOM = 256 * 1024

export async function diskFull({ seed }: { seed: number }): Promise<DiskFullResult> {
  const disks = await smallDisks()
  const result: DiskFullResult = {
    acked: 0,
    failed: 0,
    slowestRefusalMs: 0,
    writesBackMs: 0,
    refusedUnaudited: 0,
    brokenLines: 0,
    lost: [],
    half: [],
    wrong: [],
  }
  try {
    await fullData(disks, seed, result)
    await fullAudit(disks, result)
  } finally {
    disks.end()
  }
  return result
}

const options = ({ through }: SmallDisks) => ({ through, audit: true })

async function fullData(disks: SmallDisks, seed: number, result: DiskFullResult): Promise<void> {
  const { home, data } = disks
  const coffer = await open(home, options(disks))
  const probe = coffer.client(1)
  await probe.ask('POST', 'secret/data/known', { data: { known: true } })
  const work = writers(seed)
  data.fill(ROOM)
  const writing = work.run(coffer, Infinity, () => {})
  if (!(await within(20_000, () => work.counts.unknown > 20))) {
    result.wrong.push('the disk never became full')
  }
  await readAndRefuse(probe, result)
  data.empty()
  const from = performance.now()
  const wrote = async () => (await writeProbe(probe)).status === 200
  if (!(await within(5_000, wrote))) result.wrong.push('writes did not come back with the space')
  result.writesBackMs = Math.round(performance.now() - from)
  if (await hasEnded(coffer)) result.wrong.push('the server ended by itself')
  await coffer.kill()
  await writing
  probe.close()
  result.acked = work.counts.acked
  result.failed = work.counts.unknown

  const again = await open(home, options(disks))
  const { root } = again
  await inParallel(work.records, (record) => checkRecord(root, record, result))
  await checkAccessors(root, result)
  root.close()
  await again.kill()
}

const writeProbe = (client: Client) =>
  client.ask('POST', 'secret/data/probe', { data: { filler: 'x'.repeat(16_384) } })

/** On a full disk: 100 reads that work, and writes that are refused in no time. */
async function readAndRefuse(probe: Client, result: DiskFullResult): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const { status } = await probe.ask('GET', 'secret/data/known')
    if (status !== 200) result.wrong.push(`a read was answered with ${status}`)
  }
  for (let i = 0; i < 20; i++) {
    const from = performance.now()
    const { status } = await writeProbe(probe)
    result.slowestRefusalMs = Math.max(
      result.slowestRefusalMs,
      Math.round(performance.now() - from),
    )
    if (status < 500) result.wrong.push(`a write on a full disk was answered with ${status}`)
  }
  if (result.slowestRefusalMs > 1_000) result.wrong.push('a refusal took longer than a second')
}

async function hasEnded(coffer: Coffer): Promise<boolean> {
  return Promise.race([coffer.exited.then(() => true), Promise.resolve(false)])
}

async function fullAudit(disks: SmallDisks, result: DiskFullResult): Promise<void> {
  const { home, audit } = disks
  const coffer = await open(home, options(disks))
  const client = coffer.client(1)
  const path = 'secret/data/audited'
  const first = await client.ask('POST', path, { data: { secret: 'canary' } })
  audit.fill(0)
  const served: string[] = []
  const read = async () => {
    const answer = await client.ask('GET', path)
    if (answer.status === 200) served.push(answer.body['request_id'] as string)
    return answer
  }
  // The page that was begun takes a few lines more.
  if (!(await within(10_000, async () => (await read()).status === 500))) {
    result.wrong.push('the audit log never became full')
  }
  for (let i = 0; i < 30; i++) {
    const write = () => client.ask('POST', path, { data: { secret: `not ${i}` } })
    const answer = await (i % 2 === 0 ? read() : write())
    if (isSilent(answer)) result.refusedUnaudited++
    else result.wrong.push(`answered ${answer.status} without an audit entry`)
  }
  const health = await client.ask('GET', 'sys/seal-status')
  if (health.status !== 200) result.wrong.push(`seal-status answered ${health.status}`)
  audit.empty()
  const isBack = async () => (await read()).status === 200
  if (!(await within(5_000, isBack))) result.wrong.push('it did not come back with the space')
  const last = await read()
  if (at(last.body, 'data', 'metadata', 'version') !== at(first.body, 'data', 'version')) {
    result.wrong.push('a write that was refused is there')
  }
  client.close()
  await coffer.kill()
  checkLog(readFileSync(disks.reach(home.auditFile), 'utf8'), served, result)
}

const isSilent = ({ status, body }: Answer) =>
  status === 500 && at(body, 'data') === undefined && !JSON.stringify(body).includes('canary')

/** Every answer that was given has both of its lines, each of which can be read. */
function checkLog(log: string, served: readonly string[], result: DiskFullResult): void {
  const seen = new Set<string>()
  for (const line of log.split('\n').filter(Boolean)) {
    try {
      const entry = JSON.parse(line) as object
      seen.add(`${String(at(entry, 'type'))} ${String(at(entry, 'request', 'id'))}`)
    } catch {
      result.brokenLines++
    }
  }
  for (const id of served) {
    for (const type of ['request', 'response']) {
      if (!seen.has(`${type} ${id}`)) result.wrong.push(`an answer was given without its ${type}`)
    }
  }
  if (served.length < 2) result.wrong.push('too little was served to say anything')
}
