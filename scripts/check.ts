/** The gate: types, lint, format, dead code. One line each, and the tool's own words when it fails. */
import { spawnSync } from 'node:child_process'

const steps: [name: string, command: string, args: string[]][] = [
  ['types', 'tsc', []],
  ['lint', 'oxlint', ['--deny-warnings']],
  ['format', 'oxfmt', ['--check', 'src', 'test', 'scripts', 'examples']],
  ['dead code', 'knip', []],
]
let failed = 0
for (const [name, command, args] of steps) {
  const { status, stdout, stderr } = spawnSync(`node_modules/.bin/${command}`, args, {
    encoding: 'utf8',
  })
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`)
  if (status !== 0) {
    failed++
    console.log(stdout + stderr)
  }
}
process.exitCode = failed === 0 ? 0 : 1
