/** JSON: one document, or one object a line. */
import type { Counted } from '../scan.ts'
import type { Out, Reporter, Shown, Summary } from './report.ts'

/** What programs read. Names are kept for good. */
export function fields(finding: Shown): Record<string, unknown> {
  const { commit, known } = finding
  return {
    rule: finding.rule,
    title: finding.title,
    severity: finding.severity,
    path: finding.path,
    line: finding.line,
    column: finding.column,
    end_line: finding.endLine,
    end_column: finding.endColumn,
    value: finding.value,
    fingerprint: finding.fingerprint,
    ...(commit && {
      commit: commit.id,
      author: commit.author,
      email: commit.email,
      date: commit.date,
    }),
    ...(finding.verified && { verified: finding.verified }),
    ...(known && {
      vault: {
        path: known.path,
        field: known.field,
        version: known.version,
        live: known.live,
        ...(known.lease !== undefined && { lease: known.lease }),
      },
    }),
  }
}

export function summaryOf({ tally, findings, rules }: Summary): Record<string, unknown> {
  const told = (counts: ReadonlyMap<string, Counted>) =>
    [...counts].map(([reason, { count, examples }]) => ({ reason, count, examples }))
  const [skipped, left_out] = [told(tally.skipped), told(tally.leftOut)]
  const { files, bytes, blobs, commits, messages, allowed } = tally
  return { findings, files, bytes, blobs, commits, messages, rules, allowed, skipped, left_out }
}

export function jsonl(out: Out): Reporter {
  return {
    finding: (finding) => out.write(`${JSON.stringify(fields(finding))}\n`),
    end() {},
  }
}

export function json(out: Out): Reporter {
  const all: Record<string, unknown>[] = []
  return {
    finding: (finding) => void all.push(fields(finding)),
    end: (summary) =>
      out.write(`${JSON.stringify({ findings: all, summary: summaryOf(summary) }, null, 2)}\n`),
  }
}
