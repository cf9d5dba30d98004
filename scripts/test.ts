/**
 * Runs every test this machine can run, each file in a process of its own. A test that lacks
 * something it needs says so in one line; COFFER_TEST_STRICT=1 turns each such skip into a failure.
 *
 *   npm test                    all
 *   npm test -- acl kv          files whose path contains one of the words
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'

const words = process.argv.slice(2)
const files = [
  ...globSync('src/**/*.test.ts'),
  ...globSync('test/**/*.test.ts', { exclude: ['**/node_modules/**'] }),
]
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()
if (files.length === 0) {
  console.error(`no test file matches: ${words.join(' ')}`)
  process.exit(1)
}

const skips: string[] = []
// Most of what takes long waits: for a process, a clock, a disk.
const flags = [`--test-concurrency=${availableParallelism() * 2}`, '--test-reporter=spec']
const child = spawn(process.execPath, ['--test', '--no-warnings', ...flags, ...files], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
for await (const line of createInterface({ input: child.stdout })) {
  if (/^\s*﹣.*# ./.test(line))
    skips.push(line.replace(/^\s*﹣\s*/, '').replace(/\s*\([\d.]+ms\)/, ''))
  // A thousand passing lines hide the one that matters.
  if (!/^\s*(✔|▶)/.test(line) || process.env['COFFER_TEST_VERBOSE']) console.log(line)
}
const code = await new Promise<number>((done) => {
  if (child.exitCode !== null) done(child.exitCode)
  else child.on('close', (status) => done(status ?? 1))
})
for (const skip of skips) console.log(`skipped: ${skip}`)
const strict = process.env['COFFER_TEST_STRICT'] === '1'
if (strict && skips.length > 0) console.error('skips are forbidden here (COFFER_TEST_STRICT=1)')
process.exit(code !== 0 || (strict && skips.length > 0) ? 1 : 0)
