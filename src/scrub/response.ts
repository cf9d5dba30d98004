/**
 * Keeps secrets out of HTTP answers of `node:http`: a stack trace, a debug page, an object that was
 * serialized with more in it than was meant. Bodies that go out compressed are opened and closed again.
 */
import { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Transform } from 'node:stream'
import zlib from 'node:zlib'
import { type Scrubber } from './scrubber.ts'
import { scrubStream } from './stream.ts'

/** Every answer of this server, from now on. */
export function guardServer(server: Server, scrubber: Scrubber): void {
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    guardResponse(response, scrubber)
  })
}

type Coders = { decode: () => Transform; encode: () => Transform }
const CODERS: Record<string, Coders> = {
  gzip: { decode: zlib.createGunzip, encode: zlib.createGzip },
  'x-gzip': { decode: zlib.createGunzip, encode: zlib.createGzip },
  deflate: { decode: zlib.createInflate, encode: zlib.createDeflate },
  br: { decode: zlib.createBrotliDecompress, encode: zlib.createBrotliCompress },
}
if ('createZstdCompress' in zlib) {
  CODERS['zstd'] = { decode: zlib.createZstdDecompress, encode: zlib.createZstdCompress }
}

type Write = (chunk: unknown, encoding?: unknown, done?: unknown) => boolean

/**
 * Scrubs what this response is given to write. Its length is not known before, so a response that
 * said its length is sent in chunks, unless it is written in one piece.
 */
export function guardResponse(response: ServerResponse, scrubber: Scrubber): void {
  const write = response.write.bind(response) as Write
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
  let head: unknown[] | undefined
  let through: Transform | undefined

  /**
   * Sends the head, with the length that the body has now; undefined = it is not known. Said by us,
   * because Node's own implicit head would come back to the `writeHead` below.
   */
  function begin(length: number | undefined): void {
    if (response.headersSent) return
    const [status, second] = head ?? [response.statusCode]
    if (head) takeHeaders(response, head)
    if (response.hasHeader('content-length')) {
      response.removeHeader('content-length')
      if (length !== undefined) response.setHeader('content-length', length)
    }
    writeHead(status, ...(typeof second === 'string' ? [second] : []))
    head = undefined
  }

  function open(): Transform {
    if (through) return through
    begin(undefined)
    const coders = CODERS[String(response.getHeader('content-encoding') ?? '')]
    const clean = scrubStream(scrubber)
    const last = coders ? clean.pipe(coders.encode()) : clean
    through = coders ? coders.decode() : clean
    if (coders) through.pipe(clean)
    // A body that is not what its header says cannot be looked into, and does not go out.
    through.on('error', () => response.destroy())
    last.on('data', (bytes: Buffer) => void (write(bytes) || pause(last)))
    last.on('end', () => end())
    return through
  }

  function pause(last: Transform): void {
    last.pause()
    response.once('drain', () => last.resume())
  }

  response.writeHead = (...args: unknown[]) => {
    head = args
    return response
  }
  response.flushHeaders = () => void open()
  response.write = ((chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => {
    const after = [encoding, done].find((one) => typeof one === 'function')
    const charset = typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'
    return open().write(chunk, charset, after as () => void)
  }) as typeof response.write
  response.end = ((...args: unknown[]) => {
    const after = args.find((one) => typeof one === 'function') as (() => void) | undefined
    const chunk = typeof args[0] === 'function' ? undefined : args[0]
    const charset = typeof args[1] === 'string' ? (args[1] as BufferEncoding) : 'utf8'
    if (after) response.once('finish', after)
    const encoded = response.hasHeader('content-encoding') || saysEncoded(head)
    if (through || (encoded && chunk !== undefined && chunk !== null)) {
      const into = open()
      if (chunk === undefined || chunk === null) into.end()
      else into.end(chunk, charset)
      return response
    }
    if (chunk === undefined || chunk === null) {
      if (!response.headersSent) writeHead(...(head ?? [response.statusCode]))
      return end()
    }
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, charset) : (chunk as Uint8Array)
    const clean = scrubber.bytes(bytes)
    begin(clean.length)
    return end(clean)
  }) as typeof response.end
}

/** The headers given with `writeHead`, put where they can still be changed. */
function takeHeaders(response: ServerResponse, head: readonly unknown[]): void {
  const given = typeof head[1] === 'string' ? head[2] : head[1]
  for (const [name, value] of headersOf(given)) response.setHeader(name, value as string)
}

function headersOf(given: unknown): [string, unknown][] {
  if (typeof given !== 'object' || given === null) return []
  if (!Array.isArray(given)) return Object.entries(given)
  if (Array.isArray(given[0])) return given as [string, unknown][]
  const pairs: [string, unknown][] = []
  for (let i = 0; i + 1 < given.length; i += 2) pairs.push([String(given[i]), given[i + 1]])
  return pairs
}

function saysEncoded(head: readonly unknown[] | undefined): boolean {
  const given = typeof head?.[1] === 'string' ? head[2] : head?.[1]
  return headersOf(given).some(([name]) => name.toLowerCase() === 'content-encoding')
}
