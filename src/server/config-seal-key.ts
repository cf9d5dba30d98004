/**
 * A seal key from where the configuration says it is. Errors here say nothing of what was given,
 * not even a path: whoever forgets the `file://` has written the key itself there.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { BadValue } from './config-kinds.ts'

const KEY_BYTES = 32
const FILE_BYTES_MAX = 1024
const IN_WORDS = '32 bytes in hex (64 digits) or base64 (44 characters)'

/** `inline` when the text was the key itself. Throws BadValue with `wrong` and `expected`. */
export function readSealKey(
  source: string,
  env: Readonly<Record<string, string | undefined>>,
): { bytes: Buffer; inline: boolean } {
  const [, scheme, rest = ''] = /^(file|env):\/\/(.*)$/s.exec(source) ?? []
  if (scheme === 'file') return { bytes: fromFile(rest), inline: false }
  if (scheme === 'env') {
    const given = env[rest]
    if (given === undefined || given === '') {
      throw new BadValue('names a variable that is not set', `the variable to hold ${IN_WORDS}`)
    }
    return { bytes: fromText(given, 'names a variable that holds no key'), inline: false }
  }
  return { bytes: fromText(source, 'is no key'), inline: true }
}

/** Hex first: 64 hex digits are base64 too, but of 48 bytes. */
function fromText(given: string, wrong: string): Buffer {
  const word = given.trim()
  if (/^[0-9a-f]{64}$/i.test(word)) return Buffer.from(word, 'hex')
  // 43 characters carry 258 bits, so the last may not carry any of its own.
  if (/^[A-Za-z0-9+/_-]{42}[AEIMQUYcgkosw048]=?$/.test(word)) return Buffer.from(word, 'base64')
  throw new BadValue(wrong, `file:///path, env://NAME, or ${IN_WORDS}`)
}

function fromFile(path: string): Buffer {
  const content = readKeyFile(path)
  if (content.length === KEY_BYTES) return content
  return fromText(content.toString('latin1'), 'names a file that holds no key')
}

function readKeyFile(path: string): Buffer {
  let fd: number
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its other end.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'does not exist' : 'cannot be opened'
    throw new BadValue(`names a file that ${why}`, 'a file that the server may read')
  }
  try {
    // The open file is judged, so that no other can be put in its place in between.
    const stat = fstatSync(fd)
    if (!stat.isFile() || stat.size > FILE_BYTES_MAX) {
      throw new BadValue('names something that is no key file', `a file with ${IN_WORDS}`)
    }
    if ((stat.mode & 0o077) !== 0) {
      throw new BadValue('names a file that group or others can use', 'mode 0600 or 0400')
    }
    const bytes = Buffer.alloc(FILE_BYTES_MAX)
    return bytes.subarray(0, readSync(fd, bytes, 0, FILE_BYTES_MAX, 0))
  } finally {
    closeSync(fd)
  }
}
