/**
 * Stands between a program and its standard output and error, at the lowest place that JavaScript can
 * reach: whatever prints (console, pino, winston, `fs.writeSync(1)`, warnings, worker threads, an
 * uncaught error) comes by here. What a child process prints itself, or native code, does not:
 * `coffer run` and `coffer scrub` stand outside the process and see that too.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { held, type Held } from './held.ts'
import { type Scrubber } from './scrubber.ts'
import { patchFiles } from './guard-files.ts'
import { guardUncaught } from './uncaught.ts'
import { guardWorkers } from './workers.ts'

export type GuardOptions = {
  /** How long the beginning of a line waits for its end. Default 100. */
  readonly letGoMs?: number
}

type Out = { readonly held: Held; readonly fd: number; timer?: NodeJS.Timeout | undefined }
type Done = (error?: Error | null) => void

/** Guards this process until what it returns is called. */
export function guardProcess(scrubber: Scrubber, options: GuardOptions = {}): () => void {
  const { letGoMs = 100 } = options
  const { writeSync } = fs
  const rawDebug = rawDebugOf(process)
  const outs = new Map<number, Out>(
    [1, 2].map((fd) => [fd, { fd, held: held(scrubber, { rules: scrubber.byLines }) }]),
  )

  /** Everything at once, also where the other end is slow: this runs when the process ends. */
  function writeAll(fd: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      try {
        at += writeSync(fd, bytes, at)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
        Atomics.wait(NOTHING, 0, 0, 5)
      }
    }
  }

  function clean(out: Out, bytes: Uint8Array, print: (bytes: Uint8Array) => void): Uint8Array {
    clearTimeout(out.timer)
    const now = out.held.push(bytes)
    if (out.held.waiting > 0) {
      out.timer = setTimeout(() => print(out.held.letGo()), letGoMs)
      out.timer.unref()
    }
    return now
  }

  const restore = (['stdout', 'stderr'] as const).map((name) => {
    const stream = process[name]
    const out = outs.get(name === 'stdout' ? 1 : 2)!
    const write: Function = Reflect.get(stream, 'write')
    const send = (bytes: Uint8Array) =>
      void (bytes.length > 0 && Reflect.apply(write, stream, [bytes]))
    const guarded = (chunk: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done) => {
      const after = typeof encoding === 'function' ? encoding : done
      const charset = typeof encoding === 'string' ? encoding : 'utf8'
      const bytes = clean(out, bytesOf(chunk, charset), send)
      if (bytes.length > 0) return Reflect.apply(write, stream, [bytes, after]) as boolean
      if (after) process.nextTick(after)
      return true
    }
    stream.write = guarded
    return () => void Reflect.set(stream, 'write', write)
  })

  const sync = (out: Out, bytes: Uint8Array) => {
    const print = (rest: Uint8Array) => writeAll(out.fd, rest)
    print(clean(out, bytes, print))
  }
  const restoreFiles = patchFiles((fd) => {
    const out = outs.get(fd)
    return out && ((bytes) => sync(out, bytes))
  })
  setRawDebug((...args) => sync(outs.get(2)!, Buffer.from(`${args.join(' ')}\n`)))
  syncBuiltinESMExports()
  const endWorkers = guardWorkers(scrubber)
  const endUncaught = guardUncaught(scrubber)

  const flush = () => {
    for (const out of outs.values()) {
      clearTimeout(out.timer)
      writeAll(out.fd, out.held.end())
    }
  }
  process.on('exit', flush)
  return () => {
    process.off('exit', flush)
    flush()
    for (const one of restore) one()
    restoreFiles()
    setRawDebug(rawDebug)
    syncBuiltinESMExports()
    endWorkers()
    endUncaught()
  }
}

const NOTHING = new Int32Array(new SharedArrayBuffer(4))

const bytesOf = (chunk: string | Uint8Array, encoding: BufferEncoding) =>
  typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk

type RawDebug = (...args: unknown[]) => void
type WithRawDebug = { _rawDebug: RawDebug }

/** Warnings of Node itself are printed by this. */
const rawDebugOf = (of: NodeJS.Process) => (of as unknown as WithRawDebug)._rawDebug
function setRawDebug(to: RawDebug): void {
  ;(process as unknown as WithRawDebug)._rawDebug = to
}
