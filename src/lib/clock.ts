/** Time as a parameter, so that a test can own it: a clock tells the time and calls back later. */

export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `run` once after `ms`; the timer never keeps the process alive. Returns its cancel. */
  after(ms: number, run: () => void): () => void
}

/** setTimeout overflows past 2^31 - 1 ms and would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), TIMER_MS_MAX))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** RFC 3339 in UTC with the fraction's trailing zeros dropped, as Go prints time. */
export function rfc3339(ms: number): string {
  // Many lines and replies are of one moment.
  if (ms !== lastMs) {
    lastMs = ms
    lastText = print(ms)
  }
  return lastText
}

let lastMs = NaN
let lastText = ''

function print(ms: number): string {
  const iso = new Date(ms).toISOString()
  return ms % 1000 === 0 ? `${iso.slice(0, 19)}Z` : `${iso.slice(0, -1).replace(/0+$/, '')}Z`
}
