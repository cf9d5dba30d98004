/** Watching: what is told of what happens, in which order, and from where on. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { settled, watch } from '../../../test/support/watching.ts'
import { putPolicy, tokenWith } from '../../../test/support/policy-token.ts'
import { defineEngine, endpoint, Failure } from '../../kit/kit.ts'
import { ENGINES } from '../../server/builtin.ts'
import { StoreConflict } from '../../storage/store.ts'
import { memoryStore } from '../../storage/memory.ts'
import { emitEvent } from './events.ts'

const told = ({ type, path, version }: { type: string; path: string; version?: number }) =>
  version === undefined ? `${type} ${path}` : `${type} ${path} ${version}`

/** Time for what was written to be seen. */
async function later({ clock }: TestCore, ms = 300): Promise<void> {
  await settled()
  clock.advance(ms)
  await settled()
}

test('a watch tells every change of a secret, and never what is in it', async () => {
  const t = await testCore()
  const seen = await watch(t)
  const value = { data: { pw: 'CANARY-one' } }
  await t.ask('write', 'secret/data/a/b', value)
  await t.ask('patch', 'secret/data/a/b', { data: { 'CANARY-two': 'x' } })
  await t.ask('delete', 'secret/data/a/b')
  await t.ask('write', 'secret/undelete/a/b', { versions: [2] })
  await t.ask('write', 'secret/delete/a/b', { versions: [1, 2, 9] })
  await t.ask('write', 'secret/destroy/a/b', { versions: [1] })
  await t.ask('write', 'secret/metadata/a/b', { custom_metadata: { note: 'CANARY-three' } })
  await t.ask('patch', 'secret/metadata/a/b', { max_versions: 3 })
  await t.ask('write', 'kv1/x', { pw: 'CANARY-four' })
  await t.ask('write', 'secret/data/m', value)
  await t.ask('write', 'sys/coffer/kv/move', { from: 'secret/m', to: 'secret/n' })
  await t.ask('write', 'sys/coffer/kv/copy', { from: 'kv1/x', to: 'kv1/y' })
  await t.ask('delete', 'secret/metadata/n')
  await t.ask('delete', 'kv1/x')
  await later(t)
  deepEqual(seen.events.map(told), [
    'kv.write secret/a/b 1',
    'kv.patch secret/a/b 2',
    'kv.delete secret/a/b 2',
    'kv.undelete secret/a/b 2',
    'kv.delete secret/a/b 1',
    'kv.delete secret/a/b 2',
    'kv.destroy secret/a/b 1',
    'kv.metadata secret/a/b',
    'kv.metadata secret/a/b',
    'kv.write kv1/x',
    'kv.write secret/m 1',
    'kv.move secret/m',
    'kv.write secret/n 1',
    'kv.write kv1/y',
    'kv.destroy secret/n',
    'kv.delete kv1/x',
  ])
  const ids = seen.events.map(({ id }) => id)
  deepEqual(ids, [...new Set(ids)].sort())
  ok(!seen.text.includes('CANARY'))
  const log = await t.core.keeper.space!.records(0, 100)
  ok(log.length > 10 && !JSON.stringify(log).includes('CANARY'))
  const { data = {} } = (await t.ask('read', 'secret/metadata/a/b')).body
  equal(data['current_version'], 2)
})

test('a watch is told nothing of what was refused, or changed nothing', async () => {
  const t = await testCore()
  await t.ask('write', 'secret/data/a', { data: { v: 1 } })
  const seen = await watch(t)
  await t.ask('write', 'secret/data/a', { data: { v: 2 }, options: { cas: 7 } })
  await t.ask('write', 'secret/data/a', { data: { v: 2 } }, { token: 'hvs.none' })
  await t.ask('delete', 'secret/data/none')
  await t.ask('delete', 'kv1/none')
  await t.ask('write', 'secret/delete/a', { versions: [5] })
  await t.ask('write', 'sys/coffer/kv/move', { from: 'secret/a', to: 'secret/b', dry_run: true })
  await later(t)
  deepEqual(seen.events, [])
  match(seen.text, /^id: [0-9a-f]{26}\n\n$/)
})

test('what was told before a refusal goes with it, also when the use of a token stays', async () => {
  const engine = defineEngine({
    type: 'telling',
    help: 'Tells.',
    endpoints: [
      endpoint('x', {
        help: 'Tells, and refuses.',
        fields: {},
        write(call) {
          call.emit({ type: 'kv.write', path: 'x' })
          throw new Failure('bad_request', 'no')
        },
      }),
    ],
  })
  const t = await testCore({ engines: [...ENGINES, engine] })
  await t.ask('write', 'sys/mounts/tell', { type: 'telling' })
  await putPolicy(t, 'p', 'path "tell/x" { capabilities = ["update"] }')
  const { id } = await tokenWith(t, ['p'], { numUses: 5 })
  const seen = await watch(t)
  equal((await t.ask('write', 'tell/x', {}, { token: id })).status, 400)
  await later(t)
  deepEqual(seen.events, [])
})

test('a prefix is whole segments, and hostile ones are refused or find nothing', async () => {
  const t = await testCore()
  const prefixes = ['secret', 'secret/', 'secret/a', 'secret/a/', 'secret/ab', 'sec', '/secret/a']
  const seen = await Promise.all(prefixes.map((prefix) => watch(t, { prefix })))
  for (const path of ['a', 'a/b', 'ab', 'ab/c']) {
    await t.ask('write', `secret/data/${path}`, { data: { v: 1 } })
  }
  await later(t)
  const paths = seen.map(({ events }) => events.map(({ path }) => path.slice(7)).join())
  deepEqual(paths, ['a,a/b,ab,ab/c', 'a,a/b,ab,ab/c', 'a,a/b', 'a/b', 'ab,ab/c', '', 'a,a/b'])
  for (const prefix of [
    '../secret',
    'secret/../',
    'a//b',
    'secret/\n',
    'a\\b',
    './x',
    'a\0b',
    '//',
  ]) {
    equal((await watch(t, { prefix })).status, 400, prefix)
  }
  for (const prefix of ['__proto__', 'constructor/', '*', '+/a', '%2e%2e/', 'x'.repeat(5000)]) {
    const { status, events, cut } = await watch(t, { prefix })
    deepEqual([status, events], [200, []], prefix)
    cut()
  }
})

test('a watch goes on after any id, and none is lost and none comes twice', async () => {
  const t = await testCore()
  const all = await watch(t)
  const start = all.id
  for (let i = 0; i < 40; i++) {
    await t.ask('write', `secret/data/k${i % 7}`, { data: { i } })
    if (i % 5 === 0) await t.ask('write', `secret/delete/k${i % 7}`, { versions: [1, 2, 3] })
    if (i % 9 === 0) await t.ask('write', 'secret/data/m', { data: { i } })
    if (i % 9 === 1) {
      await t.ask('write', 'sys/coffer/kv/move', { from: 'secret/m', to: `secret/n${i}` })
    }
  }
  await later(t)
  ok(all.events.length > 50)
  const ids = [start, ...all.events.map(({ id }) => id)]
  for (const [n, after] of ids.entries()) {
    const rest = await watch(t, { after })
    deepEqual(rest.events, all.events.slice(n), `after ${n}`)
    rest.cut()
  }
  const byHeader = await watch(t, { after: ids[1]!, header: ids.at(-2)! })
  deepEqual(byHeader.events, all.events.slice(-1))
  const sibling = await t.sibling()
  const elsewhere = await watch(sibling, { after: ids[3]! })
  deepEqual(elsewhere.events, all.events.slice(3))
})

test('an id that is none of ours is answered with a reset, and what comes after it', async () => {
  const t = await testCore()
  await t.ask('write', 'secret/data/a', { data: { v: 1 } })
  const other = await testCore()
  for (let i = 0; i < 9; i++) await other.ask('write', 'secret/data/a', { data: { i } })
  const now = (await watch(t)).id
  const others = (await watch(other)).id
  const wrong = now.slice(0, 12) + now.slice(12, 18).replace(/0$/, '7') + now.slice(18)
  const garbage = [
    'x',
    '0',
    'é',
    ' ',
    '\u0000',
    '-1',
    'NaN',
    'f'.repeat(26),
    // Not of the id itself: its mark may be of digits only, and then it is the same.
    `${now.slice(0, 18)}ABCDEF01`,
    now + '0',
  ]
  for (const after of [...garbage, others, wrong, `${now.slice(0, 18)}00000000`]) {
    const seen = await watch(t, { after, prefix: 'secret/a' })
    seen.cut()
    deepEqual(seen.events.map(told), ['reset secret/a'], JSON.stringify(after))
    equal(seen.id, now)
  }
  const lost = await watch(t, { after: others })
  await t.ask('write', 'secret/data/a', { data: { v: 2 } })
  await later(t)
  deepEqual(lost.events.map(told), ['reset ', 'kv.write secret/a 2'])
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 1 }), async (after) => {
      const seen = await watch(t, { after })
      seen.cut()
      deepEqual(
        seen.events.map(({ type }) => type),
        ['reset'],
      )
    }),
    { numRuns: 50 },
  )
})

test('old events go by age and by number, and whoever needs them is told to read anew', async () => {
  const keep = { ageSeconds: 60, records: 5 }
  const t = await testCore({ watch: { keep } })
  const first = (await watch(t)).id
  const write = () => t.ask('write', 'secret/data/a', { data: { v: 1 } })
  await write()
  const one = (await watch(t)).id
  t.clock.advance(50_000)
  await write()
  const two = (await watch(t)).id
  const trim = async () => {
    t.clock.advance(0)
    for (let i = 0; i < 10; i++) await t.core.expiry.pass()
  }
  const typesAfter = async (after: string) => {
    const seen = await watch(t, { after })
    seen.cut()
    return seen.events.map(({ type }) => type).join()
  }
  await trim()
  equal(await typesAfter(first), 'kv.write,kv.write')
  t.clock.advance(11_000)
  await trim()
  equal(await typesAfter(first), 'reset')
  equal(await typesAfter(one), 'reset')
  equal(await typesAfter(two), '')
  // However old it is, the newest stays: nothing has happened since.
  t.clock.advance(90_000)
  await trim()
  equal(await typesAfter(two), '')
  for (let i = 0; i < 9; i++) await write()
  await trim()
  equal(await typesAfter(two), 'reset')
  equal((await t.core.store.log(0, 100)).length, 5)
})

test('a log that cannot be trimmed keeps no token from ending', async () => {
  const store = memoryStore()
  const logFromEnd = () => {
    throw new Error('storage: broken by the test')
  }
  const t = await testCore({ store: { ...store, logFromEnd } })
  const { accessor } = await tokenWith(t, ['default'])
  const stored = async () => t.core.tokens.stored((await t.core.begin(false))!, accessor)
  t.core.expiry.stop()
  t.clock.advance(3_700_000)
  equal((await stored())?.accessor, accessor)
  await t.core.expiry.pass()
  equal(await stored(), undefined)
  deepEqual(t.logs.filter((line) => line.includes('old events')).length, 1)
})

test('a reader that is slower than the retention is told to read anew, in the middle', async () => {
  const t = await testCore({ watch: { keep: { ageSeconds: 1e6, records: 3 } } })
  const seen = await watch(t)
  seen.block()
  const write = () => t.ask('write', 'secret/data/a', { data: { v: 1 } })
  await write()
  await later(t)
  deepEqual(
    seen.events.map(({ type }) => type),
    ['kv.write'],
  )
  for (let i = 0; i < 8; i++) await write()
  for (let i = 0; i < 10; i++) await t.core.expiry.pass()
  seen.drain()
  await settled()
  await write()
  await later(t)
  deepEqual(
    seen.events.map(({ type }) => type),
    ['kv.write', 'reset', 'kv.write'],
  )
})

test('32 who write at once do not meet in the log', async () => {
  const store = memoryStore()
  let conflicts = 0
  const t = await testCore({
    store: {
      ...store,
      async write(batch, expect, log) {
        await settled(1)
        return store.write(batch, expect, log).catch((error: unknown) => {
          if (error instanceof StoreConflict) conflicts++
          throw error
        })
      },
    },
  })
  const seen = await watch(t)
  const writers = Array.from({ length: 32 }, async (_, who) => {
    for (let i = 0; i < 5; i++) {
      const made = await t.ask('write', `secret/data/${who}`, { data: { i } })
      equal(made.status, 200)
    }
  })
  await Promise.all(writers)
  await later(t)
  equal(conflicts, 0)
  equal(seen.events.length, 160)
  for (let who = 0; who < 32; who++) {
    const own = seen.events.filter(({ path }) => path === `secret/${who}`)
    deepEqual(
      own.map(({ version }) => version),
      [1, 2, 3, 4, 5],
    )
  }
})

test('emitEvent() tells of another part of core, in its transaction or not at all', async () => {
  const t = await testCore()
  const seen = await watch(t)
  const tell = async (generation: number) => {
    const tx = (await t.core.begin(false))!
    const mount = (await t.core.mounts.at(tx, 'secret/'))!
    const event = { type: 'rotation.published', path: 'app/db', generation, password: 'CANARY' }
    emitEvent(tx, { mount: mount.entry, now: t.clock.now() }, event)
    return tx
  }
  await tell(1)
  await t.core.commit(await tell(2))
  const rolled = await tell(3)
  rolled.rollback(undefined)
  equal(rolled.dirty, false)
  await later(t)
  deepEqual(
    seen.events.map(({ type, path, generation }) => [type, path, generation]),
    [['rotation.published', 'secret/app/db', 2]],
  )
  ok(!JSON.stringify(await t.core.keeper.space!.records(0, 9)).includes('CANARY'))
})
