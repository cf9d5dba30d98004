/**
 * Where a rotation on a real target is hit, and how. A point is a step on the target, by the names of
 * the simulation, or a write of the rotation's record: the one that follows a step.
 */
import { type Point, POINTS } from '../../sim/rotation/gate.ts'

/** Not among them: `reapply`, which needs a password that somebody changed, so logins that failed. */
export type StepPoint = Exclude<Point, 'reapply'>
export const STEPS = POINTS.filter((point): point is StepPoint => point !== 'reapply')

/** The write of the record that follows this step. */
export const WRITES = {
  'store-candidate': 'plan',
  'store-proven': 'probe',
  'store-published': 'verify',
  'store-softened': 'softRevoke',
  'store-revoked': 'revoke',
} as const satisfies Record<string, StepPoint>
export type WritePoint = keyof typeof WRITES

/**
 * `kill-…`: SIGKILL, before the step is begun or after it was done. `drop`: some reply of the target
 * is lost, and the connection with it. `partition`: nothing goes either way for a while; then it goes
 * on, or the connections are gone. `slow`: every piece comes late. `full`: the store takes no write.
 */
const STEP_HOWS = ['kill-before', 'kill-after', 'drop', 'partition', 'slow', 'full'] as const
const WRITE_HOWS = ['kill-before', 'kill-after', 'full'] as const
export type How = (typeof STEP_HOWS)[number]

export type TargetName = 'postgres' | 'mariadb' | 'redis'
export const TARGETS: readonly TargetName[] = ['postgres', 'mariadb', 'redis']

export type Fault = {
  readonly target: TargetName
  readonly point: StepPoint | WritePoint
  readonly how: How
  /** How long, in ms; of a dropped reply: which one. */
  readonly size: number
  /** Of a partition: what was on its way still arrives. */
  readonly resumes: boolean
}

export const nameOf = ({ target, point, how }: Pick<Fault, 'target' | 'point' | 'how'>): string =>
  `${target}/${point}/${how}`

/** MariaDB does not say who came with which password, so nobody asks it. */
const UNKNOWN: Readonly<Record<TargetName, readonly string[]>> = {
  postgres: [],
  mariadb: ['sessions'],
  redis: [],
}

type Kind = Pick<Fault, 'target' | 'point' | 'how'>

/** Every fault there is on one target. */
export function faultsOf(target: TargetName): Kind[] {
  const steps = STEPS.filter((point) => !UNKNOWN[target].includes(point)).flatMap((point) =>
    STEP_HOWS.map((how) => ({ target, point, how })),
  )
  const writes = Object.keys(WRITES).flatMap((point) =>
    WRITE_HOWS.map((how) => ({ target, point: point as WritePoint, how })),
  )
  return [...steps, ...writes]
}

/** What the server asks of the test, which holds the proxy and outlives it. */
export type Asked =
  | { readonly what: 'struck'; readonly fault: Fault }
  | { readonly what: 'proxy'; readonly fault: Fault }
  /** The rotation whose candidate is to be discarded has come to `apply`. */
  | { readonly what: 'applying'; readonly target: TargetName }
export type AskedMessage = Asked & { readonly id: number }
export type ToServer = { readonly arm: Fault } | { readonly answered: number }
