/** SARIF 2.1.0 (OASIS), as code scanning systems read it. */
import { isAbsolute } from 'node:path'
import type { Out, Reporter, Shown } from './report.ts'

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json'
const LEVELS = { high: 'error', medium: 'warning', low: 'note' } as const

export function sarif(out: Out): Reporter {
  const all: Shown[] = []
  return {
    finding: (finding) => void all.push(finding),
    end({ version }) {
      const rules = new Map(all.map((one) => [one.rule, one]))
      const order = [...rules.keys()].sort()
      const driver = {
        name: 'coffer',
        semanticVersion: version,
        rules: order.map((id) => ruleOf(rules.get(id)!)),
      }
      const results = all.map((one) => resultOf(one, order.indexOf(one.rule)))
      const run = { tool: { driver }, columnKind: 'utf16CodeUnits', results }
      out.write(`${JSON.stringify({ $schema: SCHEMA, version: '2.1.0', runs: [run] }, null, 2)}\n`)
    },
  }
}

function ruleOf({ rule, title, severity }: Shown) {
  return {
    id: rule,
    name: rule,
    shortDescription: { text: title },
    defaultConfiguration: { level: LEVELS[severity] },
    properties: { tags: ['security', 'secret'] },
  }
}

function resultOf(finding: Shown, ruleIndex: number) {
  const { line, column, endLine, endColumn, commit } = finding
  return {
    ruleId: finding.rule,
    ruleIndex,
    level: LEVELS[finding.severity],
    message: { text: `${finding.title}: ${finding.value}` },
    partialFingerprints: { 'coffer/v1': finding.fingerprint },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(finding.path) },
          region: { startLine: line, startColumn: column, endLine, endColumn },
        },
      },
    ],
    ...(commit && {
      properties: {
        commit: commit.id,
        author: commit.author,
        email: commit.email,
        date: commit.date,
      },
    }),
  }
}

/** A relative reference (RFC 3986), each segment escaped; a name with a colon is no scheme. */
function uriOf(path: string): string {
  const uri = path
    .toWellFormed()
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/')
  return isAbsolute(path) ? `file://${uri}` : uri
}
