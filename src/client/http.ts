/**
 * Calls: a path under /v1/, sent until there is an answer or no hope. Retries what may be retried,
 * turns every other answer into an error that tells no secret, and keeps to one time limit.
 */
import { setMaxListeners } from 'node:events'
import { type Secret } from '../lib/secret.ts'
import { bodyOf, failure, networkError, retryAfterMs, shownPath } from './answer.ts'
import { ClosedError, InvalidRequestError } from './errors.ts'
import { stringifyJson } from './json.ts'
import { type Incoming, type Transport, TransportFault } from './transport.ts'

export type CallOptions = {
  signal?: AbortSignal | undefined
  /** For work that nobody waits for: the call does not keep the process alive. */
  background?: boolean | undefined
  /** Sent along. What the client itself has to say of the token and the body cannot be changed. */
  headers?: Readonly<Record<string, string>> | undefined
}

export type Call = CallOptions & {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Below /v1/, not encoded: `secret/data/app one`. */
  path: string
  query?: Record<string, string | number | undefined> | undefined
  body?: unknown
  token?: Secret | undefined
  wrapTtl?: string | number | undefined
  /**
   * For an answer that goes on, given bit by bit: the time limit ends with its head, and it is not
   * asked for again when it is cut.
   */
  chunk?: ((bytes: Uint8Array) => void) | undefined
}

/** A success. `body` is undefined for 204. `generation` is told of a credential that is rotated. */
export type Answer = {
  status: number
  body: Record<string, unknown> | undefined
  generation?: number
}
export type Send = (call: Call) => Promise<Answer>

export type HttpOptions = {
  address: URL
  transport: Transport
  namespace?: string | undefined
  /** Sent along with every call, unless that says otherwise. */
  headers?: Readonly<Record<string, string>> | undefined
  timeoutMs: number
  tries: number
  random: () => number
  /** Aborts everything when the client closes. */
  closed: AbortSignal
}

const BACKOFF_MS = 100
const BACKOFF_MS_MAX = 5_000

export function createSend(options: HttpOptions): Send {
  return async (call) => {
    if (options.closed.aborted) throw new ClosedError()
    const url = callUrl(options.address, call)
    const limit = timeLimit(call, options)
    try {
      return await sendUntilAnswered(call, url, { ...options, limit })
    } catch (error) {
      if (call.signal?.aborted || limit.signal.aborted) throw limit.signal.reason
      throw error
    } finally {
      limit.clear()
    }
  }
}

type Limit = { signal: AbortSignal; endsAt: number; lift: () => void; clear: () => void }

/**
 * One signal for the caller's abort, the client's end and the time limit. Its timer is what keeps
 * the process alive while a program waits for its call; no other timer here does.
 */
function timeLimit(call: Call, { timeoutMs, closed }: HttpOptions): Limit {
  const controller = new AbortController()
  const byCaller = () => controller.abort(call.signal?.reason)
  const byClose = () => controller.abort(new ClosedError())
  const timer = setTimeout(() => {
    const text = `${call.method} ${shownPath(call.path)}: no answer within ${timeoutMs} ms`
    controller.abort(new DOMException(text, 'TimeoutError'))
  }, timeoutMs)
  if (call.background) timer.unref()
  if (call.signal?.aborted) byCaller()
  // One signal for many calls is normal; Node 20 would warn of a leak from the 11th on.
  if (call.signal) setMaxListeners(0, call.signal)
  call.signal?.addEventListener('abort', byCaller, { once: true })
  closed.addEventListener('abort', byClose, { once: true })
  return {
    signal: controller.signal,
    endsAt: Date.now() + timeoutMs,
    lift: () => clearTimeout(timer),
    clear() {
      clearTimeout(timer)
      call.signal?.removeEventListener('abort', byCaller)
      closed.removeEventListener('abort', byClose)
    },
  }
}

async function sendUntilAnswered(
  call: Call,
  start: URL,
  options: HttpOptions & { limit: Limit },
): Promise<Answer> {
  const { transport, tries, limit, random } = options
  const headers = headersOf(call, options)
  const body = call.body === undefined ? undefined : stringifyJson(call.body)
  let url = start
  let redirected = false
  for (let attempt = 1; ; attempt++) {
    limit.signal.throwIfAborted()
    let waitMs = 0
    try {
      const background = call.background === true
      const { method, chunk } = call
      const incoming = await transport.send({
        method,
        url,
        headers,
        body,
        signal: limit.signal,
        background,
        streaming: chunk && { open: limit.lift, chunk },
      })
      const target = redirected ? undefined : redirectTarget(incoming, url)
      if (target !== undefined) {
        // A standby names the active node. Once only, as the next hop would be a loop.
        redirected = true
        url = target
        attempt--
        continue
      }
      if (incoming.status < 300) return answerOf(incoming, call)
      waitMs = retryAfterMs(incoming)
      const again = incoming.status === 429 || incoming.status === 503
      const late = Date.now() + waitMs > limit.endsAt
      if (!again || attempt >= tries || late) throw failure(incoming, call)
    } catch (error) {
      if (!(error instanceof TransportFault)) throw error
      limit.signal.throwIfAborted()
      // A write that may have arrived is not sent twice: it could undo what came after it.
      const again = (call.method === 'GET' && !call.chunk) || !error.sent
      if (!again || attempt >= tries) throw networkError(error, call)
    }
    const backoff = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** attempt)
    await sleep(waitMs + random() * backoff, limit.signal)
  }
}

function answerOf(incoming: Incoming, call: Call): Answer {
  const told = incoming.header('x-coffer-generation')
  const generation = told !== undefined && /^\d{1,15}$/.test(told) ? Number(told) : undefined
  const answer = { status: incoming.status, body: bodyOf(incoming, call) }
  return generation === undefined ? answer : { ...answer, generation }
}

/** Waits without keeping the process alive; an abort ends the wait with the signal's reason. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    timer.unref()
    signal.addEventListener('abort', stop, { once: true })
  })
}

function headersOf(
  call: Call,
  { namespace, headers: always }: Pick<HttpOptions, 'namespace' | 'headers'>,
): Record<string, string> {
  const type = call.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const headers = {
    ...lowerCased(always),
    ...lowerCased(call.headers),
    'x-vault-request': 'true',
    ...(call.token ? { 'x-vault-token': call.token.reveal() } : {}),
    ...(namespace ? { 'x-vault-namespace': namespace } : {}),
    ...(call.wrapTtl === undefined ? {} : { 'x-vault-wrap-ttl': String(call.wrapTtl) }),
    ...(call.body === undefined ? {} : { 'content-type': type }),
  }
  for (const [name, value] of Object.entries(headers)) {
    // The runtime would refuse it too, but some quote the value when they do.
    if (/[^\x20-\x7e]/.test(value)) {
      throw new InvalidRequestError({ hint: `${name} holds a character that no header may carry` })
    }
  }
  return headers
}

/** Two spellings of one name would be two headers, and the server would take either. */
function lowerCased(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]))
}

/** Encodes each segment; refuses what a server would read as another path than the one meant. */
function callUrl(address: URL, { path, query = {} }: Call): URL {
  const segments = path.replace(/^\//, '').split('/')
  const odd = segments.some(
    (s, i) => s === '.' || s === '..' || (s === '' && i < segments.length - 1),
  )
  if (odd || segments[0] === '' || /[\u0000-\u001f\u007f]|\p{Surrogate}/u.test(path)) {
    throw new InvalidRequestError({
      hint: 'a path must be printable segments with one "/" between them, without "." and ".."',
    })
  }
  const base = address.href.replace(/\/$/, '')
  const url = new URL(`${base}/v1/${segments.map(encodeURIComponent).join('/')}`)
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url
}

function redirectTarget({ status, header }: Incoming, from: URL): URL | undefined {
  if (![301, 302, 307, 308].includes(status)) return undefined
  const location = header('location')
  if (location === undefined) return undefined
  const target = new URL(location, from)
  // The token goes along, so the line must not become weaker than the one it was meant for.
  return target.protocol === from.protocol || target.protocol === 'https:' ? target : undefined
}
