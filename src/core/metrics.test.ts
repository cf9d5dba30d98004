import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { after, test } from 'node:test'
import { memoryStore } from '../storage/memory.ts'
import { testCore } from '../../test/support/test-core.ts'
import { InFlight } from './in-flight.ts'
import { countTurn, createMetrics, measuredStore } from './metrics.ts'
import { metricsJson, prometheusText } from './metrics-text.ts'
import { newTurn } from './turn.ts'
import { ownEngines } from './own-engines.ts'

const made = createMetrics()
after(() => made.close())

const withMetrics = (metrics = made, inFlight = new InFlight()) =>
  testCore({
    ownEngines: (self) => ownEngines(self, { metrics, inFlight }),
  })

test('sys/metrics refuses an unknown format, and Prometheus where nothing is measured', async () => {
  const { ask } = await testCore()
  const odd = await ask('read', 'sys/metrics', { format: 'xml' })
  deepEqual([odd.status, odd.body.errors], [400, ['metric response format "xml" unknown']])
  const off = await ask('read', 'sys/metrics', { format: 'prometheus' })
  deepEqual([off.status, off.body.errors], [400, ['prometheus is not enabled']])
  equal((await ask('read', 'sys/metrics', {}, { token: undefined })).status, 403)
  deepEqual((await ask('read', 'sys/metrics')).body['Gauges'], [])
})

test('sys/metrics counts tokens and tells of the process', async () => {
  const { ask, clock } = await withMetrics()
  const gauges = async () => {
    const { body } = await ask('read', 'sys/metrics')
    const all = body['Gauges'] as { Name: string; Value: number }[]
    return new Map(all.map(({ Name, Value }) => [Name, Value]))
  }
  const first = await gauges()
  equal(first.get('coffer.tokens'), 1)
  equal(first.get('coffer.leases'), 0)
  equal(first.get('coffer.unsealed'), 1)
  equal(first.get('coffer.requests_in_flight'), 0)
  for (const name of ['heap_bytes', 'rss_bytes']) ok(first.get(`coffer.${name}`)! > 1e6)
  ok(first.has('coffer.event_loop_delay_p99_seconds'))
  await ask('write', 'auth/token/create', { policies: 'default', ttl: '1h' })
  clock.advance(30_000)
  equal((await gauges()).get('coffer.tokens'), 2)
})

test('prometheusText() prints each metric once with its help', () => {
  const metrics = createMetrics()
  metrics.close()
  metrics.count('coffer_logins_total', { mount_type: 'a"b\\c\nd' })
  metrics.count('coffer_logins_total', { mount_type: 'x' }, 2)
  metrics.count('coffer_logins_total', { mount_type: 'x' })
  metrics.observe('coffer_store_commit_seconds', 0.002)
  metrics.observe('coffer_store_commit_seconds', 99)
  return metrics.read().then((all) => {
    const text = prometheusText(all)
    equal(text.split('# HELP coffer_logins_total').length, 2)
    match(text, /^coffer_logins_total\{mount_type="a\\"b\\\\c\\nd"\} 1$/m)
    match(text, /^coffer_logins_total\{mount_type="x"\} 3$/m)
    match(text, /^coffer_store_commit_seconds_bucket\{le="0.001"\} 0$/m)
    match(text, /^coffer_store_commit_seconds_bucket\{le="0.0025"\} 1$/m)
    match(text, /^coffer_store_commit_seconds_bucket\{le="10"\} 1$/m)
    match(text, /^coffer_store_commit_seconds_bucket\{le="\+Inf"\} 2$/m)
    match(text, /^coffer_store_commit_seconds_count 2$/m)
    const samples = metricsJson(all, 0)['Samples'] as Record<string, number>[]
    deepEqual([samples[0]!['Min'], samples[0]!['Max'], samples[0]!['Count']], [0.002, 99, 2])
  })
})

test('measuredStore() times commits and counts conflicts', async () => {
  const metrics = createMetrics()
  metrics.close()
  const store = measuredStore(memoryStore(), metrics)
  const value = Buffer.from('x')
  await store.write([{ key: 'a', value }], { keys: [], ranges: [] })
  equal(Buffer.from((await store.get('a'))!.value).toString(), 'x')
  await rejects(
    store.write([{ key: 'a', value }], { keys: [{ key: 'a', revision: 0 }], ranges: [] }),
  )
  const all = await metrics.read()
  const conflicts = all.find(({ name }) => name === 'coffer_store_conflicts_total')
  equal(conflicts?.kind === 'counter' && conflicts.value, 1)
  const commits = all.find(({ name }) => name === 'coffer_store_commit_seconds')
  equal(commits?.kind === 'histogram' && commits.summary.count, 2)
})

test('countTurn() counts by type and status, never by path', async () => {
  const metrics = createMetrics()
  metrics.close()
  const request = { id: 'x', verb: 'read', path: 'secret/data/hunter2', data: {} }
  const turn = newTurn(request as never, 0)
  countTurn(metrics, turn, { status: 404, seconds: 0.01 })
  turn.made = { tokens: [{ type: 'batch' } as never], leaseId: 'x/y' }
  turn.reply = { login: {} } as never
  countTurn(metrics, turn, { status: 200, seconds: 0.01 })
  const text = prometheusText(await metrics.read())
  match(text, /coffer_requests_total\{operation="read",mount_type="none",code="4xx"\} 1/)
  match(text, /coffer_tokens_created_total\{type="batch"\} 1/)
  match(text, /coffer_logins_total\{mount_type="none"\} 1/)
  match(text, /coffer_leases_issued_total 1/)
  ok(!text.includes('hunter2'))
})
