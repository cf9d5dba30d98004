/** The answer of a watch: its beginning and end in the audit log, slow readers, limits, polls. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAudit } from '../../../test/support/fake-audit.ts'
import { tokenWith } from '../../../test/support/policy-token.ts'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { poll, settled, watch } from '../../../test/support/watching.ts'

async function later({ clock }: TestCore, ms = 300): Promise<void> {
  await settled()
  clock.advance(ms)
  await settled()
}
const put = (t: TestCore, path = 'a') =>
  t.ask('write', `secret/data/${path}`, { data: { v: 'x'.repeat(50) } })

test('a watch is in the audit log when it begins and when it ends, and not in between', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  audit.clear()
  const ofWatch = () =>
    audit
      .entries()
      .filter(({ request }) => (request as { path: string }).path === 'sys/coffer/watch')
  const seen = await watch(t, { prefix: 'secret/' })
  deepEqual(
    ofWatch().map(({ type }) => type),
    ['request', 'response'],
  )
  for (let i = 0; i < 5; i++) await put(t)
  for (let i = 0; i < 40; i++) await later(t, 1_000)
  ok(seen.text.split(': heartbeat\n').length >= 2)
  equal(ofWatch().length, 2)
  seen.cut()
  await later(t)
  const [request, , end] = ofWatch() as [Entry, Entry, Entry]
  equal(end.request.id, request.request.id)
  deepEqual(end.response?.data, { ended: 'by the client', events: 5, seconds: 40 })
  const again = await watch(t)
  audit.clear()
  await t.core.watch.close()
  equal(again.ended, true)
  const last = ofWatch().at(-1) as Entry
  deepEqual(last.response?.data, { ended: 'by the server', events: 0, seconds: 0 })
})
type Entry = { request: { id: string }; response?: { data: unknown } }

test('a watch that ends because the server is sealed is in the audit log', async () => {
  const audit = fakeAudit()
  const t = await testCore({ auditTypes: [audit.type] })
  await t.ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  await watch(t)
  await t.ask('write', 'sys/seal')
  await settled()
  const ends = audit.entries().filter(({ response }) => JSON.stringify(response)?.includes('ended'))
  equal(ends.length, 1)
  deepEqual(
    t.logs.filter((line) => line.includes('audited')),
    [],
  )
})

test('a heartbeat moves the client on past what it may not see', async () => {
  const t = await testCore()
  const seen = await watch(t, { prefix: 'kv1/' })
  const before = seen.id
  await put(t)
  await later(t, 16_000)
  await later(t, 1_000)
  deepEqual(seen.events, [])
  ok(seen.id > before)
  match(seen.text, /: heartbeat\nid: [0-9a-f]{26}\n\n$/)
})

test('a client that does not read costs nothing, is told all when it does, and is let go', async () => {
  const t = await testCore()
  const seen = await watch(t)
  seen.block()
  await put(t)
  await later(t)
  const { length } = seen.text
  for (let i = 0; i < 300; i++) await put(t, `k${i % 10}`)
  await later(t, 20_000)
  equal(seen.text.length, length)
  seen.drain()
  await settled(200)
  equal(seen.events.length, 301)
  seen.block()
  await put(t)
  await later(t)
  await later(t, 59_000)
  equal(seen.ended, false)
  await later(t, 1_500)
  equal(seen.ended, true)
})

test('a token may have so many watches open, and a process so many in all', async () => {
  const t = await testCore({ watch: { limits: { watchers: 3, perToken: 2 } } })
  const one = await tokenWith(t, ['default'])
  const two = await tokenWith(t, ['default'])
  const open = [await watch(t, { token: one.id }), await watch(t, { token: one.id })]
  const third = await watch(t, { token: one.id })
  equal(third.status, 429)
  match(third.text, /too many watches/)
  open.push(await watch(t, { token: two.id }))
  equal((await watch(t, { token: two.id })).status, 503)
  open[0]!.cut()
  equal((await watch(t, { token: one.id })).status, 200)
  equal((await watch(t, { token: two.id })).status, 503)
})

test('the store is asked for nothing while nobody watches', async () => {
  const t = await testCore()
  t.core.expiry.stop()
  t.core.rotation.stop()
  let asked = 0
  const { store } = t.core
  const revision = store.revision.bind(store)
  store.revision = () => {
    asked++
    return revision()
  }
  t.clock.advance(10_000)
  await settled()
  equal(asked, 0)
  const seen = await Promise.all([watch(t), watch(t), watch(t)])
  await later(t)
  for (const one of seen) one.cut()
  await later(t, 1_000)
  asked = 0
  t.clock.advance(60_000)
  await settled()
  equal(asked, 0)
})

test('a token on its last use cannot watch', async () => {
  const t = await testCore()
  const { id } = await tokenWith(t, ['default'], { numUses: 2 })
  const seen = await watch(t, { token: id })
  equal(seen.status, 200)
  equal((await watch(t, { token: id })).status, 400)
  await later(t, 1_500)
  equal(seen.ended, true)
})

test('a poll answers at once with a place, then with what comes after it, or after its time', async () => {
  const t = await testCore()
  await put(t)
  const first = await poll(t, {})
  deepEqual(first.answer?.events, [])
  const waiting = await poll(t, { after: first.answer?.last ?? '', wait: '30s' })
  equal(waiting.answer, undefined)
  await put(t, 'b')
  await later(t)
  deepEqual(
    waiting.answer!.events.map(({ path }) => path),
    ['secret/b'],
  )
  equal(waiting.answer!.last, waiting.answer!.events[0]!.id)
  for (const path of ['c', 'd']) await put(t, path)
  const both = await poll(t, { after: waiting.answer!.last })
  deepEqual(
    both.answer!.events.map(({ path }) => path),
    ['secret/c', 'secret/d'],
  )
  const none = await poll(t, { after: both.answer!.last, wait: '5s' })
  await later(t, 4_000)
  equal(none.answer, undefined)
  await later(t, 2_000)
  deepEqual(none.answer, { events: [], last: both.answer!.last })
  deepEqual(
    (await poll(t, { after: 'none', wait: 0 })).answer!.events.map(({ type }) => type),
    ['reset'],
  )
  equal((await poll(t, { wait: '61s' })).status, 400)
})

test('a poll gives no place that would go back, when it ends before it has looked', async () => {
  const t = await testCore()
  const { id, accessor } = await tokenWith(t, ['default'])
  const { last } = (await poll(t, {})).answer!
  const waiting = await poll(t, { after: last, token: id })
  await t.ask('write', 'auth/token/revoke-accessor', { accessor })
  await later(t, 1_500)
  deepEqual(waiting.answer, { events: [], last })
})
