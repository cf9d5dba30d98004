/**
 * A TCP proxy that cuts: what comes from the server ends after some number of bytes, at any byte, with
 * a FIN or a reset. Everything before that passes as it is.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Cut = { afterBytes: number; how: 'end' | 'reset' } | undefined

export type CuttingProxy = AsyncDisposable & {
  readonly address: string
  /** Connections that were cut so far. */
  readonly cuts: number
  /** Lets everything through from now on. */
  heal(): void
}

/** `next` says what becomes of each connection; undefined = nothing. */
export async function cuttingProxy(port: number, next: () => Cut): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let cuts = 0
  let healed = false
  const kept = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  const server = createServer({ noDelay: true }, (client) => {
    const cut = healed ? undefined : next()
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    kept(client)
    kept(upstream)
    let left = cut?.afterBytes ?? Infinity
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      if (left <= 0) return
      client.write(chunk.subarray(0, Math.min(left, chunk.length)))
      left -= chunk.length
      if (left > 0 || !cut) return
      cuts++
      if (cut.how === 'end') client.end()
      // What was written before must arrive: a reset throws away what is still on its way.
      else setTimeout(() => client.resetAndDestroy(), 2)
      upstream.destroy()
    })
    upstream.once('close', () => left > 0 && client.destroy())
    client.once('close', () => upstream.destroy())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts
    },
    heal: () => void (healed = true),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
