/** JUnit's XML, as CI systems read it: a failed test for each finding. */
import type { Out, Reporter, Shown } from './report.ts'

export function junit(out: Out): Reporter {
  const all: Shown[] = []
  return {
    finding: (finding) => void all.push(finding),
    end() {
      const counts = `tests="${Math.max(all.length, 1)}" failures="${all.length}"`
      out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
      out.write(`<testsuites ${counts}>\n<testsuite name="coffer scan" ${counts}>\n`)
      if (all.length === 0) out.write('<testcase name="no secrets" classname="coffer scan"/>\n')
      for (const one of all) out.write(testcase(one))
      out.write('</testsuite>\n</testsuites>\n')
    },
  }
}

function testcase(finding: Shown): string {
  const { path, line, column, rule, title, value, commit } = finding
  const where = `${path}:${line}:${column}`
  const what = `${title} ${value}${commit ? ` in commit ${commit.id}` : ''}`
  return (
    `<testcase name="${xml(`${rule} at ${where}`)}" classname="${xml(path)}">` +
    `<failure type="${xml(rule)}" message="${xml(what)}">${xml(where)}</failure></testcase>\n`
  )
}

/** What XML 1.0 has no way to write at all is left out. */
export function xml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '')
    .replace(/[<>&"'\t\r\n]/g, (char) => `&#${char.charCodeAt(0)};`)
}
