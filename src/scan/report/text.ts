/** For people at a terminal: the line, a caret below the secret, and what was looked at. */
import { nameOf } from '../../rules/fingerprints.ts'
import { type Out, printable, type Reporter, type Shown, type Summary } from './report.ts'

const PATHS_MAX = 3
const BOLD = '1'
const RED = '31'
const DIM = '2'

export function text(out: Out): Reporter {
  const paint = (style: string, words: string) =>
    out.colour ? `\u001B[${style}m${words}\u001B[0m` : words
  const line = (words = '') => out.write(`${words}\n`)
  return {
    finding(finding) {
      const {
        path,
        line: at,
        column,
        title,
        rule,
        commit,
        known,
        fingerprint,
        verified,
        about,
      } = finding
      line(`${paint(BOLD, `${printable(path)}:${at}:${column}`)}  ${paint(RED, title)} (${rule})`)
      const { text: shown, from } = cut(finding, out.columns - 4)
      line(`    ${shown}`)
      const { at: start, length } = finding.context
      line(`    ${' '.repeat(start - from)}${paint(RED, '^'.repeat(Math.max(1, length)))}`)
      if (verified) line(`    its provider says: ${verified}`)
      if (known) {
        const life = known.live ? 'live' : 'not served any more'
        line(`    vault: ${printable(nameOf(known))}, ${life}`)
        if (known.lease !== undefined) line(`    lease: ${printable(known.lease)}`)
      }
      for (const words of about ?? []) line(`    ${printable(words)}`)
      if (commit) {
        const author = printable(commit.author)
        line(paint(DIM, `    ${commit.id.slice(0, 12)} ${commit.date.slice(0, 10)} ${author}`))
      }
      line(paint(DIM, `    fingerprint ${fingerprint}`))
      line()
    },
    end(summary) {
      for (const words of closing(summary)) line(words)
    },
  }
}

/** The part of the line that fits, with the secret in it. */
function cut({ context }: Shown, width: number): { text: string; from: number } {
  const { text: whole, at, length } = context
  if (whole.length <= width) return { text: whole, from: 0 }
  const from = Math.max(0, Math.min(at - 10, at + length - width))
  return { text: whole.slice(from, from + width), from }
}

export function closing({ tally, findings, rules }: Summary): string[] {
  const looked = [
    tally.files > 0 && count(tally.files, 'file'),
    tally.commits > 0 && count(tally.commits, 'commit'),
    tally.blobs > 0 && count(tally.blobs, 'blob'),
    tally.messages > 0 && count(tally.messages, 'message'),
    size(tally.bytes),
    count(rules, 'rule'),
  ].filter((part) => part !== false)
  const lines = [
    `${findings === 0 ? 'No secrets found' : count(findings, 'finding')}: ${looked.join(', ')}`,
  ]
  for (const [why, { count: many, examples }] of tally.leftOut) {
    lines.push(`Left out, ${why}: ${many} (${someOf(examples, many)})`)
  }
  if (tally.allowed > 0) lines.push(`Allowed by a comment: ${tally.allowed}`)
  for (const [reason, { count: many, examples }] of tally.skipped) {
    if (reason === 'empty') {
      lines.push(`Skipped, ${reason}: ${many}`)
      continue
    }
    lines.push(`Skipped, ${reason}: ${many} (${someOf(examples, many)})`)
  }
  return lines
}

const someOf = (examples: readonly string[], many: number) =>
  examples.slice(0, PATHS_MAX).map(printable).join(', ') + (many > PATHS_MAX ? ', …' : '')

/** `toLocaleString` would load the languages of the world first: 20 ms. */
const count = (many: number, noun: string) =>
  `${String(many).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')} ${noun}${many === 1 ? '' : 's'}`

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}
