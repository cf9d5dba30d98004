import { equal, notEqual, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { onceFor } from './once.ts'
import { type Request } from './turn.ts'

const request = () => ({}) as Request

test('once() works again for another request or another key, and never for the same', async () => {
  let runs = 0
  const work = async () => ++runs
  const [one, other] = [request(), request()]
  const entry = {}
  equal(await onceFor(one)(['hash', entry], work), 1)
  equal(await onceFor(one)(['hash', entry], work), 1)
  notEqual(await onceFor(one)(['hash', {}], work), 1)
  notEqual(await onceFor(one)(['hash'], work), 1)
  notEqual(await onceFor(other)(['hash', entry], work), 1)
  equal(runs, 4)
})

test('once() remembers a failure', async () => {
  let runs = 0
  const fail = async () => {
    runs++
    throw new Error('no answer')
  }
  const once = onceFor(request())
  await rejects(once(['x'], fail))
  await rejects(once(['x'], fail))
  equal(runs, 1)
})
