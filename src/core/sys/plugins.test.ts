/** The catalog tells of the engines of the build, and takes nothing else. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'

test('plugins/catalog lists what the build has, by type', async () => {
  const { core, ask } = await testCore()
  const { data } = (await ask('read', 'sys/plugins/catalog')).body
  const detailed = data!['detailed'] as { name: string; type: string; builtin: boolean }[]
  ok((data!['secret'] as string[]).includes('kv'))
  ok((data!['auth'] as string[]).includes('approle'))
  ok((data!['database'] as string[]).includes('postgresql-database-plugin'))
  ok(detailed.every(({ builtin }) => builtin))
  for (const { type, class: kind } of core.engines) {
    const own = ['system', 'token', 'identity', 'cubbyhole'].includes(type)
    equal((data![kind] as string[]).includes(type), !own, type)
  }
  deepEqual((await ask('list', 'sys/plugins/catalog/auth')).body.data!['keys'], data!['auth'])
  const one = (await ask('read', 'sys/plugins/catalog/secret/kv')).body.data!
  deepEqual([one['name'], one['builtin'], one['args'], one['sha256']], ['kv', true, [], ''])
})

test('plugins/catalog refuses to add or to take away', async () => {
  const { ask } = await testCore()
  const path = 'sys/plugins/catalog/secret/mine'
  const told = async (data: Record<string, unknown>) => (await ask('write', path, data)).body.errors
  deepEqual(await told({}), ['missing SHA-256 value'])
  deepEqual(await told({ sha256: 'ab' }), ['must provide at least one of command or oci_image'])
  const closed = ['could not set plugin, plugin directory is not configured']
  deepEqual(await told({ sha256: 'ab', command: 'mine' }), closed)
  deepEqual((await ask('delete', path)).body.errors, closed)
  equal((await ask('read', path)).status, 404)
  equal((await ask('read', 'sys/plugins/catalog/odd/mine')).status, 400)
  equal((await ask('list', 'sys/plugins/catalog/odd')).status, 400)
})

test('plugins/reload knows what is there', async () => {
  const { ask } = await testCore()
  const reload = (data: Record<string, unknown>) => ask('write', 'sys/plugins/reload/backend', data)
  deepEqual((await reload({})).body.errors, ['one of plugin or mounts must be provided'])
  equal((await reload({ mounts: ['no'] })).status, 400)
  ok((await reload({ mounts: ['secret'] })).body.data!['reload_id'])
  const global = await reload({ plugin: 'kv', scope: 'global' })
  equal(global.status, 202)
  ok(global.body.data!['reload_id'])
  equal((await ask('write', 'sys/plugins/reload/secret/kv')).status, 200)
  equal((await ask('write', 'sys/plugins/reload/secret/none')).status, 400)
})

test('what has nothing to tell answers in its form', async () => {
  const { ask } = await testCore()
  const forms: [path: string, status: number, data: unknown][] = [
    ['sys/plugins/pins', 200, { pinned_versions: [] }],
    ['sys/plugins/pins/secret/kv', 404, undefined],
    ['sys/plugins/runtimes/catalog/container/x', 404, undefined],
    ['sys/internal/ui/feature-flags', 200, undefined],
    ['sys/internal/ui/unauthenticated-messages', 404, undefined],
    ['sys/experiments', 200, { available: [], enabled: [] }],
    ['sys/activation-flags', 200, { activated: [], unactivated: [] }],
    ['sys/internal/inspect/router/root', 400, undefined],
    ['sys/internal/counters/activity/export', 204, undefined],
    ['sys/license/status', 404, undefined],
    ['sys/pprof/heap', 404, undefined],
    ['sys/storage/raft/configuration', 404, undefined],
  ]
  for (const [path, status, data] of forms) {
    const answer = await ask('read', path)
    deepEqual([answer.status, answer.body?.data], [status, data], path)
  }
})
