/** Reads a `.env` file; says what is wrong with the file, never what is in it. */
import { readFileSync } from 'node:fs'
import { type EnvFile, parseEnvFile } from '../../lib/env-file.ts'
import { CliError } from '../cli-error.ts'

export function readEnvFile(path: string): EnvFile {
  try {
    return parseEnvFile(new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)))
  } catch (cause) {
    const { code = 'unreadable' } = cause as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? 'no such file'
        : code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? 'it is not UTF-8 text'
          : code
    throw new CliError(`cannot read the env file "${path}": ${why}`, { cause })
  }
}

/** What to say when a reference has lost its field: dotenv reads on only up to the sign before it. */
export function hintForBare(references: readonly string[]): string | undefined {
  if (references.every((reference) => reference.includes('#'))) return undefined
  return 'a reference needs quotes in a .env file: a bare value ends at the "#"'
}
