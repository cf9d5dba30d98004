/**
 * The forms in which findings are told. A form is told of each finding when it comes, and of the end;
 * it prints text and decides nothing.
 */
import { type Finding, masked } from '../finding.ts'
import type { Tally } from '../scan.ts'

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

/** Loads the form that was asked for, and no other: a hook is quicker. */
export const FORMATS = {
  text: async () => (await import('./text.ts')).text,
  json: async () => (await import('./json.ts')).json,
  jsonl: async () => (await import('./json.ts')).jsonl,
  sarif: async () => (await import('./sarif.ts')).sarif,
  csv: async () => (await import('./csv.ts')).csv,
  junit: async () => (await import('./junit.ts')).junit,
  html: async () => (await import('./html.ts')).html,
  github: async () => (await import('./github.ts')).github,
} satisfies Record<string, () => Promise<(out: Out) => Reporter>>

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
