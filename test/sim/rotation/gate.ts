/**
 * Where a rotation can go wrong: around each step on the target, whichever target that is. A fault
 * has a name, `<step>/<how>`, and strikes once.
 */
import { type RotationKind } from '../../../src/kit/rotation.ts'
import { type Clock } from '../../../src/lib/clock.ts'

export const POINTS = [
  'plan',
  'apply',
  'probe',
  'verify',
  'sessions',
  'softRevoke',
  'undoSoftRevoke',
  'refusedSince',
  'revoke',
  'discard',
  'reapply',
] as const
export type Point = (typeof POINTS)[number]

/**
 * `before`: the step is not done. `after`: it is, and the reply is lost. `slow`: it is done
 * after the time limit, and never answered. `down`: this step and the next two find nobody. `kill-…`: the server is
 * gone at that moment; `late`: what it has sent is done half a minute after its death.
 */
export const HOWS = [
  'before',
  'after',
  'slow',
  'down',
  'kill-before',
  'kill-after',
  'kill-late',
] as const
export type How = (typeof HOWS)[number]

/** Goes through the gate as one life of the server. */
export type Around = <T>(point: Point, act: () => Promise<T>) => Promise<T>

export type Gate = {
  /** The next time this point is passed. */
  arm(point: Point, how: How): void
  disarm(): void
  /** What has struck, by name. */
  readonly struck: ReadonlyMap<string, number>
  of(life: Life): Around
}

/** A life of the server: what it sends after its death reaches nobody. */
export type Life = { dead: boolean; kill(): void }

/** After the limit of a step, and before the time for which core then waits is over. */
const SLOW_MS = 45_000
const LATE_MS = 25_000

export function gate(clock: Clock): Gate {
  const struck = new Map<string, number>()
  let armed: { point: Point; how: How } | undefined
  let downFor = 0
  const lost = (why: string) => new Error(`the connection broke: ${why}`)

  async function strike<T>(how: How, own: Life, act: () => Promise<T>): Promise<T> {
    if (how === 'down') downFor = 2
    if (how === 'slow') {
      // With the process its connections are gone.
      clock.after(SLOW_MS, () => void (own.dead || act().catch(() => {})))
      return new Promise<never>(() => {})
    }
    if (how === 'kill-late') clock.after(LATE_MS, () => void act().catch(() => {}))
    if (how === 'after' || how === 'kill-after') await act()
    if (how.startsWith('kill')) own.kill()
    throw lost(how)
  }

  return {
    struck,
    arm: (point, how) => void (armed = { point, how }),
    disarm: () => {
      armed = undefined
      downFor = 0
    },
    of: (own) => async (point, act) => {
      if (own.dead) throw lost('dead')
      if (downFor > 0) {
        downFor--
        throw lost('down')
      }
      if (armed?.point !== point) return act()
      const { how } = armed
      armed = undefined
      const name = `${point}/${how}`
      struck.set(name, (struck.get(name) ?? 0) + 1)
      return strike(how, own, act)
    },
  }
}

/** The kind with every step going through the gate. A probe says what became of it, as it must. */
export function gated(kind: RotationKind, around: Around): RotationKind {
  const asked = (point: 'probe' | 'verify', act: () => ReturnType<RotationKind['probe']>) =>
    around(point, act).catch((error: Error) => ({
      outcome: 'unreachable' as const,
      why: error.message,
    }))
  return {
    ...kind,
    plan: (job, next) => around('plan', () => kind.plan(job, next)),
    apply: (...args) => around('apply', () => kind.apply(...args)),
    probe: (...args) => asked('probe', () => kind.probe(...args)),
    verify: (...args) => asked('verify', () => kind.verify(...args)),
    softRevoke: (...args) => around('softRevoke', () => kind.softRevoke(...args)),
    undoSoftRevoke: (...args) => around('undoSoftRevoke', () => kind.undoSoftRevoke(...args)),
    revoke: (...args) => around('revoke', () => kind.revoke(...args)),
    discard: (...args) => around('discard', () => kind.discard(...args)),
    ...(kind.sessions && {
      sessions: (...args) => around('sessions', () => kind.sessions!(...args)),
    }),
    ...(kind.refusedSince && {
      refusedSince: (...args) => around('refusedSince', () => kind.refusedSince!(...args)),
    }),
    ...(kind.reapply && {
      reapply: (...args) => around('reapply', () => kind.reapply!(...args)),
    }),
  }
}
