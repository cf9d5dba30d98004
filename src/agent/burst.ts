/**
 * Many changes that come together are one: waits until it has been quiet for a moment, but not for
 * ever, and then does the work once. What comes while the work is done makes it be done once more.
 */
import { type Clock } from '../lib/clock.ts'

export type Burst = {
  /** Something has changed. */
  readonly poke: () => void
  readonly stop: () => void
}

/** Together well below a second, so that a change is acted on within one. */
const QUIET_MS = 150
const LONGEST_MS = 600

/** `work` never runs twice at a time and must not reject. */
export function createBurst(clock: Clock, work: () => Promise<void>): Burst {
  let cancel = () => {}
  let since: number | undefined
  let working = false
  let stopped = false
  const run = async () => {
    since = undefined
    working = true
    await work()
    working = false
    if (since !== undefined && !stopped) wait()
  }
  const wait = () => {
    cancel()
    const left = LONGEST_MS - (clock.now() - (since ?? clock.now()))
    cancel = clock.after(Math.max(0, Math.min(QUIET_MS, left)), () => void run())
  }
  return {
    poke() {
      if (stopped) return
      since ??= clock.now()
      if (!working) wait()
    },
    stop() {
      stopped = true
      cancel()
    },
  }
}
