/**
 * Threads that scan. Work is handed out in batches, so many at a time that no thread waits and memory
 * stays bounded; results come back in the order of the batches, whoever was done first.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { FingerprintIndex } from '../rules/fingerprints.ts'
import type { Outcome } from './scan-bytes.ts'
import type { FileToScan } from './walk.ts'

export type Batch =
  | { readonly files: readonly FileToScan[] }
  | {
      readonly blobs: readonly {
        readonly path: string
        readonly commit?: string | undefined
        readonly start: number
        readonly end: number
      }[]
      /** Of all the blobs, in memory of its own: it is handed over to the thread, not copied. */
      readonly bytes: Uint8Array<ArrayBuffer>
    }

/** One for each file or blob of the batch. */
export type BatchOutcome = readonly Outcome[]

export type ScannerOptions = {
  readonly index?: FingerprintIndex | undefined
  readonly comments?: boolean | undefined
  /** A module whose default export makes rules of its options: what a configuration file says. */
  readonly rules?: { readonly module: string; readonly options: unknown } | undefined
}

const THREADS_MAX = 8
/** Texts come and go: with more room they would only lie about longer. */
const LIMITS = { maxYoungGenerationSizeMb: 8 }
/** Batches that wait at each thread, as long as they are not large. */
const AHEAD = 2
const AHEAD_BYTES = 4 * 1024 * 1024

export type Pool = {
  /** The outcomes of all batches, in their order. */
  run<T extends Batch>(
    batches: AsyncIterable<T>,
  ): AsyncGenerator<{ batch: T; outcome: BatchOutcome }>
  close(): Promise<void>
}

type Message = { readonly number: number; readonly outcome: BatchOutcome }

export function workerPool(options: ScannerOptions, threads = availableParallelism()): Pool {
  const url = new URL(import.meta.url.endsWith('.ts') ? 'worker.ts' : 'worker.js', import.meta.url)
  const count = Math.max(1, Math.min(threads, THREADS_MAX))
  const workers = Array.from({ length: count }, () => {
    const thread = new Worker(url, { workerData: options, resourceLimits: LIMITS })
    return { thread, waiting: 0 }
  })
  const open = new Map<number, PromiseWithResolvers<BatchOutcome>>()
  let broken: unknown
  for (const worker of workers) {
    worker.thread.on('message', ({ number, outcome }: Message) => {
      worker.waiting--
      open.get(number)?.resolve(outcome)
      open.delete(number)
    })
    worker.thread.on('error', (error) => {
      broken = error
      for (const { reject } of open.values()) reject(error)
    })
  }
  let number = 0

  function send(batch: Batch): Promise<BatchOutcome> {
    const promise = Promise.withResolvers<BatchOutcome>()
    // A thread that is gone answers nobody.
    if (broken !== undefined) promise.reject(broken)
    else {
      const worker = workers.reduce((a, b) => (b.waiting < a.waiting ? b : a))
      worker.waiting++
      open.set(number, promise)
      const transfer = 'bytes' in batch ? [batch.bytes.buffer] : []
      worker.thread.postMessage({ number: number++, batch }, transfer)
    }
    return promise.promise
  }

  return {
    async *run(batches) {
      const sent: { batch: never; size: number; outcome: Promise<BatchOutcome> }[] = []
      let waiting = 0
      for await (const batch of batches) {
        // What is handed over has no size any more.
        const size = 'bytes' in batch ? batch.bytes.length : 0
        const outcome = send(batch)
        // Its rejection is seen when its turn comes.
        outcome.catch(() => {})
        sent.push({ batch: batch as never, size, outcome })
        waiting += size
        const most = waiting > count * AHEAD_BYTES ? count : count * AHEAD
        while (sent.length > most) {
          const first = sent.shift()!
          waiting -= first.size
          yield { batch: first.batch, outcome: await first.outcome }
        }
      }
      for (const { batch, outcome } of sent) yield { batch, outcome: await outcome }
    },
    async close() {
      await Promise.all(workers.map(({ thread }) => thread.terminate()))
    },
  }
}
