/** A thread that scans what it is sent: see `worker-pool.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { release } from './release.ts'
import { scanBatch, scannerOf } from './scan-batch.ts'
import type { Batch, ScannerOptions } from './worker-pool.ts'

const scanner = await scannerOf(workerData as ScannerOptions)
parentPort!.on('message', ({ number, batch }: { number: number; batch: Batch }) => {
  const outcome = scanBatch(batch, scanner)
  // It was handed over to this thread, which would keep it until it next collects.
  if ('bytes' in batch) release(batch.bytes)
  parentPort!.postMessage({ number, outcome })
})
