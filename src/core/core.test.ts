/** What the core says of an error that is nobody's message: where it was, and nothing of what. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'
import { defineEngine, endpoint, t } from '../kit/kit.ts'
import { systemRandom } from '../lib/random.ts'
import { newMountEntry } from './bootstrap.ts'

const CANARY = 'CANARY-c0ffee'

async function failing(thrown: () => unknown) {
  const engine = defineEngine({
    type: 'failing',
    help: 'Fails.',
    endpoints: [
      endpoint('x', {
        help: 'Fails.',
        fields: { a: t.any({ help: 'Anything.' }) },
        read() {
          throw thrown()
        },
      }),
    ],
  })
  const made = await testCore({ engines: [engine] })
  const tx = (await made.core.begin(false))!
  const { mounts } = await made.core.mounts.table(tx)
  const entry = newMountEntry({ path: 'bad/', class: 'secret', type: 'failing' }, systemRandom)
  made.core.mounts.save(tx, [...mounts, entry])
  await made.core.commit(tx)
  made.logs.length = 0
  return { ...made, answer: await made.ask('read', 'bad/x') }
}

const parseError = () => {
  try {
    return JSON.parse(`{"a": ${CANARY} at b`) as unknown
  } catch (error) {
    return error
  }
}
const typeError = () => {
  try {
    return Buffer.from({ CANARY } as never)
  } catch (error) {
    return error
  }
}

test('handle() answers and logs nothing that a foreign error says', async () => {
  const hostile: (() => unknown)[] = [
    () => new Error(`${CANARY} at x\n    at ${CANARY} (y:1:1)`),
    () => new Error('outer', { cause: new TypeError(`inner ${CANARY} at x`) }),
    parseError,
    typeError,
    () => CANARY,
    () => ({ message: CANARY }),
    () => undefined,
  ]
  for (const thrown of hostile) {
    const { answer, logs } = await failing(thrown)
    equal(answer.status, 500)
    match(answer.body.errors![0]!, /^internal error \(request [0-9a-f-]{36}\)$/)
    ok(!logs.join('\n').includes('CANARY'), logs.join('\n'))
    ok(logs.some((line) => /^error: request [0-9a-f-]{36} failed: \w+/.test(line)))
  }
})

test('handle() logs where an error was and what the system says', async () => {
  const { logs } = await failing(() =>
    Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', syscall: 'write' }),
  )
  match(logs[0]!, /Error EIO: i\/o error, write at .*core\.test\.ts/)
})

test('handle() keeps the request id of the answer and the log together', async () => {
  const { answer, logs } = await failing(() => new RangeError('x'))
  const id = /request ([0-9a-f-]{36})/.exec(answer.body.errors![0]!)![1]!
  deepEqual(logs.length > 0 && logs.every((line) => line.includes(id)), true)
})
