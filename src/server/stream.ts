/**
 * Answers that go on until the client has enough. Nothing is kept for a client that reads too
 * slowly: it is dropped.
 */
import type { ServerResponse } from 'node:http'
import { type Response } from '../core/turn.ts'

/** What may wait for a client in memory. */
const WAITING_BYTES_MAX = 256 * 1024

/** How each open answer is brought to its end when the listener closes. */
export type OpenStreams = Set<() => void>

/** The head has been written; the rest comes from `stream`. */
export function sendStream(
  response: ServerResponse,
  stream: NonNullable<Response['stream']>,
  open: OpenStreams,
): void {
  // Nothing may move on it for a long time, and that is no reason to close it.
  response.socket?.setTimeout(0)
  response.flushHeaders()
  const stop = stream({
    write(text) {
      if (response.writableEnded || response.destroyed) return false
      if (response.writableLength <= WAITING_BYTES_MAX) return response.write(text)
      response.destroy()
      return false
    },
    whenDrained: (run) => void response.once('drain', run),
    end: () => void response.end(),
  })
  const end = () => void response.end()
  open.add(end)
  const closed = () => {
    open.delete(end)
    stop()
  }
  if (response.destroyed) closed()
  else response.once('close', closed)
}
