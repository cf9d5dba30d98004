/**
 * The forms in which findings are told. A form is told of each finding when it comes, and of the end;
 * it prints text and decides nothing.
 */
import { type Finding, masked } from '../finding.ts'
import { type Tally } from '../scan.ts'
import { csv } from './csv.ts'
import { github } from './github.ts'
import { html } from './html.ts'
import { json, jsonl } from './json.ts'
import { junit } from './junit.ts'
import { sarif } from './sarif.ts'
import { text } from './text.ts'

export type Reporter = {
  finding(finding: Shown): void
  end(summary: Summary): void
}

export type Out = {
  readonly write: (text: string) => void
  readonly colour: boolean
  readonly columns: number
}

/** A finding as it may be printed: `value` is masked unless that was asked for. */
export type Shown = Omit<Finding, 'secret' | 'context'> & {
  readonly value: string
  readonly context: { readonly text: string; readonly at: number; readonly length: number }
}

export type Summary = {
  readonly tally: Tally
  readonly findings: number
  readonly rules: number
  readonly version: string
}

export const FORMATS = {
  text,
  json,
  jsonl,
  sarif,
  csv,
  junit,
  html,
  github,
} satisfies Record<string, (out: Out) => Reporter>

export type Format = keyof typeof FORMATS

/** Other secrets may stand in the same line, so all of the line but the finding is as it was found. */
export function shown(finding: Finding, reveal: boolean): Shown {
  const { secret, context, ...about } = finding
  const value = reveal ? secret : masked(secret)
  const visible = secret.split(/\r?\n/, 1)[0]!
  const rest = context.text.slice(context.at + visible.length)
  const first = value.split(/\r?\n/, 1)[0]!
  return {
    ...about,
    value,
    context: {
      text: printable(
        context.text.slice(0, context.at) + first + (reveal ? rest : hideIn(rest, secret)),
      ),
      at: printable(context.text.slice(0, context.at)).length,
      length: first.length,
    },
  }
}

/** The same secret once more, later in the line. */
const hideIn = (text: string, secret: string) => text.replaceAll(secret, masked(secret))

/** What a file holds must not steer a terminal. */
export const printable = (text: string): string =>
  text.replaceAll('\t', ' ').replace(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, '?')
