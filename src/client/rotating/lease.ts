/**
 * Keeps the lease of a credential that was made for this reader: renews it at two thirds of its
 * life, and says when it can be renewed no more, while there is still time to replace it.
 */
import { type Client } from '../connect.ts'
import { ClosedError, isPassing } from '../errors.ts'
import { sleep } from '../http.ts'
import { type ReadLease } from './reading.ts'

export type LeaseOptions = {
  lease: ReadLease
  client: () => Promise<Client>
  random: () => number
  /** Ends the keeping; the lease itself is left as it is. */
  signal: AbortSignal
}

/** A lease is renewed, or replaced, after this part of its life, less up to a tenth of that. */
const RENEW_AT = 2 / 3
/** A lease that is shorter than this part of the longest has met its maximum. */
const SHORTENED = 0.9
const RETRY_MS = 1000
const RETRY_MS_MAX = 30_000

/** Fulfilled when the credential has to be replaced; rejected by the signal only. */
export async function keepLease({ lease, client, random, signal }: LeaseOptions): Promise<void> {
  const { id } = lease
  let { seconds, renewable } = lease
  let expiresAt = Date.now() + seconds * 1000
  let longest = seconds
  // Without an end there is nothing to keep.
  if (seconds <= 0) return sleepLong(Infinity, signal)
  await sleepLong(seconds * 1000 * RENEW_AT * (1 - 0.1 * random()), signal)
  for (let failures = 0; renewable;) {
    try {
      const server = await client()
      const body = { lease_id: id, increment: longest }
      const reply = await server.write('sys/leases/renew', body, { signal, background: true })
      failures = 0
      seconds = reply.leaseSeconds
      renewable = reply.renewable
      expiresAt = Date.now() + seconds * 1000
      // What came back shorter has met the maximum: renewing again gains nothing.
      if (seconds < longest * SHORTENED) renewable = false
      longest = Math.max(longest, seconds)
      if (renewable) await sleepLong(seconds * 1000 * RENEW_AT * (1 - 0.1 * random()), signal)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof ClosedError) throw error
      // "lease not found", denied: it is gone, or is not ours to renew.
      if (!isPassing(error)) return
      const left = expiresAt - Date.now()
      if (left <= 0) return
      const backoff = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures++) * (0.5 + random() / 2)
      await sleepLong(Math.min(backoff, left), signal)
    }
  }
}

/** setTimeout overflows past this and would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

async function sleepLong(ms: number, signal: AbortSignal): Promise<void> {
  for (let left = ms; left > 0; left -= TIMER_MS_MAX) {
    await sleep(Math.min(left, TIMER_MS_MAX), signal)
  }
}

/** Best effort: what cannot be revoked now ends with its lease. */
export async function revokeLease(client: Client, { id }: ReadLease): Promise<void> {
  await client.write('sys/leases/revoke', { lease_id: id }, { background: true })
}
