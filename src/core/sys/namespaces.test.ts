import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { tenants } from '../../../test/support/namespaces.ts'

test('create refuses names that would be something else already', async () => {
  const { ask } = await tenants()
  const text = async (name: string, namespace = '') => {
    const { status, body } = await ask('write', `sys/namespaces/${name}`, {}, { namespace })
    equal(status, 400, name)
    return body.errors![0]!
  }
  for (const name of [
    'root',
    'sys',
    'auth',
    'audit',
    'cubbyhole',
    'identity',
    'Root',
    'api-lock',
  ]) {
    equal(await text(name), `"${name}" is a reserved path and cannot be used as a namespace name`)
    equal(
      await text(name, 'a'),
      `"${name}" is a reserved path and cannot be used as a namespace name`,
    )
  }
  for (const name of ['a b', 'x*', '+', 'ｒｏｏｔ', 'x'.repeat(129)]) {
    match(await text(encodeURIComponent(name)), /plain characters/)
  }
  match(await text('x/y'), /must not contain "\/"/)
  const sealed = await ask('write', 'sys/namespaces/e', { seal: 'seal "shamir" {}' })
  equal(sealed.status, 400)
  equal(await text('secret'), 'path is already in use at secret/')
  await ask('write', 'sys/mounts/team/kv', { type: 'kv' })
  equal(await text('team'), 'path is already in use at team/kv/')
})

test('no mount can be made or moved where a namespace is', async () => {
  const { ask } = await tenants()
  for (const path of ['a', 'a/kv', 'c']) {
    const made = await ask('write', `sys/mounts/${path}`, { type: 'kv' })
    equal(made.status, 400, path)
    match(made.body.errors![0]!, /path is already in use at/)
    const moved = await ask('write', 'sys/remount', { from: 'kv1', to: path })
    equal(moved.status, 400, path)
    equal(moved.body.errors![0], 'a mount cannot be moved from one namespace to another')
  }
  // Only what is directly below is in the way.
  equal((await ask('write', 'sys/mounts/b', { type: 'kv' })).status, 204)
  equal((await ask('write', 'sys/mounts/a', { type: 'kv' }, { namespace: 'a' })).status, 204)
})

test('namespaces are told of, noted on and listed below the one that is asked', async () => {
  const { ask } = await tenants()
  const made = await ask('write', 'sys/namespaces/d', { custom_metadata: { team: 'x', n: '1' } })
  const { id, uuid, ...rest } = made.body.data!
  match(String(id), /^[0-9A-Za-z]{6}$/)
  match(String(uuid), /^[0-9a-f-]{36}$/)
  deepEqual(rest, {
    custom_metadata: { team: 'x', n: '1' },
    locked: false,
    path: 'd/',
    tainted: false,
  })
  deepEqual((await ask('read', 'sys/namespaces/d')).body.data, made.body.data)
  const patched = await ask('patch', 'sys/namespaces/d', { custom_metadata: { n: null, k: 'v' } })
  deepEqual(patched.body.data!['custom_metadata'], { team: 'x', k: 'v' })
  equal((await ask('patch', 'sys/namespaces/no', { custom_metadata: {} })).status, 404)
  equal((await ask('read', 'sys/namespaces/no')).status, 404)
  const long = { a: 'x'.repeat(513) }
  for (const bad of [1, 'x', [], { a: 1 }, { a: {} }, long]) {
    equal((await ask('patch', 'sys/namespaces/d', { custom_metadata: bad })).status, 400)
    equal((await ask('write', 'sys/namespaces/e', { custom_metadata: bad })).status, 400)
  }
  const listed = (await ask('list', 'sys/namespaces')).body.data!
  deepEqual(listed['keys'], ['a/', 'c/', 'd/'])
  deepEqual((await ask('list', 'sys/namespaces', {}, { namespace: 'a' })).body.data!['keys'], [
    'b/',
  ])
  const below = (await ask('list', 'a/sys/namespaces')).body.data!['key_info'] as Record<
    string,
    never
  >
  equal((below['b/'] as unknown as { path: string }).path, 'a/b/')
  equal((await ask('list', 'sys/namespaces', {}, { namespace: 'c' })).status, 404)
  const scanned = (await ask('scan', 'sys/namespaces')).body.data!
  deepEqual(scanned['keys'], ['a/', 'a/b/', 'c/', 'd/'])
  deepEqual((await ask('scan', 'sys/namespaces', {}, { namespace: 'a' })).body.data!['keys'], [
    'b/',
  ])
  equal((await ask('read', 'sys/namespaces/a/b')).body.data!['path'], 'a/b/')
})

test('nothing below names the namespace that is asked, its parents or its siblings', async () => {
  const { ask, admin } = await tenants()
  const { client_token: token } = await admin('a')
  for (const name of ['root', 'a', 'c', '', '/', 'root/', '.', 'a/b']) {
    for (const verb of ['read', 'patch', 'delete'] as const) {
      const asked = await ask(verb, `sys/namespaces/${name}`, {}, { namespace: 'a', token })
      ok(asked.status >= 400 || asked.text.includes('does not exist'), `${verb} ${name}`)
    }
    const locked = await ask(
      'write',
      `sys/namespaces/api-lock/lock/${name}`,
      {},
      {
        namespace: 'a',
        token,
      },
    )
    if (name.replaceAll('/', '') !== '') equal(locked.status, 400, name)
    else await ask('write', 'sys/namespaces/api-lock/unlock', {}, { namespace: 'a' })
  }
  deepEqual((await ask('list', 'sys/namespaces')).body.data!['keys'], ['a/', 'c/'])
})

test('a header and leading segments name a namespace together', async () => {
  const { ask } = await tenants()
  await ask('write', 'sys/mounts/kv', { type: 'kv' }, { namespace: 'a/b' })
  await ask('write', 'kv/x', { v: 'here' }, { namespace: 'a/b' })
  for (const [path, namespace] of [
    ['kv/x', 'a/b'],
    ['b/kv/x', 'a'],
    ['a/b/kv/x', ''],
    ['a/b/kv/x', '/'],
    ['a/b/kv/x', 'root'],
    ['kv/x', '/a/b/'],
  ] as const) {
    deepEqual((await ask('read', path, {}, { namespace })).body.data, { v: 'here' }, path)
  }
})

test('a namespace that is not there is a path where nothing is, or a refusal', async () => {
  const { ask, admin } = await tenants()
  const { client_token: token } = await admin('a')
  // `secret` is a mount of the root: a header must never come to mean it.
  for (const namespace of ['nope', 'a/nope', 'secret', 'kv1', 'sys', 'auth/token']) {
    const answer = await ask('read', 'data/x', {}, { namespace })
    equal(answer.status, 404)
    match(answer.body.errors![0]!, /^no handler for route ".*data\/x"\. route entry not found\.$/)
  }
  for (const namespace of ['nope', 'c', 'c/nope']) {
    equal((await ask('read', 'data/x', {}, { namespace, token })).status, 403)
    equal((await ask('read', 'data/x', {}, { namespace, token: undefined })).status, 403)
  }
  equal(
    (await ask('write', 'auth/approle/login', {}, { namespace: 'nope', token: undefined })).status,
    403,
  )
})

test('what is about the whole server is the root namespace alone', async () => {
  const { ask } = await tenants()
  for (const [verb, path] of [
    ['write', 'sys/seal'],
    ['write', 'sys/unseal'],
    ['read', 'sys/health'],
    ['read', 'sys/init'],
    ['read', 'sys/audit'],
    ['write', 'sys/rotate'],
    ['read', 'sys/key-status'],
    ['read', 'sys/config/cors'],
    ['read', 'sys/config/state/sanitized'],
    ['read', 'sys/host-info'],
    ['read', 'sys/metrics'],
    ['read', 'sys/generate-root/attempt'],
    ['read', 'sys/rekey/init'],
    ['list', 'sys/loggers'],
  ] as const) {
    const answer = await ask(verb, path, {}, { namespace: 'a' })
    if (answer.status === 404 || answer.status === 405) continue
    equal(answer.status, 400, path)
    deepEqual(answer.body.errors, ['operation unavailable in namespaces'])
  }
  equal((await ask('read', 'sys/seal-status', {}, { namespace: 'a' })).status, 200)
})

test('a new namespace has the fixed mounts, the default policy, and nothing of the root', async () => {
  const { ask } = await tenants()
  const { data } = (await ask('read', 'sys/mounts', {}, { namespace: 'a' })).body
  deepEqual(
    Object.entries(data!).map(([path, info]) => [path, (info as { type: string }).type]),
    [
      ['cubbyhole/', 'ns_cubbyhole'],
      ['identity/', 'ns_identity'],
      ['sys/', 'ns_system'],
    ],
  )
  const auth = (await ask('read', 'sys/auth', {}, { namespace: 'a' })).body.data!
  deepEqual(Object.keys(auth), ['token/'])
  deepEqual((await ask('list', 'sys/policies/acl', {}, { namespace: 'a' })).body.data!['keys'], [
    'default',
    'root',
  ])
  equal((await ask('delete', 'sys/mounts/cubbyhole', {}, { namespace: 'a' })).status, 400)
  equal((await ask('delete', 'sys/auth/token', {}, { namespace: 'a' })).status, 400)
})

test('a locked namespace answers nobody, nor do those below it, until it is unlocked', async () => {
  const { ask, admin } = await tenants()
  const { client_token: token } = await admin('a')
  const at = { namespace: 'a', token }
  equal((await ask('write', 'sys/namespaces/api-lock/unlock', {}, at)).status, 400)
  const { data } = (await ask('write', 'sys/namespaces/api-lock/lock', {}, at)).body
  const unlock_key = String(data!['unlock_key'])
  for (const namespace of ['a', 'a/b']) {
    for (const asked of [
      await ask('list', 'sys/policies/acl', {}, { namespace, token }),
      await ask('list', 'sys/policies/acl', {}, { namespace }),
      await ask('write', 'sys/namespaces/api-lock/lock', {}, { namespace }),
      await ask('read', 'auth/token/lookup-self', {}, { namespace, token }),
    ]) {
      equal(asked.status, 503)
      deepEqual(asked.body.errors, [
        'API access to this namespace has been locked by an administrator - "a/" must be unlocked' +
          ' to gain access.',
      ])
    }
  }
  equal((await ask('read', 'sys/namespaces/a')).body.data!['locked'], true)
  equal((await ask('read', 'sys/seal-status', {}, { namespace: 'a' })).status, 200)
  const wrong = { unlock_key: 'x'.repeat(24) }
  equal((await ask('write', 'sys/namespaces/api-lock/unlock', wrong, at)).status, 400)
  equal((await ask('write', 'sys/namespaces/api-lock/unlock', {}, at)).status, 400)
  equal((await ask('write', 'sys/namespaces/api-lock/unlock', { unlock_key }, at)).status, 204)
  equal((await ask('list', 'sys/policies/acl', {}, at)).status, 200)
  // A root token needs no key; what is above is unlocked first.
  await ask('write', 'sys/namespaces/api-lock/lock/b', {}, { namespace: 'a' })
  await ask('write', 'sys/namespaces/api-lock/lock/a')
  equal(
    (await ask('write', 'sys/namespaces/api-lock/unlock', {}, { namespace: 'a/b' })).status,
    503,
  )
  equal((await ask('write', 'sys/namespaces/api-lock/unlock/a')).status, 204)
  equal(
    (await ask('write', 'sys/namespaces/api-lock/unlock', {}, { namespace: 'a/b' })).status,
    204,
  )
  equal((await ask('write', 'sys/namespaces/api-lock/lock')).status, 400)
})
