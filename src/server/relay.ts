/**
 * A socket behind another face, so that an HTTP server can begin anew in the middle of a connection:
 * its first parser keeps the socket, and hears nothing more. Time-outs stay the socket's, which sees
 * every byte in both directions.
 */
import { type Socket } from 'node:net'
import { Duplex } from 'node:stream'
// Types only: a server without TLS does not load it.
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

type Chunks = Parameters<NonNullable<Duplex['_writev']>>[0]
type Done = (error?: Error | null) => void

export class Relay extends Duplex {
  readonly #socket: Socket

  constructor(socket: Socket) {
    // Texts go on as they are: the socket writes them without a copy.
    super({ decodeStrings: false })
    this.#socket = socket
    // The parser that is left behind listened here.
    socket.removeAllListeners('data')
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.once('end', () => this.push(null))
    socket.once('close', () => this.destroy())
    socket.on('error', (error) => this.destroy(error))
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  get encrypted(): boolean {
    return (this.#socket as Partial<TLSSocket>).encrypted === true
  }

  getPeerCertificate(detailed: true): DetailedPeerCertificate {
    return (this.#socket as TLSSocket).getPeerCertificate(detailed)
  }

  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms)
    return this
  }

  destroySoon(): void {
    this.end(() => this.#socket.destroySoon())
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    this.#socket.write(chunk, encoding, done)
  }

  /** What belongs together is one packet. */
  override _writev(chunks: Chunks, done: Done): void {
    this.#socket.cork()
    const last = chunks.length - 1
    chunks.forEach(({ chunk, encoding }, i) => {
      this.#socket.write(chunk, encoding, i === last ? done : undefined)
    })
    this.#socket.uncork()
  }

  override _final(done: Done): void {
    this.#socket.end(() => done())
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy()
    done(error)
  }
}
