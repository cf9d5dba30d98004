/** What is said of rotated secrets, to a client that writes down what it is given. */
import { deepEqual, equal, match, notEqual } from 'node:assert/strict'
import { mock, test } from 'node:test'
import { type Client } from '../client/connect.ts'
import { DeniedError } from '../client/errors.ts'
import { fakeClock } from '../../test/support/test-core.ts'
import {
  appName,
  createHolding,
  filesName,
  type Generations,
  holdForFiles,
  holdForProgram,
  processName,
} from './holding.ts'
import { type ResolvedEnv } from './resolve-env.ts'
import { supervise } from './supervise.ts'

type Word = { path: string; generation: number; state: string; reason?: string }
const A = 'secret/a'
const of = (...numbers: number[]): Generations =>
  new Map(numbers.map((generation, i) => [`secret/${'abc'[i]}`, generation]))

function house(answer: () => Promise<void> = async () => {}) {
  const words: Word[] = []
  const quiet: string[] = []
  const client = {
    async write(path: string, body: Word & { instance: string; app: string }) {
      equal(path, 'sys/coffer/ack')
      words.push(body)
      await answer()
    },
  } as unknown as Client
  const holding = createHolding({
    instance: 'web1.1.abc',
    app: 'run/node',
    onQuiet: (text) => void quiet.push(text),
    random: () => 0,
  })
  holding.use(client)
  const said = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    return words.splice(0).map(({ path, state, generation }) => `${path} ${state} ${generation}`)
  }
  return { holding, words, quiet, said }
}

test('what is not rotated is never spoken of', async () => {
  const { holding, said } = house()
  holding.seen(new Map())
  holding.stands('the program', new Map())
  await holding.leave()
  deepEqual(await said(), [])
})

test('one place: drained; then seen, applied and drained of the next; then gone', async () => {
  const { holding, said } = house()
  holding.seen(of(1))
  deepEqual(await said(), [], 'who has read is noted by the server')
  holding.stands('the program', of(1))
  deepEqual(await said(), [`${A} drained 1`])
  holding.seen(of(2))
  holding.seen(of(2))
  deepEqual(await said(), [`${A} seen 2`])
  holding.stands('the program', of(2))
  deepEqual(await said(), [`${A} applied 2`, `${A} drained 2`])
  await holding.leave()
  deepEqual(await said(), [`${A} gone 2`])
})

test('what was read and never used is let go at the end', async () => {
  const { holding, said } = house()
  holding.seen(of(3, 4))
  await holding.leave()
  deepEqual(await said(), [`${A} gone 3`, 'secret/b gone 4'])
})

test('it is drained when the last of many places has let go', async () => {
  const { holding, said } = house()
  holding.stands('one', of(1))
  holding.stands('two', of(1))
  await said()
  holding.stands('one', of(2))
  deepEqual(await said(), [`${A} applied 2`])
  holding.stands('two', of(2))
  deepEqual(await said(), [`${A} drained 2`])
  holding.stands('one', new Map())
  deepEqual(await said(), [])
  holding.stands('two', new Map())
  deepEqual(await said(), [`${A} gone 2`])
})

test('the last word is said again every half minute, and ends with the holding', async () => {
  const { holding, said } = house()
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    holding.stands('the program', of(1))
    deepEqual(await said(), [`${A} drained 1`])
    for (let i = 0; i < 3; i++) {
      mock.timers.tick(30_000)
      deepEqual(await said(), [`${A} drained 1`])
    }
    await holding.leave()
    mock.timers.tick(60_000)
    deepEqual(await said(), [`${A} gone 1`])
  } finally {
    mock.timers.reset()
  }
})

test('a server that does not want to hear is told once, and one line says so', async () => {
  const facts = { method: 'POST', path: 'sys/coffer/ack', status: 403 }
  const { holding, said, quiet } = house(() => Promise.reject(new DeniedError(facts)))
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    holding.stands('the program', of(1))
    deepEqual(await said(), [`${A} drained 1`])
    mock.timers.tick(100_000)
    await holding.leave()
    deepEqual([await said(), quiet.length], [[], 1])
    match(quiet[0]!, /does not know that a rotated secret is in use here: .*403/)
  } finally {
    mock.timers.reset()
  }
})

test('the end does not wait for ever for a server that does not answer', async () => {
  const { holding } = house(() => new Promise(() => {}))
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    holding.stands('the program', of(1))
    const left = holding.leave()
    mock.timers.tick(3000)
    await left
  } finally {
    mock.timers.reset()
  }
})

test('a command that fails is a refusal, and its file stands on what was before', async () => {
  const { holding, said, words } = house()
  const files = holdForFiles(holding, ['/f'])
  files.written('/f', of(1), undefined)
  await said()
  files.written('/f', of(2), 'ended with 3')
  await new Promise((resolve) => setImmediate(resolve))
  deepEqual(words.at(-1)?.reason, 'the command of /f ended with 3')
  deepEqual(await said(), [`${A} nack 2`])
  files.same('/f', of(2), true)
  deepEqual(await said(), [], 'that the text is the same says nothing of who was to read it')
  files.written('/f', of(2), undefined)
  deepEqual(await said(), [`${A} applied 2`, `${A} drained 2`])
})

test('a file that was there already lets nothing go until its generation is another', async () => {
  const { holding, said } = house()
  const files = holdForFiles(holding, ['/f', '/g'])
  files.same('/f', of(1), true)
  files.written('/g', of(1), undefined)
  deepEqual(await said(), [`${A} applied 1`])
  files.same('/f', of(1), true)
  deepEqual(await said(), [])
  files.written('/g', of(2), undefined)
  files.same('/f', of(2), true)
  deepEqual(await said(), [`${A} applied 2`, `${A} drained 2`])
  const other = house()
  holdForFiles(other.holding, ['/f']).same('/f', of(1), false)
  deepEqual(await other.said(), [`${A} drained 1`], 'without a command nobody is to be told')
})

test('nothing is let go before all files have had their turn', async () => {
  const { holding, said } = house()
  const files = holdForFiles(holding, ['/f', '/g'])
  files.written('/f', of(2), undefined)
  deepEqual(await said(), [], 'the other one may still have the one before in it')
  files.same('/g', of(2), true)
  deepEqual(await said(), [`${A} applied 2`])
  const other = house()
  const both = holdForFiles(other.holding, ['/f', '/g'])
  both.written('/f', of(2), undefined)
  both.written('/g', of(1), undefined)
  both.written('/g', of(2), undefined)
  deepEqual(await other.said(), [`${A} applied 2`, `${A} drained 2`])
})

test('the first command that fails refuses nothing, and lets nothing go', async () => {
  const { holding, said } = house()
  const files = holdForFiles(holding, ['/f', '/g'])
  files.written('/f', of(1), 'ended with 3')
  files.written('/g', of(1), undefined)
  deepEqual(await said(), [`${A} applied 1`])
})

test('a program that fails at once after a change is a refusal; one that is told to end is not', async () => {
  const env = (script: string, generation: number): ResolvedEnv => ({
    env: { PATH: process.env['PATH'] ?? '', SCRIPT: script },
    ...{ secrets: [], references: [], generations: of(generation) },
  })
  const after = async (script: string, then: (child: ReturnType<typeof supervise>) => void) => {
    const { holding, said } = house()
    const clock = fakeClock()
    const started: (() => void)[] = []
    const held = holdForProgram(holding)
    const next = () => new Promise<void>((resolve) => void started.push(resolve))
    const first = next()
    const child = supervise({
      ...{ command: ['sh', '-c', 'eval "$SCRIPT"'], clock, graceMs: 1000 },
      ...{ first: env('exec sleep 100', 1), stdout: undefined, stderr: undefined },
      ...held,
      onStarted(resolved) {
        held.onStarted(resolved)
        started.shift()!()
      },
    })
    await first
    const second = next()
    child.replace(env(script, 2))
    await second
    then(child)
    const code = await child.ended
    return [code, ...(await said())]
  }
  const all = [`${A} drained 1`, `${A} applied 2`, `${A} drained 2`]
  deepEqual(await after('exit 3', () => {}), [3, ...all, `${A} nack 2`])
  deepEqual(await after('exit 0', () => {}), [0, ...all])
  deepEqual(await after('exec sleep 100', (child) => child.signal('SIGTERM')), [143, ...all])
})

test('names: one for each process, one for the same files, and none with an argument in it', () => {
  notEqual(processName(), processName())
  equal(filesName(['/a', '/b']), filesName(['/a', '/b']))
  notEqual(filesName(['/a', '/b']), filesName(['/a b']))
  for (const name of [processName(), filesName(['/a'])]) match(name, /^[\w.:-]{1,64}$/)
  equal(appName('run', '/usr/bin/no de'), 'run/no-de')
  equal(appName('agent'), 'agent')
})
