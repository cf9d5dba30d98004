/** The server's own log: one line an event, names and kinds, never a value. */
import { writeSync } from 'node:fs'
import { stackPlaces } from '../lib/stack-places.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'
export type Log = (level: LogLevel, text: string) => void

/** `fd`: a log file; standard error without it. */
export type LogOptions = { level: LogLevel; format: 'standard' | 'json'; fd?: number }

/** A terminal obeys some of these, and a line must stay one line. */
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu

export const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']

/** One line, without its end. */
export function logLine(level: LogLevel, text: string, format: LogOptions['format']): string {
  const time = new Date().toISOString()
  return format === 'json'
    ? JSON.stringify({ '@timestamp': time, '@level': level, '@message': text })
    : `${time} [${level.toUpperCase()}] ${text.replaceAll(CONTROL, ' ')}`
}

/** Writes lines of at least `level` to stderr, plain or as JSON. */
export function lineLog(options: LogOptions): Log {
  const least = LEVELS.indexOf(options.level)
  return (level, text) => {
    if (LEVELS.indexOf(level) < least) return
    const line = logLine(level, text, options.format)
    if (options.fd === undefined) process.stderr.write(`${line}\n`)
    else writeSync(options.fd, `${line}\n`)
  }
}

/**
 * The last resort: an error nobody caught ends the process, because what it left behind is unknown.
 * Its kind and place are logged; its message could hold a value.
 */
export function endOnUncaught(log: Log): void {
  const end = (error: unknown) => {
    const thrown = error instanceof Error ? error : new Error('non-error')
    log('error', `uncaught ${thrown.name}: ${stackPlaces(thrown).slice(0, 4).join(' ')}`)
    process.exit(70)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
