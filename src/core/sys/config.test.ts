import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../../test/support/test-core.ts'
import { corsConfig, uiHeaders } from './config.ts'
import { ownEngines } from '../own-engines.ts'

test('config/cors refuses no origin and a wildcard among others', async () => {
  const { ask } = await testCore()
  for (const [allowed_origins, text] of [
    [[], /^at least one origin or the wildcard/],
    ['*,https://a.example', /^to allow all origins the "\*" must be the only/],
  ] as const) {
    const { status, body } = await ask('write', 'sys/config/cors', { allowed_origins })
    equal(status, 400)
    match(body.errors![0]!, text)
  }
  deepEqual((await ask('read', 'sys/config/cors')).body.data, { enabled: false })
})

test('config/ui/headers refuses names and values that are no header', async () => {
  const { ask } = await testCore()
  for (const [name, data, text] of [
    ['X-Vault-Token', { values: ['a'] }, /^X-Vault headers cannot be set$/],
    ['a b', { values: ['a'] }, /^the header must be a name/],
    ['x-a', {}, /^header values cannot be empty/],
    ['x-a', { values: ['a\r\nset-cookie: b'] }, /^header values must not contain control/],
  ] as const) {
    const { status, body } = await ask(
      'write',
      `sys/config/ui/headers/${encodeURIComponent(name)}`,
      data,
    )
    equal(status, 400)
    match(body.errors![0]!, text)
  }
})

test('config of headers and cors asks for sudo', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/policies/acl/most', {
    policy: 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }',
  })
  const { body } = await ask('write', 'auth/token/create', { policies: ['most'] })
  const { client_token: token } = body['auth'] as { client_token: string }
  for (const [verb, path] of [
    ['read', 'cors'],
    ['write', 'cors'],
    ['list', 'ui/headers'],
    ['write', 'ui/headers/x'],
  ] as const) {
    equal((await ask(verb, `sys/config/${path}`, {}, { token })).status, 403, path)
  }
})

test('config/cors is kept until it is disabled', async () => {
  const { ask, core } = await testCore()
  const given = { allowed_origins: 'https://a.example,https://b.example', allowed_headers: ['X-A'] }
  equal((await ask('write', 'sys/config/cors', given)).status, 204)
  const stored = {
    allowed_origins: ['https://a.example', 'https://b.example'],
    allowed_headers: ['X-A'],
  }
  deepEqual(await corsConfig((await core.begin(false))!), stored)
  const { body } = await ask('read', 'sys/config/cors')
  deepEqual(body.data, { enabled: true, ...stored })
  equal(body['enabled'], true)
  equal((await ask('delete', 'sys/config/cors')).status, 204)
  equal(await corsConfig((await core.begin(false))!), undefined)
})

test('config/ui/headers keeps headers by name', async () => {
  const { ask, core } = await testCore()
  await ask('write', 'sys/config/ui/headers/X-Frame-Options', { values: ['DENY', 'x'] })
  deepEqual((await ask('list', 'sys/config/ui/headers')).body.data, { keys: ['x-frame-options'] })
  const one = await ask('read', 'sys/config/ui/headers/x-frame-options')
  deepEqual(one.body.data, { value: 'DENY' })
  const all = await ask('read', 'sys/config/ui/headers/x-frame-options', { multivalue: 'true' })
  deepEqual(all.body.data, { values: ['DENY', 'x'] })
  deepEqual(await uiHeaders((await core.begin(false))!), { 'x-frame-options': ['DENY', 'x'] })
  equal((await ask('delete', 'sys/config/ui/headers/X-FRAME-OPTIONS')).status, 204)
  equal((await ask('read', 'sys/config/ui/headers/x-frame-options')).status, 404)
})

test('config/state/sanitized tells settings and no key', async () => {
  const { ask } = await testCore()
  const { body } = await ask('read', 'sys/config/state/sanitized')
  equal(body.data!['default_lease_ttl'], 2_764_800)
  deepEqual(body.data!['seals'], [{ type: 'shamir', disabled: false }])
})

test('loggers refuses unknown levels, loggers, and servers with a fixed level', async () => {
  const { ask } = await testCore()
  match((await ask('write', 'sys/loggers', { level: 'loud' })).body.errors![0]!, /^level must be/)
  equal((await ask('read', 'sys/loggers/other')).status, 404)
  match((await ask('write', 'sys/loggers', { level: 'warn' })).body.errors![0]!, /is fixed by/)
})

test('loggers changes the level and puts it back', async () => {
  let level = 'info'
  const logLevel = { initial: 'info', get: () => level, set: (next: string) => void (level = next) }
  const { ask } = await testCore({
    ownEngines: (self) => ownEngines(self, { logLevel }),
  })
  equal((await ask('write', 'sys/loggers/core', { level: 'debug' })).status, 204)
  deepEqual((await ask('read', 'sys/loggers')).body.data, { core: 'debug' })
  equal((await ask('delete', 'sys/loggers')).status, 204)
  equal(level, 'info')
})
