/** A thread that scans what it is sent: see `worker-pool.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { scanBatch, scannerOf } from './scan-batch.ts'
import type { Batch, ScannerOptions } from './worker-pool.ts'

const scanner = await scannerOf(workerData as ScannerOptions)
parentPort!.on('message', ({ number, batch }: { number: number; batch: Batch }) => {
  parentPort!.postMessage({ number, outcome: scanBatch(batch, scanner) })
})
