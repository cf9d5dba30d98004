/**
 * Sockets: listeners with every limit set, TLS that can be reloaded, and an end that lets requests
 * in flight finish.
 */
import { constants } from 'node:crypto'
import type { Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import { type AddressInfo, Socket } from 'node:net'
import { type Duplex } from 'node:stream'
import { auditRefused } from '../core/audit-refused.ts'
import { type Core } from '../core/core.ts'
import { InFlight } from '../core/in-flight.ts'
import { corsConfig } from '../core/sys/config.ts'
import { JSON_BUDGET } from '../lib/json.ts'
import { http } from '../lib/node-http.ts'
import { responseHeaders } from './response-headers.ts'
import { type ListenerConfig, type TlsConfig } from './config-listener.ts'
import { BodyMemory } from './body.ts'
import { forwardedAddress } from './forwarded.ts'
import { allowListMethod } from './list-method.ts'
import { readTlsFiles } from './tls-files.ts'
import { answer, type WireOptions } from './wire.ts'

/** A listener of the configuration; whatever is absent has the default of that language. */
export type ListenOptions = Pick<ListenerConfig, 'host' | 'port'> &
  Partial<Omit<ListenerConfig, 'tls'>> & {
    tls?: (Pick<TlsConfig, 'certFile' | 'keyFile'> & Partial<TlsConfig>) | undefined
  }

export type Listener = {
  readonly address: AddressInfo
  readonly secure: boolean
  /**
   * Reads certificate and key again; connections already open keep theirs. Files that cannot be used
   * are told in the log, and what was read before stays.
   */
  reload(): void
  /** Accepts nothing more, lets what is in flight finish, then ends what is left. */
  close(graceMs: number): Promise<void>
}

const MAX_REQUEST_BYTES = 32 * 1024 * 1024
const CONNECTIONS_MAX = 4_000
const CONNECTIONS_PER_ADDRESS_MAX = 1_000
const HEADERS_MAX = 100
const IN_FLIGHT_MAX = 2_000
const SWEEP_MS = 50
const BODY_BYTES_MAX = 256 * 1024 * 1024
/** How often connections are held against their time limits; node's 30 s would make 10 s be 40. */
const CHECK_MS = 500
/** Always let in: an operator must be able to see and unseal a server that is drowning. */
const RESERVED = new Set(['sys/health', 'sys/seal-status', 'sys/unseal'])

export async function listen(
  core: Core,
  options: ListenOptions,
  inFlight: InFlight = new InFlight(),
): Promise<Listener> {
  const { tls } = options
  let closing = false
  const wire: WireOptions = {
    handle: (request) => core.handle(request),
    refused: (request, failure) => auditRefused(core, request, failure),
    maxRequestBytes: options.maxRequestSizeBytes ?? MAX_REQUEST_BYTES,
    jsonBudget: { ...JSON_BUDGET, depthMax: options.maxRequestJsonDepth ?? JSON_BUDGET.depthMax },
    requireRequestHeader: options.requireRequestHeader ?? false,
    openMetrics: options.unauthenticatedMetricsAccess ?? false,
    headers: responseHeaders(options.customResponseHeaders, tls !== undefined),
    async cors() {
      const tx = await core.begin(true)
      return tx && corsConfig(tx)
    },
    addressOf: (request) => forwardedAddress(request, options),
    enter: (request) =>
      inFlight.size < IN_FLIGHT_MAX || RESERVED.has(request.path)
        ? inFlight.enter(request)
        : undefined,
    bodies: new BodyMemory(BODY_BYTES_MAX),
    streams: new Set(),
  }
  // The Host header is looked at together with the others, so that its absence has our form too.
  const settings = {
    connectionsCheckingInterval: CHECK_MS,
    requireHostHeader: false,
    // What has no body is no stream: a read is spared its events.
    optimizeEmptyRequests: true,
  }
  // Loaded only where it is used: 5 MB.
  const server = tls
    ? (await import('node:https')).createServer({ ...settings, ...tlsContext(tls) })
    : http.createServer(settings)
  server.on('request', (request, response) => {
    if (closing) response.shouldKeepAlive = false
    void answer(request, response, wire)
  })
  limit(server, options)
  allowListMethod(server, (error, socket) =>
    refuseConnection(socket, REFUSALS[error.code ?? ''] ?? MALFORMED),
  )
  await new Promise<void>((done, failed) => {
    server.once('error', failed)
    server.listen({ host: options.host, port: options.port, backlog: 511 }, done)
  })
  server.on('error', (error) => core.log('error', `listener: ${error.message}`))

  return {
    address: server.address() as AddressInfo,
    secure: tls !== undefined,
    reload() {
      if (!tls) return
      const name = `listener ${options.host}:${options.port}`
      try {
        ;(server as SecureServer).setSecureContext(tlsContext(tls))
        core.log('info', `${name}: certificate and key were read again`)
      } catch (error) {
        core.log('error', `${name}: the certificate of before stays: ${(error as Error).message}`)
      }
    },
    async close(graceMs) {
      closing = true
      for (const end of wire.streams) end()
      const closed = new Promise((done) => server.close(done))
      // A connection becomes idle when its answer has gone out: then it goes, not at the end of grace.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
      server.closeIdleConnections()
      const force = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(force)
      clearInterval(sweep)
    },
  }
}

function tlsContext(tls: NonNullable<ListenOptions['tls']>) {
  const versions = { tls12: 'TLSv1.2', tls13: 'TLSv1.3' } as const
  return {
    ...readTlsFiles(tls),
    minVersion: versions[tls.minVersion ?? 'tls12'],
    ...(tls.maxVersion && { maxVersion: versions[tls.maxVersion] }),
    ...(tls.cipherSuites && { ciphers: tls.cipherSuites.join(':') }),
    // Asked for, not required: the cert auth method judges it, at login.
    requestCert: !tls.disableClientCerts,
    rejectUnauthorized: tls.requireAndVerifyClientCert ?? false,
    // A session that is taken up again remembers the client's certificate without those it sent
    // with it, so that a login would fail for no reason that a client could see.
    ...(!tls.disableClientCerts && { secureOptions: constants.SSL_OP_NO_TICKET }),
  }
}

/** Node's defaults are for web pages: no connection limit, 5 minutes for a request. */
function limit(server: Server | SecureServer, options: ListenOptions): void {
  server.headersTimeout = (options.httpReadHeaderTimeoutSeconds ?? 10) * 1000
  server.requestTimeout = (options.httpReadTimeoutSeconds ?? 30) * 1000
  server.keepAliveTimeout = (options.httpIdleTimeoutSeconds ?? 60) * 1000
  // Nothing moves on a connection while its request is worked on.
  server.timeout = (options.maxRequestDurationSeconds ?? 90) * 1000
  server.maxHeadersCount = HEADERS_MAX
  server.maxConnections = CONNECTIONS_MAX
  const perAddress = new Map<string, number>()
  server.on('connection', (socket: Duplex) => {
    // A connection that goes on behind a relay has been counted.
    if (!(socket instanceof Socket)) return
    const address = socket.remoteAddress ?? ''
    const open = (perAddress.get(address) ?? 0) + 1
    if (open > CONNECTIONS_PER_ADDRESS_MAX) {
      socket.destroy()
      return
    }
    perAddress.set(address, open)
    socket.setNoDelay(true)
    socket.once('close', () => {
      const left = (perAddress.get(address) ?? 1) - 1
      if (left > 0) perAddress.set(address, left)
      else perAddress.delete(address)
    })
  })
  server.on('connect', (_request, socket) => refuseConnection(socket as Socket, NO_TUNNEL))
  // What a client expects beyond `100-continue` changes nothing for us.
  server.on('checkExpectation', (request, response) => {
    server.emit('request', request, response)
  })
}

type Refusal = readonly [status: string, text: string]
const MALFORMED: Refusal = ['400 Bad Request', 'malformed HTTP request']
const NO_TUNNEL: Refusal = ['405 Method Not Allowed', 'unsupported operation']
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'request header too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not arrive in time'],
}

/** Whatever the parser refuses ends the connection: nothing that follows can be trusted. */
function refuseConnection(socket: Socket, [status, text]: Refusal): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = `{"errors":["${text}"]}\n`
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
