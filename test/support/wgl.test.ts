/** The checker of histories against histories whose verdict is known. */
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkHistory,
  type RegisterInput,
  registerModel,
  type RegisterOperation,
  type RegisterOutput,
} from './wgl.ts'

const check = (history: RegisterOperation[]) => checkHistory(registerModel, history)
const good = (history: RegisterOperation[]) => check(history).linearizable

type Span = readonly [called: number, returned: number]
const read = ([called, returned]: Span, version: number, value?: string): RegisterOperation => ({
  input: { kind: 'read' },
  output: { version, value },
  called,
  returned,
})
const write = (
  [called, returned]: Span,
  value: string,
  { cas, ...output }: RegisterOutput & { cas?: number },
): RegisterOperation => ({
  input: { kind: 'write', value, ...(cas !== undefined && { cas }) },
  output,
  called,
  returned,
})
const remove = ([called, returned]: Span): RegisterOperation => ({
  input: { kind: 'delete' },
  output: {},
  called,
  returned,
})
const unanswered = (input: RegisterInput, called: number): RegisterOperation => ({
  input,
  output: undefined,
  called,
  returned: Infinity,
})

// What each history is about, and the history itself.
const BAD: Record<string, RegisterOperation[]> = {
  'a read of a value that was never written': [read([0, 1], 1, 'a')],
  'a read that misses a write that was acknowledged before': [
    write([0, 1], 'a', { version: 1 }),
    read([2, 3], 0),
  ],
  'a read that goes back': [
    write([0, 9], 'a', { version: 1 }),
    read([1, 2], 1, 'a'),
    read([3, 4], 0),
  ],
  'two writes that took the same version': [
    write([0, 5], 'a', { version: 1 }),
    write([1, 6], 'b', { version: 1 }),
  ],
  'two writes that won with the same cas': [
    write([0, 5], 'a', { cas: 0, version: 1 }),
    write([1, 6], 'b', { cas: 0, version: 1 }),
  ],
  'a cas that was refused though it fitted all the time': [
    write([0, 1], 'a', { version: 1 }),
    write([2, 3], 'b', { cas: 1, refused: true }),
  ],
  'a cas that won though it fitted at no time': [
    write([0, 1], 'a', { version: 1 }),
    write([2, 3], 'b', { cas: 0, version: 2 }),
  ],
  'a value read after its deletion was acknowledged': [
    write([0, 1], 'a', { version: 1 }),
    remove([2, 3]),
    read([4, 5], 1, 'a'),
  ],
  'a lost update: both read one version, both wrote the next': [
    write([0, 1], 'a', { version: 1 }),
    write([2, 3], 'b', { version: 2 }),
    read([4, 5], 1, 'a'),
  ],
  'a write seen, unseen and seen again, whatever became of it': [
    unanswered({ kind: 'write', value: 'a' }, 0),
    read([1, 2], 1, 'a'),
    read([3, 4], 0),
  ],
}

const GOOD: Record<string, RegisterOperation[]> = {
  'nothing at all': [],
  'a read during a write that sees the old value': [
    write([0, 9], 'a', { version: 1 }),
    read([1, 2], 0),
  ],
  'a read during a write that sees the new value': [
    write([0, 9], 'a', { version: 1 }),
    read([1, 2], 1, 'a'),
    read([3, 4], 1, 'a'),
  ],
  'a write that overtakes one that was called before it': [
    write([0, 9], 'a', { version: 2 }),
    write([1, 8], 'b', { version: 1 }),
    read([2, 3], 1, 'b'),
    read([10, 11], 2, 'a'),
  ],
  'one winner of two with the same cas': [
    write([0, 5], 'a', { cas: 0, version: 1 }),
    write([1, 6], 'b', { cas: 0, refused: true }),
    read([7, 8], 1, 'a'),
  ],
  'a deletion that a read runs beside': [
    write([0, 1], 'a', { version: 1 }),
    remove([2, 9]),
    read([3, 4], 1, 'a'),
    read([5, 6], 1),
    write([10, 11], 'b', { cas: 1, version: 2 }),
  ],
  'a write without an answer that never happened': [
    unanswered({ kind: 'write', value: 'a' }, 0),
    read([1, 2], 0),
    read([3, 4], 0),
  ],
  'a write without an answer that happened late': [
    unanswered({ kind: 'write', value: 'a' }, 0),
    read([1, 2], 0),
    read([3, 4], 1, 'a'),
  ],
  'a return and a call at the same moment': [write([0, 1], 'a', { version: 1 }), read([1, 2], 0)],
}

for (const [name, history] of Object.entries(BAD)) {
  test(`checkHistory() refuses ${name}`, () => equal(good(history), false))
}

for (const [name, history] of Object.entries(GOOD)) {
  test(`checkHistory() accepts ${name}`, () => equal(good(history), true))
}

test('checkHistory() names the operation that fits nowhere', () => {
  const stale = read([4, 5], 0)
  const history = [write([0, 1], 'a', { version: 1 }), read([2, 3], 1, 'a'), stale]
  deepEqual(check(history), { linearizable: false, placed: 2, stuck: stale })
})

test('checkHistory() refuses an operation that ends before it begins', () => {
  throws(() => check([read([2, 1], 0)]), RangeError)
})

/** A true history: each operation happens at one moment of its span, which the checker is not told. */
const histories = fc
  .array(
    fc.record({
      kind: fc.constantFrom('read', 'write', 'cas', 'stale cas', 'delete'),
      early: fc.integer({ min: 0, max: 40 }),
      late: fc.integer({ min: 0, max: 40 }),
      answered: fc.boolean(),
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    let state = registerModel.initial
    return steps.map(({ kind, early, late, answered }, i): RegisterOperation => {
      const { version, value } = state
      const wrote = kind === 'write' || kind.endsWith('cas')
      const cas = kind === 'cas' ? version : version + 7
      const input: RegisterInput = wrote
        ? { kind: 'write', value: `v${i}`, ...(kind !== 'write' && { cas }) }
        : { kind: kind === 'read' ? 'read' : 'delete' }
      const refused = kind === 'stale cas'
      const output: RegisterOutput =
        kind === 'read'
          ? { version, value }
          : refused
            ? { refused }
            : wrote
              ? { version: version + 1 }
              : {}
      state = registerModel.step(state, input, output)!
      const lost = !answered && wrote && i % 5 === 0
      return {
        input,
        output: lost ? undefined : output,
        called: i * 10 - early,
        returned: lost ? Infinity : i * 10 + late,
      }
    })
  })

test('checkHistory() accepts every history that really was one after another', () => {
  fc.assert(fc.property(histories, (history) => good(history)))
})

test('checkHistory() refuses a true history with one read after it that is a version behind', () => {
  let refused = 0
  fc.assert(
    fc.property(histories, (history) => {
      const newest = Math.max(0, ...history.map(({ output }) => output?.version ?? 0))
      if (newest < 1) return
      const older = history.find(({ input, output }) => {
        return input.kind === 'write' && output?.version === newest - 1
      })?.input
      const value = older?.kind === 'write' ? older.value : undefined
      refused++
      equal(good([...history, read([10_000, 10_001], newest - 1, value)]), false)
    }),
  )
  ok(refused > 0)
})
