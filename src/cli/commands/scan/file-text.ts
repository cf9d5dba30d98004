/** The text of a file that somebody has named. */
import { readFileSync } from 'node:fs'
import { CliError } from '../../cli-error.ts'

/** Throws a CliError that says which file and why. */
export function fileText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException
    throw new CliError(`${what} ${file} cannot be read (${code})`)
  }
}
