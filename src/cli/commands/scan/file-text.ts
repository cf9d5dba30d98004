/** The text of a file that somebody has named. */
import { readFileSync } from 'node:fs'
import { CliError } from '../../cli-error.ts'
import { whyUnreadable } from '../../unreadable.ts'

/** Throws a CliError that says which file and why. */
export function fileText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CliError(`${what} ${file} cannot be read: ${whyUnreadable(error)}`)
  }
}
