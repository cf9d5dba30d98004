/**
 * What is inside archives: the zip family (jar, war, docx, whl, nupkg …), tar, and gzip around
 * anything. Sizes are what was read, never what a header says, and all has an end: an archive made to
 * fill a memory is read up to its limit and named.
 *
 * ZIP: APPNOTE 6.3.10, by the central directory, with zip64. tar: POSIX ustar, with pax and GNU long names.
 */
import { zlib } from '../lib/node-zlib.ts'

export type Entry = { readonly name: string; readonly bytes: Buffer }

/** What may still be unpacked. One for an archive and all archives in it, or they would multiply. */
export type Budget = { bytes: number; entries: number }

type Limits = { readonly budget: Budget; readonly entryBytesMax: number }

/** Given instead of an entry that could not be read; without a name: of the archive. */
export type Trouble = {
  readonly trouble: 'too large' | 'encrypted' | 'archive not readable'
  readonly name: string | undefined
}

export const isArchive = (bytes: Buffer): boolean => isZip(bytes) || isGzip(bytes) || isTar(bytes)

const isZip = (bytes: Buffer) =>
  bytes.length >= 22 &&
  (bytes.readUInt32LE(0) === 0x04034b50 || bytes.readUInt32LE(0) === 0x06054b50)
const isGzip = (bytes: Buffer) => bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8
const isTar = (bytes: Buffer) =>
  bytes.length >= 512 && bytes.toString('latin1', 257, 262) === 'ustar'

export function* entriesOf(
  bytes: Buffer,
  name: string,
  limits: Limits,
): Generator<Entry | Trouble> {
  try {
    if (isGzip(bytes)) yield* unzipped(bytes, name, limits)
    else if (isZip(bytes)) yield* zipEntries(bytes, limits)
    else yield* tarEntries(bytes, limits)
  } catch (error) {
    yield { trouble: troubleOf(error), name: undefined }
  }
}

class Spent extends Error {}

/** Throws on what is none of the archive's own faults. */
function troubleOf(error: unknown): Trouble['trouble'] {
  if (error instanceof Spent) return 'too large'
  // Errors of zlib have a code.
  const hasCode = typeof (error as { code?: unknown }).code === 'string'
  if (error instanceof RangeError || hasCode) return 'archive not readable'
  throw error
}

function spend(budget: Budget, bytes: number): void {
  budget.bytes -= bytes
  budget.entries--
  if (budget.bytes < 0 || budget.entries < 0) throw new Spent()
}

/** zlib stops at the limit: what is larger is never in memory. */
function inflate(
  unpack: (options: { maxOutputLength: number }) => Buffer,
  { budget, entryBytesMax }: Limits,
): Buffer {
  const maxOutputLength = Math.max(1, Math.min(budget.bytes, entryBytesMax))
  try {
    const bytes = unpack({ maxOutputLength })
    spend(budget, bytes.length)
    return bytes
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_BUFFER_TOO_LARGE') throw error
    // It was unpacked so far, and thousands of them would take hours.
    spend(budget, maxOutputLength)
    throw new Spent()
  }
}

function* unzipped(bytes: Buffer, name: string, limits: Limits): Generator<Entry> {
  const inner = name
    .replace(/^.*\//s, '')
    .replace(/\.tgz$/i, '.tar')
    .replace(/\.gz$/i, '')
  yield { name: inner, bytes: inflate((options) => zlib().gunzipSync(bytes, options), limits) }
}

const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const COMMENT_MAX = 65_535
const STORED = 0
const DEFLATED = 8

/** In place of a size or an offset: the real one is in a zip64 field. */
const SEE_ZIP64 = 0xffff_ffff
const ENCRYPTED = 1

function* zipEntries(bytes: Buffer, limits: Limits): Generator<Entry | Trouble> {
  const { count, offset: directory } = directoryOf(bytes)
  let at = directory
  for (let i = 0; i < count; i++) {
    if (bytes.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new RangeError('no entry of a directory')
    const [flags, method] = [bytes.readUInt16LE(at + 8), bytes.readUInt16LE(at + 10)]
    const head = at
    const nameLength = bytes.readUInt16LE(at + 28)
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength)
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
    if (name.endsWith('/')) continue
    if ((flags & ENCRYPTED) !== 0) {
      yield { trouble: 'encrypted', name }
      continue
    }
    try {
      const { packed, offset } = placeOf(bytes, head)
      const from = offset + 30 + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28)
      const raw = bytes.subarray(from, from + packed)
      if (raw.length < packed) throw new RangeError('cut off')
      yield { name, bytes: inflate(unpackerOf(method, raw), limits) }
    } catch (error) {
      // One that cannot be read says nothing about the next.
      yield { trouble: troubleOf(error), name }
      if (limits.budget.bytes < 0 || limits.budget.entries < 0) return
    }
  }
}

function unpackerOf(method: number, raw: Buffer) {
  if (method === STORED) return () => raw
  if (method !== DEFLATED) throw new RangeError('packed in another way')
  return (options: { maxOutputLength: number }) => zlib().inflateRawSync(raw, options)
}

const END64_LOCATOR = 0x07064b50
const END64 = 0x06064b50
const ZIP64_FIELD = 1

/** Where the directory begins and how many entries it has; of zip64 by a record before the end. */
function directoryOf(bytes: Buffer): { count: number; offset: number } {
  const end = endOfDirectory(bytes)
  const [count, offset] = [bytes.readUInt16LE(end + 10), bytes.readUInt32LE(end + 16)]
  const locator = end - 20
  const has64 = locator >= 0 && bytes.readUInt32LE(locator) === END64_LOCATOR
  if (!has64) {
    if (offset === SEE_ZIP64) throw new RangeError('no end of a zip64 directory')
    return { count, offset }
  }
  const end64 = longAt(bytes, locator + 8)
  if (bytes.readUInt32LE(end64) !== END64) throw new RangeError('no end of a zip64 directory')
  return { count: longAt(bytes, end64 + 32), offset: longAt(bytes, end64 + 48) }
}

/** Of an entry of the directory; what does not fit is in a field of its own, in this order. */
function placeOf(bytes: Buffer, head: number): { packed: number; offset: number } {
  const [unpacked, packed] = [bytes.readUInt32LE(head + 24), bytes.readUInt32LE(head + 20)]
  const offset = bytes.readUInt32LE(head + 42)
  if (packed !== SEE_ZIP64 && offset !== SEE_ZIP64) return { packed, offset }
  const extra = head + 46 + bytes.readUInt16LE(head + 28)
  const extraEnd = extra + bytes.readUInt16LE(head + 30)
  for (let at = extra; at + 4 <= extraEnd;) {
    const length = bytes.readUInt16LE(at + 2)
    const field = bytes.subarray(at + 4, Math.min(at + 4 + length, extraEnd))
    if (bytes.readUInt16LE(at) !== ZIP64_FIELD) {
      at += 4 + length
      continue
    }
    let next = unpacked === SEE_ZIP64 ? 8 : 0
    const taken = (value: number) => {
      if (value !== SEE_ZIP64) return value
      next += 8
      return longAt(field, next - 8)
    }
    return { packed: taken(packed), offset: taken(offset) }
  }
  throw new RangeError('no zip64 field')
}

/** Eight bytes; what is no exact number is beyond the end of any archive. */
function longAt(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('too far')
  return Number(value)
}

function endOfDirectory(bytes: Buffer): number {
  for (let at = bytes.length - 22; at >= Math.max(0, bytes.length - 22 - COMMENT_MAX); at--) {
    if (bytes.readUInt32LE(at) === END_OF_DIRECTORY) return at
  }
  throw new RangeError('no end of a directory')
}

const BLOCK = 512

function* tarEntries(bytes: Buffer, { budget }: Limits): Generator<Entry | Trouble> {
  let long: string | undefined
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const head = bytes.subarray(at, at + BLOCK)
    if (head.every((byte) => byte === 0)) return
    const size = sizeOf(head)
    const from = at + BLOCK
    const content = bytes.subarray(from, from + size)
    at = from + Math.ceil(size / BLOCK) * BLOCK
    const kind = String.fromCharCode(head[156]!)
    if (kind === 'L') long = textOf(content)
    else if (kind === 'x') long = paxPath(content.toString('utf8')) ?? long
    else {
      const prefix = textOf(head.subarray(345, 500))
      const short = textOf(head.subarray(0, 100))
      const name = long ?? (prefix === '' ? short : `${prefix}/${short}`)
      long = undefined
      if (kind !== '0' && kind !== '\0') continue
      if (content.length < size) {
        yield { trouble: 'archive not readable', name }
        return
      }
      spend(budget, size)
      yield { name, bytes: content }
    }
  }
}

const textOf = (field: Buffer) => {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? field.length : end)
}

/** Octal digits, or (GNU) a number with its first bit set. */
function sizeOf(head: Buffer): number {
  if ((head[124]! & 0x80) !== 0) {
    const size = head.readUIntBE(130, 6)
    return size
  }
  const size = Number.parseInt(textOf(head.subarray(124, 136)).trim() || '0', 8)
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError('no size in a header')
  return size
}

const paxPath = (records: string) => /(?:^|\n)\d+ path=([^\n]*)\n/.exec(records)?.[1]
