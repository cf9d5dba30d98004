/** CSV (RFC 4180). */
import { fields } from './json.ts'
import type { Out, Reporter } from './report.ts'

const COLUMNS = [
  'rule',
  'severity',
  'path',
  'line',
  'column',
  'value',
  'fingerprint',
  'commit',
  'author',
  'email',
  'date',
] as const

export function csv(out: Out): Reporter {
  const row = (cells: readonly unknown[]) => out.write(`${cells.map(cell).join(',')}\r\n`)
  row(COLUMNS)
  return {
    finding(finding) {
      const all = fields(finding)
      row(COLUMNS.map((column) => all[column] ?? ''))
    },
    end() {},
  }
}

/** A text that a spreadsheet would take for a formula is made a text. */
function cell(value: unknown): string {
  const text = String(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
