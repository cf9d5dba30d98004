/** What a namespace means to tokens, policies, wrapping and the audit log. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAudit } from '../../test/support/fake-audit.ts'
import { tenants } from '../../test/support/namespaces.ts'
import { findNamespace, namespacesOf } from './namespaces.ts'

test('findNamespace() takes no header for a namespace that it is only the beginning of', () => {
  const found = findNamespace(undefined, 'a', 'secret/x')
  deepEqual([found.namespace.id, found.path, found.exact], ['root', 'a/secret/x', false])
})

test('a token is of no use above its namespace or beside it', async () => {
  const { ask, admin, token } = await tenants()
  const { client_token: ofA } = await admin('a')
  const { client_token: batch } = await token('a', { policies: ['admin'], type: 'batch' })
  await ask('write', 'kv1/x', { v: 1 })
  for (const one of [ofA, batch]) {
    for (const [path, namespace] of [
      ['kv1/x', ''],
      ['sys/mounts', ''],
      ['auth/token/lookup-self', ''],
      ['sys/mounts', 'c'],
      ['c/sys/mounts', ''],
    ] as const) {
      const asked = await ask('read', path, {}, { namespace, token: one })
      equal(asked.status, 403, `${namespace}:${path}`)
      match(asked.body.errors![0]!, /permission denied/)
    }
    for (const namespace of ['a', 'a/b']) {
      equal((await ask('read', 'sys/mounts', {}, { namespace, token: one })).status, 200)
    }
  }
})

test('a policy names paths from its own namespace on', async () => {
  const { ask, policy, token } = await tenants()
  await ask('write', 'sys/mounts/kv', { type: 'kv' }, { namespace: 'a' })
  await ask('write', 'kv/x', { v: 1 }, { namespace: 'a' })
  const read = 'capabilities = ["read"]'
  await policy('', 'above', `path "a/kv/*" { ${read} }`)
  await policy('', 'bare', `path "kv/*" { ${read} }`)
  await policy('a', 'bare', `path "kv/*" { ${read} }`)
  await policy('a', 'below', `path "b/sys/mounts" { ${read} }`)
  const status = async (namespace: string, path: string, policies: string[], from: string) => {
    const { client_token } = await token(from, policies)
    return (await ask('read', path, {}, { namespace, token: client_token })).status
  }
  equal(await status('a', 'kv/x', ['above'], ''), 200)
  equal(await status('', 'a/kv/x', ['above'], ''), 200)
  equal(await status('a', 'kv/x', ['bare'], ''), 403)
  equal(await status('a', 'kv/x', ['bare'], 'a'), 200)
  equal(await status('a/b', 'sys/mounts', ['below'], 'a'), 200)
  equal(await status('a/b', 'sys/mounts', ['bare'], 'a'), 403)
  // The default policy too is about its own namespace.
  equal(await status('a', 'auth/token/lookup-self', ['default'], ''), 403)
  equal(await status('a', 'auth/token/lookup-self', ['default'], 'a'), 200)
})

test('a rule counts the same whichever way the namespace is named', async () => {
  const { ask, policy, token } = await tenants()
  await ask('write', 'sys/mounts/kv', { type: 'kv' }, { namespace: 'a/b' })
  await ask('write', 'kv/x', { v: 1 }, { namespace: 'a/b' })
  await policy(
    '',
    'most',
    'path "a/*" { capabilities = ["read"] }\npath "a/b/kv/x" { capabilities = ["deny"] }',
  )
  const { client_token } = await token('', ['most'])
  for (const [namespace, path] of [
    ['', 'a/b/kv/x'],
    ['a', 'b/kv/x'],
    ['a/b', 'kv/x'],
    ['/a/b/', 'kv/x'],
  ] as const) {
    equal((await ask('read', path, {}, { namespace, token: client_token })).status, 403)
    const other = path.replace('kv/x', 'sys/mounts')
    equal((await ask('read', other, {}, { namespace, token: client_token })).status, 200)
  }
})

test('a token is made in a namespace below only with sudo there, and takes no policies along', async () => {
  const { ask, policy, token } = await tenants()
  const make = (data: object, client_token: string) =>
    ask('write', 'auth/token/create', { ...data }, { namespace: 'a', token: client_token })
  await policy('', 'maker', 'path "a/auth/token/create" { capabilities = ["update"] }')
  await policy('', 'boss', 'path "a/auth/token/create" { capabilities = ["update", "sudo"] }')
  const maker = await token('', ['maker'])
  const refused = await make({ policies: ['maker'] }, maker.client_token)
  equal(refused.status, 400)
  match(refused.body.errors![0]!, /^root or sudo privileges required to directly generate/)
  const boss = await token('', ['boss'])
  const { policies } = (await make({}, boss.client_token)).body['auth'] as { policies: string[] }
  deepEqual(policies, ['default'])
  for (const wanted of [['root'], ['root', 'default']]) {
    const root = await ask('write', 'auth/token/create', { policies: wanted }, { namespace: 'a' })
    equal(root.status, 400)
  }
  deepEqual((await token('a', {})).policies, ['default'])
})

test('a token, its accessor and its look-up say which namespace it is of', async () => {
  const { ask, token, idOf } = await tenants()
  const suffix = `.${await idOf('a')}`
  for (const body of [{}, { id: 'mine' }, { type: 'batch', policies: ['default'] }]) {
    const made = await token('a', body)
    ok(made.client_token.endsWith(suffix))
    const { data } = (
      await ask('read', 'auth/token/lookup-self', {}, { namespace: 'a', token: made.client_token })
    ).body
    equal(data!['namespace_path'], 'a/')
    if (made.accessor === '') continue
    ok(made.accessor.endsWith(suffix))
    const { accessor } = made
    const seen = await ask('write', 'auth/token/lookup-accessor', { accessor })
    equal(seen.body.data!['namespace_path'], 'a/')
  }
  equal((await ask('read', 'auth/token/lookup-self')).body.data!['namespace_path'], undefined)
  // With another suffix, or none, it is no token.
  const { client_token: real } = await token('a', {})
  const other = `.${await idOf('c')}`
  const bare = real.slice(0, -suffix.length)
  for (const id of [bare, bare + other, `${real}${suffix}`, `${bare}.`, `${bare}.root`]) {
    for (const namespace of ['', 'a', 'c']) {
      const asked = await ask('read', 'auth/token/lookup-self', {}, { namespace, token: id })
      equal(asked.status, 403)
    }
  }
  equal((await ask('write', 'auth/token/lookup', { token: 'mine' })).status, 403)
})

test('ids given in a body are known in their namespace and above, and nowhere else', async () => {
  const { ask, token, admin } = await tenants()
  const c = await admin('c')
  const root = await token('', ['default'])
  const mine = await token('a', ['default'])
  const bodies = [
    ['auth/token/lookup', { token: mine.client_token }],
    ['auth/token/lookup-accessor', { accessor: mine.accessor }],
    ['auth/token/renew', { token: mine.client_token }],
    ['auth/token/renew-accessor', { accessor: mine.accessor }],
    ['sys/capabilities', { token: mine.client_token, paths: ['x'] }],
    ['sys/capabilities-accessor', { accessor: mine.accessor, paths: ['x'] }],
    ['auth/token/lookup', { token: root.client_token }],
    ['auth/token/lookup-accessor', { accessor: root.accessor }],
    ['sys/capabilities', { token: root.client_token, paths: ['x'] }],
  ] as const
  for (const [path, body] of bodies) {
    const there = await ask('write', path, { ...body }, { namespace: 'c', token: c.client_token })
    ok(there.status === 400 || there.status === 403, `${path} ${there.status}`)
    const unknown = JSON.parse(
      JSON.stringify(body).replace(/"(token|accessor)":"[^"]*"/, '"$1":"hvs.no"'),
    ) as Record<string, unknown>
    const same = await ask('write', path, unknown, { namespace: 'c', token: c.client_token })
    deepEqual([there.status, there.body.errors], [same.status, same.body.errors])
    if (path !== 'auth/token/renew-accessor') {
      equal((await ask('write', path, { ...body })).status, 200, path)
    }
  }
  for (const [path, body] of [
    ['auth/token/revoke', { token: mine.client_token }],
    ['auth/token/revoke-orphan', { token: mine.client_token }],
    ['auth/token/revoke-accessor', { accessor: mine.accessor }],
  ] as const) {
    await ask('write', path, body, { namespace: 'c', token: c.client_token })
    const still = await ask('write', 'auth/token/lookup-accessor', { accessor: mine.accessor })
    equal(still.status, 200, path)
  }
  equal((await ask('write', 'auth/token/revoke', { token: mine.client_token })).status, 204)
  equal((await ask('write', 'auth/token/lookup', { token: mine.client_token })).status, 403)
})

test('accessors are listed where they belong', async () => {
  const { ask, token } = await tenants()
  const list = async (namespace: string) =>
    (await ask('list', 'auth/token/accessors', {}, { namespace })).body.data?.['keys'] ?? []
  const before = await list('')
  const { accessor } = await token('a', ['default'])
  deepEqual(await list('a'), [accessor])
  deepEqual(await list('c'), [])
  deepEqual(await list('a/b'), [])
  deepEqual(await list(''), before)
})

test('the end of a token is the end of its children in the namespaces below', async () => {
  const { core, clock, ask, token, policy } = await tenants()
  core.expiry.stop()
  await policy('', 'boss', 'path "a/auth/token/create" { capabilities = ["update", "sudo"] }')
  for (const how of ['revoked', 'expired']) {
    const parent = await token('', { policies: ['boss'], ttl: '1m' })
    const child = await token('a', { ttl: '1h' }, { token: parent.client_token })
    const own = { namespace: 'a', token: child.client_token }
    equal((await ask('write', 'cubbyhole/x', { v: 1 }, own)).status, 204)
    if (how === 'revoked') await ask('write', 'auth/token/revoke', { token: parent.client_token })
    else clock.advance(61_000)
    equal((await ask('read', 'auth/token/lookup-self', {}, own)).status, 403, how)
    await core.expiry.pass()
    equal((await ask('list', 'auth/token/accessors', {}, { namespace: 'a' })).status, 404, how)
  }
})

test('an expired token of a namespace is removed, with what is in its cubbyhole', async () => {
  const { core, clock, ask, token } = await tenants()
  const { client_token } = await token('a', { policies: ['default'], ttl: '10s' })
  const own = { namespace: 'a', token: client_token }
  equal((await ask('write', 'cubbyhole/x', { v: 1 }, own)).status, 204)
  core.expiry.stop()
  clock.advance(11_000)
  equal((await ask('read', 'cubbyhole/x', {}, own)).status, 403)
  equal((await ask('list', 'auth/token/accessors', {}, { namespace: 'a' })).status, 200)
  await core.expiry.pass()
  equal((await ask('list', 'auth/token/accessors', {}, { namespace: 'a' })).status, 404)
  const tx = (await core.begin(false))!
  const uuid = String((await ask('read', 'sys/namespaces/a')).body.data!['uuid'])
  deepEqual(await tx.list(`ns/${uuid}/m/cubbyhole/`), [])
})

test('a token has one cubbyhole, whichever namespace it asks in', async () => {
  const { ask } = await tenants()
  await ask('write', 'cubbyhole/x', { v: 1 })
  deepEqual((await ask('read', 'cubbyhole/x', {}, { namespace: 'a' })).body.data, { v: 1 })
})

test('a wrapping token opens in its namespace only', async () => {
  const { ask, admin } = await tenants()
  const [a, c] = [await admin('a'), await admin('c')]
  const wrapped = async () => {
    const answer = await ask(
      'write',
      'sys/wrapping/wrap',
      { v: 'inside' },
      { namespace: 'a', token: a.client_token, wrapTtlSeconds: 60 },
    )
    return (answer.body['wrap_info'] as { token: string }).token
  }
  const token = await wrapped()
  for (const verb of ['lookup', 'unwrap', 'rewrap']) {
    const path = `sys/wrapping/${verb}`
    const byC = await ask('write', path, { token }, { namespace: 'c', token: c.client_token })
    equal(byC.status, 400)
    equal(byC.body.errors![0], 'wrapping token is not valid or does not exist')
    const self = await ask('write', path, {}, { namespace: 'c', token })
    ok(self.status === 400 || self.status === 403)
    const above = await ask('write', path, {}, { token })
    ok(verb === 'lookup' || above.status === 403)
  }
  const opened = await ask('write', 'sys/wrapping/unwrap', {}, { namespace: 'a', token })
  deepEqual(opened.body.data, { v: 'inside' })
  const again = await ask('write', 'sys/wrapping/unwrap', { token }, { namespace: 'a' })
  equal(again.status, 400)
})

test('capabilities are told for the paths of the namespace that is asked', async () => {
  const { ask, policy, token } = await tenants()
  await policy('', 'above', 'path "a/kv/*" { capabilities = ["read"] }')
  const { client_token } = await token('', ['above', 'default'])
  const asked = async (namespace: string, path: string) =>
    (await ask('write', 'sys/capabilities', { token: client_token, path }, { namespace })).body
      .data?.['capabilities']
  deepEqual(await asked('', 'a/kv/x'), ['read'])
  deepEqual(await asked('', 'kv/x'), ['deny'])
  const below = await token('a', ['default'])
  const there = await ask('write', 'sys/capabilities', {
    token: below.client_token,
    path: 'auth/token/lookup-self',
  })
  deepEqual(there.body.data!['capabilities'], ['deny'])
})

test('the audit log says the namespace, and whose policies have granted', async () => {
  const audit = fakeAudit()
  const { ask, token, policy, idOf } = await tenants({ auditTypes: [audit.type] })
  await ask('write', 'sys/audit/one', { type: 'fake', options: { name: 'one' } })
  await policy('a', 'p', 'path "b/sys/mounts" { capabilities = ["read"] }')
  const { client_token } = await token('a', ['p'])
  await ask('read', 'sys/mounts', {}, { namespace: 'a/b', token: client_token })
  const [request] = audit.entries().slice(-2) as Record<string, Record<string, unknown>>[]
  deepEqual(request!['request']!['namespace'], { id: await idOf('a/b'), path: 'a/b/' })
  equal(request!['request']!['path'], 'sys/mounts')
  deepEqual((request!['auth']!['policy_results'] as Record<string, unknown>)['granting_policies'], [
    { name: 'p', namespace_id: await idOf('a'), namespace_path: 'a/', type: 'acl' },
  ])
})

test('S06 no policy name reaches the policies of another namespace', async () => {
  // Policy caches that were keyed by joined strings have let such names through.
  const { ask, policy, token } = await tenants()
  await policy('c', 'secretive', 'path "sys/mounts" { capabilities = ["read"] }')
  await policy('', 'secretive', 'path "a/sys/mounts" { capabilities = ["read"] }')
  const parts = ['..', '.', 'c', 'root', '', 'ns', 'policy', '%2e%2e', 'a', 'b']
  const names: string[] = []
  for (const one of parts) {
    for (const two of parts) names.push(`${one}/${two}/secretive`, `${one}:${two}\0secretive`)
  }
  equal(names.length, 200)
  // Both namespaces have had their ACLs compiled.
  for (const namespace of ['c', '']) {
    const { client_token } = await token(namespace, ['secretive'])
    await ask('read', 'sys/mounts', {}, { namespace, token: client_token })
  }
  let hits = 0
  for (const name of [...names, 'secretive']) {
    const made = await ask('write', 'auth/token/create', { policies: [name] }, { namespace: 'a' })
    if (made.status !== 200) continue
    const { client_token } = made.body['auth'] as { client_token: string }
    const asked = await ask('read', 'sys/mounts', {}, { namespace: 'a', token: client_token })
    if (asked.status !== 403) hits++
  }
  equal(hits, 0)
})

test('a token of a namespace is no root token, whatever its policies are called', async () => {
  // None can be made through the API. This is what one would be worth.
  const { core, ask } = await tenants()
  const tx = (await core.begin(false))!
  const namespace = (await namespacesOf(tx))!.byPath.get('a/')!
  const fields = (await core.tokens.byAccessor(tx, (await core.tokens.accessors(tx))[0]!, 0))!
  const { id } = core.tokens.create(tx, { ...fields, policies: ['root'] }, namespace)
  await core.commit(tx)
  for (const at of ['a', '', 'c', 'a/b']) {
    equal((await ask('read', 'sys/mounts', {}, { namespace: at, token: id })).status, 403)
  }
})

test('the mount of a path is found below too, by those who may do something there', async () => {
  const { ask, token, policy } = await tenants()
  await ask('write', 'sys/mounts/kv', { type: 'kv' }, { namespace: 'a/b' })
  const preflight = async (namespace: string, path: string, by?: string) => {
    const options = { namespace, ...(by && { token: by }) }
    const { status, body } = await ask('read', `sys/internal/ui/mounts/${path}`, {}, options)
    return [status, body.data?.['path']]
  }
  deepEqual(await preflight('', 'a/b/kv/x/y'), [200, 'a/b/kv/'])
  deepEqual(await preflight('a', 'b/kv'), [200, 'b/kv/'])
  deepEqual(await preflight('a/b', 'kv/x'), [200, 'kv/'])
  await policy('', 'some', 'path "a/b/kv/*" { capabilities = ["read"] }')
  const some = (await token('', ['some'])).client_token
  const none = (await token('', ['default'])).client_token
  deepEqual(await preflight('', 'a/b/kv/x', some), [200, 'a/b/kv/'])
  deepEqual(await preflight('a', 'b/kv/x', some), [200, 'b/kv/'])
  for (const path of ['a/b/kv/x', 'a/kv', 'c/kv', 'a/nope/x', 'a', 'a/']) {
    deepEqual(await preflight('', path, none), [403, undefined])
  }
  await ask('write', 'sys/namespaces/api-lock/lock/a')
  deepEqual(await preflight('', 'a/b/kv/x', some), [403, undefined])
})
