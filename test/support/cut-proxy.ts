/**
 * Stands before a server and passes everything on, until it is told what to wait for: what the client
 * sends with that in it still reaches the server and is done there, but the answer is lost and the
 * line is cut.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type CutProxy = AsyncDisposable & {
  readonly port: number
  /** Cuts once, after the server has answered to this. */
  cutAfter(text: string): void
  /** How often it has cut. */
  readonly cuts: number
}

export async function cutProxy(port: number): Promise<CutProxy> {
  let wanted: string | undefined
  let cuts = 0
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    let losing = false
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => open.delete(socket))
    }
    client.on('data', (data) => {
      if (wanted !== undefined && data.includes(wanted)) {
        losing = true
        wanted = undefined
      }
      upstream.write(data)
    })
    upstream.on('data', (data) => {
      if (losing) {
        cuts++
        client.destroy()
        upstream.destroy()
      } else client.write(data)
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    cutAfter: (text) => void (wanted = text),
    get cuts() {
      return cuts
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
