/** Finds a Python that can import hvac: COFFER_PYTHON, else the venv in the working tree. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

/** What is missing, in the words a skipped test shows. */
export const NO_HVAC = 'hvac is not installed: pip install hvac into .venv'

/** The path of that Python; undefined when there is none. */
export function findPython(): string | undefined {
  const path =
    process.env['COFFER_PYTHON'] || resolve(import.meta.dirname, '../../.venv/bin/python')
  const { status } = spawnSync(path, ['-c', 'import hvac'], { stdio: 'ignore' })
  return status === 0 ? path : undefined
}
