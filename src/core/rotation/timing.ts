/**
 * When a rotation is due, and how long things may take. Times are worked out once, from the moment
 * at which something happened, and stored: a restart rotates nothing early, and periods that were
 * missed do not pile up.
 */
import { type RotationRules, type RotationTiming } from '../../kit/rotation.ts'
import { nextTime } from '../../lib/cron.ts'
import { type Random } from '../../lib/random.ts'

const RETRY_MS = 10_000
const RETRY_MS_MAX = 300_000
const HOUR = 3_600

export function nextRotation(timing: RotationTiming, now: number): number | undefined {
  if (timing.periodSeconds !== undefined) return now + timing.periodSeconds * 1000
  return timing.schedule === undefined ? undefined : nextTime(timing.schedule, now)
}

/** A timing that has changed counts from the last rotation on, as if it had always been so. */
export function rescheduled(
  before: {
    timing: RotationTiming
    nextAt?: number | undefined
    lastRotationAt?: number | undefined
  },
  timing: RotationTiming,
  now: number,
): number | undefined {
  if (JSON.stringify(before.timing) === JSON.stringify(timing)) return before.nextAt
  const next = nextRotation(timing, before.lastRotationAt ?? now)
  return next === undefined ? undefined : Math.max(next, now)
}

/** Past its window, a rotation waits for the next time of its schedule. */
export function windowMissed(timing: RotationTiming, nextAt: number, now: number): boolean {
  const { schedule, windowSeconds } = timing
  return schedule !== undefined && !!windowSeconds && now > nextAt + windowSeconds * 1000
}

/** Growing pauses with a fifth of chance in them, so that many do not come back at once. */
export function retryPause(failures: number, random: Random): number {
  const wait = Math.min(RETRY_MS * 2 ** (Math.max(failures, 1) - 1), RETRY_MS_MAX)
  return Math.round(wait * (0.8 + (random(1)[0]! / 255) * 0.2))
}

/**
 * A rotation by a short period must be able to end before the next one: what is not said is at most
 * a part of the period.
 */
export function rulesOf(rules: RotationRules, timing: RotationTiming): Required<RotationRules> {
  const period = timing.periodSeconds ?? Infinity
  const part = (seconds: number, share: number) => Math.min(seconds, Math.ceil(period * share))
  return {
    maxGraceSeconds: rules.maxGraceSeconds ?? part(HOUR, 0.5),
    quietSeconds: rules.quietSeconds ?? part(60, 0.1),
    undoWindowSeconds: rules.undoWindowSeconds ?? part(300, 0.1),
    readerHoldSeconds: rules.readerHoldSeconds ?? part(24 * HOUR, 1),
    driftSeconds: rules.driftSeconds ?? 900,
  }
}
