/** A log that others can listen to while they like, at a level of their own (`sys/monitor`). */
import { type Log, type LogLevel, LEVELS, logLine } from './log.ts'

const LISTENERS_MAX = 10

export type LogTap = {
  /** Whether no more may listen. */
  full(): boolean
  /** Hands on every line of at least `level`, until the returned function is called. */
  listen(options: { level: string; json: boolean }, write: (line: string) => void): () => void
}

/** `log` as before, with a tap. */
export function tappedLog(log: Log): { log: Log; tap: LogTap } {
  type Listener = (level: LogLevel, text: string) => void
  const listeners = new Set<Listener>()
  return {
    log(level, text) {
      log(level, text)
      for (const listener of listeners) listener(level, text)
    },
    tap: {
      full: () => listeners.size >= LISTENERS_MAX,
      listen({ level: least, json }, write) {
        const from = LEVELS.indexOf(least as LogLevel)
        const listener: Listener = (level, text) => {
          if (LEVELS.indexOf(level) < from) return
          write(`${logLine(level, text, json ? 'json' : 'standard')}\n`)
        }
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
  }
}
