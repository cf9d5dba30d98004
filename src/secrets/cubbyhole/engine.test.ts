import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { dataOf, memoryEntries, testEngine } from '../../../test/support/test-engine.ts'
import { JsonText } from '../../kit/json-text.ts'
import { parseJson } from '../../lib/json.ts'
import { cubbyhole } from './engine.ts'

/** A call of any verb, by a token of one's choice or by nobody. */
function callAs(caller: { tokenUid: string } | undefined, entries: Map<string, object>) {
  const [endpoint] = cubbyhole.endpoints
  ok(endpoint)
  return (verb: 'read' | 'list' | 'write' | 'delete' | 'exists', path: string, body = {}) =>
    Promise.resolve(
      endpoint[verb]?.({
        data: { path },
        path,
        body,
        caller,
        store: memoryEntries(entries),
      } as never),
    )
}

test('cubbyhole refuses whoever has no token', async () => {
  for (const caller of [undefined, { tokenUid: '' }]) {
    for (const verb of ['read', 'list', 'write', 'delete', 'exists'] as const) {
      const attempt = async () => callAs(caller, new Map())(verb, 'a', { v: 1 })
      await rejects(attempt, { code: 'permission_denied' })
    }
  }
})

test('cubbyhole answers mistakes with 500 in the multi-error form', async () => {
  const hole = testEngine(cubbyhole)
  const wrong = (message: string) => ({ status: 500, message, wrapped: true })
  await rejects(hole.read(''), wrong('missing path'))
  await rejects(hole.write('', { v: 1 }), wrong('missing path'))
  await rejects(hole.write('a/', { v: 1 }), wrong('missing path'))
  await rejects(hole.write('', {}), wrong('missing data fields'))
  await rejects(hole.write('a', {}), wrong('missing data fields'))
  await rejects(hole.patch('a', { v: 1 }), { code: 'unsupported_operation' })
  equal(hole.entries().size, 0)
})

test('cubbyhole keeps what a token writes, digit for digit, until it is replaced or deleted', async () => {
  const hole = testEngine(cubbyhole)
  const text = '{"path":"x","n":9007199254740993}'
  equal(await hole.write('a/b', parseJson(text) as Record<string, unknown>), undefined)
  const reply = await hole.read('a/b')
  ok(reply?.data instanceof JsonText)
  equal(reply.data.text, text)
  equal((await hole.read('a/b'))?.data, reply.data)
  await hole.write('a', { v: 2 })
  deepEqual(dataOf(await hole.list('a')), { keys: ['b'] })
  equal(await hole.list('none'), undefined)
  for (const path of ['a', 'a', 'no', '', 'a/']) equal(await hole.delete(path), undefined)
  equal(await hole.read('a'), undefined)
  equal(await hole.read('a/'), undefined)
  ok(await hole.read('a/b'))
})

test('cubbyhole shows a token nothing of another, and keeps each under its uid', async () => {
  const entries = new Map<string, object>()
  const [one, two] = ['one', 'one2'].map((tokenUid) => callAs({ tokenUid }, entries))
  ok(one && two)
  await one('write', 'note', { of: 'one' })
  await two('write', 'other', { of: 'two' })
  deepEqual([...entries.keys()], ['one/note', 'one2/other'])
  equal(await two('read', 'note'), undefined)
  equal(await two('exists', 'note'), false)
  equal(await one('exists', 'note'), true)
  deepEqual(await two('list', ''), { keys: ['other'] })
  await one('write', 'note/deep', { of: 'one' })
  deepEqual(await one('list', ''), { keys: ['note', 'note/'] })
  await one('delete', 'note/deep')
  await two('delete', 'note')
  deepEqual([...entries.keys()], ['one/note', 'one2/other'])
})
