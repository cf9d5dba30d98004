/**
 * Times by a cron expression: five fields, in UTC. The library does the arithmetic; here is what of
 * its larger language is taken, and that the time comes in as an argument.
 */
import { Cron } from 'croner'

const FIELDS = /^\s*\S+(?:\s+\S+){4}\s*$/

/** What is wrong with an expression, or undefined. It is no secret, and is not repeated all the same. */
export function cronTrouble(expression: string): string | undefined {
  try {
    return nextTime(expression, 0) === undefined ? 'the schedule has no time at all' : undefined
  } catch {
    return 'the schedule must be five fields as in cron: "0 3 * * SAT" is 03:00 UTC on Saturdays'
  }
}

/** The first time after `after`, both in ms since the epoch; undefined = never. Throws on nonsense. */
export function nextTime(expression: string, after: number): number | undefined {
  if (!FIELDS.test(expression)) throw new TypeError('expected five fields')
  const cron = new Cron(expression, { paused: true, timezone: 'UTC', mode: '5-part' })
  return cron.nextRun(new Date(after))?.getTime()
}
