/** The smallest HTTP client that keeps its connections and says when there was no answer. */
import { Agent, request } from 'node:http'
import { type Socket } from 'node:net'

export type Answer = {
  readonly status: number
  /** The body as JSON; an empty object when there is none. */
  readonly body: Record<string, unknown>
}

/** The connection ended before the answer came: whether the request was carried out is unknown. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export type AskOptions = { token?: string | undefined; wrapTtl?: string }

export type Client = {
  ask(method: string, path: string, body?: object, options?: AskOptions): Promise<Answer>
  /** Local ports of the connections that were used. */
  readonly ports: ReadonlySet<number>
  close(): void
}

export type ClientOptions = {
  port: number
  connections: number
  token?: string
  timeoutMs?: number
}

export function client({ port, connections, token, timeoutMs = 10_000 }: ClientOptions): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const ports = new Set<number>()
  return {
    ports,
    ask(method, path, body, options = {}) {
      const presented = 'token' in options ? options.token : token
      const text = body === undefined ? undefined : JSON.stringify(body)
      return new Promise((done, failed) => {
        const asked = request(
          {
            host: '127.0.0.1',
            port,
            method,
            path: `/v1/${path}`,
            agent,
            timeout: timeoutMs,
            headers: {
              ...(presented && { 'X-Vault-Token': presented }),
              ...(text && { 'Content-Type': 'application/json' }),
              ...(text && { 'Content-Length': Buffer.byteLength(text) }),
              ...(options.wrapTtl && { 'X-Vault-Wrap-TTL': options.wrapTtl }),
            },
          },
          (answer) => {
            const chunks: Buffer[] = []
            answer.on('data', (chunk: Buffer) => chunks.push(chunk))
            answer.on('error', (cause) => failed(new NoAnswer('cut off', { cause })))
            answer.on('end', () => {
              const got = Buffer.concat(chunks).toString()
              const parsed = got === '' ? {} : (JSON.parse(got) as Record<string, unknown>)
              done({ status: answer.statusCode ?? 0, body: parsed })
            })
          },
        )
        asked.on('socket', (socket: Socket) => {
          if (socket.localPort) ports.add(socket.localPort)
          else socket.once('connect', () => ports.add(socket.localPort!))
        })
        asked.on('timeout', () => asked.destroy(new Error('timeout')))
        asked.on('error', (cause) => failed(new NoAnswer(cause.message, { cause })))
        asked.end(text)
      })
    },
    close: () => agent.destroy(),
  }
}

/** What lies at `path` in an answer, or undefined. */
export function at(body: unknown, ...path: string[]): unknown {
  let found = body
  for (const name of path) found = (found as Record<string, unknown> | null | undefined)?.[name]
  return found
}
