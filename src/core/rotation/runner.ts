/**
 * Runs the machine. One node at a time has this duty; each change is made in a transaction that
 * reads its row. The rotations of each mount wait in lanes of their own, and each step on a target
 * has a time limit: a target that does not answer keeps nobody waiting but its own.
 *
 * What is to be done next is told by the store's index of due entries. Only the pauses between two
 * looks at the same holders are kept in memory.
 */
import { type Due, type Space, type Tx } from '../../barrier/space.ts'
import { type Clock } from '../../lib/clock.ts'
import { type Random } from '../../lib/random.ts'
import { duty } from '../duty.ts'
import { type Mounts } from '../mounts.ts'
import { type Home } from '../namespaces.ts'
import { type Tokens } from '../tokens.ts'
import { advancer, type RotationEvent } from './advance.ts'
import { idOfEntry, type RotationEntry, rotationKeys, storedAt } from './record.ts'

const POLL_MS = 1_000
const BATCH = 200
const WORKERS_MAX = 4
const LANE_MAX = 1_000
const BUG_PAUSE_MS = 60_000
/** How often a request looks whether another node has done what it waits for. */
const WAIT_MS = 250

export type RotationParts = {
  node: string
  clock: Clock
  random: Random
  space: () => Space | undefined
  mounts: Mounts
  tokens: Tokens
  log: (level: 'info' | 'warn' | 'error', text: string) => void
  /** Tells those who watch, in the transaction of the change. */
  emit: (tx: Tx, event: RotationEvent) => Promise<void> | void
}

export type Rotations = {
  start(): void
  stop(): void
  /** One pass: everything that is due now, to its end or its next pause. */
  pass(): Promise<void>
  /** Something has changed: it is looked at again without waiting for its pause to end. */
  wake(home: Home | undefined, id: string): void
  /**
   * Runs one until `done`, or it has to pause, or so many ms are over; the record as it is then. On
   * a node without the duty it waits for the one that has it.
   */
  run(of: Running): Promise<RotationEntry | undefined>
  /** Asks the target something for a person; changes nothing. */
  readonly ask: ReturnType<typeof advancer>['ask']
}

export type Running = {
  home: Home | undefined
  id: string
  done: (entry: RotationEntry) => boolean
  timeoutMs: number
  /** Pauses too are waited for. */
  patient?: boolean
}

type Lane = { jobs: RotationEntry[]; working: number; done: Promise<void>; finish: () => void }

export function rotations(parts: RotationParts): Rotations {
  const { clock, log } = parts
  const own = duty({ path: 'duty/rotation', ...parts })
  const { advance, ask } = advancer({ ...parts, duty: own })
  const lanes = new Map<string, Lane>()
  const taken = new Set<string>()
  const sleeping = new Map<string, number>()
  const busy = new Map<string, Promise<unknown>>()
  let cancel: (() => void) | undefined
  let sweeping = false

  const keyOf = (home: Home | undefined, id: string) => parts.space()?.keyOf(storedAt(home, id))

  /** One step at a time on one rotation, whoever asks for it. */
  async function step(home: Home | undefined, id: string) {
    const at = storedAt(home, id)
    const before = busy.get(at)
    const mine = (async () => {
      await before?.catch(() => {})
      return advance(home, id)
    })()
    busy.set(at, mine)
    try {
      return await mine
    } finally {
      if (busy.get(at) === mine) busy.delete(at)
    }
  }

  /** As far as it goes now. */
  async function drive(entry: RotationEntry): Promise<void> {
    const id = idOfEntry(entry)
    const key = keyOf(entry.namespace, id)
    for (;;) {
      if (!(await own.held())) return
      const outcome = await step(entry.namespace, id)
      if (outcome === 'gone' || outcome === 'lost') return
      if (typeof outcome === 'string') continue
      if (key) sleeping.set(key, clock.now() + outcome.pause)
      return
    }
  }

  async function work(mount: string, lane: Lane): Promise<void> {
    for (let job = lane.jobs.shift(); job; job = lane.jobs.shift()) {
      const key = keyOf(job.namespace, idOfEntry(job))
      try {
        await drive(job)
      } catch (error) {
        const trouble = error instanceof Error ? error.message : 'unknown trouble'
        log('error', `rotation of ${job.path} could not go on: ${trouble}`)
        if (key) sleeping.set(key, clock.now() + BUG_PAUSE_MS)
      }
      if (key) taken.delete(key)
    }
    if (--lane.working > 0) return
    lanes.delete(mount)
    lane.finish()
  }

  function take({ key, value }: Due): void {
    const entry = value as RotationEntry | undefined
    if (!entry) {
      log('error', `the record ${key} of a rotation is due and cannot be read`)
      sleeping.set(key, clock.now() + 60 * BUG_PAUSE_MS)
      return
    }
    let lane = lanes.get(entry.mount)
    if (!lane) {
      const { promise, resolve } = Promise.withResolvers<void>()
      lane = { jobs: [], working: 0, done: promise, finish: resolve }
      lanes.set(entry.mount, lane)
    }
    if (lane.jobs.length >= LANE_MAX) return
    taken.add(key)
    lane.jobs.push(entry)
    if (lane.working >= WORKERS_MAX) return
    lane.working++
    void work(entry.mount, lane)
  }

  async function sweep(): Promise<number> {
    const space = parts.space()
    if (!space) return 0
    const now = clock.now()
    for (const [key, until] of sleeping) if (until <= now) sleeping.delete(key)
    const wanted = await rotationKeys(space)
    const skip = taken.union(new Set(sleeping.keys()))
    const found = await space.due(now, { limit: BATCH, skip, wanted })
    // A server without rotations writes nothing for them, not even whose duty they would be.
    if (found.length === 0 || !(await own.held())) return 0
    for (const each of found) take(each)
    return found.length
  }

  async function tick(): Promise<void> {
    if (sweeping) return
    sweeping = true
    try {
      await sweep()
    } catch (error) {
      log('error', `rotation: ${error instanceof Error ? error.message : 'unknown trouble'}`)
    } finally {
      sweeping = false
    }
  }

  function schedule(): void {
    cancel = clock.after(POLL_MS, () => {
      void tick()
      schedule()
    })
  }

  function wake(home: Home | undefined, id: string): void {
    const key = keyOf(home, id)
    if (key) sleeping.delete(key)
  }

  const pauseOf = (ms: number) => new Promise<void>((go) => void clock.after(ms, go))

  return {
    ask,
    wake,
    start() {
      if (!cancel) schedule()
    },
    stop() {
      cancel?.()
      cancel = undefined
    },
    async pass() {
      const idle = () => Promise.all([...lanes.values()].map(({ done }) => done))
      do await idle()
      while ((await sweep()) > 0)
      await idle()
    },
    async run({ home, id, done, timeoutMs, patient = false }) {
      const until = clock.now() + timeoutMs
      wake(home, id)
      for (;;) {
        const entry = await ask.entry(home, id)
        if (!entry || done(entry) || clock.now() >= until) return entry
        if (!(await own.held())) {
          await pauseOf(WAIT_MS)
          continue
        }
        const outcome = await step(home, id)
        if (outcome === 'gone') return undefined
        if (typeof outcome === 'string') continue
        if (!patient) return ask.entry(home, id)
        await pauseOf(Math.min(outcome.pause, Math.max(until - clock.now(), 1)))
      }
    },
  }
}
