/** Five fields, in UTC. */
import { equal, match, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { cronTrouble, nextTime } from './cron.ts'

const at = (text: string) => Date.parse(text)

test('cronTrouble() refuses what is not five fields', () => {
  for (const wrong of [
    '',
    '* * * *',
    '* * * * * *',
    '@daily',
    '61 * * * *',
    'a b c d e',
    '0 3 * * *; rm',
  ]) {
    match(cronTrouble(wrong) ?? '', /five fields/, wrong)
  }
  match(cronTrouble('0 0 30 2 *') ?? '', /no time at all|five fields/)
  equal(cronTrouble('0 3 * * SAT'), undefined)
})

test('nextTime() is the first time after, whatever the zone of the machine', () => {
  const cases = [
    ['0 3 * * *', '2026-01-01T02:59:59Z', '2026-01-01T03:00:00Z'],
    ['0 3 * * *', '2026-01-01T03:00:00Z', '2026-01-02T03:00:00Z'],
    ['*/15 * * * *', '2026-01-01T00:07:00Z', '2026-01-01T00:15:00Z'],
    ['0 0 1 * *', '2026-01-31T12:00:00Z', '2026-02-01T00:00:00Z'],
    ['30 2 * * SUN', '2026-03-28T00:00:00Z', '2026-03-29T02:30:00Z'],
    ['0 0 29 2 *', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ] as const
  for (const [cron, after, next] of cases) equal(nextTime(cron, at(after)), at(next), cron)
  throws(() => nextTime('* * * * * *', 0), /five fields/)
})
