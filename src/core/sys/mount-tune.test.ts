import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { tokenOf } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'
import { NO_TUNING } from '../bootstrap.ts'
import { changeConfig } from './mount-tune-fields.ts'

const DAYS_32 = 2_764_800

type Refusal = [path: string, data: Record<string, unknown>, text: string]
const REFUSED: Refusal[] = [
  ['sys/mounts/nope/tune', {}, 'tune of path "nope/" failed: no mount entry found'],
  [
    'sys/mounts/secret/deeper/tune',
    {},
    'tune of path "secret/deeper/" failed: no mount entry found',
  ],
  ['sys/auth/nope/tune', {}, 'tune of path "auth/nope/" failed: no mount entry found'],
  [
    'sys/mounts/sys/tune',
    { default_lease_ttl: '1h' },
    'cannot tune parameter default_lease_ttl of sys/',
  ],
  ['sys/mounts/sys/tune', { description: 'x' }, 'cannot tune parameter description of sys/'],
  ['sys/mounts/cubbyhole/tune', { description: 'x' }, 'cannot tune "cubbyhole/"'],
  [
    'sys/mounts/secret/tune',
    { default_lease_ttl: '3h', max_lease_ttl: '2h' },
    'backend max lease TTL of 7200 would be less than backend default lease TTL of 10800',
  ],
  [
    'sys/mounts/secret/tune',
    { default_lease_ttl: '-1h' },
    'unable to parse default lease TTL: cannot provide negative value \'-3600\', or "system"',
  ],
  [
    'sys/mounts/secret/tune',
    { listing_visibility: 'everyone' },
    'invalid listing_visibility everyone',
  ],
  [
    'sys/mounts/secret/tune',
    { options: { version: '1' } },
    'cannot downgrade mount from version 2',
  ],
  ['sys/mounts/secret/tune', { options: { version: '' } }, 'cannot downgrade mount from version 2'],
  [
    'sys/mounts/secret/tune',
    { options: { version: '9' } },
    'invalid version of secrets engine "kv": expected 1 or 2',
  ],
  [
    'sys/auth/approle/tune',
    { options: { version: '2' } },
    'auth method "approle" does not allow setting a version',
  ],
  [
    'sys/mounts/secret/tune',
    { token_type: 'batch' },
    "'token_type' can only be modified on auth mounts",
  ],
  ['sys/auth/approle/tune', { token_type: 'huge' }, "invalid value for 'token_type'"],
  [
    'sys/auth/token/tune',
    { token_type: 'batch' },
    "'token_type' cannot be set for 'token' auth mounts",
  ],
  [
    'sys/auth/token/tune',
    { user_lockout_config: { lockout_threshold: 1 } },
    'tuning of user lockout configuration for auth type "token" not allowed',
  ],
  [
    'sys/auth/approle/tune',
    { user_lockout_config: { lockout_threshold: 'many' } },
    'invalid value in user_lockout_config for "lockout_threshold": expected a whole number',
  ],
  [
    'sys/auth/approle/tune',
    { user_lockout_config: { lockout_threshold: -1 } },
    '"lockout_threshold" must not be negative',
  ],
  [
    'sys/mounts/secret/tune',
    { plugin_version: 'v1.2.3' },
    'plugin not found in the catalog: kv, of which there is only v0.1.0+builtin.coffer',
  ],
]

test('tune refuses what cannot be, and changes nothing', async () => {
  const { ask } = await testCore()
  const before = [
    (await ask('read', 'sys/mounts')).body.data,
    (await ask('read', 'sys/auth')).body.data,
  ]
  for (const [path, data, text] of REFUSED) {
    const { status, body } = await ask('write', path, data)
    deepEqual({ path, status, errors: body?.errors }, { path, status: 400, errors: [text] })
  }
  const after = [
    (await ask('read', 'sys/mounts')).body.data,
    (await ask('read', 'sys/auth')).body.data,
  ]
  deepEqual(after, before)
})

test('tune takes no lockout for a secrets engine that is named like an auth method', () => {
  const given = { user_lockout_config: { lockout_threshold: 1 } }
  throws(() => changeConfig(NO_TUNING, given, { class: 'secret', type: 'ldap' }), /not allowed$/)
  const { user_lockout_config } = changeConfig(NO_TUNING, given, { class: 'auth', type: 'ldap' })
  deepEqual(user_lockout_config, { lockout_threshold: 1 })
})

test('tune says so when there is no such mount, and is never deleted', async () => {
  const { ask } = await testCore()
  const missing = [
    ['sys/mounts/nope/tune', 'nope/'],
    ['sys/mounts/no/pe/tune', 'no/pe/'],
    ['sys/auth/nope/tune', 'auth/nope/'],
    ['sys/mounts/auth/nope/tune', 'auth/nope/'],
  ]
  for (const [path, shown] of missing) {
    const { status, body } = await ask('read', path!)
    deepEqual([status, body.errors], [400, [`cannot fetch sysview for path "${shown}"`]])
  }
  for (const path of ['sys/mounts/secret/tune', 'sys/mounts/a/b/tune', 'sys/auth/approle/tune']) {
    equal((await ask('delete', path)).status, 405)
  }
  equal((await ask('write', 'sys/mounts/a/tune', { type: 'kv' })).status, 400)
  equal((await ask('read', 'sys/mounts/secret')).status, 200)
})

test('tune of an auth mount needs sudo by its own path', async () => {
  const test = await testCore()
  const plain = await tokenOf(test, 'path "sys/auth/*" { capabilities = ["read", "update"] }')
  const sudo = await tokenOf(
    test,
    'path "sys/auth/*" { capabilities = ["read", "update", "sudo"] }',
  )
  for (const path of ['sys/auth/approle/tune', 'sys/auth/a/b/tune']) {
    equal((await test.ask('write', path, {}, { token: plain })).status, 403)
    equal((await test.ask('read', path, {}, { token: plain })).status, 403)
  }
  equal((await test.ask('write', 'sys/auth/approle/tune', {}, { token: sudo })).status, 204)
})

test('tune shows what is in force on a fresh mount', async () => {
  const { ask } = await testCore()
  const secret = await ask('read', 'sys/mounts/secret/tune')
  deepEqual(secret.body.data, {
    default_lease_ttl: DAYS_32,
    max_lease_ttl: DAYS_32,
    force_no_cache: false,
    description: '',
    external_entropy_access: false,
    options: { version: '2' },
  })
  equal(secret.body['max_lease_ttl'], DAYS_32, 'data is at the top level too')
  const auth = await ask('read', 'sys/auth/approle/tune')
  equal(auth.body.data!['token_type'], 'default-service')
})

test('tune keeps every setting and gives it back', async () => {
  const { ask } = await testCore()
  const given = {
    audit_non_hmac_request_keys: ['a'],
    audit_non_hmac_response_keys: ['b', 'c'],
    listing_visibility: 'hidden',
    passthrough_request_headers: ['X-One'],
    allowed_response_headers: ['X-Two'],
    allowed_managed_keys: ['k'],
    delegated_auth_accessors: ['acc'],
    identity_token_key: 'default',
    description: 'new',
    token_type: 'batch',
  }
  const ttl = { default_lease_ttl: '1h', max_lease_ttl: 7200 }
  const lockout = {
    lockout_threshold: '7',
    lockout_duration: '10m',
    lockout_counter_reset_duration: 60,
    lockout_disable: 'false',
  }
  const data = { ...given, ...ttl, user_lockout_config: lockout }
  equal((await ask('write', 'sys/auth/approle/tune', data)).status, 204)
  const expected = {
    ...given,
    default_lease_ttl: 3600,
    max_lease_ttl: 7200,
    force_no_cache: false,
    external_entropy_access: false,
    user_lockout_threshold: 7,
    user_lockout_duration: 600,
    user_lockout_counter_reset_duration: 60,
    user_lockout_disable: false,
  }
  deepEqual((await ask('read', 'sys/auth/approle/tune')).body.data, expected)
  deepEqual((await ask('read', 'sys/mounts/auth/approle/tune')).body.data, expected)
  const { config } = (await ask('read', 'sys/auth/approle')).body.data! as { config: object }
  const { description: _, ...kept } = given
  deepEqual(config, {
    ...kept,
    default_lease_ttl: 3600,
    max_lease_ttl: 7200,
    force_no_cache: false,
    user_lockout_config: {
      lockout_threshold: 7,
      lockout_duration: 600,
      lockout_counter_reset: 60,
      lockout_disable: false,
    },
  })
  await ask('write', 'sys/auth/approle/tune', { user_lockout_config: { lockout_threshold: 9 } })
  const again = (await ask('read', 'sys/auth/approle/tune')).body.data!
  deepEqual([again['user_lockout_threshold'], again['user_lockout_duration']], [9, 600])
})

test('tune keeps what is absent, resets on "system" and clears what is empty', async () => {
  const { ask } = await testCore()
  const path = 'sys/mounts/secret/tune'
  await ask('write', path, {
    default_lease_ttl: '1h',
    max_lease_ttl: '2h',
    allowed_response_headers: 'X-A',
    listing_visibility: 'unauth',
    description: 'x',
    options: { note: 'y' },
  })
  await ask('write', path, { default_lease_ttl: '', max_lease_ttl: null })
  const kept = (await ask('read', path)).body.data!
  deepEqual(
    [kept['default_lease_ttl'], kept['max_lease_ttl'], kept['description'], kept['options']],
    [3600, 7200, 'x', { version: '2', note: 'y' }],
  )
  await ask('write', path, {
    default_lease_ttl: 'system',
    max_lease_ttl: 'system',
    allowed_response_headers: [],
    listing_visibility: '',
    description: '',
    options: { note: '' },
  })
  deepEqual((await ask('read', path)).body.data, {
    default_lease_ttl: DAYS_32,
    max_lease_ttl: DAYS_32,
    force_no_cache: false,
    description: '',
    external_entropy_access: false,
    options: { version: '2' },
  })
})

test('tune finds mounts of several segments', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/mounts/team/a/kv', { type: 'kv' })
  await ask('write', 'sys/auth/team/login', { type: 'approle' })
  equal((await ask('write', 'sys/mounts/team/a/kv/tune', { max_lease_ttl: '1h' })).status, 204)
  equal((await ask('read', 'sys/mounts/team/a/kv/tune')).body.data!['max_lease_ttl'], 3600)
  for (const path of ['sys/auth/team/login/tune', 'sys/mounts/auth/team/login/tune']) {
    equal((await ask('write', path, { description: path })).status, 204)
    equal((await ask('read', path)).body.data!['description'], path)
  }
  equal((await ask('read', 'team/a/kv/x')).status, 404)
})

test('tune bounds the leases a mount issues from the next request on', async () => {
  const { ask } = await testCore()
  await ask('write', 'kv1/x', { a: 1 })
  await ask('write', 'sys/mounts/kv1/tune', { default_lease_ttl: '1h' })
  equal((await ask('read', 'kv1/x')).body['lease_duration'], 3600)
})
