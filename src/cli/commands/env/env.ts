/** The `env` family: environments as people keep them, in `.env` files and in the store. */
import { check } from './check.ts'
import { diff } from './diff.ts'
import { exporting } from './export.ts'
import { importing } from './import.ts'
import { promote } from './promote.ts'

export const commands = [importing, exporting, diff, check, promote]
