/**
 * Text as Go prints it, because scripts match on Vault's output: durations, and values in a table
 * (`map[a:1]`, `[x y]`, `<nil>`).
 */
import { isObject, isRawJson } from '../lib/json.ts'

const UNIT_SECONDS = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 }
type Unit = keyof typeof UNIT_SECONDS
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)/y

/** Seconds in `90`, `1h30m`, `7d` or `-1`; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1
  const rest = text.replace(/^[+-]/, '')
  if (/^\d+$/.test(rest)) return sign * Number(rest)
  let seconds = 0
  PART.lastIndex = 0
  while (PART.lastIndex < rest.length) {
    const part = PART.exec(rest)
    if (part === null) return undefined
    seconds += Number(part[1]) * UNIT_SECONDS[part[2] as Unit]
  }
  return rest === '' ? undefined : sign * seconds
}

/** `3600` is `1h`, `5400` is `1h30m`, `0` is `0s`: Go's form without the parts that are zero. */
export function humanDuration(seconds: number): string {
  if (seconds === 0) return '0s'
  const whole = Math.abs(seconds)
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor((whole % 3600) / 60)
  const rest = Number((whole % 60).toFixed(3))
  let text = `${rest}s`
  if (hours > 0 || minutes > 0) text = `${minutes}m${text}`
  if (hours > 0) text = `${hours}h${text}`
  text = text.replace(/m0s$/, 'm').replace(/h0m/, 'h')
  return seconds < 0 ? `-${text}` : text
}

/** A value in a table cell: what Go's `%v` makes of decoded JSON. */
export function goValue(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (isRawJson(value)) return value.rawJSON
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  if (isObject(value)) {
    const pairs = sortedKeys(value).map((key) => `${key}:${goValue(value[key])}`)
    return `map[${pairs.join(' ')}]`
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A list of names with quotes, as `%q`: `["default" "app"]`. */
export function goQuoted(names: readonly unknown[]): string {
  return `[${names.map((name) => JSON.stringify(name)).join(' ')}]`
}

/** Keys in byte order, as Go prints maps. */
export function sortedKeys(value: object): string[] {
  return Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** RFC 3339 in UTC as Go's `time.Time` prints itself: `2026-01-02 03:04:05.6 +0000 UTC`. */
export function goTime(rfc3339: string): string {
  return /^\S+T\S+Z$/.test(rfc3339)
    ? rfc3339.replace('T', ' ').replace(/Z$/, ' +0000 UTC')
    : rfc3339
}

/** Whether a field of this name holds seconds, which people would rather read as `768h`. */
export function looksLikeDuration(key: string): boolean {
  return /(^|_)(period|ttl|duration)$/.test(key) || key === 'lease_max' || key === 'ttl_max'
}
