/**
 * `npm run torture:rotation`: rotations on real databases, killed and cut at named points under load.
 *
 *   npm run torture:rotation -- --runs 300                     all targets of this machine
 *   npm run torture:rotation -- --runs 100 --target postgres --seed 7
 *   npm run torture:rotation -- --control                      the way that strands: must fail
 *
 * A seed repeats which faults are set and in which order; processes and networks do not repeat exactly.
 */
import { parseArgs } from 'node:util'
import { freshSeed } from '../seeded.ts'
import { type TargetName, TARGETS } from './points.ts'
import { tortureRotation } from './run.ts'
import { MISSING } from './targets.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    seed: { type: 'string' },
    target: { type: 'string' },
    pause: { type: 'string', default: '300' },
    control: { type: 'boolean', default: false },
  },
})
for (const [name, text] of Object.entries({ runs: values.runs, pause: values.pause })) {
  if (!/^[1-9]\d{0,8}$/.test(text)) fail(`--${name} must be a whole number above zero`)
}
const wanted = (values.target?.split(',') ?? TARGETS) as readonly TargetName[]
const unknown = wanted.filter((name) => !TARGETS.includes(name))
if (unknown.length > 0)
  fail(`no such target: ${unknown.join(', ')}; there are ${TARGETS.join(', ')}`)
const targets = wanted.filter((name) => {
  if (MISSING[name]) console.error(`without ${name}: ${MISSING[name]}`)
  return !MISSING[name]
})
if (targets.length === 0) fail('none of the targets is installed here')

function fail(why: string): never {
  console.error(why)
  process.exit(2)
}

const seed = values.seed === undefined ? freshSeed() : Number(values.seed)
console.error(`seed ${seed}`)
const result = await tortureRotation({
  runs: Number(values.runs),
  seed,
  targets,
  control: values.control,
  pauseMs: Number(values.pause),
  tell: (text) => void (process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`)),
})
if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
const { faults, notStruck, failed, wrong, ...numbers } = result
const struck = [...faults.values()].reduce((sum, each) => sum + each, 0)
for (const each of failed.slice(0, 20))
  console.log(`failed: ${each.target} ${each.who}: ${each.why}`)
for (const each of wrong) console.log(`wrong: ${each}`)
const pass = failed.length === 0 && wrong.length === 0
console.log(
  JSON.stringify({
    pass,
    ...numbers,
    faults: struck,
    kinds: faults.size,
    notStruck: notStruck.length,
    failed: failed.length,
    seed,
  }),
)
process.exit(pass ? 0 : 1)
