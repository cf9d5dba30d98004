/**
 * Bytes to a socket and what comes back: for what no HTTP client would send. A number between the
 * parts is a pause in milliseconds.
 */
import { connect, type Socket } from 'node:net'

export type Part = string | Buffer | number
export type RawAnswer = {
  /** Everything that came back. */
  readonly text: string
  /** Of the first answer; 0 when there was none. */
  readonly status: number
  /** What stands behind the header of the first answer, up to the next one. */
  readonly body: string
  readonly statuses: readonly number[]
  /** Whether the other side closed the connection before the time was up. */
  readonly closed: boolean
  readonly tookMs: number
}

/** Sends the parts and resolves when the other side has closed, or after `ms`. */
export function raw(port: number, parts: readonly Part[], ms = 4_000): Promise<RawAnswer> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    // A part that waits for another would not be a part any more.
    socket.setNoDelay(true)
    const from = performance.now()
    let text = ''
    const end = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      done({ ...parse(text), closed, tookMs: performance.now() - from })
    }
    const timer = setTimeout(() => end(false), ms)
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => end(true))
    void send(socket, parts)
  })
}

async function send(socket: Socket, parts: readonly Part[]): Promise<void> {
  for (const part of parts) {
    if (typeof part === 'number') await new Promise((done) => setTimeout(done, part))
    else if (!socket.destroyed) socket.write(part)
  }
}

function parse(text: string): Pick<RawAnswer, 'text' | 'status' | 'body' | 'statuses'> {
  const heads = [...text.matchAll(/(?:^|[\n}])HTTP\/1\.1 (\d{3}) /g)]
  const statuses = heads.map(([, status]) => Number(status))
  const first = text.slice(0, heads[1]?.index ?? text.length)
  const at = first.indexOf('\r\n\r\n')
  return { text, status: statuses[0] ?? 0, statuses, body: at < 0 ? '' : first.slice(at + 4) }
}

/** A request with a body, in one piece. The connection closes after it. */
export function request(line: string, headers: Record<string, string> = {}, body = ''): string {
  const all = {
    Host: 'test',
    Connection: 'close',
    ...(body !== '' && { 'Content-Length': String(Buffer.byteLength(body)) }),
    ...headers,
  }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${line} HTTP/1.1\r\n${head.join('')}\r\n${body}`
}
