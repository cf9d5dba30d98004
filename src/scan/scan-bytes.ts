/** Scans what a file or a blob holds, whatever its size. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { type Budget, entriesOf, isArchive } from './archive.ts'
import { decode } from './decode.ts'
import type { Spot } from './finding.ts'
import { type Place, type Scanner, scanText } from './scan-text.ts'
import type { SkipReason } from './walk.ts'
import { windowsOf } from './windows.ts'

export type Outcome = {
  readonly spots: readonly Spot[]
  readonly allowed: number
  /** A reason for each finding that was left out. */
  readonly leftOut: readonly string[]
  /** What was looked at. */
  readonly bytes: number
  readonly skipped?: SkipReason
  /** What is inside of it, by the path in it. */
  readonly inside?: readonly { readonly path: string; readonly outcome: Outcome }[]
}

const ARCHIVE_BYTES_MAX = 64 * 1024 * 1024
/** Of all that is inside, at any depth, together. */
const UNPACKED_BYTES_MAX = 512 * 1024 * 1024
const ENTRIES_MAX = 50_000
const DEPTH_MAX = 4
/** What is larger is looked at in windows. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024
/** Of a window. Texts of a megabyte would lie outside of the heap, where they are collected late. */
const PART_BYTES = 256 * 1024
/** Enough to tell an archive by. */
const BLOCK_BYTES = 512
const NOTHING: Outcome = { spots: [], allowed: 0, leftOut: [], bytes: 0 }

type Nested = { readonly depth: number; readonly budget: Budget }

export function scanBytes(
  bytes: Buffer,
  place: Place,
  scanner: Scanner,
  nested: Nested = { depth: 0, budget: { bytes: UNPACKED_BYTES_MAX, entries: ENTRIES_MAX } },
): Outcome {
  if (bytes.length === 0) return named({ ...NOTHING, skipped: 'empty' }, place, scanner)
  if (isArchive(bytes)) return scanArchive(bytes, place, scanner, nested)
  if (bytes.length > WHOLE_BYTES_MAX) return scanParts(partsOf(bytes), place, scanner)
  const text = decode(bytes)
  if (text === undefined) return named({ ...NOTHING, skipped: 'binary' }, place, scanner)
  return named({ ...scanText(text, place, scanner), bytes: bytes.length }, place, scanner)
}

/** Adds what is found by the name alone. */
function named(outcome: Outcome, { path }: Place, scanner: Scanner): Outcome {
  const byPath = scanner.byPath?.(path) ?? []
  if (byPath.length === 0) return outcome
  const secret = path.split('/').at(-1)!
  const at = { line: 1, column: 1, endLine: 1, endColumn: 1, context: { before: '', after: '' } }
  return {
    ...outcome,
    spots: [...byPath.map((one) => ({ ...one, ...at, secret })), ...outcome.spots],
  }
}

/** Throws what the system throws where the file cannot be read. */
export function scanFile(file: string | Buffer, place: Place, scanner: Scanner): Outcome {
  // Since it was listed it may have become a pipe, which would have no end and no beginning.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) return { ...NOTHING, skipped: 'not a file' }
    if (stat.size > WHOLE_BYTES_MAX) {
      const head = Buffer.alloc(BLOCK_BYTES)
      fill(fd, head, 0)
      if (!isArchive(head)) return scanParts(partsOfFile(fd), place, scanner)
      if (stat.size > ARCHIVE_BYTES_MAX) return { ...NOTHING, skipped: 'too large' }
    }
    const bytes = Buffer.allocUnsafeSlow(Math.max(stat.size, 1))
    // What /proc gives has no size, and has contents.
    if (stat.size === 0) return scanParts(partsOfFile(fd), place, scanner)
    return scanBytes(bytes.subarray(0, fill(fd, bytes, 0)), place, scanner)
  } finally {
    closeSync(fd)
  }
}

/** The archive's own bytes are not looked at: what is in it is, each under its own name. */
function scanArchive(
  bytes: Buffer,
  place: Place,
  scanner: Scanner,
  { depth, budget }: Nested,
): Outcome {
  const { path } = place
  if (depth >= DEPTH_MAX) return { ...NOTHING, skipped: 'nested too deeply' }
  const inside: { path: string; outcome: Outcome }[] = []
  for (const entry of entriesOf(bytes, path, { budget, entryBytesMax: ARCHIVE_BYTES_MAX })) {
    const name = entry.name === undefined ? path : `${path}!${entry.name}`
    const outcome =
      'trouble' in entry
        ? { ...NOTHING, skipped: entry.trouble }
        : scanBytes(entry.bytes, { ...place, path: name }, scanner, { depth: depth + 1, budget })
    inside.push({ path: name, outcome })
  }
  const [first] = inside
  if (inside.length === 1 && first!.path === path) {
    // It only begins like an archive. What is a text is read as one: nothing hides behind two letters.
    const text = decode(bytes)
    if (text !== undefined) {
      return named({ ...scanText(text, place, scanner), bytes: bytes.length }, place, scanner)
    }
  }
  return named({ ...NOTHING, inside }, place, scanner)
}

/** Reads until the buffer is full or the file ends. */
function fill(file: number, buffer: Buffer, position: number): number {
  let length = 0
  while (length < buffer.length) {
    const count = readSync(file, buffer, length, buffer.length - length, position + length)
    if (count === 0) break
    length += count
  }
  return length
}

function* partsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PART_BYTES) yield bytes.subarray(at, at + PART_BYTES)
}

function* partsOfFile(file: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(PART_BYTES)
  for (let at = 0; ; at += PART_BYTES) {
    const length = fill(file, buffer, at)
    if (length > 0) yield buffer.subarray(0, length)
    if (length < PART_BYTES) return
  }
}

function scanParts(parts: Iterable<Buffer>, place: Place, scanner: Scanner): Outcome {
  let bytes = 0
  function* counted() {
    for (const part of parts) {
      bytes += part.length
      yield part
    }
  }
  const spots: Spot[] = []
  const leftOut: string[] = []
  let allowed = 0
  let windows = 0
  for (const { text, ...window } of windowsOf(counted())) {
    windows++
    const scanned = scanText(text, place, scanner, window)
    spots.push(...scanned.spots)
    leftOut.push(...scanned.leftOut)
    allowed += scanned.allowed
  }
  if (bytes === 0) return named({ ...NOTHING, skipped: 'empty' }, place, scanner)
  if (windows === 0) return named({ ...NOTHING, skipped: 'binary' }, place, scanner)
  return named({ spots, leftOut, allowed, bytes }, place, scanner)
}
