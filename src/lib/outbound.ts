/**
 * Asking another server over HTTP: one request with a time limit and a limit of size, which is sent
 * on only within its origin. What goes wrong is told by kind: never with a body, a header or the
 * query of an address.
 */
import type { IncomingMessage } from 'node:http'
import { http } from './node-http.ts'

export type Ask = {
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Trusted instead of what the system trusts. */
  readonly caPem?: string | undefined
  readonly timeoutMs?: number
  readonly bytesMax?: number
}

export type Told = {
  readonly status: number
  readonly text: string
  /** A header of the answer by its lower-case name. */
  header(name: string): string | undefined
}

/** Sends one request; tests put a server of their own behind it. */
export type Outbound = (ask: Ask) => Promise<Told>

/** The other server could not be asked, or did not answer as it should. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError'
}

const TIMEOUT_MS = 10_000
const BYTES_MAX = 1024 * 1024
const REDIRECTS_MAX = 3
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Throws OutboundError. Any status is an answer. */
export const outbound: Outbound = async (ask) => {
  const endsAt = performance.now() + (ask.timeoutMs ?? TIMEOUT_MS)
  let url = parseUrl(ask.url)
  for (let hop = 0; ; hop++) {
    const told = await once(url, ask, Math.max(endsAt - performance.now(), 1))
    const location = told.header('location')
    const post = (ask.method ?? 'GET') !== 'GET'
    if (!REDIRECTS.has(told.status) || location === undefined || post) return told
    const next = URL.parse(location, url)
    if (next?.origin !== url.origin) throw new OutboundError('was sent on to another server')
    if (hop === REDIRECTS_MAX) throw new OutboundError('was sent on too often')
    url = next
  }
}

/** The JSON of an answer with status 200. Throws OutboundError. */
export function jsonOf(told: Told): unknown {
  if (told.status !== 200) throw new OutboundError(`answered with status ${told.status}`)
  try {
    return JSON.parse(told.text)
  } catch {
    throw new OutboundError('did not answer with JSON')
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new OutboundError('has no address that starts with http:// or https://')
  }
  return url
}

async function once(url: URL, ask: Ask, timeoutMs: number): Promise<Told> {
  // TLS costs memory, and a server that asks nobody does not need it.
  const send = url.protocol === 'https:' ? (await import('node:https')).request : http.request
  const { promise, resolve, reject } = Promise.withResolvers<Told>()
  const sent = send(url, {
    method: ask.method ?? 'GET',
    // Connections of their own: these calls are rare, and trust differs between them.
    agent: false,
    headers: {
      accept: 'application/json',
      ...ask.headers,
      ...(ask.body !== undefined && { 'content-length': Buffer.byteLength(ask.body) }),
    },
    ...(ask.caPem && { ca: ask.caPem }),
  })
  const timer = setTimeout(
    () => sent.destroy(new OutboundError('did not answer in time')),
    timeoutMs,
  )
  sent.on('error', (error) => reject(asOutbound(error)))
  sent.on('response', (response) => {
    read(response, ask.bytesMax ?? BYTES_MAX).then(
      (text) => resolve(told(response, text)),
      (error: Error) => {
        sent.destroy()
        reject(asOutbound(error))
      },
    )
  })
  sent.end(ask.body)
  return await promise.finally(() => clearTimeout(timer))
}

async function read(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new OutboundError('answered with too much')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const told = (response: IncomingMessage, text: string): Told => ({
  status: response.statusCode ?? 0,
  text,
  header(name) {
    const value = response.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  },
})

function asOutbound(error: Error & { code?: unknown }): OutboundError {
  if (error instanceof OutboundError) return error
  // Node's texts name addresses; its codes only say what kind of trouble it was.
  const code = typeof error.code === 'string' ? ` (${error.code})` : ''
  return new OutboundError(`could not be reached${code}`, { cause: error })
}
