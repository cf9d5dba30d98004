/**
 * The client library under the settings of the command line: the same address, token and TLS, sent
 * by the same code as every other command's requests, so that no flag means less here.
 */
import { authFromEnv, token } from '../../client/auth.ts'
import type { ConnectOptions } from '../../client/connect.ts'
import type { FetchLike } from '../../client/transport.ts'
import { CliError } from '../cli-error.ts'
import type { Context } from '../command.ts'
import { type Received, send, type Wire } from './send.ts'

export function clientOptions({ settings, io }: Pick<Context, 'settings' | 'io'>): ConnectOptions {
  const { address, namespace, timeoutSeconds, retriesMax } = settings
  const socket = address.startsWith('unix://') ? address.slice('unix://'.length) : undefined
  return {
    address: socket === undefined ? address : 'http://localhost',
    auth: settings.token === undefined ? authFromEnv(io.env) : token(settings.token),
    namespace: namespace ?? '',
    fetch: fetchWith(settings, socket),
    timeoutMs: timeoutSeconds * 1000,
    tries: retriesMax + 1,
    env: io.env,
  }
}

function fetchWith(settings: Context['settings'], socket: string | undefined): FetchLike {
  const extra = settings.headers.map((pair) => {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new CliError('-header must be of the form key=value')
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const
  })
  return async (text, { method = 'GET', headers, body, signal }) => {
    signal?.throwIfAborted()
    const url = new URL(text)
    const wire: Wire = {
      method,
      url,
      target: url.pathname + url.search,
      socket,
      headers: { ...Object.fromEntries(extra), ...(headers as Record<string, string>) },
      body: typeof body === 'string' ? body : undefined,
    }
    return fetched(wire, settings, signal ?? new AbortController().signal)
  }
}

/** An answer that goes on is there as soon as its head is, and any other when it is whole. */
function fetched(wire: Wire, settings: Context['settings'], signal: AbortSignal) {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  let body: ReadableStreamDefaultController<Uint8Array> | undefined
  const open = (head: Omit<Received, 'text'>): boolean => {
    if (!String(head.headers['content-type']).startsWith('text/event-stream')) return false
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (body = controller),
    })
    resolve(response(head, stream))
    return true
  }
  const chunk = (bytes: Uint8Array) => body?.enqueue(bytes)
  send(wire, settings, { open, chunk, signal }).then(
    (received) => (body ? body.close() : resolve(response(received, received.text))),
    (error: Error) => {
      // Whoever has let it go is told why, and not what became of the socket.
      const told = signal.aborted ? (signal.reason as Error) : error
      if (body) body.error(told)
      else reject(told)
    },
  )
  return promise
}

const TOLD = ['content-type', 'location', 'retry-after', 'x-coffer-generation']

function response({ status, headers }: Omit<Received, 'text'>, body: string | ReadableStream) {
  const answer = new Headers()
  for (const name of TOLD) {
    const value = headers[name]
    if (typeof value === 'string') answer.set(name, value)
  }
  // The constructor takes no text with these.
  const text = status === 204 || status === 304 ? null : body
  return new Response(text, { status, headers: answer })
}
