/**
 * A load generator that costs little itself: raw sockets, requests printed beforehand, answers
 * counted by their length. One request in flight per connection.
 */
import { connect, type Socket } from 'node:net'

export type Target = { host: string; port: number }
export type Ask = { method: string; path: string; token?: string; body?: string }
export type Result = {
  perSecond: number
  p50Ms: number
  p99Ms: number
  failed: number
  done: number
}

function printed(target: Target, ask: Ask): Buffer {
  const lines = [`${ask.method} ${ask.path} HTTP/1.1`, `Host: ${target.host}:${target.port}`]
  if (ask.token) lines.push(`X-Vault-Token: ${ask.token}`)
  lines.push('X-Vault-Request: true')
  if (ask.body !== undefined) {
    lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(ask.body)}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${ask.body ?? ''}`)
}

/** Runs `next` on every connection for `seconds`; answers that began in time are counted. */
export async function load(
  target: Target,
  next: (n: number) => Ask,
  options: { connections: number; seconds: number },
): Promise<Result> {
  const end = performance.now() + options.seconds * 1000
  const times: number[] = []
  let failed = 0
  let n = 0
  /** An ask that comes again is printed once. */
  let last: { ask: Ask; bytes: Buffer } | undefined
  const nextBytes = () => {
    const ask = next(n++)
    if (last?.ask !== ask) last = { ask, bytes: printed(target, ask) }
    return last.bytes
  }
  const one = () =>
    new Promise<void>((done, broken) => {
      const socket: Socket = connect(target.port, target.host)
      let left: Buffer = Buffer.alloc(0)
      let sentAt = 0
      const send = () => {
        sentAt = performance.now()
        if (sentAt >= end) socket.end()
        else socket.write(nextBytes())
      }
      socket.setNoDelay(true)
      socket.on('connect', send)
      socket.on('error', broken)
      socket.on('close', () => done())
      socket.on('data', (chunk: Buffer) => {
        left = left.length > 0 ? Buffer.concat([left, chunk]) : chunk
        const length = answerLength(left)
        if (length === undefined || left.length < length) return
        // "HTTP/1.1 2": the tenth character is the class of the status.
        if (left[9] !== 0x32) failed++
        left = left.subarray(length)
        times.push(performance.now() - sentAt)
        send()
      })
    })
  await Promise.all(Array.from({ length: options.connections }, one))
  times.sort((a, b) => a - b)
  return {
    perSecond: times.length / options.seconds,
    p50Ms: times[Math.floor(times.length * 0.5)] ?? 0,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    failed,
    done: times.length,
  }
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = '\r\nContent-Length: '
const lengthInAnyCase = (head: string) => Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)

/** Bytes of the first answer, head included; undefined while its head is not complete. */
function answerLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(HEAD_END)
  if (end < 0) return undefined
  const head = bytes.toString('latin1', 0, end)
  const at = head.indexOf(LENGTH)
  const length =
    at < 0 ? lengthInAnyCase(head) : Number.parseInt(head.slice(at + LENGTH.length), 10)
  return end + HEAD_END.length + length
}
