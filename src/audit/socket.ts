/**
 * The `socket` audit device: lines over TCP, UDP or a Unix socket. A connection that is lost is made
 * anew at the next line. TCP tells when the other end's kernel has the bytes, not that anybody has
 * kept them: a second device of another kind is wise.
 */
import { createSocket } from 'node:dgram'
import { connect, isIP, type Socket } from 'node:net'
import { type AuditDevice, type AuditDeviceType } from '../kit/audit-device.ts'
import { refuse } from '../kit/failure.ts'
import { parseDurationSeconds } from '../lib/duration.ts'

const WRITE_TIMEOUT = '2s'
const WRITE_SECONDS_MAX = 60

export const socketAudit: AuditDeviceType = {
  type: 'socket',
  open(options) {
    const { address, socket_type: kind = 'tcp' } = options
    if (!address) refuse('address is required')
    const timeoutMs = timeoutOf(options['write_timeout'])
    if (kind === 'unix') return streamDevice(() => connect({ path: address }), timeoutMs)
    const place = hostAndPort(address)
    if (kind === 'tcp') return streamDevice(() => connect(place), timeoutMs)
    if (kind === 'udp') return datagramDevice(place, timeoutMs)
    return refuse('socket_type must be tcp, udp or unix')
  },
}

function timeoutOf(text = WRITE_TIMEOUT): number {
  const seconds = secondsOf(text)
  if (seconds > 0 && seconds <= WRITE_SECONDS_MAX) return seconds * 1000
  return refuse(`write_timeout must be a duration of up to ${WRITE_SECONDS_MAX} seconds`)
}

function secondsOf(text: string): number {
  try {
    return parseDurationSeconds(text)
  } catch {
    return 0
  }
}

export type Place = { readonly host: string; readonly port: number }

/** `host:port`, with an IPv6 address in brackets. */
export function hostAndPort(address: string): Place {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? []
  const host = bracketed ?? plain ?? ''
  const port = Number(digits)
  const wrong = host === '' || (bracketed !== undefined && isIP(bracketed) !== 6)
  if (wrong || !(port > 0 && port < 65_536)) refuse('address must be host:port')
  return { host, port }
}

export function streamDevice(open: () => Socket, timeoutMs: number): AuditDevice {
  let socket: Socket | undefined

  function current(): Socket {
    if (socket && !socket.destroyed && socket.writable) return socket
    const fresh = open()
    socket = fresh
    fresh.setNoDelay(true)
    fresh.unref()
    fresh.on('error', () => fresh.destroy())
    // Nothing is expected to come back; what comes is not kept.
    fresh.resume()
    return fresh
  }

  return {
    write(lines) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const to = current()
      const gone = () => settle(new Error('the connection was lost'))
      const timer = setTimeout(() => {
        // Half a line may be on its way: what follows must not be taken for its other half.
        to.destroy()
        settle(new Error('not taken in time'))
      }, timeoutMs)
      function settle(error?: Error | null): void {
        clearTimeout(timer)
        to.off('close', gone)
        if (error) reject(error)
        else resolve()
      }
      to.on('close', gone)
      to.write(lines, settle)
      return promise
    },
    reopen() {
      socket?.destroy()
      socket = undefined
    },
    close() {
      socket?.end()
      socket = undefined
    },
  }
}

/** The most that one UDP datagram carries over IPv4. */
const DATAGRAM_BYTES_MAX = 65_507

export function datagramDevice(
  { host, port }: Place,
  timeoutMs: number,
  frame: (line: string) => string = (line) => `${line}\n`,
): AuditDevice {
  const socket = createSocket({ type: isIP(host) === 6 ? 'udp6' : 'udp4' })
  socket.unref()
  socket.on('error', () => {})
  const send = (line: string) => {
    const bytes = Buffer.from(frame(line))
    if (bytes.length > DATAGRAM_BYTES_MAX) throw new Error('the line is too long for a datagram')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(() => reject(new Error('not taken in time')), timeoutMs)
    socket.send(bytes, port, host, (error) => {
      clearTimeout(timer)
      if (error) reject(error)
      else resolve()
    })
    return promise
  }
  return {
    async write(lines) {
      await Promise.all(lines.trimEnd().split('\n').map(send))
    },
    reopen() {},
    close: () => socket.close(),
  }
}
