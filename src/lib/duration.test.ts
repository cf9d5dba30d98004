import { equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  DurationError,
  formatGoDuration,
  formatShortDuration,
  parseDurationSeconds,
} from './duration.ts'

const unreadable = [
  ...['x', 's', '.', '.h', '-', '+', '1 h', ' 1h', '1h ', '1h30', '1.5', '1.2.3s', '--1h'],
  ...['1h-30m', '1w', '1H', '1e3s', '0x10', '١s', '1h\n', '1s'.repeat(33), '9'.repeat(65)],
]
const otherKinds = [
  null,
  undefined,
  true,
  {},
  [],
  [1],
  1.5,
  Number.NaN,
  Infinity,
  2 ** 53,
  new Date(),
]

for (const input of [...unreadable, ...otherKinds]) {
  test(`parseDurationSeconds() refuses ${typeof input} ${JSON.stringify(input)}`, () => {
    throws(() => parseDurationSeconds(input), { name: 'DurationError', message: /^expected a dur/ })
  })
}

test('parseDurationSeconds() refuses what Go cannot count', () => {
  for (const input of [
    9223372037,
    '9223372037',
    '2562048h',
    '106752d',
    10n ** 30n,
    '9'.repeat(60),
  ]) {
    throws(() => parseDurationSeconds(input), { name: 'DurationError', message: /too large/ })
  }
  equal(parseDurationSeconds('9223372036'), 9223372036)
  equal(parseDurationSeconds('2562047h'), 2562047 * 3600)
})

test('parseDurationSeconds() refuses a negative duration unless told', () => {
  for (const input of [-5, '-5', '-5s', '-5000ms']) {
    throws(() => parseDurationSeconds(input), { message: "cannot provide negative value '-5'" })
    equal(parseDurationSeconds(input, { signed: true }), -5)
  }
})

test('parseDurationSeconds() never repeats what it was sent', () => {
  throws(
    () => parseDurationSeconds('hunter2'),
    (error: Error) => error instanceof DurationError && !error.message.includes('hunter2'),
  )
})

const read: [unknown, number][] = [
  ['', 0],
  [0, 0],
  [60, 60],
  [7n, 7],
  ['0', 0],
  ['60', 60],
  ['+60', 60],
  ['007', 7],
  ['60s', 60],
  ['1h30m', 5400],
  ['1.5h', 5400],
  ['.5h', 1800],
  ['1.h', 3600],
  ['4.35m', 261],
  ['7d', 604800],
  ['1d12h', 129600],
  ['500ms', 0],
  ['-500ms', 0],
  ['1999ms', 1],
  ['1s999ms', 1],
  ['0.3s0.7s', 1],
  ['3000000000ns', 3],
  ['2000000us', 2],
  ['2000000µs', 2],
  ['2000000μs', 2],
  ['+1h', 3600],
]

for (const [input, seconds] of read) {
  test(`parseDurationSeconds() reads ${typeof input} ${String(input)} as ${seconds}`, () => {
    ok(Object.is(parseDurationSeconds(input), seconds))
  })
}

const printed: [number, string, string][] = [
  [0, '0s', '0s'],
  [-0, '0s', '0s'],
  [1, '1s', '1s'],
  [59, '59s', '59s'],
  [60, '1m0s', '1m'],
  [600, '10m0s', '10m'],
  [3600, '1h0m0s', '1h'],
  [3601, '1h0m1s', '1h0m1s'],
  [4200, '1h10m0s', '1h10m'],
  [12319, '3h25m19s', '3h25m19s'],
  [2764800, '768h0m0s', '768h'],
  [-90, '-1m30s', '-1m30s'],
  [1.5, '1.5s', '1.5s'],
  [3600.25, '1h0m0.25s', '1h0m0.25s'],
  [0.5, '500ms', '500ms'],
  [0.0015, '1.5ms', '1.5ms'],
  [0.0001, '100µs', '100µs'],
  [0.0000001, '100ns', '100ns'],
  [-0.25, '-250ms', '-250ms'],
  [0.9999999999, '1s', '1s'],
  [1e-12, '0s', '0s'],
]

for (const [seconds, go, short] of printed) {
  test(`formatGoDuration() prints ${seconds} as ${go}, shortly ${short}`, () => {
    equal(formatGoDuration(seconds), go)
    equal(formatShortDuration(seconds), short)
  })
}

test('formatGoDuration() refuses what is no number of seconds', () => {
  throws(() => formatGoDuration(Number.NaN), RangeError)
  throws(() => formatGoDuration(Infinity), RangeError)
})

test('parseDurationSeconds() reads back both printed forms', () => {
  fc.assert(
    fc.property(fc.integer({ min: -9223372036, max: 9223372036 }), (seconds) => {
      for (const text of [formatGoDuration(seconds), formatShortDuration(seconds), `${seconds}`]) {
        equal(parseDurationSeconds(text, { signed: true }), seconds)
      }
    }),
  )
})

test('parseDurationSeconds() cuts a printed fraction', () => {
  fc.assert(
    fc.property(fc.nat({ max: 1e9 }), fc.nat({ max: 999 }), (seconds, ms) => {
      equal(parseDurationSeconds(formatGoDuration(seconds + ms / 1000)), seconds)
    }),
  )
})

test('parseDurationSeconds() throws nothing but DurationError', () => {
  const text = fc.array(fc.constantFrom(...'0 1 9 . h m s n µ d - + e'.split(' '), ' '), {
    maxLength: 20,
  })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        text.map((all) => all.join('')),
      ),
      (input) => {
        try {
          ok(Number.isSafeInteger(parseDurationSeconds(input, { signed: true })))
        } catch (error) {
          ok(error instanceof DurationError)
        }
      },
    ),
    { numRuns: 2000 },
  )
})
