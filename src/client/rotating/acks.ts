/**
 * Tells the server what has become of a generation here: seen, applied, drained. The last word is
 * said again every 30 seconds, as a sign of life. A server that has no use for it is not told more.
 */
import { type Client } from '../connect.ts'
import { CofferError, isPassing } from '../errors.ts'
import { sleep } from '../http.ts'

export type AckState = 'seen' | 'applied' | 'drained' | 'nack'
export type Acks = {
  /** Comes back at once; acks leave one after another, in the order they were given. */
  tell(generation: number, state: AckState, reason?: string): void
  /** Fulfilled when all that was told has left, or nobody wants to know. */
  settled(): Promise<void>
  /** Nothing of it is used here any more; `generation` where nothing was told. As `settled`. */
  leave(generation: number | undefined): Promise<void>
}
export type AckOptions = {
  client: () => Promise<Client>
  path: string
  instance: string
  app: string
  version?: string | undefined
  random: () => number
  onError: (error: unknown) => void
  /** Told when the server does not want to hear: no such path, or not from this token. */
  onUnwanted?: ((error: CofferError) => void) | undefined
  signal: AbortSignal
}
type Ack = { generation: number; state: AckState | 'gone'; reason?: string }

const HEARTBEAT_MS = 30_000
const RETRY_MS = 1000
const RETRIES = 5

export function createAcks(options: AckOptions): Acks {
  const { client, path, instance, app, version, random, onError, onUnwanted, signal } = options
  /** Of this generation nobody wants to hear. Of the next one, perhaps: a rotation was set up. */
  let unwanted: number | undefined
  let isBeating = false
  let last: Ack | undefined
  let work: Promise<void> = Promise.resolve()

  const post = async (ack: Ack): Promise<void> => {
    if (ack.generation === unwanted || signal.aborted) return
    const body = { path, instance, app, ...(version === undefined ? {} : { version }), ...ack }
    const server = await client()
    try {
      await server.write('sys/coffer/ack', body, { signal, background: true })
    } catch (error) {
      if (isPassing(error) || !(error instanceof CofferError) || signal.aborted) throw error
      // No such path, not for this token, not for this credential: nobody waits to be told.
      unwanted = ack.generation
      onUnwanted?.(error)
    }
  }

  const send = async (ack: Ack): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        return await post(ack)
      } catch (error) {
        if (signal.aborted) return
        // The next heartbeat says the last word again, so giving up loses an order, not the news.
        if (tries > RETRIES) return onError(error)
        await sleep(RETRY_MS * tries * (0.5 + random()), signal).catch(() => {})
      }
    }
  }

  const beat = async (): Promise<void> => {
    while (true) {
      await sleep(HEARTBEAT_MS * (0.9 + 0.2 * random()), signal)
      // In line with the others: a sign of life that overtook the last word would undo it.
      work = work.then(async () => {
        if (last) await post(last).catch(() => {})
      })
      await work
    }
  }

  return {
    tell(generation, state, reason) {
      if (generation === unwanted) return
      const ack: Ack = { generation, state, ...(reason === undefined ? {} : { reason }) }
      // A refusal is said once: it is news, no state to stay in.
      if (state !== 'nack') last = ack
      work = work.then(() => send(ack))
      if (isBeating) return
      isBeating = true
      beat().catch(() => {})
    },
    settled: () => work,
    leave(generation = last?.generation) {
      last = undefined
      if (generation !== undefined) {
        const ack: Ack = { generation, state: 'gone' }
        work = work.then(() => send(ack))
      }
      return work
    },
  }
}
