import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { createCore } from '../core.ts'
import { canonicalPath } from '../canonical-path.ts'
import { InFlight } from '../in-flight.ts'
import { memoryStore } from '../../storage/memory.ts'
import { testCore } from '../../../test/support/test-core.ts'
import { ownEngines } from '../own-engines.ts'

const nobody = { token: undefined }

test('health refuses codes that are none, with nothing in the body', async () => {
  const { ask } = await testCore()
  for (const bad of ['x', '99', '600', '2000', '-1', '20.']) {
    const { status, body } = await ask('read', 'sys/health', { activecode: bad }, nobody)
    equal(status, 400, bad)
    deepEqual(body, { errors: [] })
  }
  equal((await ask('write', 'sys/health', {}, nobody)).status, 405)
})

test('what monitors ask of the inside needs a token', async () => {
  const { ask } = await testCore()
  for (const path of ['host-info', 'in-flight-req', 'ha-status', 'key-status']) {
    equal((await ask('read', `sys/${path}`, {}, nobody)).status, 403, path)
  }
  equal((await ask('write', 'sys/step-down', {}, nobody)).status, 403)
})

test('health tells by its status that the server is not initialized', async () => {
  const core = createCore({
    store: memoryStore(),
    engines: [],
    ownEngines,
    auditTypes: [],
  })
  const ask = (data: Record<string, unknown>) =>
    core.handle({
      id: 'x',
      verb: 'read',
      path: canonicalPath('sys/health'),
      data,
      token: undefined,
      wrapTtlSeconds: 0,
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      rawHeaders: [],
      receivedAt: 0,
    })
  equal((await ask({})).status, 501)
  equal((await ask({ uninitcode: '299' })).status, 299)
})

test('health tells by its status whether the server is sealed', async () => {
  const { ask, core } = await testCore()
  const open = await ask('read', 'sys/health', {}, nobody)
  equal(open.status, 200)
  deepEqual(
    [open.body['initialized'], open.body['sealed'], open.body['standby']],
    [true, false, false],
  )
  equal(open.body['server_time_utc'], Date.UTC(2026, 0, 1) / 1000)
  ok(open.body['cluster_id'])
  equal((await ask('read', 'sys/health', { activecode: '204' }, nobody)).status, 204)
  core.keeper.seal()
  const sealed = await ask('read', 'sys/health', {}, nobody)
  equal(sealed.status, 503)
  equal(sealed.body['cluster_id'], undefined)
  equal((await ask('read', 'sys/health', { sealedcode: 299 }, nobody)).status, 299)
  equal((await ask('read', 'sys/leader', {}, nobody)).body['ha_enabled'], false)
})

test('ha-status, replication and step-down say that nodes are equal', async () => {
  const { ask } = await testCore()
  const { body } = await ask('read', 'sys/ha-status')
  equal((body['nodes'] as { active_node: boolean }[])[0]!.active_node, true)
  const status = await ask('read', 'sys/replication/status', {}, nobody)
  deepEqual(status.body.data, { dr: { mode: 'disabled' }, performance: { mode: 'disabled' } })
  const dr = await ask('read', 'sys/replication/dr/status', {}, nobody)
  deepEqual(dr.body.data, { mode: 'disabled' })
  equal((await ask('write', 'sys/step-down')).status, 204)
})

test('host-info describes the machine', async () => {
  const { ask } = await testCore()
  const { body } = await ask('read', 'sys/host-info')
  deepEqual(Object.keys(body.data!), ['timestamp', 'cpu', 'cpu_times', 'disk', 'host', 'memory'])
})

test('in-flight-req shows what is being served', async () => {
  const inFlight = new InFlight()
  const { ask } = await testCore({
    ownEngines: (self) => ownEngines(self, { inFlight }),
  })
  const leave = inFlight.enter({
    id: 'one',
    method: 'GET',
    path: '/v1/secret/data/x',
    remoteAddress: '10.0.0.1',
    remotePort: 99,
    receivedAt: 0,
  })
  deepEqual((await ask('read', 'sys/in-flight-req')).body, {
    one: {
      start_time: '1970-01-01T00:00:00Z',
      client_remote_address: '10.0.0.1:99',
      request_path: '/v1/secret/data/x',
      request_method: 'GET',
      client_id: '',
    },
  } as never)
  leave()
  leave()
  equal(inFlight.size, 0)
  deepEqual((await ask('read', 'sys/in-flight-req')).body, {} as never)
})

test('version-history lists what runs', async () => {
  const { ask, core } = await testCore()
  const { body } = await ask('list', 'sys/version-history')
  deepEqual(body.data!['keys'], [core.settings.version])
})

test('counters count tokens and nothing that is not recorded', async () => {
  const { ask } = await testCore()
  const { body } = await ask('read', 'sys/internal/counters/tokens')
  deepEqual(body.data, { counters: { service_tokens: { total: 1 } } })
  equal((await ask('read', 'sys/internal/counters/activity')).status, 204)
  const gone = await ask('read', 'sys/internal/counters/requests')
  equal(gone.status, 404)
  deepEqual(gone.body.errors, [
    '1 error occurred:\n\t* functionality on this path has been removed\n\n',
  ])
  equal((await ask('write', 'sys/internal/counters/config', { enabled: 'enable' })).status, 400)
  equal((await ask('read', 'sys/internal/counters/config')).body.data!['queries_available'], false)
})
