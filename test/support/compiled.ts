/**
 * The folder where node keeps what it made of our sources, as `XDG_CACHE_HOME` for the programs that
 * a test starts: each of them would strip the types of 600 files again. One for a whole run of the
 * suite, whose runner names it; a file that is run alone makes and removes its own.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const COMPILED = process.env['COFFER_TEST_CACHE'] || ownFolder()

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'coffer-test-cache-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
