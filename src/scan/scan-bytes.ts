/** Scans what a file or a blob holds, whatever its size, in parts that overlap. */
import { closeSync, openSync, readSync } from 'node:fs'
import { entriesOf, isArchive } from './archive.ts'
import { decode } from './decode.ts'
import { type Spot } from './finding.ts'
import { type Scanner, scanText } from './scan-text.ts'
import { type SkipReason } from './walk.ts'

export type Outcome = {
  readonly spots: readonly Spot[]
  readonly allowed: number
  /** What was looked at. */
  readonly bytes: number
  readonly skipped?: SkipReason
  /** What was found inside of it, by the path in it. */
  readonly inside?: readonly { readonly path: string; readonly outcome: Outcome }[]
}

const ARCHIVE_BYTES_MAX = 256 * 1024 * 1024
const ARCHIVE_ENTRIES_MAX = 20_000
const ARCHIVE_DEPTH_MAX = 4
/** A part of a large file; the next one begins a little before it ends. */
const PART_BYTES = 8 * 1024 * 1024
const OVERLAP_BYTES = 16 * 1024
const NEWLINE = 10
/** Enough to tell an archive by. */
const BLOCK_BYTES = 512

export function scanBytes(bytes: Buffer, path: string, scanner: Scanner, depth = 0): Outcome {
  if (bytes.length === 0) return { spots: [], allowed: 0, bytes: 0, skipped: 'empty' }
  if (isArchive(bytes)) return scanArchive(bytes, path, scanner, depth)
  if (bytes.length > PART_BYTES) return scanParts(partsOf(bytes), path, scanner)
  const decoded = decode(bytes)
  if ('binary' in decoded) return { spots: [], allowed: 0, bytes: 0, skipped: 'binary' }
  return { ...scanText(decoded.text, path, scanner), bytes: bytes.length }
}

/** Throws what the system throws where the file cannot be read. */
export function scanFile(path: string, size: number, scanner: Scanner): Outcome {
  const file = openSync(path, 'r')
  try {
    if (size > PART_BYTES) {
      const head = Buffer.alloc(BLOCK_BYTES)
      fill(file, head, 0)
      if (size > ARCHIVE_BYTES_MAX || !isArchive(head)) {
        return scanParts(partsOfFile(file), path, scanner)
      }
    }
    const bytes = Buffer.allocUnsafeSlow(Math.max(size, 1))
    return scanBytes(bytes.subarray(0, fill(file, bytes, null)), path, scanner)
  } finally {
    closeSync(file)
  }
}

/** The archive's own bytes are not looked at: what is in it is, each under its own name. */
function scanArchive(bytes: Buffer, path: string, scanner: Scanner, depth: number): Outcome {
  const whole: Outcome = { spots: [], allowed: 0, bytes: 0 }
  if (depth >= ARCHIVE_DEPTH_MAX) return { ...whole, skipped: 'too large' }
  const limits = { bytes: ARCHIVE_BYTES_MAX, entries: ARCHIVE_ENTRIES_MAX }
  const inside: { path: string; outcome: Outcome }[] = []
  for (const entry of entriesOf(bytes, path, limits)) {
    if ('trouble' in entry) {
      const troubled = { ...whole, skipped: entry.trouble }
      inside.push({ path: entry.name === path ? path : `${path}!${entry.name}`, outcome: troubled })
      continue
    }
    const name = `${path}!${entry.name}`
    const outcome = scanBytes(entry.bytes, name, scanner, depth + 1)
    // Of what is clean only the sizes are kept.
    inside.push({ path: name, outcome })
  }
  return { ...whole, inside }
}

/** Reads until the buffer is full or the file ends. */
function fill(file: number, buffer: Buffer, position: number | null): number {
  let length = 0
  while (length < buffer.length) {
    const at = position === null ? null : position + length
    const count = readSync(file, buffer, length, buffer.length - length, at)
    if (count === 0) break
    length += count
  }
  return length
}

type Part = { readonly bytes: Buffer; readonly last: boolean }

function* partsOf(bytes: Buffer): Generator<Part> {
  for (let at = 0; ; at += PART_BYTES - OVERLAP_BYTES) {
    const last = at + PART_BYTES >= bytes.length
    yield { bytes: bytes.subarray(at, at + PART_BYTES), last }
    if (last) return
  }
}

function* partsOfFile(file: number): Generator<Part> {
  const buffer = Buffer.allocUnsafeSlow(PART_BYTES)
  for (let at = 0; ; at += PART_BYTES - OVERLAP_BYTES) {
    const length = fill(file, buffer, at)
    const last = length < PART_BYTES
    if (length > 0) yield { bytes: buffer.subarray(0, length), last }
    if (last) return
  }
}

/**
 * A part may begin and end inside a character or a secret. What is found twice in the overlap counts
 * once: by its line and column, which are those of the whole.
 */
function scanParts(parts: Iterable<Part>, path: string, scanner: Scanner): Outcome {
  const spots = new Map<string, Spot>()
  let line = 1
  let column = 0
  let allowed = 0
  let bytes = 0
  for (const { bytes: part, last } of parts) {
    const decoded = decode(part)
    if ('binary' in decoded) {
      if (bytes === 0) return { spots: [], allowed: 0, bytes: 0, skipped: 'binary' }
      // The rest of it may be text again: a dump with a blob in it.
      continue
    }
    const scanned = scanText(decoded.text, path, scanner, line)
    for (const spot of scanned.spots) {
      const shift = spot.line === line ? column : 0
      const moved = { ...spot, column: spot.column + shift }
      spots.set(`${spot.rule}:${spot.line}:${moved.column}`, moved)
    }
    allowed += scanned.allowed
    bytes += part.length
    if (last) break
    const done = part.subarray(0, part.length - OVERLAP_BYTES)
    const newest = done.lastIndexOf(NEWLINE)
    column = newest < 0 ? column + done.toString('utf8').length : done.length - newest - 1
    line += countLines(done)
  }
  return { spots: [...spots.values()], allowed, bytes }
}

function countLines(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}
