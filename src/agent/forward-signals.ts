/**
 * Hands the signals this process gets to the child it stands in for. What is typed on a terminal
 * (Ctrl-C, Ctrl-\, Ctrl-Z, a new size) the terminal already sends to both, and twice is not once:
 * many programs take a second Ctrl-C as "at once".
 */
import { constants } from 'node:os'

/** Not ours to pass on: they cannot be caught, or are about this process itself. */
const OWN = new Set([
  ...['SIGKILL', 'SIGSTOP', 'SIGCHLD', 'SIGPIPE', 'SIGPROF', 'SIGVTALRM'],
  ...['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGABRT', 'SIGIOT', 'SIGTRAP', 'SIGSYS'],
  ...['SIGSTKFLT', 'SIGUNUSED', 'SIGPOLL'],
])
const TYPED = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH'])
/** A shell must see this process stop as well; left alone, it does, and goes on when told to. */
const JOB_CONTROL = new Set(['SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGCONT'])

/**
 * Returns what takes the handlers away again. `heard` is told of what the terminal has passed on.
 */
export function forwardSignals(options: {
  readonly onTerminal: boolean
  readonly send: (name: NodeJS.Signals) => void
  readonly heard: (name: NodeJS.Signals) => void
}): () => void {
  const { onTerminal, send, heard } = options
  const handlers = new Map<NodeJS.Signals, () => void>()
  for (const name of Object.keys(constants.signals) as NodeJS.Signals[]) {
    if (OWN.has(name) || (onTerminal && JOB_CONTROL.has(name))) continue
    handlers.set(name, () => {
      if (onTerminal && TYPED.has(name)) heard(name)
      else send(name)
      // The one who asks whether we have stopped means both of us.
      if (name === 'SIGTSTP') process.kill(process.pid, 'SIGSTOP')
    })
  }
  for (const [name, handler] of handlers) {
    try {
      process.on(name, handler)
    } catch {
      // The system knows the name and does not let it be caught.
      handlers.delete(name)
    }
  }
  return () => {
    for (const [name, handler] of handlers) process.off(name, handler)
  }
}
