/**
 * From HTTP to core's Request and back: methods to verbs, headers and query to data, the body under
 * a budget. What is wrong with the form of a request is answered here, before anyone is asked who
 * they are. No value of a request ever appears in what is answered.
 */
import { type IncomingMessage, type ServerResponse } from 'node:http'
import { canonicalPath } from '../core/canonical-path.ts'
import { failureOf, failureResponse, json } from '../core/envelope.ts'
import { type InFlightRequest } from '../core/in-flight.ts'
import { type Request, type Response } from '../core/turn.ts'
import { type Verb } from '../kit/engine.ts'
import { type JsonBudget } from '../lib/json.ts'
import { type HeadersOf } from './response-headers.ts'
import { Failure, refuse } from '../kit/failure.ts'
import { parseDurationSeconds } from '../lib/duration.ts'
import { uuid } from '../lib/random.ts'
import { parseBool } from '../schema/field.ts'
import { bodyLimit, parseBody, readBody } from './body.ts'
import { DISGUISES, expectRequest } from './list-method.ts'

export type WireOptions = {
  handle(request: Request): Promise<Response>
  /** The listener's own; bodies of routes that need little are held to less. */
  maxRequestBytes: number
  jsonBudget: JsonBudget
  requireRequestHeader: boolean
  openMetrics: boolean
  /** On every answer. */
  headers: HeadersOf
  addressOf(request: IncomingMessage): string
  /** Asked before anything is read: undefined = too much is going on. The result leaves again. */
  enter(request: InFlightRequest): (() => void) | undefined
}

type Headers = {
  token: string | undefined
  contentType: string
  wrapTtl: string | undefined
  wrapFormat: string | undefined
  namespace: string | undefined
  vaultRequest: boolean
}

const TOKEN_BYTES_MAX = 8 * 1024

/** One pass over the raw headers: `request.headers` would build an object of all of them. */
function readHeaders(raw: readonly string[]): Headers {
  const found: Headers = {
    token: undefined,
    contentType: '',
    wrapTtl: undefined,
    wrapFormat: undefined,
    namespace: undefined,
    vaultRequest: false,
  }
  let bearer: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    switch (name.length) {
      case 12:
        if (name.toLowerCase() === 'content-type') found.contentType = value
        break
      case 13:
        if (name.toLowerCase() === 'x-vault-token') found.token ??= value
        else if (bearer === undefined && value.startsWith('Bearer ')) {
          if (name.toLowerCase() === 'authorization') bearer = value.slice('Bearer '.length)
        }
        break
      case 15:
        if (name.toLowerCase() === 'x-vault-request') found.vaultRequest = value === 'true'
        break
      case 16:
        if (name.toLowerCase() === 'x-vault-wrap-ttl') found.wrapTtl ??= value
        break
      case 17:
        if (name.toLowerCase() === 'x-vault-namespace') found.namespace ??= value
        break
      case 19:
        if (name.toLowerCase() === 'x-vault-wrap-format') found.wrapFormat ??= value
        break
    }
  }
  found.token ||= bearer
  return found
}

const VERBS: Record<string, Verb> = {
  GET: 'read',
  HEAD: 'read',
  LIST: 'list',
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
  try {
    send(response, await respond(request, id, options), request.method === 'HEAD', options)
  } catch (error) {
    const failure = failureOf(error, id)
    // The rest of a body that is not wanted would be taken for the next request.
    if (!request.complete) response.shouldKeepAlive = false
    const made = failureResponse(failure)
    if (failure.code === 'overloaded') made.headers = { 'Retry-After': '1' }
    send(response, made, request.method === 'HEAD', options)
  }
  if (request.complete) expectRequest(request)
  else request.once('end', () => expectRequest(request))
}

async function respond(
  request: IncomingMessage,
  id: string,
  options: WireOptions,
): Promise<Response> {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const urlPath = mark < 0 ? url : url.slice(0, mark)
  const method = DISGUISES[request.method ?? ''] ?? request.method ?? ''
  if (!urlPath.startsWith('/v1/')) return elsewhere(urlPath)
  const verb = VERBS[method]
  if (!verb) return json(405, '{"errors":[]}')
  const path = canonicalPath(urlPath.slice('/v1/'.length))
  const remoteAddress = options.addressOf(request)
  const remotePort = request.socket.remotePort ?? 0
  const receivedAt = Date.now()
  const leave = options.enter({ id, method, path, remoteAddress, remotePort, receivedAt })
  if (!leave) throw new Failure('overloaded')
  try {
    const query = mark < 0 ? undefined : new URLSearchParams(url.slice(mark + 1))
    const headers = readHeaders(request.rawHeaders)
    checkHeaders(headers, path, options)
    const hasBody = verb === 'write' || verb === 'patch'
    const asked = query ? fromQuery(query, verb, hasBody) : { verb, data: {}, help: false }
    const body = hasBody
      ? await readBody(request, bodyLimit(path, headers.token, options.maxRequestBytes))
      : undefined
    if (verb === 'patch') checkPatchType(headers.contentType)
    return await options.handle({
      id,
      verb: asked.verb,
      path,
      data: body ? parseBody(body, headers.contentType, options.jsonBudget) : asked.data,
      token: headers.token,
      wrapTtlSeconds: wrapTtl(headers.wrapTtl),
      ...(headers.wrapFormat && { wrapFormat: headers.wrapFormat }),
      ...(asked.help && { help: true }),
      ...(options.openMetrics && { openMetrics: true }),
      remoteAddress,
      remotePort,
      headers: {},
      receivedAt,
    })
  } finally {
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

function checkHeaders(headers: Headers, path: string, options: WireOptions): void {
  if (options.requireRequestHeader && !headers.vaultRequest) {
    throw new Failure('precondition_failed', 'missing X-Vault-Request header')
  }
  if (headers.token !== undefined && headers.token.length > TOKEN_BYTES_MAX) {
    throw new Failure('permission_denied')
  }
  // A namespace that is not there must not be taken for the root one.
  const namespace = headers.namespace?.replace(/^\/+|\/+$/g, '') ?? ''
  if (namespace !== '' && namespace !== 'root') {
    throw new Failure('not_found', `no handler for route "${path}". route entry not found.`)
  }
}

type Asked = { verb: Verb; data: Record<string, unknown>; help: boolean }

/** `list`, `help` and `scan` are about the request; the rest is its data when there is no body. */
function fromQuery(query: URLSearchParams, verb: Verb, hasBody: boolean): Asked {
  const help = (query.get('help') ?? '') !== ''
  const listing = flag(query.get('list'))
  flag(query.get('scan'))
  const data: Record<string, unknown> = {}
  if (!hasBody) {
    for (const name of new Set(query.keys())) {
      if (name === 'list' || name === 'help' || name === 'scan') continue
      const values = query.getAll(name)
      data[name] = values.length === 1 ? values[0] : values
    }
  }
  return { verb: verb === 'read' && listing ? 'list' : verb, data, help }
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

function send(response: ServerResponse, made: Response, head: boolean, options: WireOptions): void {
  const { status, contentType } = made
  // One flat buffer: a string made of many pieces is slow to write.
  const body = typeof made.body === 'string' ? Buffer.from(made.body) : made.body
  const headers = [...options.headers(status)]
  if (status !== 204) headers.push('Content-Type', contentType, 'Content-Length', `${body.length}`)
  for (const name in made.headers) headers.push(name, made.headers[name]!)
  response.writeHead(status, headers)
  if (head || status === 204) response.end()
  else response.end(body)
}
