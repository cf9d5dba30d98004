/**
 * Runs one command as a child and stands in for it: its exit code is ours, our signals are its. It
 * can be replaced by itself with another environment: asked to end, waited for, killed at last.
 * Secrets go into the child's environment, never into an argument or a file.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { type Writable } from 'node:stream'
import { type Clock } from '../lib/clock.ts'
import { redactedOutput } from './redacted-output.ts'
import { type ResolvedEnv } from './resolve-env.ts'

export type SuperviseOptions = {
  readonly command: readonly string[]
  readonly first: ResolvedEnv
  /** Where output goes: undefined hands our own stream to the child, a stream gets it redacted. */
  readonly stdout: Writable | undefined
  readonly stderr: Writable | undefined
  readonly clock: Clock
  /** How long the child has to end before it is killed, when it is replaced. */
  readonly graceMs: number
  readonly stopSignal?: NodeJS.Signals
  /** Told of every start but the first. */
  readonly onRestart?: () => void
}

export type Supervised = {
  /** The code of the last child: its own, or 128 and the number of the signal that ended it. */
  readonly ended: Promise<number>
  readonly pid: number | undefined
  readonly signal: (name: NodeJS.Signals) => void
  /** The child has been sent this by somebody else; `signal` says so itself. */
  readonly heard: (name: NodeJS.Signals) => void
  /** Ends the child and starts it again; called during that, only the last environment counts. */
  readonly replace: (next: ResolvedEnv) => void
}

/** The command could not be started: 127 when there is none, 126 when it may not be run. */
export class StartError extends Error {
  override readonly name = 'StartError'
  readonly exit: 126 | 127

  constructor(command: string, cause: NodeJS.ErrnoException) {
    const missing = cause.code === 'ENOENT'
    const why = missing ? 'no such command' : `it cannot be run (${cause.code ?? 'unknown'})`
    super(`${command}: ${why}`, { cause })
    this.exit = missing ? 127 : 126
  }
}

const ENDING = new Set<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGKILL'])

export function supervise(options: SuperviseOptions): Supervised {
  const { clock, graceMs, stopSignal = 'SIGTERM', onRestart } = options
  let child: ChildProcess | undefined
  let next: ResolvedEnv | undefined
  let ending = false
  let cancelKill = () => {}
  const { promise: ended, resolve, reject } = Promise.withResolvers<number>()
  // Whoever looks at it late must not be beaten by the unhandled rejection.
  ended.catch(() => {})

  const start = (resolved: ResolvedEnv) => {
    const started = launch(options, resolved)
    child = started.child
    started.exited.then((code) => {
      cancelKill()
      child = undefined
      if (next === undefined || ending) return resolve(code)
      const again = next
      next = undefined
      onRestart?.()
      start(again)
    }, reject)
  }
  /** Who asks the program to end while it is being replaced does not want it back. */
  const heard = (name: NodeJS.Signals) => {
    if (next !== undefined && ENDING.has(name)) ending = true
  }
  start(options.first)
  return {
    ended,
    get pid() {
      return child?.pid
    },
    signal(name) {
      heard(name)
      child?.kill(name)
    },
    heard,
    replace(resolved) {
      if (child === undefined || ending) return
      const first = next === undefined
      next = resolved
      if (!first) return
      const { pid } = child
      child.kill(stopSignal)
      cancelKill = clock.after(graceMs, () => {
        if (child?.pid === pid) child?.kill('SIGKILL')
      })
    },
  }
}

type Launched = { child: ChildProcess; exited: Promise<number> }

function launch({ command, ...to }: SuperviseOptions, { env, secrets }: ResolvedEnv): Launched {
  const [file = '', ...args] = command
  const through = (stream: Writable | undefined) => (stream ? 'pipe' : 'inherit')
  const child = spawn(file, args, {
    env,
    stdio: ['inherit', through(to.stdout), through(to.stderr)],
  })
  const outputs = [
    ...(child.stdout && to.stdout ? [redactedOutput(child.stdout, to.stdout, secrets)] : []),
    ...(child.stderr && to.stderr ? [redactedOutput(child.stderr, to.stderr, secrets)] : []),
  ]
  const exited = (async () => {
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
      await Promise.all(outputs.map((output) => output.rest()))
      return code ?? 128 + constants.signals[signal!]
    } catch (cause) {
      throw new StartError(file, cause as NodeJS.ErrnoException)
    }
  })()
  // A signal that comes too late is an error to node, and nobody's concern.
  child.on('error', () => {})
  return { child, exited }
}
