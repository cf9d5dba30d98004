/**
 * Rotations on real targets under one seed: each is hit by one fault, while apps and readers open new
 * connections all the time. Rotations of different targets run at the same time, so a death that was
 * meant for one of them meets the others wherever they are.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Seeded, seeded } from '../seeded.ts'
import type { Failed, Load } from './app.ts'
import { http } from '../../support/http-api.ts'
import { startVictim, type Victim } from './coffer.ts'
import { type Crowd, startCrowd } from './load.ts'
import { type Asked, type Fault, faultsOf, nameOf, type TargetName } from './points.ts'
import { type Login, type RealTarget, startTarget } from './targets.ts'

export type TortureOptions = {
  runs: number
  seed: number
  targets: readonly TargetName[]
  /** Processes that follow, and that only read. */
  apps?: number
  readers?: number
  /** Between two connections of one process to one target. */
  pauseMs?: number
  /** One user, its password changed and then stored, as most do it: must be found out. */
  control?: boolean
  tell?: (text: string) => void
}

export type TortureResult = {
  runs: number
  /** By name; and how many there were of each. */
  faults: Map<string, number>
  /** Those whose point was not come by. */
  notStruck: readonly string[]
  generations: number
  deaths: number
  logins: number
  failed: readonly Failed[]
  /** What must never be, besides a failed login. */
  wrong: string[]
  seconds: number
}

type Status = {
  state: string
  phase: string
  hold_reason: string
  hold_note: string
  trouble: string
  generation: number
  previous_generation: number
  candidate_generation: number
  history: { generation: number }[]
  holders: {
    kind: string
    name: string
    app: string
    state: string
    generation: number
    blocks: boolean
  }[]
}

const SETTLED_MS = 60_000
const POLICY = `path "database/static-creds/*" { capabilities = ["read"] }`
const pathOf = (target: TargetName) => `database/static-creds/${target}`

export async function tortureRotation(options: TortureOptions): Promise<TortureResult> {
  const from = performance.now()
  const { runs, seed, targets: names, control = false, tell = () => {} } = options
  const random = seeded(seed)
  await using open = new AsyncDisposableStack()
  const targets = await Promise.all(names.map(async (name) => open.use(await startTarget(name))))
  const wrong: string[] = []
  const notStruck: string[] = []
  const faults = new Map<string, number>()
  /** What has not struck yet: a server that was killed by another one is told again. */
  const pending = new Map<TargetName, Fault>()

  const onAsked = async (asked: Asked): Promise<void> => {
    if (asked.what === 'applying') {
      const path = `sys/coffer/rotate/rollback/${pathOf(asked.target)}`
      // Once: after a death it would be another rotation's.
      http(victim.address, { token: victim.rootToken })
        .write(path)
        .catch(() => {})
      // The answer waits for the step that waits for us; that it was written down is enough.
      await sleep(100)
      return
    }
    const { fault } = asked
    if (asked.what === 'proxy')
      return targets.find(({ name }) => name === fault.target)?.proxy.strike(fault)
    pending.delete(fault.target)
    faults.set(nameOf(fault), (faults.get(nameOf(fault)) ?? 0) + 1)
  }
  const victim = open.use(await startVictim(onAsked))
  const again = setInterval(() => rearm(), 20)
  open.defer(() => clearInterval(again))
  let known = 0
  function rearm(): void {
    if (known === victim.deaths) return
    known = victim.deaths
    for (const fault of pending.values()) victim.arm(fault)
  }

  await setUp(victim, targets, control)
  const crowd = await startCrowd(await loadsOf(victim, targets, options))
  open.defer(() => crowd.stop())
  const decks = new Map(names.map((name) => [name, deck(name, random)]))
  const parts = { victim, crowd, pending, notStruck, wrong, control }
  // The first one also ends the login that the app began with.
  await Promise.all(targets.map((target) => oneRun({ ...parts, target })))
  let done = 0
  while (done < runs && wrong.length === 0 && crowd.failed.length === 0) {
    const now = targets.slice(0, runs - done)
    await Promise.all(
      now.map((target) => oneRun({ ...parts, target, fault: decks.get(target.name)!() })),
    )
    done += now.length
    tell(`${done} runs, ${victim.deaths} deaths, ${crowd.failed.length} logins failed`)
  }
  const logins = await crowd.logins()
  let generations = 0
  for (const { name } of targets) generations += (await statusOf(victim, name)).generation
  return {
    runs: done,
    faults,
    notStruck,
    generations,
    deaths: victim.deaths,
    logins,
    failed: crowd.failed,
    wrong,
    seconds: Math.round((performance.now() - from) / 100) / 10,
  }
}

async function done(
  victim: Victim,
  path: string,
  body: unknown = {},
): Promise<Record<string, unknown>> {
  const answer = await victim.ask((api) => api.write(path, body))
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`)
  return answer.body
}

async function setUp(victim: Victim, targets: readonly RealTarget[], control: boolean) {
  await done(victim, 'sys/mounts/database', { type: 'database' })
  await done(victim, 'sys/policies/acl/app', { policy: POLICY })
  for (const { name, config } of targets) {
    await done(victim, `database/config/${name}`, { allowed_roles: '*', ...config })
    await done(victim, `database/static-roles/${name}`, {
      db_name: name,
      username: 'app',
      rotation_period: '24h',
      ...(control && { rotation_strategy: 'single', accept_gap: true }),
    })
  }
}

async function loadsOf(
  victim: Victim,
  targets: readonly RealTarget[],
  { apps = 8, readers = 2, pauseMs = 300 }: TortureOptions,
): Promise<Load[]> {
  const ports = Object.fromEntries(targets.map(({ name, port }) => [name, port]))
  const one = async (kind: Load['kind'], n: number): Promise<Load> => {
    const made = await done(victim, 'auth/token/create', { policies: ['app'], ttl: '24h' })
    const { client_token: token } = made['auth'] as { client_token: string }
    return { kind, name: `${kind}-${n}`, address: victim.address, token, ports, pauseMs }
  }
  const loads: Load[] = []
  for (let n = 1; n <= apps; n++) loads.push(await one('app', n))
  for (let n = 1; n <= readers; n++) loads.push(await one('reader', n))
  return loads
}

/** All faults of a target in random order, and again. */
function deck(target: TargetName, random: Seeded): () => Fault {
  let cards: ReturnType<typeof faultsOf> = []
  return () => {
    if (cards.length === 0) cards = faultsOf(target)
    const [card] = cards.splice(random.below(cards.length), 1)
    const size = card!.how === 'drop' ? 1 + random.below(6) : 200 + random.below(1_200)
    return { ...card!, size, resumes: random.below(2) === 0 }
  }
}

type Run = {
  victim: Victim
  crowd: Crowd
  target: RealTarget
  fault?: Fault
  pending: Map<TargetName, Fault>
  notStruck: string[]
  wrong: string[]
  control: boolean
}

/** From one quiet moment to the next. */
async function oneRun(run: Run): Promise<void> {
  const { victim, crowd, target, fault, pending, notStruck, wrong, control } = run
  const { name } = target
  const about = fault
    ? `${nameOf(fault)} (${fault.size}${fault.resumes ? ', resumes' : ''})`
    : `${name}, no fault`
  const is = (what: string) => void wrong.push(`${about}: ${what}`)
  const missed = fault?.point === 'undoSoftRevoke'
  const before = await statusOf(victim, name)
  const old = await servedTo(victim, name)
  // The shortest that the API knows is a second; the server under test takes 3 for "longer".
  await done(victim, `database/static-roles/${name}`, { undo_window: missed ? 3 : 1 })
  if (fault) {
    pending.set(name, fault)
    victim.arm(fault)
  }
  await begin(victim, name, before.generation)
  let tried = false
  let lastRead = before.generation
  for (const end = Date.now() + SETTLED_MS; ; await sleep(40)) {
    if (control && crowd.failed.length > 0) return
    const now = await statusOf(victim, name)
    if (now.previous_generation > 0 && now.candidate_generation > 0) return is('two in flight')
    // The test has read it, so it is a holder as well, and lets go as one.
    if (now.generation !== lastRead) {
      await servedTo(victim, name)
      lastRead = now.generation
    }
    if (isSettled(now) && hasMoved(now, before, fault)) break
    if (missed && !tried && now.phase === 'SOFT_REVOKED' && !(await target.takes(old))) tried = true
    if (now.state === 'HELD' && now.hold_reason === 'refused' && !missed) {
      return is(`somebody was refused: ${now.hold_note}`)
    }
    if (now.state === 'HELD' && ['refused', 'apply', 'verify'].includes(now.hold_reason)) {
      await victim.ask((api) =>
        api.write(`sys/coffer/rotate/release/${pathOf(name)}`, { because: 'the test' }),
      )
    }
    if (Date.now() > end) {
      const blocking = now.holders.filter(({ blocks }) => blocks)
      return is(
        `does not converge: ${now.state} ${now.phase} ${now.hold_note} ${now.trouble}; held by ` +
          blocking.map((each) => Object.values(each).join(' ')).join(', '),
      )
    }
  }
  if (fault && pending.delete(name)) notStruck.push(nameOf(fault))
  if (control) return
  const served = await servedTo(victim, name)
  if (!(await target.takes(served))) is('what is served cannot log in')
  const ways = await target.waysIn()
  if (ways !== 1) is(`${ways} ways to log in are left`)
  const strangers = await target.strangers()
  if (strangers.length > 0) is(`users left on the target: ${strangers.join(', ')}`)
}

const isSettled = (now: Status): boolean =>
  now.state === 'IDLE' && now.previous_generation === 0 && now.candidate_generation === 0

/** A candidate that was to be discarded leaves nothing but its number. */
const hasMoved = (now: Status, before: Status, fault: Fault | undefined): boolean =>
  now.generation > before.generation || (fault?.point === 'discard' && lastOf(now) > lastOf(before))

const lastOf = ({ history }: Status) => Math.max(...history.map(({ generation }) => generation))

/** Asked until it is known to be taken up: the server may have died with the question. */
async function begin(victim: Victim, name: TargetName, generation: number): Promise<void> {
  for (;;) {
    const path = `sys/coffer/rotate/now/${pathOf(name)}`
    const answer = await victim.ask((api) => api.write(path, { wait: 'none' }))
    if (answer.status < 300 || answer.status === 409) return
    const now = await statusOf(victim, name)
    if (now.generation > generation || !isSettled(now)) return
    await sleep(50)
  }
}

async function statusOf(victim: Victim, name: TargetName): Promise<Status> {
  const path = `sys/coffer/rotate/status/${pathOf(name)}`
  for (;;) {
    const answer = await victim.ask((api) => api.read(path))
    if (answer.status === 200) return answer.body['data'] as Status
    await sleep(50)
  }
}

async function servedTo(victim: Victim, name: TargetName): Promise<Login> {
  for (;;) {
    const answer = await victim.ask((api) => api.read(pathOf(name)))
    if (answer.status === 200) {
      const { username, password } = answer.body['data'] as Login
      return { username, password }
    }
    await sleep(50)
  }
}
