import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { type Client } from '../client/connect.ts'
import { InvalidRequestError, NetworkError } from '../client/errors.ts'
import { type Reply } from '../client/reply.ts'
import { type WatchOptions } from '../client/watch.ts'
import { fakeClock } from '../../test/support/test-core.ts'
import { createSecretSource, NotYet } from './secret-source.ts'
import { type ValueMap } from './template/value.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

type Fake = { reads: number; renewals: number; lease: Partial<Reply>; fails: Error | undefined }

/** A client whose every read gives the next number, under the lease that the test says. */
function house(lease: Partial<Reply> = {}, mount?: Record<string, unknown>) {
  const fake: Fake = { reads: 0, renewals: 0, lease, fails: undefined }
  const replyOf = (data: Reply['data']): Reply => ({
    ...{ data, warnings: [], leaseId: undefined, leaseSeconds: 0, renewable: false },
    ...{ auth: undefined, wrapInfo: undefined, generation: undefined },
    ...fake.lease,
  })
  const client = {
    async read(path: string) {
      if (path.startsWith('sys/internal/')) {
        if (mount) return replyOf(mount)
        throw new InvalidRequestError({ hint: 'no' })
      }
      if (fake.fails) throw fake.fails
      return replyOf({ n: ++fake.reads })
    },
    async write() {
      fake.renewals++
      if (fake.fails) throw fake.fails
      return replyOf(undefined)
    },
    async *watch(prefix: string, { signal, onState }: WatchOptions) {
      watches.push(prefix)
      onState?.(true)
      for (;;) {
        const path = await told.path
        if (signal?.aborted) return
        listen()
        yield { id: '1', type: 'kv.write', path, time: '' }
      }
    },
  } as unknown as Client
  const watches: string[] = []
  const clock = fakeClock()
  const told = {
    changes: 0,
    errors: 0,
    path: new Promise<string>(() => {}),
    tell: undefined as ((path: string) => void) | undefined,
  }
  const listen = () => {
    told.path = new Promise((done) => (told.tell = done))
  }
  listen()
  const source = createSecretSource({
    ...{ client, clock, env: { A: '1' }, random: () => 0, refreshSeconds: 300 },
    onChange: () => told.changes++,
    onError: () => told.errors++,
  })
  const value = (path = 'x') => (source.functions['secret']!(path) as ValueMap)['Data']
  const open = async (path?: string) => {
    throws(() => value(path), NotYet)
    try {
      value(path)
    } catch (error) {
      await source.fetch((error as NotYet).key)
    }
  }
  const pass = async (seconds: number) => {
    clock.advance(seconds * 1000)
    await settled()
  }
  return { fake, told, source, value, open, pass, listen, watches }
}

test('a secret without a lease is looked at again, and a change is told', async () => {
  const { told, value, open, pass } = house()
  await open()
  deepEqual([value(), told.changes], [{ n: 1 }, 0])
  await pass(301)
  deepEqual([value(), told.changes], [{ n: 2 }, 1])
})

test('a lease is renewed at two thirds, and replaced when that is refused', async () => {
  const { fake, value, open, pass } = house({ leaseId: 'l', leaseSeconds: 90, renewable: true })
  await open()
  await pass(59)
  equal(fake.renewals, 0)
  await pass(2)
  deepEqual([fake.renewals, value()], [1, { n: 1 }])
  fake.fails = new InvalidRequestError({ hint: 'the lease is gone' })
  await pass(61)
  fake.fails = undefined
  await pass(11)
  deepEqual(value(), { n: 2 })
})

test('a lease that cannot be renewed is replaced before it ends', async () => {
  const { fake, value, open, pass } = house({ leaseId: 'l', leaseSeconds: 100, renewable: false })
  await open()
  await pass(89)
  deepEqual(value(), { n: 1 })
  await pass(2)
  deepEqual([fake.renewals, value()], [0, { n: 2 }])
})

test('a read that fails leaves the old value, is told, and tried again', async () => {
  const { fake, told, value, open, pass } = house()
  await open()
  fake.fails = new NetworkError({ hint: 'away' })
  await pass(301)
  deepEqual([value(), told.errors], [{ n: 1 }, 1])
  fake.fails = undefined
  await pass(11)
  deepEqual([value(), told.changes], [{ n: 2 }, 1])
})

test('after a new login what has a lease is read anew, the rest stays', async () => {
  const leased = house({ leaseId: 'l', leaseSeconds: 100, renewable: true })
  await leased.open()
  leased.source.renewed()
  await leased.pass(0.001)
  deepEqual(leased.value(), { n: 2 })
  const plain = house()
  await plain.open()
  plain.source.renewed()
  await plain.pass(0.001)
  deepEqual(plain.value(), { n: 1 })
})

const KV = { path: 'secret/', type: 'kv', options: { version: '2' } }

test('a secret of KV is read again when the server tells of a change, and no other is', async () => {
  const { fake, told, value, open, pass, watches } = house({}, KV)
  for (const path of ['secret/data/app', 'secret/app']) await open(path)
  // It may have changed between the read and the beginning of the watch.
  await pass(0.001)
  deepEqual(watches, ['secret/app'])
  const { reads } = fake
  told.tell?.('secret/other')
  await settled()
  await pass(0.001)
  equal(fake.reads, reads)
  told.tell?.('secret/app')
  await settled()
  await pass(0.001)
  equal(fake.reads, reads + 2)
  deepEqual(value('secret/app'), { n: fake.reads })
})

test('a version that is asked for by its number, and what is no KV, is not watched', async () => {
  const kv = house({}, KV)
  await kv.open('secret/data/app?version=2')
  deepEqual(kv.watches, [])
  const other = house({}, { ...KV, type: 'database' })
  await other.open('secret/creds/app')
  deepEqual(other.watches, [])
})

test('what is rotated is watched wherever it is, and told with the path that its readers use', async () => {
  const login = 'database/static-creds/app'
  const { fake, told, source, value, open, pass, watches } = house({ generation: 3 })
  for (const path of [login, 'secret/data/app']) await open(path)
  await pass(0.001)
  ok(watches.includes(login))
  const { functions, used } = source.noting()
  equal(used.size, 0)
  functions['secret']!(login)
  deepEqual([...used], [[login, 3]])
  functions['secret']!('secret/data/app')
  deepEqual([...used.keys()], [login, 'secret/app'])
  fake.lease = { generation: 4 }
  const { reads } = fake
  told.tell?.(login)
  await settled()
  await pass(0.001)
  deepEqual([fake.reads, value(login)], [reads + 1, { n: reads + 1 }])
  const { functions: again, used: newer } = source.noting()
  again['secret']!(login)
  deepEqual([...newer], [[login, 4]])
  const plain = house()
  await plain.open('database/static-creds/app')
  deepEqual([plain.watches, plain.source.noting().used.size], [[], 0])
})
