/**
 * One request, one answer, over node:http(s) or a given `fetch`. It knows nothing of secrets or of
 * retries; it only tells faithfully whether a failed request may have reached the server.
 */
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

type Outgoing = {
  method: string
  url: URL
  headers: Record<string, string>
  body?: string | undefined
  signal: AbortSignal
  /** The socket of a background request does not keep the process alive. */
  background: boolean
  streaming?: Streaming | undefined
}
/** For an answer that goes on: its text is given bit by bit as it comes, and is not in `Incoming`. */
export type Streaming = {
  /** The head of such an answer is there. */
  open: () => void
  chunk: (bytes: Uint8Array) => void
}
export type Incoming = {
  status: number
  header: (name: 'location' | 'retry-after' | 'x-coffer-generation') => string | undefined
  text: string
}
export type Transport = {
  send(outgoing: Outgoing): Promise<Incoming>
  close(): void
}
/** PEM texts. `ca` replaces the system's roots; `cert` and `key` are the client's own. */
export type TlsOptions = {
  ca?: string | Buffer | readonly (string | Buffer)[]
  cert?: string | Buffer
  key?: string | Buffer
  passphrase?: string
  serverName?: string
}
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>

/** No answer came. `sent` is false only when the server surely saw nothing of the request. */
export class TransportFault extends Error {
  override readonly name = 'TransportFault'
  readonly sent: boolean

  constructor(cause: unknown, sent: boolean) {
    super('no answer', { cause })
    this.sent = sent
  }
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const SOCKETS_MAX = 16

export function nodeTransport(tls: TlsOptions = {}): Transport {
  const pool = { keepAlive: true, maxSockets: SOCKETS_MAX }
  const { serverName, ca, ...own } = tls
  const plain = new HttpAgent(pool)
  const secured = {
    ...own,
    ...(ca === undefined ? {} : { ca: Array.isArray(ca) ? [...ca] : (ca as string) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  }
  const secure = new HttpsAgent({ ...pool, ...secured })
  // Streams have sockets of their own: in the pool they would keep all other calls waiting.
  const plainStreams = new HttpAgent()
  const secureStreams = new HttpsAgent(secured)
  return {
    send(outgoing) {
      const long = outgoing.streaming !== undefined
      return sendOnce(outgoing, (url, options) =>
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, agent: long ? secureStreams : secure })
          : httpRequest(url, { ...options, agent: long ? plainStreams : plain }),
      )
    },
    close() {
      for (const agent of [plain, secure, plainStreams, secureStreams]) agent.destroy()
    },
  }
}

type Requester = (url: URL, options: RequestOptions) => ClientRequest

function sendOnce(outgoing: Outgoing, request: Requester): Promise<Incoming> {
  const { method, url, headers, body, signal, background, streaming } = outgoing
  return new Promise((resolve, reject) => {
    let sent = false
    const fail = (error: unknown) => reject(new TransportFault(error, sent))
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const asked = request(url, { method, headers: { ...headers, ...length }, signal })
    asked.on('socket', (socket) => {
      if (background) socket.unref()
      if (asked.reusedSocket) sent = true
      else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => (sent = true))
    })
    asked.on('error', fail)
    asked.on('response', (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const on = isStream(answer.statusCode, answer.headers['content-type']) && streaming
      if (on) on.open()
      answer.on('data', (chunk: Buffer) => {
        if (on) return hand(chunk, on, answer)
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes > ANSWER_BYTES_MAX) answer.destroy(new Error('the answer is larger than 64 MiB'))
      })
      answer.on('error', fail)
      answer.on('end', () => {
        resolve({
          status: answer.statusCode ?? 0,
          header: (name) => [answer.headers[name]].flat()[0],
          text: Buffer.concat(chunks).toString('utf8'),
        })
      })
    })
    asked.end(body)
  })
}

const isStream = (status: number | undefined, type: string | null | undefined) =>
  status === 200 && /^text\/event-stream\b/.test(type ?? '')

/** What its reader throws ends the answer, and is the error of the call. */
function hand(chunk: Uint8Array, { chunk: give }: Streaming, answer: IncomingMessage): void {
  try {
    give(chunk)
  } catch (error) {
    answer.destroy(error as Error)
  }
}

async function handAll(answer: Response, { open, chunk }: Streaming): Promise<void> {
  open()
  const reader = answer.body?.getReader()
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    chunk(next.value)
  }
}

/** What the system says when a connection was never made. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

export function fetchTransport(fetch: FetchLike): Transport {
  return {
    async send({ method, url, headers, body, signal, streaming }) {
      try {
        const answer = await fetch(url.href, {
          method,
          headers,
          signal,
          redirect: 'manual',
          ...(body === undefined ? {} : { body }),
        })
        const on = isStream(answer.status, answer.headers.get('content-type')) && streaming
        if (on) await handAll(answer, on)
        const text = on ? '' : await answer.text()
        return { status: answer.status, header: (n) => answer.headers.get(n) ?? undefined, text }
      } catch (error) {
        const cause = error instanceof Error ? (error.cause ?? error) : error
        const { code } = Object(cause) as { code?: unknown }
        throw new TransportFault(cause, !(typeof code === 'string' && NEVER_CONNECTED.has(code)))
      }
    },
    close() {},
  }
}
