/** The leases of a namespace, and its end: nothing that was handed out there stays behind. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { type Far, rental } from '../../../test/support/rental.ts'
import { tenants } from '../../../test/support/namespaces.ts'
import { kvV1 } from '../../secrets/kv/v1.ts'
import { cubbyhole } from '../../secrets/cubbyhole/engine.ts'
import { createCore } from '../core.ts'
import { ownEngines } from '../own-engines.ts'
import { finishEndingNamespaces } from './namespaces-end.ts'

async function house() {
  const far: Far = { revoked: [], broken: false }
  const engines = [rental(far), cubbyhole, kvV1]
  const made = await tenants({ engines })
  const { ask } = made
  for (const namespace of ['a', 'c']) {
    const mounted = await ask('write', 'sys/mounts/rent', { type: 'rental' }, { namespace })
    equal(mounted.status, 204, mounted.text)
    equal((await ask('write', 'sys/mounts/kv', { type: 'kv' }, { namespace })).status, 204)
  }
  const take = async (namespace: string, name: string, token?: string) => {
    const { body } = await ask(
      'read',
      `rent/thing/${name}`,
      {},
      { namespace, ...(token && { token }) },
    )
    return String(body['lease_id'])
  }
  /** Every path in the store below a prefix. */
  const all = async (prefix: string): Promise<string[]> => {
    const tx = (await made.core.begin(false))!
    const found: string[] = []
    const walk = async (under: string): Promise<void> => {
      for (const name of await tx.list(under)) {
        if (name.endsWith('/')) await walk(under + name)
        else found.push(under + name)
      }
    }
    await walk(prefix)
    return found
  }
  return { ...made, engines, far, take, all }
}

test('a lease of a namespace is known there and above, and nowhere else', async () => {
  const { ask, admin, take, idOf, far } = await house()
  const c = await admin('c')
  const id = await take('a', 'one')
  match(id, new RegExp(`^rent/thing/one/[0-9A-Za-z]{24}\\.${await idOf('a')}$`))
  const there = { namespace: 'c', token: c.client_token }
  for (const [path, body] of [
    ['sys/leases/lookup', { lease_id: id }],
    ['sys/leases/renew', { lease_id: id }],
    [`sys/leases/renew/${id}`, {}],
  ] as const) {
    const asked = await ask('write', path, { ...body }, there)
    equal(asked.status, 400)
    match(asked.body.errors![0]!, /^(invalid lease|lease not found)$/)
  }
  for (const path of ['sys/leases/revoke', `sys/leases/revoke/${id}`, 'sys/revoke']) {
    equal((await ask('write', path, { lease_id: id }, there)).status, 204)
  }
  for (const path of ['revoke-prefix', 'revoke-force']) {
    for (const prefix of ['rent', id, 'rent/thing/one']) {
      equal((await ask('write', `sys/leases/${path}/${prefix}`, {}, there)).status, 204)
      equal((await ask('write', `sys/leases/${path}/${prefix}`)).status, 204)
    }
  }
  equal((await ask('list', 'sys/leases/lookup', {}, there)).status, 404)
  equal((await ask('list', 'sys/leases/lookup/rent/thing/one', {}, there)).status, 404)
  deepEqual(far.revoked, [])
  const seen = await ask('write', 'sys/leases/lookup', { lease_id: id })
  equal(seen.body.data!['namespace_path'], 'a/')
  equal((await ask('write', 'sys/leases/renew', { lease_id: id })).status, 200)
  equal((await ask('list', 'sys/leases/lookup/rent', {}, { namespace: 'a' })).status, 200)
  equal((await ask('write', 'sys/leases/revoke', { lease_id: id }, { namespace: 'a' })).status, 204)
  deepEqual(far.revoked, ['one'])
})

test('a lease ends with its token, of whichever namespace above it is', async () => {
  const { core, clock, token, policy, take, far, all } = await house()
  core.expiry.stop()
  await policy('', 'taker', 'path "a/rent/*" { capabilities = ["read"] }')
  const { client_token } = await token('', { policies: ['taker'], ttl: '1m' })
  await take('a', 'mine', client_token)
  await take('a', 'other')
  clock.advance(61_000)
  // The token first, which makes the lease due.
  await core.expiry.pass()
  await core.expiry.pass()
  deepEqual(far.revoked, ['mine'])
  clock.advance(3_600_000)
  await core.expiry.pass()
  deepEqual(far.revoked, ['mine', 'other'])
  deepEqual(await all('lease-of/'), [])
})

test('delete refuses a namespace that has others below it', async () => {
  const { ask } = await house()
  const refused = await ask('delete', 'sys/namespaces/a')
  equal(refused.status, 400)
  match(refused.body.errors![0]!, /containing child namespaces/)
})

test('delete ends tokens, leases and data; nothing of it is left in the store', async () => {
  const { core, ask, admin, token, take, far, all } = await house()
  const { uuid } = (await ask('read', 'sys/namespaces/c')).body.data!
  const { client_token } = await admin('c')
  const own = { namespace: 'c', token: client_token }
  const { client_token: batch } = await token('c', { policies: ['admin'], type: 'batch' })
  await ask('write', 'kv/x', { v: 1 }, own)
  await ask('write', 'cubbyhole/x', { v: 1 }, own)
  await ask('write', 'identity/entity', { name: 'e' }, own)
  await take('c', 'one', client_token)
  await take('c', 'two')
  const gone = await ask('delete', 'sys/namespaces/c')
  equal(gone.status, 202)
  deepEqual(gone.body.data, { status: 'in-progress' })
  // From the answer on it is out of reach, finished or not.
  for (const one of [client_token, batch, undefined]) {
    equal((await ask('read', 'kv/x', {}, { namespace: 'c', token: one })).status, 403)
  }
  equal((await ask('read', 'kv/x', {}, { namespace: 'c' })).status, 404)
  await finishEndingNamespaces(core)
  deepEqual(far.revoked.toSorted(), ['one', 'two'])
  deepEqual(await all(`ns/${String(uuid)}/`), [])
  deepEqual(await all('lease-of/'), [])
  deepEqual(await all('token-child/'), [])
  equal((await ask('read', 'sys/namespaces/c')).status, 404)
  const again = await ask('delete', 'sys/namespaces/c')
  deepEqual([again.status, again.body['warnings']], [200, ['requested namespace does not exist']])
  // A new one of the same name has nothing of the old one.
  const fresh = (await ask('write', 'sys/namespaces/c')).body.data!
  ok(fresh['uuid'] !== uuid)
  for (const one of [client_token, batch]) {
    equal((await ask('read', 'sys/mounts', {}, { namespace: 'c', token: one })).status, 403)
  }
})

test('delete removes more than one transaction takes', async () => {
  const { core, ask, all } = await house()
  const uuid = String((await ask('read', 'sys/namespaces/c')).body.data!['uuid'])
  const tx = (await core.begin(false))!
  for (let i = 0; i < 4_500; i++) tx.put(`ns/${uuid}/m/some/${i % 7}/${i}`, { i })
  await core.commit(tx)
  await ask('delete', 'sys/namespaces/c')
  await finishEndingNamespaces(core)
  deepEqual(await all(`ns/${uuid}/`), [])
  equal((await ask('read', 'sys/namespaces/c')).status, 404)
})

test('delete waits for leases that cannot be revoked, and gives them up at last', async () => {
  const { core, clock, ask, take, far, logs } = await house()
  core.expiry.stop()
  await take('c', 'one')
  far.broken = true
  await ask('delete', 'sys/namespaces/c')
  await finishEndingNamespaces(core)
  equal((await ask('read', 'sys/namespaces/c')).body.data!['tainted'], true)
  equal((await ask('write', 'sys/namespaces/c')).status, 400)
  equal((await ask('patch', 'sys/namespaces/c', { custom_metadata: {} })).status, 400)
  for (let attempt = 0; attempt < 6; attempt++) {
    clock.advance(300_000)
    await core.expiry.pass()
  }
  await finishEndingNamespaces(core)
  equal((await ask('read', 'sys/namespaces/c')).status, 404)
  ok(logs.some((line) => line.includes('was given up with its namespace c/')))
})

test('delete is finished after a crash that came in between', async () => {
  const { core, clock, ask, engines, unsealKeys, far, take, all } = await house()
  const { uuid } = (await ask('read', 'sys/namespaces/c')).body.data!
  for (let i = 0; i < 5; i++) await ask('write', `kv/x${i}`, { v: i }, { namespace: 'c' })
  await take('c', 'one')
  far.broken = true
  await ask('delete', 'sys/namespaces/c')
  await finishEndingNamespaces(core)
  far.broken = false
  ok((await all(`ns/${String(uuid)}/`)).length > 5)
  // Another process on the same store, as after a restart.
  const next = createCore({ store: core.store, engines, ownEngines, auditTypes: [], clock })
  await next.keeper.offer(Buffer.from(unsealKeys[0]!, 'hex'))
  await next.begin(false)
  clock.advance(300_000)
  await next.expiry.pass()
  await finishEndingNamespaces(next)
  deepEqual(far.revoked, ['one'])
  deepEqual(await all(`ns/${String(uuid)}/`), [])
  equal((await ask('read', 'sys/namespaces/c')).status, 404)
})
