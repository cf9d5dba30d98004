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
import { createScrubber, type Scrubber } from '../scrub/scrubber.ts'
import { redactedOutput } from './redacted-output.ts'
import { type Env, type ResolvedEnv } from './resolve-env.ts'

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
  /** A child runs with these; the one before has ended. */
  readonly onStarted?: (resolved: ResolvedEnv) => void
  /** What the child runs with is the same as in these. */
  readonly onSame?: (resolved: ResolvedEnv) => void
  /** One that was started in the place of another has failed at once, and nobody had asked it to end. */
  readonly onFailedRestart?: (code: number) => void
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
  /** Read anew, and not one value was another: nothing is started again for that. */
  readonly same: (as: ResolvedEnv) => void
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

/** A program that fails sooner than this after a change has most likely failed of it. */
const AT_ONCE_MS = 10_000
const ENDING = new Set<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGKILL'])

export function supervise(options: SuperviseOptions): Supervised {
  const { clock, graceMs, stopSignal = 'SIGTERM', onRestart } = options
  const { onStarted, onSame, onFailedRestart } = options
  let restartedAt: number | undefined
  let child: ChildProcess | undefined
  let next: ResolvedEnv | undefined
  let ending = false
  let cancelKill = () => {}
  // One for all starts: a value of before is a secret until it is revoked, and longer in old logs.
  const scrubber = createScrubber()
  const { promise: ended, resolve, reject } = Promise.withResolvers<number>()
  // Whoever looks at it late must not be beaten by the unhandled rejection.
  ended.catch(() => {})

  const start = (resolved: ResolvedEnv) => {
    for (const secret of resolved.secrets) scrubber.add({ ...secret, force: true })
    const started = launch(options, resolved.env, scrubber)
    child = started.child
    child.once('spawn', () => onStarted?.(resolved))
    started.exited.then((code) => {
      cancelKill()
      child = undefined
      if (next === undefined || ending) {
        const livedMs = clock.now() - (restartedAt ?? -Infinity)
        if (code !== 0 && livedMs < AT_ONCE_MS) onFailedRestart?.(code)
        return resolve(code)
      }
      const again = next
      next = undefined
      restartedAt = clock.now()
      onRestart?.()
      start(again)
    }, reject)
  }
  /** Who asks the program to end while it is being replaced does not want it back. */
  const heard = (name: NodeJS.Signals) => {
    if (!ENDING.has(name)) return
    if (next !== undefined) ending = true
    restartedAt = undefined
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
    same(resolved) {
      // The one that has them is yet to start.
      if (next !== undefined) next = resolved
      else if (child !== undefined) onSame?.(resolved)
    },
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

function launch({ command, ...to }: SuperviseOptions, env: Env, scrubber: Scrubber): Launched {
  const [file = '', ...args] = command
  const through = (stream: Writable | undefined) => (stream ? 'pipe' : 'inherit')
  const child = spawn(file, args, {
    env,
    stdio: ['inherit', through(to.stdout), through(to.stderr)],
  })
  const outputs = [
    ...(child.stdout && to.stdout ? [redactedOutput(child.stdout, to.stdout, scrubber)] : []),
    ...(child.stderr && to.stderr ? [redactedOutput(child.stderr, to.stderr, scrubber)] : []),
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
