/**
 * What a step of the machine is given, and what it answers: the record as it shall be, or a pause. A
 * step asks the target whatever it wants; it changes the record only by its answer, which is stored
 * if nobody else has changed the record meanwhile.
 */
import { Failure } from '../../kit/failure.ts'
import {
  type Generation,
  type Probe,
  type RotationJob,
  type RotationKind,
  type Standing,
} from '../../kit/rotation.ts'
import { type Random } from '../../lib/random.ts'
import { type Holder } from './holders.ts'
import { type HoldReason, noted, type RotationEntry, type RotationState } from './record.ts'
import { retryPause } from './timing.ts'

/** What this process remembers of a rotation. Forgetting it costs time and nothing else. */
export type Memo = {
  /** The duty under which it was last looked at. */
  epoch?: number
  /** Until then, what a process that died has sent may still reach the target. */
  settlesAt?: number | undefined
  /** The record, by its step, that this process has just written and has not acted on. */
  fresh?: number | undefined
  /** Since when nobody was found who holds the previous generation, by its number. */
  quiet?: { readonly number: number; readonly since: number } | undefined
}

export type Work = {
  readonly entry: RotationEntry
  readonly kind: RotationKind
  readonly now: number
  readonly random: Random
  readonly memo: Memo
  readonly standing: Standing
  /** Asks the target something, within the time limit. */
  readonly ask: <T>(act: (job: RotationJob) => Promise<T>) => Promise<T>
  /** Changes something there. One that is not answered in time may be made later all the same. */
  readonly change: <T>(act: (job: RotationJob) => Promise<T>) => Promise<T>
  /** As `ask`, and never throws: what cannot be asked is unreachable. */
  tried(act: (job: RotationJob) => Promise<Probe>): Promise<Probe>
  /** Those who are known to hold something, those that block first. Without the target's sessions. */
  holders(): Promise<Holder[]>
}

export type Change = {
  readonly to: RotationEntry
  /** Written by the engine for callers to read, in the same transaction. */
  readonly publish?: Generation
  /** Only if nobody is found in the same transaction who holds the previous generation. */
  readonly whenLetGo?: boolean
  /** Everything that is stored of the rotation goes. */
  readonly remove?: true
  /** This generation is revoked: its holders are forgotten. */
  readonly forget?: number
  /** Those who are holders no more are forgotten, now and then. */
  readonly prune?: true
  readonly events?: readonly { readonly type: string; readonly generation: number }[]
  /** For the operator's log. */
  readonly log?: string
  /** What has just been stored has not been begun yet. */
  readonly fresh?: true
}

/** Nothing to change; look again after so many ms. */
export type Pause = { readonly pause: number }
export type Step = Change | Pause

export const isPause = (step: Step): step is Pause => 'pause' in step

/** The record in another state (or the same, anew), with a line in its history. */
export function moved(
  { entry, now }: Pick<Work, 'entry' | 'now'>,
  state: RotationState,
  note: string,
  more: Partial<RotationEntry> = {},
): RotationEntry {
  const next: RotationEntry = {
    ...entry,
    state,
    since: now,
    failures: 0,
    retryAt: undefined,
    trouble: undefined,
    ...more,
  }
  return { ...next, history: noted(next, now, note) }
}

/** It did not work, and is tried again after a growing pause. */
export function later(work: Work, error: unknown, more: Partial<RotationEntry> = {}): Change {
  const { entry, now, random } = work
  const failures = entry.failures + 1
  const trouble = troubleOf(entry, error)
  const retryAt = now + retryPause(failures, random)
  return {
    to: { ...entry, ...more, failures, trouble, retryAt },
    ...(entry.trouble !== trouble && { log: `${entry.state}: ${trouble}` }),
  }
}

/** Stops, or only alerts, until there is no reason any more. */
export function hold(
  work: Work,
  reason: HoldReason,
  note: string,
  to: RotationEntry = work.entry,
): Change {
  const held = { reason, since: work.now, note }
  return {
    to: { ...to, held, history: noted(to, work.now, `held (${reason}): ${note}`) },
    events: [{ type: 'rotation.held', generation: generationOf(to) }],
    log: `held (${reason}): ${note}`,
  }
}

export const generationOf = ({ candidate, current }: RotationEntry): number =>
  candidate?.number ?? current?.number ?? 0

/** What may be told of what went wrong: no part of a credential, whatever a driver quotes. */
export function troubleOf(entry: RotationEntry, error: unknown): string {
  const told =
    typeof error === 'string' ? error : error instanceof Error ? error.message : 'unknown trouble'
  const { candidate, current, previous, orders } = entry
  const known = [candidate, current, previous].map((each) => each?.credential)
  let text = told === '' ? 'unknown trouble' : told.slice(0, 500)
  for (const credential of [...known, orders.rotate?.given, orders.reconcile?.adopt]) {
    for (const value of secretsOf(credential)) text = text.replaceAll(value, '[secret]')
  }
  return text
}

/** Names of what is no secret in a credential, and helps when it is told. */
const NAMES = new Set(['username', 'user', 'id', 'role', 'account'])
const SHORT = 4

function secretsOf(credential: unknown): string[] {
  if (typeof credential !== 'object' || credential === null) return []
  return Object.entries(credential).flatMap(([name, value]) => {
    if (typeof value === 'object') return secretsOf(value)
    const secret = typeof value === 'string' && value.length >= SHORT && !NAMES.has(name)
    return secret ? [value] : []
  })
}

/** A Failure says what a person did wrong: trying again by itself would not help. */
export const isFailure = (error: unknown): error is Failure => error instanceof Failure
