/** What is done with one batch, in a thread or without one. */
import { compileRules } from '../rules/matcher.ts'
import type { Rule } from '../rules/rule.ts'
import { type Outcome, scanBytes, scanFile } from './scan-bytes.ts'
import type { Scanner } from './scan-text.ts'
import type { Batch, BatchOutcome, ScannerOptions } from './worker-pool.ts'

export { scanBytes }

/** What a module that makes rules of options exports: see `ScannerOptions.rules`. */
export type MadeRules = Pick<Scanner, 'also' | 'leaveOut' | 'byPath'> & {
  readonly rules: readonly Rule[]
}
type RulesModule = { default: (options: unknown) => MadeRules }

export async function scannerOf({ index, comments, rules }: ScannerOptions): Promise<Scanner> {
  const open = index && (await import('../rules/fingerprints.ts')).openIndex
  const made = rules && ((await import(rules.module)) as RulesModule).default(rules.options)
  return {
    matcher: made ? compileRules(made.rules) : compileRules(),
    ...(made?.also && { also: made.also }),
    ...(made?.leaveOut && { leaveOut: made.leaveOut }),
    ...(made?.byPath && { byPath: made.byPath }),
    ...(open && { index: open(index) }),
    ...(comments !== undefined && { comments }),
  }
}

export function scanBatch(batch: Batch, scanner: Scanner): BatchOutcome {
  if ('files' in batch) {
    return batch.files.map(({ path, raw }) => {
      return attempt(() => scanFile(raw ? Buffer.from(raw) : path, { path }, scanner))
    })
  }
  const { buffer, byteOffset } = batch.bytes
  return batch.blobs.map(({ path, commit, start, end }) => {
    return scanBytes(
      Buffer.from(buffer, byteOffset + start, end - start),
      { path, commit },
      scanner,
    )
  })
}

/** A file that cannot be read, or is gone since it was listed, does not end the scan. */
function attempt(scan: () => Outcome): Outcome {
  try {
    return scan()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const skipped = code === 'ENOENT' ? 'vanished' : 'unreadable'
    return { spots: [], allowed: 0, leftOut: [], bytes: 0, skipped }
  }
}
