/**
 * Worker threads. What they print by `console` goes through the main thread's streams; what they write
 * to a descriptor does not, so each of them gets a guard of its own, with the values known so far.
 * Those that become known later are sent after.
 */
import workerThreads, { type WorkerOptions } from 'node:worker_threads'
import { type KnownValue } from './known-values.ts'
import { type Scrubber } from './scrubber.ts'

export const CHANNEL = 'coffer/scrub'
export type WorkerNews = { readonly known: readonly KnownValue[] }

export function guardWorkers(scrubber: Scrubber): () => void {
  const { Worker } = workerThreads
  const url = new URL(
    import.meta.url.endsWith('.ts') ? 'in-worker.ts' : 'in-worker.js',
    import.meta.url,
  )
  const channel = new workerThreads.BroadcastChannel(CHANNEL)
  channel.unref()
  const forget = scrubber.onAdd((known) =>
    channel.postMessage({ known: [known] } satisfies WorkerNews),
  )

  class GuardedWorker extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const execArgv = options.execArgv ?? process.execArgv
      workerThreads.setEnvironmentData(CHANNEL, [...scrubber.known()])
      super(file, { ...options, execArgv: ['--import', url.href, ...execArgv] })
      workerThreads.setEnvironmentData(CHANNEL, undefined)
    }
  }
  workerThreads.Worker = GuardedWorker
  return () => {
    forget()
    channel.close()
    workerThreads.Worker = Worker
  }
}
