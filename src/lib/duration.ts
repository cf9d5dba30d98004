/**
 * Durations as the API takes and gives them: whole seconds, or Go's `1h30m` with `d` for days.
 * Counted in integers throughout, since `4.35m` in floating point is a second short.
 */

/** Tells the caller what is wrong; the text never holds what was sent, but a negative count. */
export class DurationError extends Error {
  override readonly name = 'DurationError'
}

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
}
const SECOND = 1_000_000_000n
/** What Go's int64 of nanoseconds can hold, about 292 years. */
const NANOSECONDS_MAX = 2n ** 63n - 1n
const TEXT_CHARS_MAX = 64
const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h|d)/y

/**
 * `60`, `"60"`, `"1h30m"`, `"7d"`; `""` is 0. Parts of a second are cut off. A negative duration is
 * refused unless `signed`. Throws DurationError.
 */
export function parseDurationSeconds(input: unknown, options?: { signed?: boolean }): number {
  const nanoseconds = parseNanoseconds(input)
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds
  if (size > NANOSECONDS_MAX) throw new DurationError('duration is too large, at most 292 years')
  const seconds = Number(nanoseconds / SECOND)
  if (seconds < 0 && !options?.signed) {
    throw new DurationError(`cannot provide negative value '${seconds}'`)
  }
  return seconds
}

function parseNanoseconds(input: unknown): bigint {
  if (typeof input === 'number' && Number.isSafeInteger(input)) return BigInt(input) * SECOND
  if (typeof input === 'bigint') return input * SECOND
  if (typeof input !== 'string' || input.length > TEXT_CHARS_MAX) throw unreadable()
  if (input === '') return 0n
  const negative = input.startsWith('-')
  const digits = /^[+-]/.test(input) ? input.slice(1) : input
  const size = /^\d+$/.test(digits) ? BigInt(digits) * SECOND : sumOfParts(digits)
  return negative ? -size : size
}

function sumOfParts(text: string): bigint {
  let sum = 0n
  let at = 0
  do {
    PART.lastIndex = at
    const [part = '', whole = '', fraction = '', unit = ''] = PART.exec(text) ?? []
    const size = NANOSECONDS[unit]
    if (size === undefined || whole + fraction === '') throw unreadable()
    sum += BigInt(whole) * size + (BigInt(fraction) * size) / 10n ** BigInt(fraction.length)
    at += part.length
  } while (at < text.length)
  return sum
}

const unreadable = () =>
  new DurationError('expected a duration: whole seconds, or a text such as 90s, 1h30m or 7d')

/** As Go prints a time.Duration: `0s`, `1.5ms`, `3h25m19s`, `768h0m0s`. */
export function formatGoDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) throw new RangeError('seconds must be a finite number')
  const size = Math.abs(seconds)
  let whole = Math.trunc(size)
  let nanoseconds = Math.round((size - whole) * 1e9)
  if (nanoseconds === 1e9) {
    whole++
    nanoseconds = 0
  }
  const sign = seconds < 0 && whole + nanoseconds > 0 ? '-' : ''
  if (whole === 0 && nanoseconds > 0) return sign + formatBelowSecond(nanoseconds)
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor(whole / 60) % 60
  const rest = `${decimal(whole % 60, nanoseconds, 9)}s`
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`
  return minutes > 0 ? `${sign}${minutes}m${rest}` : sign + rest
}

function formatBelowSecond(nanoseconds: number): string {
  const [size, places, unit] =
    nanoseconds < 1e3 ? [1, 0, 'ns'] : nanoseconds < 1e6 ? [1e3, 3, 'µs'] : [1e6, 6, 'ms']
  return decimal(Math.floor(nanoseconds / size), nanoseconds % size, places) + unit
}

function decimal(whole: number, fraction: number, places: number): string {
  if (fraction === 0) return String(whole)
  return `${whole}.${String(fraction).padStart(places, '0').replace(/0+$/, '')}`
}

/** The same for people: `768h`, `30m`. */
export function formatShortDuration(seconds: number): string {
  return formatGoDuration(seconds).replace(/m0s$/, 'm').replace(/h0m$/, 'h')
}
