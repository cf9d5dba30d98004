/** The server's own log: one line an event, names and kinds, never a value. */

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'
export type Log = (level: LogLevel, text: string) => void

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error']

/** Writes lines of at least `level` to stderr, plain or as JSON. */
export function lineLog(options: { level: LogLevel; format: 'standard' | 'json' }): Log {
  const least = LEVELS.indexOf(options.level)
  return (level, text) => {
    if (LEVELS.indexOf(level) < least) return
    const time = new Date().toISOString()
    const line =
      options.format === 'json'
        ? JSON.stringify({ '@timestamp': time, '@level': level, '@message': text })
        : `${time} [${level.toUpperCase()}] ${text.replaceAll('\n', ' ')}`
    process.stderr.write(`${line}\n`)
  }
}
