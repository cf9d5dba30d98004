/** Loaded by a worker thread before its own code: see `workers.ts`. */
import { BroadcastChannel, getEnvironmentData } from 'node:worker_threads'
import { guardProcess } from './guard.ts'
import { type KnownValue } from './known-values.ts'
import { createScrubber } from './scrubber.ts'
import { CHANNEL, type WorkerNews } from './workers.ts'

const values = getEnvironmentData(CHANNEL) as unknown as readonly KnownValue[] | undefined
const scrubber = createScrubber(values ? { values } : {})
guardProcess(scrubber)
const channel = new BroadcastChannel(CHANNEL)
channel.addEventListener('message', ({ data }: { data: unknown }) => {
  for (const known of (data as WorkerNews).known) scrubber.add(known)
})
channel.unref()
