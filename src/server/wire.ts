/**
 * From HTTP to core's Request and back: methods to verbs, headers and query to data, the body under
 * a budget. What is wrong with the form of a request is answered here, before anyone is asked who
 * they are. No value of a request ever appears in what is answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { canonicalNamespace, canonicalPath } from '../core/canonical-path.ts'
import { failureOf, failureResponse, json } from '../core/envelope.ts'
import { type InFlightRequest } from '../core/in-flight.ts'
import { type RefusedRequest } from '../core/audit-refused.ts'
import { type CorsConfig } from '../core/sys/config.ts'
import { type Request, type Response } from '../core/turn.ts'
import { type Verb } from '../kit/engine.ts'
import { type JsonBudget } from '../lib/json.ts'
import { type HeadersOf } from './response-headers.ts'
import { Failure, refuse } from '../kit/failure.ts'
import { parseDurationSeconds } from '../lib/duration.ts'
import { uuid } from '../lib/random.ts'
import { parseBool } from '../schema/field.ts'
import { type BodyMemory, bodyLimit, parseBody, readBody } from './body.ts'
import { type CrossOrigin, crossOrigin, originOf } from './cors.ts'
import { plainAddress } from './forwarded.ts'
import { methodOf } from './list-method.ts'
import { isTls, peerCertificates } from './peer-certificates.ts'
import { type OpenStreams, sendStream } from './stream.ts'
import { checkHeaders, frameTrouble, readHeaders } from './request-headers.ts'

export type WireOptions = {
  handle(request: Request): Promise<Response>
  /** Writes down a request that is refused for its form; rejects when it could not be written. */
  refused(request: RefusedRequest, failure: Failure): Promise<void>
  /** The listener's own; bodies of routes that need little are held to less. */
  maxRequestBytes: number
  jsonBudget: JsonBudget
  requireRequestHeader: boolean
  openMetrics: boolean
  /** On every answer. */
  headers: HeadersOf
  /** What is configured for pages of other origins at this moment. */
  cors(): Promise<CorsConfig | undefined>
  addressOf(request: IncomingMessage): string
  /** Asked before anything is read: undefined = too much is going on. The result leaves again. */
  enter(request: InFlightRequest): (() => void) | undefined
  bodies: BodyMemory
  streams: OpenStreams
}

const VERBS: Record<string, Verb> = {
  GET: 'read',
  HEAD: 'read',
  LIST: 'list',
  SCAN: 'scan',
  POST: 'write',
  PUT: 'write',
  PATCH: 'patch',
  DELETE: 'delete',
}

const notFound = (): Response => json(404, '{"errors":[]}')

/** Answers one HTTP request. Never throws. */
export async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: WireOptions,
): Promise<void> {
  const id = uuid()
  const head = request.method === 'HEAD'
  let shared: CrossOrigin | undefined
  try {
    const origin = originOf(request.rawHeaders)
    if (origin !== undefined) shared = await sharedWith(origin, request, options)
    const made = shared?.answer ?? (await respond(request, id, options))
    send(response, withHeaders(made, shared?.headers), { head, options })
  } catch (error) {
    const failure = await writtenDown(request, failureOf(error, id), { id, options })
    const made = withHeaders(failureResponse(failure), shared?.headers)
    if (failure.code === 'overloaded') made.headers = { ...made.headers, 'Retry-After': '1' }
    const rest = request.complete ? undefined : request
    // The rest of a body that is not wanted would be taken for the next request.
    if (rest || frameTrouble(readHeaders(request.rawHeaders), request.httpVersion)) {
      response.shouldKeepAlive = false
    }
    try {
      send(response, made, { head, options, rest })
    } catch {
      // An answer that broke off half-way cannot be mended.
      response.destroy()
    }
  }
}

/** What the client is told: the failure, or that not even this could be audited. */
async function writtenDown(
  request: IncomingMessage,
  failure: Failure,
  { id, options }: { id: string; options: WireOptions },
): Promise<Failure> {
  // Who comes in a flood is turned away at no cost.
  if (failure.code === 'overloaded') return failure
  const verb = VERBS[methodOf(request)]
  if (!verb) return failure
  try {
    const path = (request.url ?? '').split('?')[0]!.replace(/^\/v1\//, '')
    const { remotePort = 0 } = request.socket
    const remoteAddress = addressOf(request, options)
    const { token } = readHeaders(request.rawHeaders)
    await options.refused({ id, verb, path, token, remoteAddress, remotePort }, failure)
    return failure
  } catch (error) {
    return failureOf(error, id)
  }
}

/** The peer's, where the refusal is that there is no other. */
function addressOf(request: IncomingMessage, options: WireOptions): string {
  try {
    return options.addressOf(request)
  } catch {
    return plainAddress(request.socket.remoteAddress)
  }
}

async function sharedWith(origin: string, request: IncomingMessage, options: WireOptions) {
  const { method = '', headers } = request
  const requestMethod = headers['access-control-request-method']
  return crossOrigin(await options.cors(), { origin, method, requestMethod })
}

function withHeaders(made: Response, headers: Record<string, string> | undefined): Response {
  return headers ? { ...made, headers: { ...made.headers, ...headers } } : made
}

async function respond(
  request: IncomingMessage,
  id: string,
  options: WireOptions,
): Promise<Response> {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const urlPath = mark < 0 ? url : url.slice(0, mark)
  const method = methodOf(request)
  if (!urlPath.startsWith('/v1/')) return elsewhere(urlPath)
  const verb = VERBS[method]
  if (!verb) return json(405, '{"errors":[]}')
  const path = canonicalPath(urlPath.slice('/v1/'.length))
  const remoteAddress = options.addressOf(request)
  const remotePort = request.socket.remotePort ?? 0
  const receivedAt = Date.now()
  const leave = options.enter({ id, method, path, remoteAddress, remotePort, receivedAt })
  if (!leave) throw new Failure('overloaded')
  const hasBody = verb === 'write' || verb === 'patch'
  const hold = hasBody ? options.bodies.hold() : undefined
  try {
    const query = mark < 0 ? undefined : new URLSearchParams(url.slice(mark + 1))
    const headers = readHeaders(request.rawHeaders)
    const { requireRequestHeader } = options
    checkHeaders(headers, { httpVersion: request.httpVersion, requireRequestHeader })
    const namespace = canonicalNamespace(headers.namespace)
    const asked = query ? fromQuery(query, verb, hasBody) : { verb, data: {}, help: false }
    const body = hold
      ? await readBody(request, bodyLimit(path, headers.token, options.maxRequestBytes), hold)
      : undefined
    if (verb === 'patch') checkPatchType(headers.contentType)
    // All of one shape, which the steps of the pipeline then find without looking.
    const made = await options.handle({
      id,
      verb: asked.verb,
      path,
      namespace,
      data: body ? parseBody(body, headers.contentType, options.jsonBudget) : asked.data,
      token: headers.token,
      wrapTtlSeconds: wrapTtl(headers.wrapTtl),
      wrapAsJwt: headers.wrapFormat === 'jwt',
      help: asked.help,
      openMetrics: options.openMetrics,
      remoteAddress,
      remotePort,
      rawHeaders: request.rawHeaders,
      peerCertificates: isTls(request) ? () => peerCertificates(request) : undefined,
      receivedAt,
    })
    if (headers.namespace === undefined) return made
    return { ...made, headers: { ...made.headers, 'X-Vault-Namespace': headers.namespace } }
  } finally {
    hold?.release()
    leave()
  }
}

/** What is not the API: the page that is to come, robots, nothing. */
function elsewhere(path: string): Response {
  if (path === '/') {
    return { ...json(307, ''), headers: { Location: '/ui/' } }
  }
  if (path === '/robots.txt') {
    return { status: 200, contentType: 'text/plain', body: 'User-agent: *\nDisallow: /\n' }
  }
  return notFound()
}

type Asked = { verb: Verb; data: Record<string, unknown>; help: boolean }

/** `list`, `help` and `scan` are about the request; the rest is its data when there is no body. */
function fromQuery(query: URLSearchParams, verb: Verb, hasBody: boolean): Asked {
  const help = (query.get('help') ?? '') !== ''
  const listing = flag(query.get('list'))
  const scanning = flag(query.get('scan'))
  if (listing && scanning) throw new Failure('bad_request', '')
  const data: [name: string, value: unknown][] = []
  if (!hasBody) {
    for (const name of new Set(query.keys())) {
      if (name === 'list' || name === 'help' || name === 'scan') continue
      const values = query.getAll(name)
      data.push([name, values.length === 1 ? values[0] : values])
    }
  }
  // Not by assignment: a parameter may be called __proto__.
  return {
    verb: verb !== 'read' ? verb : listing ? 'list' : scanning ? 'scan' : verb,
    data: Object.fromEntries(data),
    help,
  }
}

function flag(value: string | null): boolean {
  if (value === null || value === '') return false
  try {
    return parseBool(value)
  } catch {
    throw new Failure('bad_request', '')
  }
}

function checkPatchType(contentType: string): void {
  const type = contentType.split(';')[0]!.trim().toLowerCase()
  if (type === '') refuse('mime: no media type')
  if (type !== 'application/merge-patch+json') {
    throw new Failure(
      'unsupported_media_type',
      `PATCH requires Content-Type of application/merge-patch+json, provided ${/^[\w.+/-]{1,80}$/.test(type) ? type : 'another'}`,
    )
  }
}

function wrapTtl(header: string | undefined): number {
  if (header === undefined || header === '') return 0
  if (header.startsWith('-')) refuse('requested wrap ttl cannot be negative')
  try {
    return parseDurationSeconds(header)
  } catch (error) {
    return refuse(`error parsing X-Vault-Wrap-TTL header: ${(error as Error).message}`)
  }
}

/** The listener's headers, flat, but for those that this answer says otherwise. */
function withoutReplaced(flat: readonly string[], own: Response['headers']): string[] {
  if (!own) return [...flat]
  const replaced = new Set(Object.keys(own).map((name) => name.toLowerCase()))
  return flat.filter((_, i) => !replaced.has(flat[i - (i % 2)]!.toLowerCase()))
}

type Sending = {
  head: boolean
  options: WireOptions
  /** A request that is refused before all of it has come. */
  rest?: IncomingMessage | undefined
}

function send(response: ServerResponse, made: Response, { head, options, rest }: Sending): void {
  const { status, contentType, body } = made
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  // A text that is its own bytes goes out with the head in one piece; node would send another as two.
  const encoding = typeof body === 'string' && bytes === body.length ? 'latin1' : 'utf8'
  const headers = withoutReplaced(options.headers(status), made.headers)
  if (status !== 204) headers.push('Content-Type', contentType)
  if (status !== 204 && !made.stream) headers.push('Content-Length', `${bytes}`)
  for (const name in made.headers) headers.push(name, made.headers[name]!)
  response.writeHead(status, headers)
  if (head || status === 204) response.end()
  else if (made.stream) sendStream(response, made.stream, options.streams)
  else if (!rest) response.end(body, encoding)
  else {
    response.write(body, encoding)
    whenItStops(rest, () => response.end())
  }
}

const LINGER_MS = 1_000
const LINGER_BYTES_MAX = 64 * 1024 * 1024

/**
 * A client that is still sending when its connection closes sees a reset instead of the answer. So
 * what it sends is read and thrown away until it has stopped, or for a moment.
 */
function whenItStops(request: IncomingMessage, act: () => void): void {
  let left = LINGER_BYTES_MAX
  const stop = () => {
    clearTimeout(timer)
    request.removeAllListeners('data')
    act()
  }
  const timer = setTimeout(stop, request.destroyed ? 0 : LINGER_MS)
  request.removeAllListeners('data')
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) stop()
  })
  request.once('end', stop)
  request.once('close', stop)
  request.resume()
}
