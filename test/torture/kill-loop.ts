/**
 * T01: SIGKILL in the middle of acknowledged writes, again and again on the same data. After each
 * restart everything that was acknowledged is there, and what was under way is wholly there or not.
 * (It proves nothing about power cuts: what the kernel has been given survives the process.)
 */
import { join } from 'node:path'
import { checkAccessors, checkRecord, type Findings, inParallel } from './ledger.ts'
import { type Coffer, type Home, type Launch, newHome, open, ROOT_FOLDER } from './process.ts'
import { writers } from './writers.ts'

/** The control: a server that acknowledges before the write is on disk. */
export const EARLY = [
  process.execPath,
  '--no-warnings',
  join(ROOT_FOLDER, 'test', 'torture', 'early-server.ts'),
]

export type KillLoop = {
  kills: number
  /** Acknowledged writes before each kill. */
  writes: number
  seed: number
  /** How the server of this round is started. */
  launchOf?: (round: number) => Launch
  tell?: (text: string) => void
}

export type KillResult = Findings & {
  kills: number
  acked: number
  /** Asked for, never answered. */
  unknown: number
  refused: number
  restartP95Ms: number
}

export async function killLoop(options: KillLoop): Promise<KillResult> {
  const { kills, writes, seed, launchOf = () => ({}), tell } = options
  const home = newHome()
  const work = writers(seed)
  const findings: Findings = { lost: [], half: [] }
  const restarts: number[] = []
  let coffer = await open(home, launchOf(0))
  let known = 0
  for (let round = 1; round <= kills; round++) {
    let killed: Promise<void> | undefined
    const running = coffer
    await work.run(running, writes, () => {
      killed = running.kill()
    })
    await killed
    coffer = await restart(home, launchOf(round), restarts)
    // What was settled in earlier rounds is looked at once more at the end.
    const last = round === kills
    await check(coffer, last ? work.records : recent(work.records, known), findings)
    known = work.records.length
    tell?.(
      `kill ${round}/${kills}: ${work.counts.acked} acknowledged, ${findings.lost.length} lost`,
    )
  }
  await coffer.kill()
  const { acked, unknown, refused } = work.counts
  restarts.sort((a, b) => a - b)
  const restartP95Ms = Math.round(restarts[Math.ceil(restarts.length * 0.95) - 1] ?? 0)
  return { ...findings, kills, acked, unknown, refused, restartP95Ms }
}

async function restart(home: Home, options: Launch, restarts: number[]): Promise<Coffer> {
  const from = performance.now()
  const coffer = await open(home, options)
  restarts.push(performance.now() - from)
  return coffer
}

/** Keys and policies change in every round; of the tokens, those made or touched in this one. */
function recent<T extends { kind: string; ending?: string }>(records: T[], known: number): T[] {
  return records.filter((r, i) => r.kind !== 'token' || i >= known || r.ending === 'asked')
}

async function check(
  coffer: Coffer,
  records: Parameters<typeof checkRecord>[1][],
  findings: Findings,
): Promise<void> {
  const client = coffer.root
  await inParallel(records, (record) => checkRecord(client, record, findings))
  await checkAccessors(client, findings)
  client.close()
}
