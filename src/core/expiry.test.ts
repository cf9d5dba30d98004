/** What ends by itself: on one node at a time, in order, and never before its time. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fakeClock, testCore, type TestCore } from '../../test/support/test-core.ts'
import { type LeaseJob } from '../kit/call.ts'
import { type Engine } from '../kit/engine.ts'
import { defineEngine, endpoint, lease, t } from '../kit/kit.ts'
import { systemRandom } from '../lib/random.ts'
import { memoryStore } from '../storage/memory.ts'
import { NOTHING_EXPECTED } from '../storage/store.ts'
import { newMountEntry } from './bootstrap.ts'
import { createCore } from './core.ts'
import { getLease } from './leases.ts'
import { ownEngines } from './own-engines.ts'

type Revoke = (name: string) => Promise<void>

const lending = (revoke: Revoke): Engine =>
  defineEngine({
    type: 'lending',
    help: 'Lends things for a minute.',
    endpoints: [
      endpoint('thing/:name', {
        help: 'A thing.',
        fields: { name: t.name({ help: 'Which.' }) },
        read: ({ data }) =>
          lease(
            { name: data.name },
            { kind: 'thing', secret: { name: data.name }, ttlSeconds: 60 },
          ),
      }),
    ],
    leases: { thing: { revoke: ({ secret }: LeaseJob) => revoke(String(secret['name'])) } },
  })

async function lender(revoke: Revoke) {
  const store = memoryStore()
  const made = await testCore({ store, engines: [lending(revoke)] })
  const tx = (await made.core.begin(false))!
  const { mounts } = await made.core.mounts.table(tx)
  const entry = newMountEntry({ path: 'lend/', class: 'secret', type: 'lending' }, systemRandom)
  made.core.mounts.save(tx, [...mounts, entry])
  await made.core.commit(tx)
  // Passes are made by hand here, none by the clock.
  made.core.expiry.stop()
  return {
    ...made,
    store,
    async take(name: string) {
      const { body } = await made.ask('read', `lend/thing/${name}`)
      return body['lease_id'] as string
    },
  }
}

async function leaseOf({ core }: Pick<TestCore, 'core'>, id: string) {
  return getLease((await core.begin(false))!, id)
}

test('pass() ends nothing before its time', async () => {
  const revoked: string[] = []
  const lent = await lender(async (name) => void revoked.push(name))
  const id = await lent.take('a')
  lent.clock.advance(59_999)
  await lent.core.expiry.pass()
  deepEqual(revoked, [])
  lent.clock.advance(1)
  await lent.core.expiry.pass()
  deepEqual(revoked, ['a'])
  equal(await leaseOf(lent, id), undefined)
})

test('pass() tries again later what an engine cannot end, and gives up in the end', async () => {
  let attempts = 0
  const lent = await lender(async () => {
    attempts++
    throw new Error('away')
  })
  const id = await lent.take('a')
  lent.clock.advance(60_000)
  await lent.core.expiry.pass()
  await lent.core.expiry.pass()
  equal(attempts, 1, 'not at once')
  for (let i = 0; i < 40; i++) {
    lent.clock.advance(300_000)
    await lent.core.expiry.pass()
  }
  equal(attempts, 6)
  const kept = (await leaseOf(lent, id))!
  ok(kept.irrevocable && kept.revoking)
})

test('pass() ends what another one left half ended', async () => {
  let broken = true
  const revoked: string[] = []
  const lent = await lender(async (name) => {
    if (broken) throw new Error('killed here')
    revoked.push(name)
  })
  const id = await lent.take('a')
  equal(await lent.core.expiry.leases.end(id), 'failed')
  const { status } = await lent.ask('write', 'sys/leases/lookup', { lease_id: id })
  equal(status, 400, 'it counts as gone')
  broken = false
  lent.clock.advance(10_000)
  await lent.core.expiry.pass()
  deepEqual(revoked, ['a'])
})

test('pass() leaves the work to the node that has the duty, and stops when it has lost it', async () => {
  const log: string[] = []
  let letGo = () => {}
  const held = new Promise<void>((done) => (letGo = done))
  let reached = () => {}
  const there = new Promise<void>((done) => (reached = done))
  const first = await lender(async (name) => {
    log.push(`first ${name}`)
    reached()
    await held
  })
  const other = createCore({
    store: first.store,
    engines: [lending(async (name) => void log.push(`other ${name}`))],
    ownEngines,
    auditTypes: [],
    clock: fakeClock(first.clock.now()),
  })
  await other.keeper.offer(Buffer.from(first.unsealKeys[0]!, 'hex'))
  other.expiry.stop()
  const later = (ms: number) => {
    first.clock.advance(ms)
    ;(other.clock as typeof first.clock).advance(ms)
  }
  await first.take('a')
  later(1)
  await first.take('b')
  later(60_000)
  const pass = first.core.expiry.pass()
  await there
  await other.expiry.pass()
  deepEqual(log, ['first a'], 'the other node has no duty')

  // The first one sleeps too long inside its first revocation; the other takes over, but is slow:
  // it has the duty and has not come to the second lease yet.
  later(20_000)
  const tx = (await other.begin(false))!
  tx.put('duty/expiry', { node: 'other', epoch: 99, until: other.clock.now() + 15_000 })
  await other.commit(tx)
  letGo()
  await pass
  deepEqual(log, ['first a'], 'the first node touches nothing more')
})

test('pass() ends tokens in their order, children with them', async () => {
  const made = await testCore()
  const parent = await made.ask('write', 'auth/token/create', { ttl: '1m', policies: ['default'] })
  const { accessor } = parent.body['auth'] as Record<string, string>
  const keys = async () =>
    (await made.ask('list', 'auth/token/accessors')).body.data!['keys'] as string[]
  ok((await keys()).includes(accessor!))
  made.clock.advance(60_000)
  await made.core.expiry.pass()
  equal((await keys()).length, 1)
})

/** Lets everything run that waits for nothing but its turn. */
const settle = async () => {
  for (let i = 0; i < 50; i++) await new Promise((done) => setImmediate(done))
}

async function secondMount({ core }: TestCore) {
  const tx = (await core.begin(false))!
  const { mounts } = await core.mounts.table(tx)
  const entry = newMountEntry({ path: 'other/', class: 'secret', type: 'lending' }, systemRandom)
  core.mounts.save(tx, [...mounts, entry])
  await core.commit(tx)
}

test('pass() does not let an engine that never answers stop another mount', async () => {
  const revoked: string[] = []
  const asked: string[] = []
  const lent = await lender((name) => {
    asked.push(name)
    if (name.startsWith('dead')) return new Promise<never>(() => {})
    revoked.push(name)
    return Promise.resolve()
  })
  await secondMount(lent)
  const first = await lent.take('dead-1')
  lent.clock.advance(1)
  const second = await lent.take('dead-2')
  lent.clock.advance(1)
  await lent.ask('read', 'other/thing/alive')
  lent.clock.advance(60_000)
  const pass = lent.core.expiry.pass()
  await settle()
  deepEqual(revoked, ['alive'], 'the other mount does not wait')
  lent.clock.advance(30_000)
  await pass
  deepEqual(asked.toSorted(), ['alive', 'dead-1'], 'its second lease is not even tried')
  equal((await leaseOf(lent, first))!.attempts, 1)
  equal((await leaseOf(lent, second))!.attempts, 0, 'being put off is not an attempt')

  // After its rest it is asked again.
  lent.clock.advance(60_000)
  const next = lent.core.expiry.pass()
  await settle()
  lent.clock.advance(30_000)
  await next
  equal(asked.length, 3)
})

test('endAll() asks an engine that does not answer once, and forgets all when forced', async () => {
  let asked = 0
  const lent = await lender(() => {
    asked++
    return new Promise<never>(() => {})
  })
  const ids = [await lent.take('a'), await lent.take('b'), await lent.take('c')]
  const gentle = lent.core.expiry.leases.endAll(ids)
  await settle()
  lent.clock.advance(30_000)
  deepEqual(await gentle, { failed: 3 })
  equal(asked, 1)
  const forced = lent.core.expiry.leases.endAll(ids, { force: true })
  await settle()
  lent.clock.advance(30_000)
  deepEqual(await forced, { failed: 0 })
  equal(asked, 2)
  for (const id of ids) equal(await leaseOf(lent, id), undefined)
})

test('pass() reports a record that cannot be read once, and ends the others', async () => {
  const revoked: string[] = []
  const lent = await lender(async (name) => void revoked.push(name))
  await lent.take('a')
  await lent.take('b')
  lent.clock.advance(60_000)
  const [key] = (await lent.store.due(lent.clock.now(), 1)).keys
  await lent.store.write([{ key: key!, value: Buffer.from('damaged'), due: 1 }], NOTHING_EXPECTED)
  await lent.core.expiry.pass()
  await lent.core.expiry.pass()
  equal(revoked.length, 1)
  equal(lent.logs.filter((line) => line.includes('cannot be read')).length, 1)
})

test('pass() ends more leases of one mount than a lane holds', async () => {
  let revoked = 0
  const lent = await lender(async () => void revoked++)
  for (let i = 0; i < 250; i++) await lent.take(`n${i}`)
  lent.clock.advance(60_000)
  await lent.core.expiry.pass()
  equal(revoked, 250)
})
