/** The `file` audit device: appends to a file only its owner can read, to stdout, or to nothing. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { type AuditDevice, type AuditDeviceType } from '../kit/audit-device.ts'
import { Failure } from '../kit/failure.ts'
import { newestFirst } from './read-back.ts'

const DEFAULT_MODE = 0o600
const STDOUT_FD = 1

export const fileAudit: AuditDeviceType = {
  type: 'file',
  open(options) {
    const path = options['file_path'] ?? options['path']
    if (!path) throw new Failure('bad_request', 'file_path is required')
    if (path === 'discard') return { write() {}, reopen() {}, close() {} }
    if (path === 'stdout') {
      return { write: (lines) => writeAll(STDOUT_FD, lines), reopen() {}, close() {} }
    }
    return fileDevice(path, parseMode(options['mode']))
  },
}

function parseMode(mode: string | undefined): number {
  if (mode === undefined || mode === '' || mode === '0000') return DEFAULT_MODE
  if (!/^0?[0-7]{3}$/.test(mode)) {
    throw new Failure('bad_request', 'mode must be an octal file mode such as 0600')
  }
  return Number.parseInt(mode, 8)
}

function fileDevice(path: string, mode: number): AuditDevice {
  let fd = open(path, mode)
  /** The file ends in half a line: what comes next must not become its other half. */
  let torn = false
  return {
    write(lines) {
      const text = torn ? `\n${lines}` : lines
      try {
        writeAll(fd, text)
        torn = false
      } catch (error) {
        torn ||= error instanceof TornError
        throw error
      }
    },
    reopen() {
      const next = open(path, mode)
      closeSync(fd)
      fd = next
      torn = false
    },
    newestFirst: (bytesMax) => newestFirst(path, bytesMax),
    close: () => closeSync(fd),
  }
}

function open(path: string, mode: number): number {
  // A link put in the file's place must not lead the log elsewhere.
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
  try {
    const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, mode)
    const { isFile, isCharacterDevice } = bound(fstatSync(fd))
    if (isFile || isCharacterDevice) return fd
    closeSync(fd)
    throw new Error('not a regular file')
  } catch (error) {
    const why = error instanceof Error ? error.message.split(',')[0] : 'unknown trouble'
    throw new Failure(
      'bad_request',
      `sanity check failed; unable to open ${JSON.stringify(path)} for writing: ${why}`,
    )
  }
}

const bound = (stat: ReturnType<typeof fstatSync>) => ({
  isFile: stat.isFile(),
  isCharacterDevice: stat.isCharacterDevice(),
})

/** A write may take only a part (a full disk, a pipe): a half line would be no line. */
function writeAll(fd: number, lines: string): void {
  let done = writeSync(fd, lines)
  if (done === lines.length && done === Buffer.byteLength(lines)) return
  try {
    for (const bytes = Buffer.from(lines); done < bytes.length;) done += writeSync(fd, bytes, done)
  } catch (error) {
    throw new TornError((error as Error).message)
  }
}

/** Some of the lines were written, and the rest could not be. */
class TornError extends Error {
  override readonly name = 'TornError'
}
