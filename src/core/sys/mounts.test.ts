import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { tokenOf } from '../../../test/support/policy-token.ts'
import { testCore } from '../../../test/support/test-core.ts'

const SYSTEM_SECONDS = 2_764_800
const CHARACTERS = 'the path contains characters that are not allowed'
const SPELLING =
  "a mount path must be at most 512 plain characters without '*', segments that are '+', or blanks around a segment"

type Refusal = [path: string, data: Record<string, unknown>, text: string]
const REFUSED: Refusal[] = [
  ['kv', {}, 'backend type must be specified as a string'],
  ['kv', { type: null }, 'backend type must be specified as a string'],
  ['kv', { type: 'plugin' }, 'backend type must be specified as a string'],
  ['kv', { type: 'nope' }, 'plugin not found in the catalog: nope'],
  ['kv', { type: 'approle' }, 'plugin not found in the catalog: approle'],
  ['kv', { type: 'constructor' }, 'plugin not found in the catalog: constructor'],
  [
    'kv',
    { type: 'kv', plugin_version: 'v9' },
    'plugin not found in the catalog: kv, of which there is only v0.1.0+builtin.coffer',
  ],
  ['t', { type: 'token' }, 'mount type of "token" is not mountable'],
  ['t', { type: 'system' }, 'mount type of "system" is not mountable'],
  ['t', { type: 'cubbyhole' }, 'mount type of "cubbyhole" is not mountable'],
  ['t', { type: 'identity' }, 'mount type of "identity" is not mountable'],
  ['sys', { type: 'kv' }, 'cannot mount "sys/"'],
  ['sys/kv', { type: 'kv' }, 'cannot mount "sys/kv/"'],
  ['auth/kv', { type: 'kv' }, 'cannot mount "auth/kv/"'],
  ['cubbyhole/kv', { type: 'kv' }, 'cannot mount "cubbyhole/kv/"'],
  ['identity', { type: 'kv' }, 'cannot mount "identity/"'],
  ['audit/kv', { type: 'kv' }, 'cannot mount "audit/kv/"'],
  ['secret', { type: 'kv' }, 'path is already in use at secret/'],
  ['secret/deeper', { type: 'kv' }, 'path is already in use at secret/'],
  [
    'kv',
    { type: 'kv', options: { version: '3' } },
    'invalid version of secrets engine "kv": expected 1 or 2',
  ],
  [
    'kv',
    { type: 'kv', config: { default_lease_ttl: '2h', max_lease_ttl: '1h' } },
    'given default lease TTL greater than given max lease TTL',
  ],
  [
    'kv',
    { type: 'kv', config: { default_lease_ttl: SYSTEM_SECONDS + 1 } },
    `given default lease TTL greater than system max lease TTL of ${SYSTEM_SECONDS}`,
  ],
  [
    'kv',
    { type: 'kv', config: { max_lease_ttl: 'soon' } },
    'unable to parse max lease TTL: expected a duration: whole seconds, or a text such as 90s, 1h30m or 7d, or "system"',
  ],
  ['kv', { type: 'kv', config: { listing_visibility: 'all' } }, 'invalid listing_visibility all'],
  [
    'kv',
    { type: 'kv', config: { token_type: 'batch' } },
    "'token_type' can only be modified on auth mounts",
  ],
  [
    'kv',
    { type: 'kv', config: { user_lockout_config: { lockout_threshold: 3 } } },
    'tuning of user lockout configuration for auth type "kv" not allowed',
  ],
  [
    'kv',
    { type: 'kv', config: { force_no_cache: 'perhaps' } },
    'invalid value in config for "force_no_cache": expected true or false',
  ],
  [
    'kv',
    { type: 'kv', config: { allowed_response_headers: { a: 1 } } },
    'invalid value in config for "allowed_response_headers": expected a string',
  ],
  // Another spelling of a path, or one that no policy can name.
  ['../sys', { type: 'kv' }, 'relative paths not supported'],
  ['a/%2e%2e/b', { type: 'kv' }, 'relative paths not supported'],
  ['a//b', { type: 'kv' }, 'empty path segments are not supported'],
  ['a%00b', { type: 'kv' }, CHARACTERS],
  ['a%0Ab', { type: 'kv' }, CHARACTERS],
  ['a%E2%80%8Bb', { type: 'kv' }, CHARACTERS],
  ['a%EF%BB%BFb', { type: 'kv' }, CHARACTERS],
  ['a%CD%8Fb', { type: 'kv' }, SPELLING],
  ['a%EF%BC%A1', { type: 'kv' }, SPELLING],
  ['e%CC%81', { type: 'kv' }, SPELLING],
  ['%20a', { type: 'kv' }, SPELLING],
  ['a%20/b', { type: 'kv' }, SPELLING],
  ['team-*', { type: 'kv' }, SPELLING],
  ['a/+/b', { type: 'kv' }, SPELLING],
  ['x'.repeat(600), { type: 'kv' }, SPELLING],
]

test('sys/mounts refuses a mount that cannot be, and says why', async () => {
  const { ask } = await testCore()
  const before = (await ask('read', 'sys/mounts')).body.data
  for (const [path, data, text] of REFUSED) {
    const { status, body } = await ask('write', `sys/mounts/${path}`, data)
    deepEqual({ path, status, errors: body?.errors }, { path, status: 400, errors: [text] })
  }
  deepEqual((await ask('read', 'sys/mounts')).body.data, before)
})

test('sys/mounts lets no mount lie above or below another', async () => {
  const { ask } = await testCore()
  equal((await ask('write', 'sys/mounts/a/b', { type: 'kv' })).status, 204)
  for (const path of ['a', 'a/b', 'a/b/c']) {
    const { body } = await ask('write', `sys/mounts/${path}`, { type: 'kv' })
    deepEqual(body.errors, ['path is already in use at a/b/'])
  }
  equal((await ask('write', 'sys/mounts/a/bc', { type: 'kv' })).status, 204)
})

test('sys/mounts refuses to disable what the server needs', async () => {
  const { ask } = await testCore()
  for (const path of ['sys', 'cubbyhole']) {
    const { status, body } = await ask('delete', `sys/mounts/${path}`)
    deepEqual([status, body.errors], [400, [`cannot unmount "${path}/"`]])
  }
  // An auth method is not reached by way of the secrets engines.
  equal((await ask('delete', 'sys/mounts/auth/approle')).status, 204)
  const { body } = await ask('read', 'sys/auth')
  ok(body.data!['approle/'])
})

test('sys/mounts refuses who lacks the capability, and asks for no sudo', async () => {
  const test = await testCore()
  const reader = await tokenOf(test, 'path "sys/mounts/*" { capabilities = ["read"] }')
  const writer = await tokenOf(test, 'path "sys/mounts/kv" { capabilities = ["update"] }')
  const wrote = await test.ask('write', 'sys/mounts/kv', { type: 'kv' }, { token: reader })
  equal(wrote.status, 403)
  equal((await test.ask('write', 'sys/mounts/kv', { type: 'kv' }, { token: writer })).status, 204)
  equal((await test.ask('read', 'sys/mounts/kv', {}, { token: writer })).status, 403)
  equal((await test.ask('read', 'sys/mounts/kv', {}, { token: reader })).status, 200)
})

test('sys/mounts does not let a slash at the end evade a rule', async () => {
  const test = await testCore()
  await test.ask('write', 'sys/mounts/kv', { type: 'kv' })
  const token = await tokenOf(
    test,
    `path "sys/mounts/*" { capabilities = ["read", "update", "delete"] }
     path "sys/mounts/kv" { capabilities = ["deny"] }
     path "sys/mounts/kv/tune" { capabilities = ["deny"] }`,
  )
  for (const path of ['sys/mounts/kv', 'sys/mounts/kv/', 'sys/mounts/KV/', 'sys/mounts/kv/tune/']) {
    for (const verb of ['read', 'delete'] as const) {
      equal((await test.ask(verb, path, {}, { token })).status, 403, `${verb} ${path}`)
    }
  }
  equal((await test.ask('read', 'sys/mounts/secret/', {}, { token })).status, 200)
})

test('sys/mounts says so when there is no such mount', async () => {
  const { ask } = await testCore()
  for (const path of ['nope', 'nope/deeper', 'auth/approle']) {
    const { status, body } = await ask('read', `sys/mounts/${path}`)
    deepEqual([status, body.errors], [400, [`No secret engine mount at ${path}/`]])
  }
  equal((await ask('delete', 'sys/mounts/nope')).status, 204)
})

test('sys/mounts enables an engine with all it is told', async () => {
  const { ask } = await testCore()
  const config = {
    default_lease_ttl: '1h',
    max_lease_ttl: 7200,
    force_no_cache: true,
    listing_visibility: 'unauth',
    audit_non_hmac_request_keys: 'a,b',
    allowed_response_headers: ['X-A'],
    token_type: '',
    passthrough_request_headers: null,
  }
  const data = {
    type: 'kv',
    description: 'for tests',
    config,
    local: true,
    options: { other: 'x' },
  }
  equal((await ask('write', 'sys/mounts/team/kv', data)).status, 204)
  const { body } = await ask('read', 'sys/mounts/team/kv')
  const { accessor, uuid, ...rest } = body.data!
  match(String(accessor), /^kv_[0-9a-f]{8}$/)
  match(String(uuid), /^[0-9a-f-]{36}$/)
  deepEqual(rest, {
    config: {
      default_lease_ttl: 3600,
      max_lease_ttl: 7200,
      force_no_cache: true,
      listing_visibility: 'unauth',
      audit_non_hmac_request_keys: ['a', 'b'],
      allowed_response_headers: ['X-A'],
    },
    deprecation_status: 'supported',
    description: 'for tests',
    external_entropy_access: false,
    local: true,
    options: { other: 'x' },
    plugin_version: '',
    running_plugin_version: 'v0.1.0+builtin.coffer',
    running_sha256: '',
    seal_wrap: false,
    type: 'kv',
  })
  equal(body['type'], 'kv', 'data is at the top level too')
})

test('sys/mounts takes kv-v1, kv-v2 and an engine by its plugin name', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/mounts/one', { type: 'kv-v1' })
  await ask('write', 'sys/mounts/two', {
    type: 'kv-v2',
    config: null,
    options: null,
    description: null,
  })
  await ask('write', 'sys/mounts/three', { type: 'plugin', plugin_name: 'kv' })
  await ask('write', 'sys/mounts/four', { type: 'kv', options: { version: 2 } })
  const { body } = await ask('read', 'sys/mounts')
  const told = ['one', 'two', 'three', 'four'].map((name) => {
    const { type, options } = body.data![`${name}/`] as Record<string, unknown>
    return [type, options]
  })
  deepEqual(told, [
    ['kv', { version: '1' }],
    ['kv', { version: '2' }],
    ['kv', null],
    ['kv', { version: '2' }],
  ])
  equal((await ask('write', 'two/data/x', { data: { a: 1 } })).status, 200)
  equal((await ask('write', 'three/x', { a: 1 })).status, 204)
})

test('sys/mounts lists every mount of a fresh server', async () => {
  const { ask } = await testCore()
  const { status, body } = await ask('read', 'sys/mounts')
  equal(status, 200)
  const names = Object.keys(body.data!)
  deepEqual(names, names.toSorted())
  for (const name of ['cubbyhole/', 'kv1/', 'secret/', 'sys/']) ok(names.includes(name), name)
  deepEqual(body['secret/'], body.data!['secret/'])
  deepEqual((body.data!['sys/'] as Record<string, unknown>)['type'], 'system')
})

test('sys/mounts keeps apart what an engine had at a path and what the next one has', async () => {
  const { ask } = await testCore()
  await ask('write', 'sys/mounts/kv', { type: 'kv' })
  await ask('write', 'kv/a', { value: 1 })
  equal((await ask('delete', 'sys/mounts/kv')).status, 204)
  equal((await ask('read', 'kv/a')).status, 404)
  await ask('write', 'sys/mounts/kv', { type: 'kv' })
  equal((await ask('read', 'kv/a')).status, 404)
})
