/** What is done with one batch, in a thread or without one. */
import { openIndex } from '../rules/fingerprints.ts'
import { compileRules, type Matcher } from '../rules/matcher.ts'
import { type Rule } from '../rules/rule.ts'
import { type Outcome, scanBytes, scanFile } from './scan-bytes.ts'
import { type Scanner } from './scan-text.ts'
import { type Batch, type BatchOutcome, type ScannerOptions } from './worker-pool.ts'

type RulesModule = { default: (options: unknown) => readonly Rule[] }

export async function scannerOf(options: ScannerOptions): Promise<Scanner> {
  const { index, comments, rules } = options
  let matcher: Matcher
  if (rules) {
    const made = (await import(rules.module)) as RulesModule
    matcher = compileRules(made.default(rules.options))
  } else matcher = compileRules()
  return {
    matcher,
    ...(index && { index: openIndex(index) }),
    ...(comments !== undefined && { comments }),
  }
}

export function scanBatch(batch: Batch, scanner: Scanner): BatchOutcome {
  if ('files' in batch) {
    return batch.files.map(({ path, bytes }) => attempt(() => scanFile(path, bytes, scanner)))
  }
  return batch.blobs.map(({ path, bytes }) => {
    return scanBytes(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), path, scanner)
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
    return { spots: [], allowed: 0, bytes: 0, skipped }
  }
}
