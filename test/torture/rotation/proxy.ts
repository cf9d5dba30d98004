/**
 * Stands between the server and one target, and loses, holds up or delays what passes. It lives in
 * the test's process, so that what a killed server has sent may still arrive.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault } from './points.ts'

export type FaultProxy = AsyncDisposable & {
  readonly port: number
  /** From now on, as the fault says; each heals by itself. */
  strike(fault: Fault): void
  /** Whether all passes at once, and everything before has arrived or is lost. */
  readonly calm: boolean
}

const SLOW_PIECE_MS = 120

export async function faultProxy(port: number): Promise<FaultProxy> {
  const open = new Set<Socket>()
  let dropIn = 0
  let slowUntil = 0
  let frozen: { until: number; over: Promise<void>; lost: boolean } | undefined

  /** What passes a socket, one after the other; its end is the last of it. */
  function pipe(from: Socket, to: Socket, pair: { client: Socket; upstream: Socket }): void {
    const isReply = from === pair.upstream
    let last: Promise<void> = Promise.resolve()
    const next = (act: () => void) => {
      last = last.then(async () => {
        const ice = frozen
        if (ice) {
          await ice.over
          if (ice.lost) return reset(pair)
        }
        if (Date.now() < slowUntil) await sleep(SLOW_PIECE_MS)
        act()
      })
    }
    from.on('data', (data) => {
      next(() => {
        if (isReply && dropIn > 0 && --dropIn === 0) return reset(pair)
        if (!to.destroyed) to.write(data)
      })
    })
    from.once('close', () => next(() => to.end()))
    from.on('error', () => {})
  }

  function reset({ client, upstream }: { client: Socket; upstream: Socket }): void {
    client.resetAndDestroy()
    upstream.resetAndDestroy()
  }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    const pair = { client, upstream }
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
    pipe(client, upstream, pair)
    pipe(upstream, client, pair)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))

  async function freeze({ size, resumes }: Fault): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const own = { until: Date.now() + size, over: promise, lost: !resumes }
    frozen = own
    await sleep(size)
    if (frozen === own) frozen = undefined
    resolve()
  }

  return {
    port: (server.address() as AddressInfo).port,
    strike(fault) {
      if (fault.how === 'drop') dropIn = fault.size
      if (fault.how === 'slow') slowUntil = Date.now() + fault.size
      if (fault.how === 'partition') void freeze(fault)
    },
    get calm() {
      return frozen === undefined && Date.now() >= slowUntil
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
