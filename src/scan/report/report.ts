/**
 * The forms in which findings are told. A form is told of each finding when it comes, and of the end;
 * it prints text and decides nothing.
 */
import { type Finding, masked } from '../finding.ts'
import type { Tally } from '../scan.ts'
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
  /** The line, and where in it the value stands. */
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

export function shown({ secret, context, ...about }: Finding, reveal: boolean): Shown {
  const value = reveal ? secret : masked(secret)
  const first = printable(value.split(/\r?\n/, 1)[0]!)
  const before = printable(context.before)
  const text = before + first + printable(context.after)
  return { ...about, value, context: { text, at: before.length, length: first.length } }
}

/** What a file holds must not steer a terminal. */
export const printable = (text: string): string =>
  text.replaceAll('\t', ' ').replace(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, '?')
