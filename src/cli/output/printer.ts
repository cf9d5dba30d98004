/**
 * Where words go. What was asked for goes to stdout, in the format that was asked for; warnings,
 * errors, hints and prompts go to stderr, in colour only on a terminal. Nothing else prints.
 */
import { stringifyExact } from './exact-json.ts'
import { toYaml } from '../yaml.ts'
import type { Io, Sink } from '../io.ts'
import type { Settings } from '../settings.ts'
import { CliError } from '../cli-error.ts'

export type Printer = {
  /** True when people read it: neither JSON nor YAML nor raw. */
  readonly tabular: boolean
  /** A line of what was asked for. */
  line(text: string): void
  /** A value and nothing after it, unless a person looks at it. */
  raw(text: string): void
  /** A line to stderr that is not an error. */
  warn(text: string): void
  /** A question on the terminal, without a newline. */
  ask(text: string): void
  /** The value as JSON or YAML; a table is for the caller to make. */
  structured(value: unknown): void
  /** An error and, where there is one, its hint. */
  error(error: { readonly message: string; readonly hint?: string | undefined }): void
}

const RED = '31'
const YELLOW = '33'

export function printer(io: Io, settings: Pick<Settings, 'color' | 'format'>): Printer {
  const coloured = (sink: Sink, code: string, text: string) =>
    settings.color && sink.isTTY === true ? `\u001b[${code}m${text}\u001b[0m` : text
  return {
    tabular: settings.format === 'table',
    line: (text) => void io.stdout.write(`${text}\n`),
    raw: (text) => void io.stdout.write(io.stdout.isTTY === true ? `${text}\n` : text),
    warn: (text) => void io.stderr.write(`${coloured(io.stderr, YELLOW, text)}\n`),
    ask: (text) => void io.stderr.write(text),
    structured(value) {
      if (settings.format === 'raw') {
        throw new CliError('This command does not support the -format=raw option', {
          hint: 'use -format=json',
        })
      }
      const json = settings.format === 'json'
      io.stdout.write(`${json ? stringifyExact(value) : toYaml(value)}\n`)
    },
    error({ message, hint }) {
      io.stderr.write(`${coloured(io.stderr, RED, message)}\n`)
      if (hint !== undefined) io.stderr.write(`hint: ${hint}\n`)
    },
  }
}
