/**
 * How fast a log goes through the scrubber: megabytes of a second of one core, with a thousand known
 * values and all rules. Printed beside the rate of a plain copy of the same bytes, in the same run.
 */
import { randomBytes } from 'node:crypto'
import { compileRules } from '../../src/rules/matcher.ts'
import { held } from '../../src/scrub/held.ts'
import { createScrubber } from '../../src/scrub/scrubber.ts'

const VALUES = 1000
const CHUNK = 64 * 1024
const ROUNDS = 5
const MB = 1e6

function logOf(megabytes: number): Buffer {
  const lines: string[] = []
  for (let bytes = 0, i = 0; bytes < megabytes * MB; i++) {
    const line =
      `2026-11-28T18:00:${String(i % 60).padStart(2, '0')}.123Z INFO ` +
      `request=${randomBytes(8).toString('hex')} method=GET path=/v1/orders/${i} status=200 ` +
      `agent="Mozilla/5.0 (X11; Linux x86_64)" user=customer-${i % 977} took=${i % 97}ms\n`
    lines.push(line)
    bytes += line.length
  }
  return Buffer.from(lines.join(''))
}

/** The best of some rounds, in megabytes a second of processor time. */
function rate(log: Buffer, pass: (chunk: Uint8Array) => Uint8Array): number {
  let best = 0
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    let kept = 0
    for (let at = 0; at < log.length; at += CHUNK) kept += pass(log.subarray(at, at + CHUNK)).length
    const { user, system } = process.cpuUsage(before)
    if (kept === 0) throw new Error('nothing came out')
    best = Math.max(best, log.length / (user + system))
  }
  return best
}

export function benchScrub(): { what: string; rate: number }[] {
  const log = logOf(40)
  const values = Array.from({ length: VALUES }, (_, i) => {
    const value = randomBytes(12 + (i % 20)).toString(i % 2 ? 'base64' : 'hex')
    return { value, name: `secret/app/${i}` }
  })
  const rules = compileRules()
  const through = (options: Parameters<typeof createScrubber>[0]) => {
    const scrubber = createScrubber(options)
    const state = held(scrubber, { rules: scrubber.byLines })
    return (chunk: Uint8Array) => state.push(chunk)
  }
  return [
    { what: 'copy', rate: rate(log, (chunk) => Buffer.from(chunk)) },
    { what: `${VALUES} known values`, rate: rate(log, through({ values })) },
    { what: 'all rules', rate: rate(log, through({ rules })) },
    { what: 'both', rate: rate(log, through({ values, rules })) },
  ]
}

if (import.meta.main) {
  for (const { what, rate: megabytes } of benchScrub()) {
    console.log(`${what.padEnd(20)} ${megabytes.toFixed(0).padStart(6)} MB/s`)
  }
}
