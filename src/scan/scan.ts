/**
 * Looks for secrets in files, in what is about to be committed, and in all that was ever
 * committed. Every function gives the findings as they come and fills a tally of what was looked at.
 */
import { BlobSet } from './blob-set.ts'
import { type Finding, fingerprintOf, type Spot } from './finding.ts'
import { blobs } from './git-blobs.ts'
import { COMMIT_MESSAGE, type Message, tagMessages } from './git-messages.ts'
import { type Change, type Commit, countCommits, history, staged } from './git.ts'
import { release } from './release.ts'
import type { Outcome } from './scan-bytes.ts'
import type { Scanner } from './scan-text.ts'
import type { FileToScan, SkipReason } from './walk.ts'
import type { Batch, BatchOutcome, ScannerOptions } from './worker-pool.ts'

export { type Finding, masked } from './finding.ts'
export { GitError } from './git-run.ts'
export type { ScannerOptions } from './worker-pool.ts'

export type Tally = {
  files: number
  bytes: number
  blobs: number
  commits: number
  /** Of commits and tags. */
  messages: number
  /** Findings that a comment in the text allows. */
  allowed: number
  readonly skipped: Map<SkipReason, Counted>
  /** Findings that are none because of where they are, by the reason. */
  readonly leftOut: Map<string, Counted>
}

export type Counted = { count: number; readonly examples: string[] }

export type ScanOptions = ScannerOptions & {
  readonly tally: Tally
  readonly noIgnore?: boolean | undefined
  /** Of the baseline. */
  readonly fingerprintKey?: string | undefined
  /** Told now and then how far it has come, in what `total` counts. */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined
}

export const newTally = (): Tally => {
  return {
    files: 0,
    bytes: 0,
    blobs: 0,
    commits: 0,
    messages: 0,
    allowed: 0,
    skipped: new Map(),
    leftOut: new Map(),
  }
}

/** Rules and what runs them: loaded when git has been started, which works meanwhile. */
const scanning = () => import('./scan-batch.ts')

const EXAMPLES_MAX = 20
/** Larger blobs are named and skipped: git gives them in one piece. */
const BLOB_BYTES_MAX = 64 * 1024 * 1024
const BATCH_BYTES = 1024 * 1024
const BATCH_COUNT = 200
/** Below this, a thread costs more than it saves. */
const ALONE_BYTES = 6 * 1024 * 1024

export async function* scanPaths(
  paths: readonly string[],
  options: ScanOptions,
): AsyncGenerator<Finding> {
  const { tally } = options
  const { filesBelow } = await import('./walk.ts')
  const walk = { skips: skipsOf(tally), ...(options.noIgnore && { noIgnore: true }) }
  const files: FileToScan[] = []
  for await (const file of filesBelow(paths, walk)) files.push(file)
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  for await (const { batch, outcome } of runner(options, batchesOf(files))) {
    for (const [i, { path, bytes }] of batch.files.entries()) {
      tally.files += outcome[i]!.skipped === undefined ? 1 : 0
      done += bytes
      yield* findingsOf(outcome[i]!, { path }, options)
    }
    options.onProgress?.(done, total)
  }
}

async function* batchesOf(
  files: readonly FileToScan[],
): AsyncGenerator<{ files: readonly FileToScan[] }> {
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
  const place = { path: name }
  const { scannerOf, scanBytes } = await scanning()
  yield* findingsOf(scanBytes(bytes, place, await scannerOf(options)), place, options)
}

/**
 * What is about to be committed, without what was there before: in the old text of the same file, or
 * in one from which it moves. A copy beside the old place is new.
 */
export async function* scanStaged(folder: string, options: ScanOptions): AsyncGenerator<Finding> {
  const { tally } = options
  const changes = staged(folder)
  async function* fresh() {
    for (const change of await changes) {
      if (change.blob !== undefined) yield { change, blob: change.blob }
    }
  }
  // Both of git's programs are started before the rules are made ready, and work meanwhile.
  const given = blobs(folder, fresh(), BLOB_BYTES_MAX)
  const first = given.next()
  first.catch(() => {})
  const found: { change: Change; outcome: Outcome }[] = []
  const { scannerOf, scanBytes } = await scanning()
  let scanner: Scanner
  try {
    scanner = await scannerOf(options)
    for (let next = await first; !next.done; next = await given.next()) {
      const { of, ...blob } = next.value
      tally.blobs++
      const { change } = of
      if ('bytes' in blob) {
        found.push({ change, outcome: scanBytes(blob.bytes, { path: change.path }, scanner) })
      } else skipsOf(tally).add(blob.size < 0 ? 'not in this clone' : 'too large', change.path)
    }
  } finally {
    await given.return(undefined)
  }
  // Old texts are looked at only when a new one has something.
  const before = new Set<string>()
  if (found.some(({ outcome }) => hasSpots(outcome))) {
    const old = (await changes).flatMap(({ old: ids, path }) => ids.map((blob) => ({ blob, path })))
    for await (const { of, ...blob } of blobs(folder, old, BLOB_BYTES_MAX)) {
      if (!('bytes' in blob)) continue
      for (const id of idsIn(scanBytes(blob.bytes, { path: of.path }, scanner))) before.add(id)
    }
  }
  for (const { change, outcome } of found) {
    yield* findingsOf(outcome, { path: change.path }, { ...options, known: before })
  }
}

const hasSpots = ({ spots, inside = [] }: Outcome): boolean =>
  spots.length > 0 || inside.some(({ outcome }) => hasSpots(outcome))

const idOf = ({ rule, secret }: Spot) => `${rule}\0${secret}`

function* idsIn({ spots, inside = [] }: Outcome): Generator<string> {
  for (const spot of spots) yield idOf(spot)
  for (const { outcome } of inside) yield* idsIn(outcome)
}

type Wanted = { readonly blob: string; readonly path: string; readonly commit: Commit }

/**
 * All that was ever committed: each blob once, and each secret once in each path, told with the commit
 * that brought it; and the messages of commits and tags. `range` as git log takes it; none = all refs.
 *
 * A blob is asked for when the first commit that has it comes by; of those that are done only the
 * names are kept.
 */
export async function* scanHistory(
  folder: string,
  range: readonly string[],
  options: ScanOptions,
): AsyncGenerator<Finding> {
  const { tally } = options
  const seen = new BlobSet()
  const known = new Set<string>()
  if (range.length > 0) {
    for await (const { outcome } of blobOutcomes(
      folder,
      beforeRange(folder, range, seen),
      options,
    )) {
      for (const one of outcome) for (const id of idsIn(one)) known.add(id)
    }
  }
  let total: number | undefined
  // Only a bar on a terminal wants it, and it is not waited for.
  if (options.onProgress)
    void countCommits(folder, range).then(
      (n) => (total = n),
      () => {},
    )

  const messages: Message[] = []
  const commits = new BlobSet()
  async function* wanted(): AsyncGenerator<Wanted> {
    for await (const { commit, message, changes } of history(folder, range)) {
      tally.commits++
      commits.add(commit.id)
      if (message.length > 0) messages.push({ path: COMMIT_MESSAGE, commit, bytes: message })
      for (const { blob, path } of changes) {
        if (blob !== undefined && seen.add(blob)) yield { blob, path, commit }
      }
    }
    // Of a range those that are on it, or that it names: a tag that is pushed may be on an old commit.
    const isOf = (tag: string, on: string) =>
      range.length === 0 || commits.has(on) || range.includes(tag)
    for await (const message of tagMessages(folder, isOf)) messages.push(message)
  }
  const told = new Set<string>()
  const waiting = () => messages.splice(0)
  for await (const { batch, outcome } of blobOutcomes(folder, wanted(), { ...options, waiting })) {
    for (const [i, { path }] of batch.blobs.entries()) {
      const { blob, commit } = batch.by[i]!
      if (blob === undefined) tally.messages++
      else tally.blobs++
      yield* findingsOf(outcome[i]!, { path, commit }, { ...options, known, told })
    }
    options.onProgress?.(tally.commits, total)
  }
}

/** What was there before the range and was changed in it: what it holds is not of the range's making. */
async function* beforeRange(
  folder: string,
  range: readonly string[],
  seen: BlobSet,
): AsyncGenerator<Wanted> {
  const made = new BlobSet()
  const before: Wanted[] = []
  const asked = new BlobSet()
  for await (const { commit, changes } of history(folder, range)) {
    for (const { path, old } of changes) {
      for (const blob of old) {
        if (!made.has(blob) && asked.add(blob)) before.push({ blob, path, commit })
      }
    }
    for (const { blob } of changes) if (blob !== undefined) made.add(blob)
  }
  for (const one of before) seen.add(one.blob)
  yield* before
}

type BlobBatch = Extract<Batch, { bytes: unknown }> & { readonly by: readonly Source[] }

type Source = { readonly blob?: string; readonly path: string; readonly commit: Commit }
/** `waiting` gives messages that have come by, once. */
type BlobOptions = ScanOptions & { readonly waiting?: () => readonly Message[] }

function blobOutcomes(folder: string, wanted: AsyncIterable<Wanted>, options: BlobOptions) {
  const skips = skipsOf(options.tally)
  async function* batches(): AsyncGenerator<BlobBatch> {
    let batch: { of: Source; bytes: Buffer }[] = []
    let size = 0
    const put = (of: Source, bytes: Buffer) => {
      batch.push({ of, bytes })
      size += bytes.length
    }
    const putMessages = () => {
      for (const { bytes, ...of } of options.waiting?.() ?? []) put(of, bytes)
    }
    for await (const { of, ...blob } of blobs(folder, wanted, BLOB_BYTES_MAX)) {
      if (!('bytes' in blob)) {
        skips.add(blob.size < 0 ? 'not in this clone' : 'too large', of.path)
        continue
      }
      put(of, blob.bytes)
      putMessages()
      if (size < BATCH_BYTES && batch.length < BATCH_COUNT * 4) continue
      yield packed(batch, size)
      batch = []
      size = 0
    }
    putMessages()
    if (batch.length > 0) yield packed(batch, size)
  }
  return runner(options, batches())
}

function packed(batch: readonly { of: Source; bytes: Buffer }[], size: number): BlobBatch {
  const [first] = batch
  // A large one by itself lies in memory of its own already: it is in memory once.
  const own = batch.length === 1 && first!.bytes.buffer.byteLength === size
  const bytes = own ? new Uint8Array(first!.bytes.buffer as ArrayBuffer) : new Uint8Array(size)
  let at = 0
  const entries = batch.map(({ of: { path, commit }, bytes: part }) => {
    const start = at
    at += part.length
    // The part has no length any more once it has been moved.
    if (!own) moveInto(bytes, start, part)
    return { path, commit: commit.id, start, end: at }
  })
  return { blobs: entries, bytes, by: batch.map(({ of }) => of) }
}

function moveInto(bytes: Uint8Array, at: number, part: Buffer): void {
  bytes.set(part, at)
  if (part.buffer.byteLength === part.length) release(part)
}

const sizeOf = (batch: Batch) =>
  'bytes' in batch
    ? batch.bytes.length
    : batch.files.reduce((sum, { bytes }) => sum + Math.max(0, bytes), 0)

/** Runs batches here, and in threads once there is enough to do. */
async function* runner<T extends Batch>(
  options: ScanOptions,
  batches: AsyncGenerator<T>,
): AsyncGenerator<{ batch: T; outcome: BatchOutcome }> {
  const { index, comments, rules } = options
  const own: ScannerOptions = { index, comments, rules }
  try {
    const { scanBatch, scannerOf } = await scanning()
    let scanner: Scanner | undefined
    for (let bytes = 0; bytes < ALONE_BYTES;) {
      const next = await batches.next()
      if (next.done) return
      scanner ??= await scannerOf(own)
      bytes += sizeOf(next.value)
      yield { batch: next.value, outcome: scanBatch(next.value, scanner) }
    }
    // Most runs, such as those of hooks, have too little to do for threads, and do not load them.
    const { workerPool } = await import('./worker-pool.ts')
    const pool = workerPool(own)
    try {
      yield* pool.run(batches)
    } finally {
      await pool.close()
    }
  } finally {
    await batches.return(undefined)
  }
}

type Telling = ScanOptions & {
  /** What was there before, by rule and secret. */
  readonly known?: ReadonlySet<string>
  /** What was told already, by rule, secret and path. */
  readonly told?: Set<string>
}

function* findingsOf(
  { spots, bytes, allowed, leftOut, skipped, inside = [] }: Outcome,
  { path, commit }: { path: string; commit?: Commit },
  options: Telling,
): Generator<Finding> {
  const { tally, known, told } = options
  tally.bytes += bytes
  tally.allowed += allowed
  for (const why of leftOut) add(tally.leftOut, why, path)
  for (const { path: name, outcome } of inside) {
    yield* findingsOf(outcome, { path: name, ...(commit && { commit }) }, options)
  }
  if (skipped) skipsOf(tally).add(skipped, path)
  for (const spot of spots) {
    const id = idOf(spot)
    if (known?.has(id) || told?.has(`${id}\0${path}`)) continue
    told?.add(`${id}\0${path}`)
    const fingerprint = fingerprintOf(spot, options.fingerprintKey)
    yield { ...spot, path, fingerprint, ...(commit && { commit }) }
  }
}

const skipsOf = ({ skipped }: Tally) => {
  return { add: (reason: SkipReason, path: string) => add(skipped, reason, path) }
}

/** Counts one more for a reason. */
export function add<K>(counts: Map<K, Counted>, key: K, path: string): void {
  const counted = counts.get(key) ?? { count: 0, examples: [] }
  counted.count++
  if (counted.examples.length < EXAMPLES_MAX) counted.examples.push(path)
  counts.set(key, counted)
}
