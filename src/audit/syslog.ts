/**
 * The `syslog` audit device: each line is a message (RFC 5424) to a syslog server over UDP, TCP
 * (octet counting, RFC 6587 section 3.4.1) or a Unix stream socket. The classic /dev/log takes
 * datagrams only, which Node cannot send to a Unix socket; the machine's `logger` program carries
 * the lines there (`unixgram://PATH`, the default), given to it on its standard input.
 */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { type AuditDevice, type AuditDeviceType } from '../kit/audit-device.ts'
import { refuse } from '../kit/failure.ts'
import { datagramDevice, hostAndPort, streamDevice } from './socket.ts'

/** RFC 5424, section 6.2.1, table 1. */
const FACILITIES = [
  ...['KERN', 'USER', 'MAIL', 'DAEMON', 'AUTH', 'SYSLOG', 'LPR', 'NEWS', 'UUCP', 'CRON'],
  ...['AUTHPRIV', 'FTP', 'NTP', 'AUDIT', 'ALERT', 'CLOCK'],
  ...['LOCAL0', 'LOCAL1', 'LOCAL2', 'LOCAL3', 'LOCAL4', 'LOCAL5', 'LOCAL6', 'LOCAL7'],
]
const INFORMATIONAL = 6
const DEV_LOG = '/dev/log'
const WRITE_MS = 2_000
/** Of one message by way of `logger`; longer ones would be cut. */
const LOGGER_BYTES_MAX = 1024 * 1024

export const syslogAudit: AuditDeviceType = {
  type: 'syslog',
  open({ facility = 'AUTH', tag = 'vault', address }) {
    const code = FACILITIES.indexOf(facility.toUpperCase())
    if (code < 0) refuse(`facility must be one of ${FACILITIES.join(', ')}`)
    if (!/^[\w.-]{1,48}$/.test(tag)) refuse('tag must be up to 48 letters, digits, ".", "_" or "-"')
    const head = `<${code * 8 + INFORMATIONAL}>1 - ${hostname()} ${tag} ${process.pid} - - `
    const [, kind, rest] = /^(udp|tcp|unix|unixgram):\/\/(.+)$/.exec(address ?? '') ?? []
    if (address !== undefined && !kind) {
      refuse('address must begin with udp://, tcp://, unix:// or unixgram://')
    }
    if (kind === 'udp') return datagramDevice(hostAndPort(rest!), WRITE_MS, (line) => head + line)
    if (kind === 'tcp') {
      const place = hostAndPort(rest!)
      return framed(
        streamDevice(() => connect(place), WRITE_MS),
        head,
      )
    }
    if (kind === 'unix')
      return framed(
        streamDevice(() => connect({ path: rest! }), WRITE_MS),
        head,
      )
    return localDevice([
      ...['-p', `${FACILITIES[code]!.toLowerCase()}.info`, '-t', tag],
      ...['-u', rest ?? DEV_LOG],
    ])
  },
}

/** Each message says how long it is. */
function framed(device: AuditDevice, head: string): AuditDevice {
  const frame = (line: string) => `${Buffer.byteLength(head + line)} ${head}${line}`
  return { ...device, write: (lines) => device.write(eachLine(lines).map(frame).join('')) }
}

const eachLine = (lines: string) => lines.trimEnd().split('\n')

function localDevice(said: readonly string[]): AuditDevice {
  const start = () => {
    const args = [...said, '-S', String(LOGGER_BYTES_MAX), '--socket-errors=on']
    const child = spawn('logger', args, { stdio: ['pipe', 'ignore', 'ignore'] })
    child.unref()
    // A missing program or a missing /dev/log shows as a pipe that takes nothing.
    child.on('error', () => child.stdin.destroy())
    child.on('exit', () => child.stdin.destroy())
    return child.stdin
  }
  let to = start()
  return {
    write(lines) {
      if (to.destroyed) to = start()
      if (eachLine(lines).some((line) => Buffer.byteLength(line) > LOGGER_BYTES_MAX)) {
        throw new Error('the line is too long for syslog')
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const pipe = to
      const gone = () => reject(new Error('logger has ended; is there a /dev/log?'))
      const timer = setTimeout(() => reject(new Error('not taken in time')), WRITE_MS)
      pipe.once('close', gone)
      pipe.write(lines, (error) => {
        clearTimeout(timer)
        pipe.off('close', gone)
        if (error) reject(error)
        else resolve()
      })
      return promise
    },
    reopen() {
      to.end()
      to = start()
    },
    close: () => void to.end(),
  }
}
