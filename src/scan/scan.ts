/**
 * `coffer/scan`: looks for secrets in files, in what is about to be committed, and in all that was ever
 * committed. Every function gives the findings as they come and fills a tally of what was looked at.
 */
import { type Finding, fingerprintOf, type Spot } from './finding.ts'
import { blobs, type Change, type Commit, history, staged } from './git.ts'
import { scanBatch, scannerOf } from './scan-batch.ts'
import { type Outcome, scanBytes } from './scan-bytes.ts'
import { type Scanner } from './scan-text.ts'
import { type FileToScan, filesBelow, type SkipReason } from './walk.ts'
import { type Batch, type BatchOutcome, type ScannerOptions, workerPool } from './worker-pool.ts'

export { type Finding, fingerprintOf, masked } from './finding.ts'
export { GitError } from './git.ts'
export { type ScannerOptions } from './worker-pool.ts'

export type Tally = {
  files: number
  bytes: number
  blobs: number
  commits: number
  /** Findings that a comment in the text allows. */
  allowed: number
  readonly skipped: Map<SkipReason, { count: number; examples: string[] }>
}

export type ScanOptions = ScannerOptions & {
  readonly tally: Tally
  readonly noIgnore?: boolean | undefined
  /** Of the baseline. */
  readonly fingerprintKey?: string | undefined
  /** Told now and then how far it has come, in what `total` counts. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined
}

export const newTally = (): Tally => {
  return { files: 0, bytes: 0, blobs: 0, commits: 0, allowed: 0, skipped: new Map() }
}

const EXAMPLES_MAX = 20
/** Larger blobs are named and skipped: git gives them in one piece. */
const BLOB_BYTES_MAX = 128 * 1024 * 1024
const BATCH_BYTES = 2 * 1024 * 1024
const BATCH_COUNT = 200
/** Below this, a thread costs more than it saves. */
const ALONE_BYTES = 6 * 1024 * 1024

export async function* scanPaths(
  paths: readonly string[],
  options: ScanOptions,
): AsyncGenerator<Finding> {
  const { tally } = options
  const walk = { skips: skipsOf(tally), ...(options.noIgnore && { noIgnore: true }) }
  const files: FileToScan[] = []
  for await (const file of filesBelow(paths, walk)) files.push(file)
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for await (const { batch, outcome } of runner(options, total)(batchesOf(files))) {
    for (const [i, { path, bytes }] of batch.files.entries()) {
      tally.files += outcome[i]!.skipped === undefined ? 1 : 0
      done += bytes
      yield* findingsOf(outcome[i]!, path, options)
    }
    options.onProgress?.(done, total)
  }
}

async function* batchesOf(files: readonly FileToScan[]) {
  let batch: FileToScan[] = []
  let size = 0
  for (const file of files) {
    batch.push(file)
    size += file.bytes
    if (size < BATCH_BYTES && batch.length < BATCH_COUNT) continue
    yield { files: batch }
    batch = []
    size = 0
  }
  if (batch.length > 0) yield { files: batch }
}

/** A text that has no file, under the name it should have had. */
export async function* scanInput(
  bytes: Buffer,
  name: string,
  options: ScanOptions,
): AsyncGenerator<Finding> {
  options.tally.files++
  yield* findingsOf(scanBytes(bytes, name, await scannerOf(options)), name, options)
}

/** What is about to be committed, without what was there before. */
export async function* scanStaged(folder: string, options: ScanOptions): AsyncGenerator<Finding> {
  const changes = await staged(folder)
  const scanner = await scannerOf(options)
  const paths = new Map(changes.map((change) => [change.blob, change]))
  for await (const blob of blobs(folder, paths.keys(), BLOB_BYTES_MAX)) {
    const change = paths.get(blob.id)
    if (!change) continue
    options.tally.blobs++
    if (!('bytes' in blob)) {
      skipsOf(options.tally).add(blob.size < 0 ? 'vanished' : 'too large', change.path)
      continue
    }
    const outcome = scanBytes(blob.bytes, change.path, scanner)
    const spots = await newSpots(folder, change, { spots: outcome.spots, scanner })
    yield* findingsOf({ ...outcome, spots }, change.path, options)
  }
}

type Found = { spots: readonly Spot[]; scanner: Scanner }

/** The old text is looked at only when the new one has something. */
async function newSpots(
  folder: string,
  change: Change,
  { spots, scanner }: Found,
): Promise<Spot[]> {
  if (spots.length === 0 || change.old === undefined) return [...spots]
  const before = new Set<string>()
  for await (const blob of blobs(folder, [change.old], BLOB_BYTES_MAX)) {
    if (!('bytes' in blob)) continue
    for (const spot of scanBytes(blob.bytes, change.path, scanner).spots) before.add(idOf(spot))
  }
  return spots.filter((spot) => !before.has(idOf(spot)))
}

const idOf = ({ rule, secret }: Spot) => `${rule}\0${secret}`

/**
 * All that was ever committed: each blob once, and each secret once in each path, told with the commit
 * that brought it. `range` as git log takes it; none = all refs.
 */
export async function* scanHistory(
  folder: string,
  range: readonly string[],
  options: ScanOptions,
): AsyncGenerator<Finding> {
  const { tally } = options
  const first = new Map<string, { path: string; commit: Commit }>()
  const old = new Set<string>()
  for await (const { commit, changes } of history(folder, range)) {
    tally.commits++
    for (const { blob, path, old: before } of changes) {
      if (!first.has(blob)) first.set(blob, { path, commit })
      // In a range, what was there before it is not of its making.
      if (range.length > 0 && before !== undefined && !first.has(before)) old.add(before)
    }
  }
  const told = new Set<string>()
  if (old.size > 0) {
    for await (const { outcome } of blobOutcomes(folder, old, { first, options })) {
      for (const { spots } of outcome) for (const spot of spots) told.add(idOf(spot))
    }
  }
  let done = 0
  for await (const { batch, outcome } of blobOutcomes(folder, first.keys(), { first, options })) {
    for (const [i, { id, path }] of batch.blobs.entries()) {
      tally.blobs++
      const { commit } = first.get(id)!
      const fresh = outcome[i]!.spots.filter((spot) => {
        const key = idOf(spot)
        if (told.has(key) || told.has(`${key}\0${path}`)) return false
        told.add(`${key}\0${path}`)
        return true
      })
      yield* findingsOf({ ...outcome[i]!, spots: fresh }, path, options, commit)
    }
    done += batch.blobs.length
    options.onProgress?.(done, first.size)
  }
}

type BlobBatch = { blobs: { id: string; path: string; bytes: Uint8Array }[] }
type Known = { first: ReadonlyMap<string, { path: string }>; options: ScanOptions }

function blobOutcomes(folder: string, ids: Iterable<string>, { first, options }: Known) {
  const skips = skipsOf(options.tally)
  async function* batches(): AsyncGenerator<BlobBatch> {
    let batch: BlobBatch['blobs'] = []
    let size = 0
    for await (const blob of blobs(folder, ids, BLOB_BYTES_MAX)) {
      const path = first.get(blob.id)?.path ?? ''
      if (!('bytes' in blob)) {
        skips.add(blob.size < 0 ? 'vanished' : 'too large', path)
        continue
      }
      batch.push({ id: blob.id, path, bytes: blob.bytes })
      size += blob.bytes.length
      if (size < BATCH_BYTES && batch.length < BATCH_COUNT * 4) continue
      yield { blobs: batch }
      batch = []
      size = 0
    }
    if (batch.length > 0) yield { blobs: batch }
  }
  return runner(options, Infinity)(batches())
}

/** Runs batches here, or in threads where there is enough to do. */
function runner(options: ScanOptions, total: number) {
  const { index, comments, rules } = options
  const own: ScannerOptions = { index, comments, rules }
  return async function* <T extends Batch>(
    batches: AsyncIterable<T>,
  ): AsyncGenerator<{ batch: T; outcome: BatchOutcome }> {
    if (total < ALONE_BYTES) {
      const scanner = await scannerOf(own)
      for await (const batch of batches) yield { batch, outcome: scanBatch(batch, scanner) }
      return
    }
    const pool = workerPool(own)
    try {
      yield* pool.run(batches)
    } finally {
      await pool.close()
    }
  }
}

function* findingsOf(
  { spots, bytes, allowed, skipped, inside = [] }: Outcome,
  path: string,
  options: ScanOptions,
  commit?: Commit,
): Generator<Finding> {
  const { tally } = options
  tally.bytes += bytes
  tally.allowed += allowed
  for (const { path: name, outcome } of inside) yield* findingsOf(outcome, name, options, commit)
  if (skipped) skipsOf(tally).add(skipped, path)
  for (const spot of spots) {
    const fingerprint = fingerprintOf(spot, options.fingerprintKey)
    yield { ...spot, path, fingerprint, ...(commit && { commit }) }
  }
}

function skipsOf({ skipped }: Tally) {
  return {
    add(reason: SkipReason, path: string): void {
      const known = skipped.get(reason) ?? { count: 0, examples: [] }
      known.count++
      if (known.examples.length < EXAMPLES_MAX) known.examples.push(path)
      skipped.set(reason, known)
    },
  }
}
