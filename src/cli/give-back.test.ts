import { equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { giveBack } from './give-back.ts'

test('giveBack() leaves less of the heap than there was, and no way to do it for others', () => {
  const made: object[] = []
  for (let i = 0; i < 300_000; i++) made.push({ i })
  ok(made.length > 0)
  made.length = 0
  const { heapTotal } = process.memoryUsage()
  giveBack()
  const left = process.memoryUsage().heapTotal
  ok(left < heapTotal * 0.8, `${left} of ${heapTotal}`)
  equal(Reflect.has(globalThis, 'gc'), false)
})
