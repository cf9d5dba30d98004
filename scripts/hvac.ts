/**
 * Runs hvac's own integration suite against coffer, and holds the result against the list of tests
 * that are expected to pass, which may only grow.
 *
 *   npm run test:hvac                         all of it
 *   npm run test:hvac -- api/auth_methods     a part; nothing is compared then
 *   npm run test:hvac -- --update             adds what passes now to the list
 *   npm run test:hvac -- --reasons            says of each failed test why
 *
 * Exit code: 0 = everything expected passed, 1 = something did not, 2 = it could not be run.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { expectedPasses, fetchSuite, type Outcome, PASSES_FILE } from '../test/hvac/suite.ts'
import { runSuite, suitePython } from '../test/hvac/suite.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { update: { type: 'boolean' }, reasons: { type: 'boolean' } },
})
const python = suitePython()
const packed = python && fetchSuite(python)
if (!packed) {
  console.error('hvac and pytest are not installed: run .ci/run once, or make .venv from')
  console.error('test/requirements.txt; the suite itself is fetched from the package index')
  process.exit(2)
}
const { outcomes, reasons, log } = await runSuite(python, packed, positionals)
if (outcomes.size === 0) {
  console.error(log)
  process.exit(2)
}

const files = new Map<string, Record<Outcome, number>>()
for (const [name, outcome] of outcomes) {
  const file = name.split('::')[0]!
  if (!files.has(file)) files.set(file, { passed: 0, failed: 0, skipped: 0 })
  files.get(file)![outcome]++
}
const cell = (value: number | string) => String(value).padStart(9)
console.log(`${'file'.padEnd(44)}${['passed', 'failed', 'skipped'].map(cell).join('')}`)
const total = { passed: 0, failed: 0, skipped: 0 }
for (const [file, counts] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const { passed, failed, skipped } = counts
  console.log(`${file.padEnd(44)}${[passed, failed, skipped].map(cell).join('')}`)
  for (const outcome of ['passed', 'failed', 'skipped'] as const) total[outcome] += counts[outcome]
}
console.log(`${'all'.padEnd(44)}${[total.passed, total.failed, total.skipped].map(cell).join('')}`)
if (values.reasons) {
  console.log()
  for (const [name, outcome] of outcomes) {
    if (outcome === 'failed') console.log(`${name}\n    ${reasons.get(name) ?? ''}`)
  }
}

const expected = positionals.length > 0 ? [] : expectedPasses()
const lost = expected.filter((name) => outcomes.get(name) !== 'passed')
const gained = [...outcomes].flatMap(([name, outcome]) =>
  outcome === 'passed' && !expected.includes(name) ? [name] : [],
)
for (const name of lost) console.log(`no longer passes: ${name}`)
if (positionals.length === 0 && gained.length > 0) {
  console.log(`\n${gained.length} more pass than are listed${values.update ? '; added' : ''}`)
  if (values.update) {
    writeFileSync(PASSES_FILE, `${[...expected, ...gained].sort().join('\n')}\n`)
  }
}
process.exit(lost.length > 0 ? 1 : 0)
