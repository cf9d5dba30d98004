/** A change on a foreign system is either the commit's, or taken back: nothing in between. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { testCore } from '../../test/support/test-core.ts'
import { defineEngine, endpoint, Failure, t } from '../kit/kit.ts'
import { type Call } from '../kit/call.ts'
import { systemRandom } from '../lib/random.ts'
import { memoryStore } from '../storage/memory.ts'
import { newMountEntry } from './bootstrap.ts'
import { FOREIGN_GRACE_MS, type ForeignEntry } from './foreign.ts'

type Handler = (call: Call<{ name: string }>, users: Set<string>) => Promise<unknown>

/** An engine whose foreign system is a set of names. */
async function far(handler: Handler) {
  const users = new Set<string>()
  const seen = { undone: 0, broken: false, wait: Promise.resolve() }
  const engine = defineEngine({
    type: 'far',
    help: 'Users somewhere else.',
    endpoints: [
      endpoint('user/:name', {
        help: 'A user.',
        fields: { name: t.name({ help: 'Who.' }) },
        async write(call) {
          await handler(call, users)
          call.store.put(`user/${call.data.name}`, {})
          return undefined
        },
      }),
    ],
    undo: {
      async drop({ record }) {
        seen.undone++
        await seen.wait
        if (seen.broken) throw new Error('away')
        users.delete(String(record['name']))
      },
    },
  })
  const store = memoryStore()
  const made = await testCore({ store, engines: [engine] })
  const tx = (await made.core.begin(false))!
  const { mounts } = await made.core.mounts.table(tx)
  const entry = newMountEntry({ path: 'far/', class: 'secret', type: 'far' }, systemRandom)
  made.core.mounts.save(tx, [...mounts, entry])
  await made.core.commit(tx)
  made.core.expiry.stop()
  const left = async () => {
    const now = (await made.core.begin(false))!
    const paths = (await now.list('foreign/')).map((name) => `foreign/${name}`)
    return Promise.all(paths.map(async (path) => (await now.get<ForeignEntry>(path))!))
  }
  return { ...made, users, seen, left }
}

const add = (call: Call<{ name: string }>, users: Set<string>) =>
  call.foreign('drop', { name: call.data.name }, async () => {
    users.add(call.data.name)
    return 'made'
  })

test('foreign() is taken back at once when the request is refused after it', async () => {
  const { ask, users, seen, left } = await far(async (call, them) => {
    equal(await add(call, them), 'made')
    throw new Failure('bad_request', 'no after all')
  })
  equal((await ask('write', 'far/user/ann')).status, 400)
  deepEqual([[...users], seen.undone, await left()], [[], 1, []])
})

test('foreign() stores what would undo it before the change is tried', async () => {
  const stored: unknown[] = []
  const { ask, left } = await far((call) =>
    call.foreign('drop', { name: call.data.name }, async () => void stored.push(...(await left()))),
  )
  equal((await ask('write', 'far/user/ann')).status, 204)
  deepEqual(
    stored.map((entry) => (entry as ForeignEntry).record),
    [{ name: 'ann' }],
  )
})

test('foreign() is never taken back once it is committed', async () => {
  const { core, ask, clock, users, seen, left } = await far(add)
  equal((await ask('write', 'far/user/ann')).status, 204)
  deepEqual(await left(), [])
  clock.advance(10 * FOREIGN_GRACE_MS)
  await core.expiry.pass()
  deepEqual([[...users], seen.undone], [['ann'], 0])
})

test('foreign() is taken back by the next process when its own has died before the commit', async () => {
  const { promise: never } = Promise.withResolvers<never>()
  const { promise: changed, resolve: reached } = Promise.withResolvers<void>()
  const made = await far(async (call, users) => {
    await add(call, users)
    reached()
    await never
  })
  void made.ask('write', 'far/user/ann')
  await changed
  const next = await made.sibling()
  next.core.expiry.stop()
  await next.core.expiry.pass()
  deepEqual([...made.users], ['ann'], 'not while the other may still be at work')
  made.clock.advance(FOREIGN_GRACE_MS)
  await next.core.expiry.pass()
  deepEqual([[...made.users], made.seen.undone, await made.left()], [[], 1, []])
})

test('foreign() does not run its work twice when the request has to be done again', async () => {
  let runs = 0
  let works = 0
  const made = await far(async (call, users) => {
    runs++
    await call.store.get('meanwhile')
    await call.foreign('drop', { name: call.data.name }, async () => {
      works++
      users.add(call.data.name)
    })
    if (runs > 1) return
    // What this handler has read is written by another request.
    const tx = (await made.core.begin(false))!
    const { mounts } = await made.core.mounts.table(tx)
    const { uuid } = mounts.find(({ path }) => path === 'far/')!
    tx.put(`m/${uuid}/meanwhile`, { by: 'another' })
    await made.core.commit(tx)
  })
  equal((await made.ask('write', 'far/user/ann')).status, 204)
  deepEqual([runs, works, [...made.users], await made.left()], [2, 1, ['ann'], []])
})

test('foreign() undoes what a repeated request did not do again', async () => {
  let runs = 0
  const made = await far(async (call, users) => {
    const name = `${call.data.name}-${++runs}`
    await call.store.get('meanwhile')
    await call.foreign('drop', { name }, async () => void users.add(name))
    if (runs > 1) return
    const tx = (await made.core.begin(false))!
    const { mounts } = await made.core.mounts.table(tx)
    tx.put(`m/${mounts.find(({ path }) => path === 'far/')!.uuid}/meanwhile`, {})
    await made.core.commit(tx)
  })
  equal((await made.ask('write', 'far/user/ann')).status, 204)
  deepEqual([[...made.users], await made.left()], [['ann-2'], []])
})

test('an undo that fails is tried again, later and later, until it succeeds', async () => {
  const { core, ask, clock, users, seen, left } = await far(async (call, them) => {
    await add(call, them)
    throw new Failure('bad_request', 'no')
  })
  seen.broken = true
  await ask('write', 'far/user/ann')
  const waits: number[] = []
  for (let i = 0; i < 9; i++) {
    const { dueAt } = (await left())[0]!
    waits.push((dueAt - clock.now()) / 1000)
    clock.advance(dueAt - clock.now() - 1)
    await core.expiry.pass()
    equal(seen.undone, i + 1, 'not before its time')
    clock.advance(1)
    await core.expiry.pass()
  }
  deepEqual(waits, [10, 20, 40, 80, 160, 300, 300, 300, 300])
  ok(users.has('ann'))
  seen.broken = false
  clock.advance(300_000)
  await core.expiry.pass()
  deepEqual([[...users], await left()], [[], []])
})

test('a change that failed is undone at once, and once more when it cannot be on its way any longer', async () => {
  const { core, ask, clock, users, seen, left } = await far((call) =>
    call.foreign('drop', { name: call.data.name }, () => Promise.reject(new Error('cut off'))),
  )
  equal((await ask('write', 'far/user/ann')).status, 500)
  equal(seen.undone, 1)
  // The other system finishes what it was told before the line was cut.
  users.add('ann')
  clock.advance(FOREIGN_GRACE_MS)
  await core.expiry.pass()
  deepEqual([[...users], seen.undone, await left()], [[], 2, []])
})

test('a change that another has begun to undo cannot be committed, and is undone when it is done', async () => {
  const { promise: wait, resolve: go } = Promise.withResolvers<void>()
  const made = await far((call, users) =>
    call.foreign('drop', { name: call.data.name }, async () => {
      await wait
      users.add(call.data.name)
    }),
  )
  const asked = made.ask('write', 'far/user/ann')
  while ((await made.left()).length === 0) await new Promise(setImmediate)
  made.clock.advance(FOREIGN_GRACE_MS)
  await made.core.expiry.pass()
  deepEqual([made.seen.undone, await made.left()], [1, []])
  go()
  equal((await asked).status, 503)
  deepEqual([[...made.users], made.seen.undone, await made.left()], [[], 2, []])
})

test('a change cannot be committed while it is being undone', async () => {
  const { promise: worked, resolve: finish } = Promise.withResolvers<void>()
  const { promise: wait, resolve: go } = Promise.withResolvers<void>()
  const made = await far((call, users) =>
    call.foreign('drop', { name: call.data.name }, async () => {
      users.add(call.data.name)
      await worked
    }),
  )
  const asked = made.ask('write', 'far/user/ann')
  while ((await made.left()).length === 0) await new Promise(setImmediate)
  made.clock.advance(FOREIGN_GRACE_MS)
  made.seen.wait = wait
  const passing = made.core.expiry.pass()
  while (made.seen.undone === 0) await new Promise(setImmediate)
  finish()
  await new Promise(setImmediate)
  go()
  await passing
  equal((await asked).status, 503)
  deepEqual([[...made.users], await made.left()], [[], []])
})
