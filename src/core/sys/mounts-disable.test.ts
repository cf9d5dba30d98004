import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { tokenWith } from '../../../test/support/policy-token.ts'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { defineEngine, endpoint, lease } from '../../kit/kit.ts'
import { kvV1 } from '../../secrets/kv/v1.ts'
import { kvV2 } from '../../secrets/kv/v2.ts'
import { cubbyhole } from '../../secrets/cubbyhole/engine.ts'
import approle from '../../auth/approle/engine.ts'
import { finishEnding } from './mounts-disable.ts'

/** Hands out one kind of lease, and notes which have been taken back. */
function leasing(revoked: string[], trouble: { now: boolean }) {
  return defineEngine({
    type: 'leasing',
    help: 'Leases for tests.',
    endpoints: [
      endpoint('creds', {
        help: 'A lease.',
        fields: {},
        read: () => lease({ user: 'x' }, { kind: 'creds', secret: { user: 'x' } }),
      }),
      endpoint('note', {
        help: 'Something to keep.',
        fields: {},
        write({ store }) {
          store.put('note', { a: 1 })
          return undefined
        },
      }),
    ],
    leases: {
      creds: {
        async revoke({ leaseId }) {
          if (trouble.now) throw new Error('the target is away')
          revoked.push(leaseId)
        },
      },
    },
  })
}

async function withLeasing() {
  const revoked: string[] = []
  const trouble = { now: false }
  const engines = [cubbyhole, kvV1, kvV2, approle, leasing(revoked, trouble)]
  const made = await testCore({ engines })
  await made.ask('write', 'sys/mounts/db', { type: 'leasing' })
  return { ...made, revoked, trouble }
}

async function entriesOf({ core }: TestCore, uuid: string): Promise<string[]> {
  const tx = await core.begin(false)
  return tx!.list(`m/${uuid}/`)
}

async function uuidOf({ ask }: TestCore, path: string): Promise<string> {
  return String((await ask('read', path)).body.data!['uuid'])
}

async function endingOf({ core }: TestCore): Promise<string[]> {
  const tx = await core.begin(false)
  return (await core.mounts.ending(tx!)).map(({ path }) => path)
}

test('disabling a mount removes its data in the same transaction', async () => {
  const made = await testCore()
  const uuid = await uuidOf(made, 'sys/mounts/kv1')
  await made.ask('write', 'kv1/a/b/c', { v: 1 })
  await made.ask('write', 'kv1/d', { v: 1 })
  equal((await entriesOf(made, uuid)).length > 0, true)
  equal((await made.ask('delete', 'sys/mounts/kv1')).status, 204)
  deepEqual(await entriesOf(made, uuid), [])
  deepEqual(await endingOf(made), [])
})

test('disabling a large mount makes it unreachable at once and finishes in batches', async () => {
  const made = await testCore()
  const uuid = await uuidOf(made, 'sys/mounts/kv1')
  await made.ask('write', 'kv1/x', { v: 1 })
  const tx = (await made.core.begin(false))!
  for (let i = 0; i < 4_500; i++) tx.put(`m/${uuid}/many/n${i}`, { i })
  await made.core.commit(tx)
  equal((await made.ask('delete', 'sys/mounts/kv1')).status, 204)
  equal((await made.ask('read', 'kv1/x')).status, 404)
  deepEqual(await endingOf(made), ['kv1/'])
  equal((await made.ask('write', 'sys/mounts/kv1', { type: 'kv' })).status, 204)
  await made.ask('write', 'kv1/x', { v: 2 })
  await finishEnding(made.core)
  deepEqual(await entriesOf(made, uuid), [])
  deepEqual(await endingOf(made), [])
  deepEqual((await made.ask('read', 'kv1/x')).body.data, { v: 2 }, 'the next mount is untouched')
})

test('disabling a mount takes its leases back by its own engine, then its data goes', async () => {
  const made = await withLeasing()
  const uuid = await uuidOf(made, 'sys/mounts/db')
  await made.ask('write', 'db/note')
  const ids: string[] = []
  for (let i = 0; i < 3; i++)
    ids.push(String((await made.ask('read', 'db/creds')).body['lease_id']))
  equal((await made.ask('delete', 'sys/mounts/db')).status, 204)
  equal((await made.ask('read', 'db/creds')).status, 404)
  await finishEnding(made.core)
  deepEqual(made.revoked.toSorted(), ids.toSorted())
  deepEqual(await entriesOf(made, uuid), [])
  deepEqual(await endingOf(made), [])
})

test('disabling a mount takes back what it issued at a former path, and nothing of others', async () => {
  const made = await withLeasing()
  const old = (await made.ask('read', 'db/creds')).body['lease_id']
  await made.ask('write', 'sys/remount', { from: 'db', to: 'moved' })
  await made.ask('write', 'sys/mounts/db', { type: 'leasing' })
  const others = (await made.ask('read', 'db/creds')).body['lease_id']
  await made.ask('delete', 'sys/mounts/moved')
  await finishEnding(made.core)
  deepEqual(made.revoked, [old])
  await made.ask('delete', 'sys/mounts/db')
  await finishEnding(made.core)
  deepEqual(made.revoked, [old, others])
})

test('disabling a mount forgets no lease while its target is away', async () => {
  const made = await withLeasing()
  const uuid = await uuidOf(made, 'sys/mounts/db')
  await made.ask('write', 'db/note')
  await made.ask('read', 'db/creds')
  made.trouble.now = true
  await made.ask('delete', 'sys/mounts/db')
  await finishEnding(made.core)
  deepEqual([await endingOf(made), made.revoked], [['db/'], []])
  equal((await entriesOf(made, uuid)).length, 1)
  made.trouble.now = false
  made.clock.advance(60_000)
  await made.core.expiry.pass()
  equal(new Set(made.revoked).size, 1)
  await finishEnding(made.core)
  deepEqual([await endingOf(made), await entriesOf(made, uuid)], [[], []])
})

test('disabling an auth mount ends the tokens it has issued, with their children', async () => {
  const made = await testCore()
  const { ask } = made
  const uuid = await uuidOf(made, 'sys/auth/approle')
  const parent = await tokenWith(made, ['default'], { loginMount: uuid })
  const child = await tokenWith(made, ['default'], { parent: parent.accessor, orphan: false })
  const stranger = await tokenWith(made, ['default'])
  const alive = async (token: string) =>
    (await ask('write', 'sys/capabilities-self', { path: 'x' }, { token })).status === 200
  deepEqual([await alive(parent.id), await alive(child.id)], [true, true])
  equal((await ask('delete', 'sys/auth/approle')).status, 204)
  deepEqual(await Promise.all([parent, child, stranger].map(({ id }) => alive(id))), [
    false,
    false,
    true,
  ])
  equal((await ask('write', 'auth/approle/login', {}, { token: undefined })).status, 403)
})

test('disabling an auth mount of a server with many tokens ends them afterwards', async () => {
  const made = await testCore()
  const uuid = await uuidOf(made, 'sys/auth/approle')
  const own = await tokenWith(made, ['default'], { loginMount: uuid })
  const tx = (await made.core.begin(false))!
  for (let i = 0; i < 2_001; i++) tx.put(`token/filler${i}`, { kind: 'token', numUses: -1 })
  await made.core.commit(tx)
  equal((await made.ask('delete', 'sys/auth/approle')).status, 204)
  deepEqual(await endingOf(made), ['auth/approle/'])
  await finishEnding(made.core)
  deepEqual(await endingOf(made), [])
  const { status } = await made.ask(
    'write',
    'sys/capabilities-self',
    { path: 'x' },
    { token: own.id },
  )
  equal(status, 403)
})
