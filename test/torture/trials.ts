/**
 * The long tests by their numbers. Each has its control: the same test on a server with a defect,
 * which it must find, or its silence says nothing.
 */
import { bitRot } from './bit-rot.ts'
import { cannotInject, diskErrors } from './disk-errors.ts'
import { diskFull } from './disk-full.ts'
import { EARLY, killLoop } from './kill-loop.ts'
import { leakHunt } from './leak-hunt.ts'
import { newHome, open } from './process.ts'
import { races } from './race.ts'
import { type Ask, recordHistories, violations, withStaleRead } from './registers.ts'
import { seeded } from './seeded.ts'
import { cannotMount } from './small-disks.ts'

export type Asked = { seed: number; kills: number; writes: number; tell: (text: string) => void }
export type Outcome = { pass: boolean; numbers: object }
export type Trial = {
  readonly id: string
  readonly about: string
  /** Why this machine cannot run it. */
  cannot?(): string | undefined
  run(asked: Asked): Promise<Outcome>
}

/** Findings shown in a result; all are counted. */
const SHOWN = 5
const few = (sentences: readonly string[]) => sentences.slice(0, SHOWN)

async function killed({ seed, kills, writes, tell }: Asked): Promise<Outcome> {
  const control = await killLoop({
    kills: 1,
    writes: 400,
    seed,
    launchOf: () => ({ program: EARLY }),
  })
  const launchOf = (round: number) => ({ workers: 1 + (round % 2) })
  const found = await killLoop({ kills, writes, seed, launchOf, tell })
  const { lost, half, ...counts } = found
  const numbers = {
    ...counts,
    lost: lost.length,
    half: half.length,
    lostByControl: control.lost.length,
    findings: few([...lost, ...half]),
  }
  const clean = lost.length === 0 && half.length === 0 && counts.refused === 0
  return { pass: clean && control.lost.length > 0, numbers }
}

async function ioErrors({ seed, tell }: Asked): Promise<Outcome> {
  const { lost, half, wrong, ...counts } = await diskErrors({ runs: 30, seed, tell })
  const findings = [...lost, ...half, ...wrong]
  // An error that was never met tests nothing.
  const pass = findings.length === 0 && counts.hit >= counts.runs * 0.8
  return {
    pass,
    numbers: { ...counts, lost: lost.length, half: half.length, findings: few(findings) },
  }
}

async function noSpace({ seed }: Asked): Promise<Outcome> {
  const { lost, half, wrong, ...counts } = await diskFull({ seed })
  const findings = [...lost, ...half, ...wrong]
  const numbers = { ...counts, lost: lost.length, half: half.length, findings: few(findings) }
  return { pass: findings.length === 0, numbers }
}

async function rotten({ seed, tell }: Asked): Promise<Outcome> {
  const { wrong, ...counts } = await bitRot({ flips: 500, swaps: 200, replays: 50, seed, tell })
  const numbers = { ...counts, wrong: wrong.length, findings: few(wrong) }
  return { pass: wrong.length === 0 && counts.swapsRefused === counts.swaps, numbers }
}

const METHODS = { read: 'GET', write: 'POST', delete: 'DELETE' } as const
const OPERATIONS = 40_000
const BATCH = 4_000

async function linearizable({ seed, tell }: Asked): Promise<Outcome> {
  const random = seeded(seed)
  const coffer = await open(newHome(), { workers: 2 })
  const clients = Array.from({ length: 16 }, () => coffer.client(1))
  const asks = clients.map((client): Ask => {
    return (verb, path, body) => client.ask(METHODS[verb], path, body)
  })
  const numbers = { operations: 0, violations: 0, staleReads: 0, staleReadsFound: 0 }
  const findings: string[] = []
  for (let batch = 0; batch < OPERATIONS / BATCH; batch++) {
    // Names of its own for each batch: the histories begin with nothing.
    const named = asks.map(
      (ask): Ask =>
        (verb, path, body) =>
          ask(verb, `${path}-${batch}`, body),
    )
    const histories = await recordHistories({ asks: named, operations: BATCH, keys: 20, random })
    findings.push(...violations(histories))
    for (const [key, history] of histories) {
      numbers.operations += history.length
      const stale = withStaleRead(history, random)
      if (!stale) continue
      numbers.staleReads++
      numbers.staleReadsFound += violations(new Map([[key, stale]])).length
    }
    tell(`${numbers.operations} operations, ${findings.length} violations`)
  }
  for (const client of clients) client.close()
  await coffer.kill()
  numbers.violations = findings.length
  const found = numbers.staleReads > 0 && numbers.staleReads === numbers.staleReadsFound
  return {
    pass: findings.length === 0 && found,
    numbers: { ...numbers, findings: few(findings) },
  }
}

async function exactlyOnce({ tell }: Asked): Promise<Outcome> {
  tell('100 rounds of 50 racers')
  const coffer = await open(newHome(), { workers: 2 })
  const { wrong, ...counts } = await races(coffer, 100)
  await coffer.kill()
  const numbers = { ...counts, wrong: wrong.length, findings: few(wrong) }
  return { pass: wrong.length === 0, numbers }
}

const CANARIES = 10_000

async function hunted({ seed, tell }: Asked): Promise<Outcome> {
  const { hits, ...counts } = await leakHunt({ canaries: CANARIES, seed, tell })
  const numbers = { ...counts, hits: hits.length, findings: few(hits) }
  return { pass: hits.length === 0 && counts.controlsFound === counts.controls, numbers }
}

export const TRIALS: readonly Trial[] = [
  { id: 'T01', about: 'kill -9 during acknowledged writes', run: killed },
  { id: 'T03', about: 'errors of the disk', cannot: cannotInject, run: ioErrors },
  { id: 'T04', about: 'no space left', cannot: cannotMount, run: noSpace },
  { id: 'T05', about: 'flipped bits and swapped values', run: rotten },
  { id: 'T07', about: 'linearizability over two workers', run: linearizable },
  { id: 'T12', about: 'what can be used once, raced for', run: exactlyOnce },
  { id: 'T23', about: 'canaries in what the server, client and commands write', run: hunted },
]
