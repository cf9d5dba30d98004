/**
 * The real server, killed and cut at named places: the database engine's steps go through a gate, and
 * so do the writes of the rotations' records. Its times are shorter than those of a server that is
 * used, all in proportion. It is told what to do by the process that started it, and ends with it.
 *
 *   server.ts <file of the store> <port>
 */
import { idOf, storedAt } from '../../../src/core/rotation/record.ts'
import { type Pace } from '../../../src/core/rotation/pace.ts'
import { type Core } from '../../../src/core/core.ts'
import { type Endpoint, type Engine } from '../../../src/kit/engine.ts'
import { type Reply, reply } from '../../../src/kit/reply.ts'
import { type RotationJob, type RotationKind } from '../../../src/kit/rotation.ts'
import database from '../../../src/secrets/database/engine.ts'
import { ENGINES } from '../../../src/server/builtin.ts'
import { lineLog } from '../../../src/server/log.ts'
import { openCore, serve } from '../../../src/server/server.ts'
import { type Around, gated } from '../../sim/rotation/gate.ts'
import { type Asked, type Fault, STEPS, type TargetName, type ToServer, WRITES } from './points.ts'

/** What is sent to a target may be held up for 1.5 s by the tests, and `settle` is longer. */
const PACE: Pace = {
  look: 50,
  holders: [50, 500],
  step: 800,
  settle: 1_800,
  retry: [150, 600],
  wait: 25,
  duty: 1_000,
}
/** Seconds, in place of what a role is declared with: the API takes whole ones only. */
const RULES = {
  maxGraceSeconds: 60,
  quietSeconds: 0.2,
  undoWindowSeconds: 0.3,
  readerHoldSeconds: 3_600,
  driftSeconds: 5,
}
/** Time for somebody who was missed to be noticed. */
const MISSED_SECONDS = 3

const armed = new Map<string, Fault>()
const waiting = new Map<number, () => void>()
let asked = 0
let fullUntil = 0
/** The record whose next write is hit. */
let atWrite: { key: string; fault: Fault } | undefined

async function ask(what: Asked): Promise<void> {
  const id = ++asked
  const answered = new Promise<void>((done) => waiting.set(id, done))
  process.send!({ ...what, id })
  await answered
}

const isWrite = (point: string): point is keyof typeof WRITES => Object.hasOwn(WRITES, point)
const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}

async function strike<T>(fault: Fault, act: () => Promise<T>): Promise<T> {
  await ask({ what: 'struck', fault })
  switch (fault.how) {
    case 'kill-before':
      return die()
    case 'kill-after':
      await act()
      return die()
    case 'full':
      fullUntil = Date.now() + fault.size
      return act()
    case 'drop':
    case 'partition':
    case 'slow':
      await ask({ what: 'proxy', fault })
  }
  return act()
}

function aroundOf(job: RotationJob): Around {
  const target = job.name as TargetName
  return async (point, act) => {
    const fault = armed.get(target)
    if (fault?.point === 'discard' && point === 'apply') await ask({ what: 'applying', target })
    if (!fault) return act()
    if (fault.point === point) {
      armed.delete(target)
      return strike(fault, act)
    }
    if (!isWrite(fault.point) || WRITES[fault.point] !== point) return act()
    const done = await act()
    armed.delete(target)
    const id = idOf(job.mount.uuid, `static-creds/${job.name}`)
    atWrite = { key: opened.core.keeper.space!.keyOf(storedAt(undefined, id)), fault }
    return done
  }
}

/** Each step through the gate of the rotation it is for. */
function hit(kind: RotationKind): RotationKind {
  const steps = Object.entries(gated(kind, (_point, act) => act()))
  const through = steps.map(([name, step]) => {
    const isStep = typeof step === 'function' && STEP_NAMES.has(name)
    if (!isStep) return [name, step]
    return [
      name,
      (job: RotationJob, ...rest: unknown[]) => {
        const own = gated(kind, aroundOf(job)) as unknown as Record<
          string,
          (...args: unknown[]) => unknown
        >
        return own[name]!(job, ...rest)
      },
    ]
  })
  return Object.fromEntries(through) as RotationKind
}
const STEP_NAMES: ReadonlySet<string> = new Set(STEPS)

/** Roles of which so long an undo window is asked keep it; all others have the quick rules. */
function quick(endpoint: Endpoint): Endpoint {
  const { write } = endpoint
  if (endpoint.path !== 'static-roles/:name' || !write) return endpoint
  return {
    ...endpoint,
    async write(call) {
      const given = (await write(call)) as Reply
      if (given.rotation?.act !== 'declare') return given
      const { rules } = given.rotation
      const missed = rules.undoWindowSeconds === MISSED_SECONDS
      const own = missed ? { ...RULES, undoWindowSeconds: MISSED_SECONDS } : RULES
      // oxlint-disable-next-line no-misused-spread -- what is spread is made a reply again
      return reply({ ...given, rotation: { ...given.rotation, rules: own } })
    },
  }
}

const engine: Engine = {
  ...database,
  endpoints: database.endpoints.map(quick),
  rotations: Object.fromEntries(
    Object.entries(database.rotations!).map(([name, kind]) => [name, hit(kind)]),
  ),
}

/** A full disk, and a death just before or after a write. */
function faulty(of: Core): void {
  const write = of.store.write.bind(of.store)
  of.store.write = async (batch, expect, log) => {
    const hitNow =
      atWrite && batch.some(({ key }) => key === atWrite!.key) ? atWrite.fault : undefined
    if (hitNow) {
      atWrite = undefined
      await ask({ what: 'struck', fault: hitNow })
      if (hitNow.how === 'kill-before') return die()
      if (hitNow.how === 'full') fullUntil = Date.now() + hitNow.size
    }
    if (Date.now() < fullUntil) throw new Error('storage: no space left (by the test)')
    const revision = await write(batch, expect, log)
    return hitNow?.how === 'kill-after' ? die() : revision
  }
}

process.on('message', (message: ToServer) => {
  if ('arm' in message) armed.set(message.arm.target, message.arm)
  else {
    waiting.get(message.answered)?.()
    waiting.delete(message.answered)
  }
})
process.on('disconnect', () => process.exit(1))

const [path = '', port = ''] = process.argv.slice(2)
const log = lineLog({ level: 'warn', format: 'standard' })
const options = {
  storage: { type: 'sqlite', path },
  listeners: [{ host: '127.0.0.1', port: Number(port) }],
  log,
  engines: ENGINES.map((each) => (each.type === 'database' ? engine : each)),
  rotationPace: PACE,
} as const
const opened = openCore(options)
faulty(opened.core)
await serve(opened, options)
process.send!({ what: 'ready' })
