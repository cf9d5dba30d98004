/**
 * `npm run torture`: the long tests of what must never happen. Each prints one line of JSON,
 * {id, pass, numbers, seed, commit, seconds}; a test this machine cannot run says why instead.
 *
 *   npm run torture                                   all, about ten minutes
 *   npm run torture -- --kills 20 --writes 2000       how hard T01 is
 *   npm run torture -- --only T01,T03 --seed 7        some of them, again as they were
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { endAll, ROOT_FOLDER } from './process.ts'
import { freshSeed } from './seeded.ts'
import { type Asked, TRIALS } from './trials.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    writes: { type: 'string', default: '2000' },
    only: { type: 'string' },
    seed: { type: 'string' },
  },
})
const only = values.only?.split(',').map((id) => id.trim().toUpperCase())
const unknown = only?.filter((id) => !TRIALS.some((trial) => trial.id === id)) ?? []
const numbers = { kills: values.kills, writes: values.writes, seed: values.seed ?? '1' }
for (const [name, text] of Object.entries(numbers)) {
  if (!/^[1-9]\d{0,8}$/.test(text)) fail(`--${name} must be a whole number above zero`)
}
if (unknown.length > 0) {
  fail(`no such test: ${unknown.join(', ')}; there are ${TRIALS.map(({ id }) => id).join(', ')}`)
}

function fail(why: string): never {
  console.error(why)
  process.exit(2)
}

const { stdout } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
  cwd: ROOT_FOLDER,
  encoding: 'utf8',
})
const commit = (stdout ?? '').trim()
const seed = values.seed === undefined ? freshSeed() : Number(values.seed)

/** One line that is written over, on a terminal only: a log needs no progress. */
function tell(id: string, text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${id}: ${text}`)
}

let [passed, failed, skipped] = [0, 0, 0]
for (const trial of TRIALS) {
  if (only && !only.includes(trial.id)) continue
  const cannot = trial.cannot?.()
  if (cannot !== undefined) {
    skipped++
    console.log(JSON.stringify({ id: trial.id, skipped: cannot, seed, commit }))
    continue
  }
  const asked: Asked = {
    seed,
    kills: Number(values.kills),
    writes: Number(values.writes),
    tell: (text) => tell(trial.id, text),
  }
  tell(trial.id, trial.about)
  const from = performance.now()
  const result = await trial.run(asked).catch((error: unknown) => ({
    pass: false,
    numbers: { error: error instanceof Error ? error.message : String(error) },
  }))
  await endAll()
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const seconds = Math.round((performance.now() - from) / 100) / 10
  if (result.pass) passed++
  else failed++
  console.log(JSON.stringify({ id: trial.id, ...result, seed, commit, seconds }))
}
console.error(`${passed} passed, ${failed} failed, ${skipped} skipped; seed ${seed}`)
process.exit(failed > 0 ? 1 : 0)
