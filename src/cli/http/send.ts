/**
 * One HTTP exchange over node:http or node:https: no retries, no redirects, no opinions. It is its
 * own code and not `fetch` because the CLI needs client certificates, server names and sockets.
 */
import { readdirSync, readFileSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'
import { CliError, messageOf } from '../cli-error.ts'
import { http } from '../../lib/node-http.ts'
import type { Tls } from '../settings.ts'

export type Wire = {
  readonly method: string
  readonly url: URL
  /** Path and query exactly as they go out; `URL` would resolve dots in it. */
  readonly target: string
  readonly socket: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string | undefined
}

/** For an answer that goes on: a success is given bit by bit as it comes, and is no text at the end. */
export type Streaming = {
  chunk(bytes: Uint8Array): void
  readonly signal: AbortSignal
  /** Told of the head of a success; false = its text is wanted at the end, as of any other. */
  open?(head: Omit<Received, 'text'>): boolean
}

export type Received = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text: string
}

/** Rejects with node's own error when nothing could be sent or nothing came back. */
export async function send(
  wire: Wire,
  options: { tls: Tls; timeoutSeconds: number },
  streaming?: Streaming,
): Promise<Received> {
  const { url } = wire
  const limit = timeLimit(options.timeoutSeconds, streaming)
  const https = url.protocol === 'https:'
  const settings: RequestOptions = {
    method: wire.method,
    path: wire.target,
    headers: { ...wire.headers, connection: 'close' },
    agent: false,
    signal: limit.signal,
    ...(wire.socket === undefined
      ? { hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port || (https ? 443 : 80) }
      : { socketPath: wire.socket }),
    ...(https ? tlsOptions(options.tls) : {}),
  }
  // Loaded only for TLS: it costs the others 10 ms and 5 MB.
  const { request: open } = https ? await import('node:https') : http
  return new Promise((done, fail) => {
    const request = open(settings, (response) => {
      const chunks: Buffer[] = []
      const { statusCode: status = 0, headers } = response
      const goesOn = status === 200 && (streaming?.open?.({ status, headers }) ?? true)
      const on = goesOn ? streaming : undefined
      if (on) limit.lift()
      response.on('data', (chunk: Buffer) => void (on ? on.chunk(chunk) : chunks.push(chunk)))
      response.on('error', fail)
      response.on('end', () => {
        done({ status, headers, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    request.on('error', fail)
    request.end(wire.body)
  })
}

/** Of a stream, the time is for its head; then it goes on until it is let go. */
function timeLimit(seconds: number, streaming: Streaming | undefined) {
  const controller = new AbortController()
  const timer = setTimeout(
    () => controller.abort(new DOMException('no answer in time', 'TimeoutError')),
    seconds * 1000,
  )
  // As the one of AbortSignal.timeout() would.
  timer.unref()
  const stop = () => controller.abort(streaming?.signal.reason)
  if (streaming?.signal.aborted) stop()
  streaming?.signal.addEventListener('abort', stop, { once: true })
  return { signal: controller.signal, lift: () => clearTimeout(timer) }
}

function tlsOptions(tls: Tls): RequestOptions {
  const ca = [
    ...(tls.caCert === undefined ? [] : [readPem('-ca-cert', tls.caCert)]),
    ...(tls.caPath === undefined ? [] : readFolder(tls.caPath)),
  ]
  if ((tls.clientCert === undefined) !== (tls.clientKey === undefined)) {
    throw new CliError('both -client-cert and -client-key are needed for a client certificate')
  }
  return {
    rejectUnauthorized: !tls.skipVerify,
    ...(ca.length > 0 ? { ca } : {}),
    ...(tls.clientCert === undefined ? {} : { cert: readPem('-client-cert', tls.clientCert) }),
    ...(tls.clientKey === undefined ? {} : { key: readPem('-client-key', tls.clientKey) }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  }
}

function readPem(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CliError(`cannot read the file of ${flag}: ${messageOf(cause)}`, { cause })
  }
}

function readFolder(path: string): string[] {
  let names: string[]
  try {
    names = readdirSync(path)
  } catch (cause) {
    throw new CliError(`cannot read the folder of -ca-path: ${messageOf(cause)}`, { cause })
  }
  return names
    .filter((name) => /\.(pem|crt|cer)$/.test(name))
    .map((n) => readPem('-ca-path', join(path, n)))
}
