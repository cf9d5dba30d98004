/** Reads a `.env` file; says what is wrong with the file, never what is in it. */
import { readFileSync } from 'node:fs'
import { type EnvFile, parseEnvFile } from '../../lib/env-file.ts'
import { CliError } from '../cli-error.ts'
import { whyUnreadable } from '../unreadable.ts'

export function readEnvFile(path: string): EnvFile {
  try {
    return parseEnvFile(new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)))
  } catch (cause) {
    throw new CliError(`cannot read the env file "${path}": ${whyUnreadable(cause)}`, { cause })
  }
}
