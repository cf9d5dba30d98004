/**
 * The agent as a server nearby: hands requests on, with its own token where the configuration allows
 * that, and remembers what came with a lease.
 */
import { chmodSync, readFileSync, rmSync, statSync } from 'node:fs'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http'
import {
  createServer as createTlsServer,
  request as httpsRequest,
  type RequestOptions,
} from 'node:https'
import { type AddressInfo, type Server } from 'node:net'
import { type Client } from '../client/connect.ts'
import { type Clock } from '../lib/clock.ts'
import { AgentError } from './agent.ts'
import { type AgentConfig, type ListenerConfig } from './config.ts'
import {
  type Answered,
  type Asked,
  createLeaseCache,
  type LeaseCache,
  type Renewable,
} from './lease-cache.ts'

export type ProxyOptions = {
  readonly config: AgentConfig
  readonly address: URL
  /** TLS towards the server. */
  readonly tls: RequestOptions
  readonly namespace: string | undefined
  readonly clock: Clock
  readonly log: (text: string) => void
  readonly quit: () => void
}

const BODY_BYTES_MAX = 32 * 1024 * 1024
/** Of one connection: they are not about the request itself. */
const HOP = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'host', 'content-length'],
])

export async function startProxy(
  options: ProxyOptions,
  client: Client | undefined,
): Promise<() => Promise<void>> {
  const renew = (what: Renewable) => renewed(options, what)
  const cache = options.config.caches
    ? createLeaseCache({ clock: options.clock, renew })
    : undefined
  const servers: Server[] = []
  try {
    for (const listener of options.config.listeners) {
      servers.push(await listen(listener, options, { client, cache }))
    }
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  return async () => {
    cache?.clear()
    for (const server of servers) {
      ;(server as Server & { closeAllConnections(): void }).closeAllConnections()
      await new Promise((done) => server.close(done))
    }
  }
}

type With = { client: Client | undefined; cache: LeaseCache | undefined }

async function listen(
  listener: ListenerConfig,
  options: ProxyOptions,
  parts: With,
): Promise<Server> {
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    serve({ listener, options, ...parts }, request, response).catch((error: unknown) => {
      options.log(
        `a request was not answered: ${(error as NodeJS.ErrnoException).code ?? 'it failed'}`,
      )
      if (response.headersSent) response.destroy()
      else refuse(response, 502, 'the agent got no answer from the server')
    })
  }
  const server = listener.tls
    ? createTlsServer(
        { cert: readFileSync(listener.tls.cert), key: readFileSync(listener.tls.key) },
        answer,
      )
    : createServer(answer)
  const { address } = listener
  try {
    if (listener.type === 'unix') await listenUnix(server, listener)
    else {
      const { host, port } = hostPort(address)
      await listening(server, () => server.listen(port, host))
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new AgentError(`cannot listen on ${address} (${code ?? 'unknown'})`, { cause })
  }
  const at = server.address() as AddressInfo | string
  options.log(`listening on ${typeof at === 'string' ? at : `${at.address}:${at.port}`}`)
  return server
}

function hostPort(address: string): { host: string; port: number } {
  const [, six, host, port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address) ?? []
  if (port === undefined) throw new AgentError(`"${address}" is not of the form host:port`)
  return { host: six ?? (host || '0.0.0.0'), port: Number(port) }
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', fail)
    server.once('listening', done)
    start()
  })
}

/** Nobody else may connect between the making of the socket and the setting of its mode. */
async function listenUnix(server: Server, { address, socketMode }: ListenerConfig): Promise<void> {
  if (isSocket(address)) rmSync(address)
  const before = process.umask(0o177)
  const ready = listening(server, () => server.listen(address))
  process.umask(before)
  await ready
  chmodSync(address, socketMode)
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true
}

type Serving = With & { listener: ListenerConfig; options: ProxyOptions }

async function serve(
  at: Serving,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { listener, options, client, cache } = at
  const { url: target = '', method = 'GET', headers } = request
  if (listener.needsHeader && headers['x-vault-request'] !== 'true') {
    return refuse(response, 412, 'the header X-Vault-Request: true is missing')
  }
  if (target.startsWith('/agent/v1/')) return own(at, request, response)
  if (!target.startsWith('/v1/')) return refuse(response, 404, 'the agent answers below /v1/')
  const body = await bodyOf(request)
  if (!body) return refuse(response, 413, 'the body is larger than 32 MiB')
  const given = String(headers['x-vault-token'] ?? bearer(headers.authorization))
  const { proxyToken } = options.config
  const lends = proxyToken === 'always' || (proxyToken === 'fallback' && given === '')
  const token = lends && client ? client.token.reveal() : given
  const namespace = String(headers['x-vault-namespace'] ?? options.namespace ?? '')
  const asked: Asked = { method, target, token, namespace, body }
  const send = () => forward(options, asked, headers)
  if (!cache || headers['x-vault-wrap-ttl'] !== undefined || isEndless(request)) {
    const incoming = await send()
    if (cache) cache.heard(asked, { status: incoming.statusCode ?? 0, headers: {}, body })
    response.writeHead(incoming.statusCode ?? 502, passedOn(incoming))
    incoming.on('error', () => response.destroy())
    incoming.pipe(response)
    return
  }
  const { answer, hit } = await cache.ask(asked, async () => whole(await send()))
  cache.heard(asked, answer)
  response.writeHead(answer.status, { ...answer.headers, 'x-cache': hit ? 'HIT' : 'MISS' })
  response.end(answer.body)
}

const bearer = (text = '') => /^Bearer (.+)$/i.exec(text)?.[1] ?? ''
/** A stream of events has no end that could be waited for. */
const isEndless = ({ headers }: IncomingMessage) =>
  headers.accept?.includes('text/event-stream') === true

async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function forward(
  { address, tls }: ProxyOptions,
  asked: Asked,
  given: IncomingHttpHeaders,
): Promise<IncomingMessage> {
  const { method, target, token, namespace, body } = asked
  const headers: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !HOP.has(name)) headers[name] = value
  }
  delete headers['authorization']
  delete headers['x-vault-token']
  if (token !== '') headers['x-vault-token'] = token
  if (namespace !== '') headers['x-vault-namespace'] = namespace
  if (body.length > 0) headers['content-length'] = String(body.length)
  const secure = address.protocol === 'https:'
  const settings = {
    method,
    headers,
    hostname: address.hostname.replace(/^\[|\]$/g, ''),
    port: address.port || (secure ? 443 : 80),
    path: address.pathname.replace(/\/$/, '') + target,
  }
  return new Promise((done, fail) => {
    const sent = secure ? httpsRequest({ ...tls, ...settings }) : httpRequest(settings)
    sent.on('response', done)
    sent.on('error', fail)
    sent.end(body)
  })
}

/** With the token it was given to, which is what could renew it without us. */
async function renewed(
  options: ProxyOptions,
  { leaseId, made, token, namespace }: Renewable,
): Promise<Answered> {
  const [target, body] =
    made === undefined
      ? ['/v1/sys/leases/renew', { lease_id: leaseId }]
      : ['/v1/auth/token/renew-self', {}]
  const asked = { method: 'POST', target, token: made ?? token, namespace }
  const headers = { 'x-vault-request': 'true', 'content-type': 'application/json' }
  const text = Buffer.from(JSON.stringify(body))
  return whole(await forward(options, { ...asked, body: text }, headers))
}

function passedOn(incoming: IncomingMessage): Record<string, string> {
  const kept = Object.entries(incoming.headers).filter(([name]) => !HOP.has(name))
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]))
}

async function whole(incoming: IncomingMessage): Promise<Answered> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return {
    status: incoming.statusCode ?? 502,
    headers: passedOn(incoming),
    body: Buffer.concat(chunks),
  }
}

/** The agent's own endpoints: dropping what is remembered, and ending the agent where that is allowed. */
async function own(at: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { listener, options, cache } = at
  const write = request.method === 'POST' || request.method === 'PUT'
  if (write && request.url === '/agent/v1/cache-clear' && cache) {
    const body = await bodyOf(request)
    const asked = readClear(body)
    if (!asked)
      return refuse(response, 400, 'type must be all, request_path or lease, with a value')
    cache.clear(asked)
    response.writeHead(200).end()
  } else if (write && request.url === '/agent/v1/quit' && listener.quits) {
    response.writeHead(204).end()
    options.quit()
  } else refuse(response, 404, 'the agent has no such endpoint')
}

function readClear(body: Buffer | undefined): { path?: string; lease?: string } | undefined {
  let given: { type?: unknown; value?: unknown }
  try {
    given = Object(JSON.parse(body?.toString('utf8') ?? '')) as typeof given
  } catch {
    return undefined
  }
  const { type, value } = given
  if (type === 'all') return {}
  if (typeof value !== 'string' || value === '') return undefined
  if (type === 'request_path') return { path: value.replace(/^\/?(v1\/)?/, '') }
  return type === 'lease' ? { lease: value } : undefined
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ errors: [why] }))
}
