/** Who is told what: only what they may read at that moment, and nothing once they may not. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { identityHouse } from '../../../test/support/identity-house.ts'
import { tenants } from '../../../test/support/namespaces.ts'
import { putPolicy, tokenWith } from '../../../test/support/policy-token.ts'
import { testCore, type TestCore } from '../../../test/support/test-core.ts'
import { memoryStore } from '../../storage/memory.ts'
import { emitEvent } from './events.ts'
import { settled, type Watching, watch } from '../../../test/support/watching.ts'

const WATCH = 'path "sys/coffer/watch" { capabilities = ["read"] }\n'
const reads = (...paths: string[]) =>
  paths.map((path) => `path "${path}" { capabilities = ["read"] }\n`).join('')

async function later({ clock }: TestCore, ms = 300): Promise<void> {
  await settled()
  clock.advance(ms)
  await settled()
}

const put = (t: TestCore, path: string) => t.ask('write', `secret/data/${path}`, { data: { v: 1 } })
const paths = ({ events }: Watching) => events.map(({ path }) => path)

/** A watch of a token with this policy. */
async function watcher(t: TestCore, policy: string, prefix = '') {
  await putPolicy(t, 'w', WATCH + policy)
  const { id, accessor } = await tokenWith(t, ['w'])
  return { seen: await watch(t, { token: id, prefix }), id, accessor }
}

test('a watch needs a token that may read the endpoint', async () => {
  const t = await testCore()
  equal((await watch(t, { token: '' })).status, 403)
  equal((await watch(t, { token: 'hvs.none' })).status, 403)
  await putPolicy(t, 'other', reads('secret/*'))
  const { id } = await tokenWith(t, ['other'])
  equal((await watch(t, { token: id })).status, 403)
  equal((await watch(t, { token: (await tokenWith(t, ['default'])).id })).status, 200)
})

test('a watch shows what may be read as data or as metadata, and nothing else', async () => {
  const t = await testCore()
  const { seen } = await watcher(
    t,
    reads('secret/data/a', 'secret/metadata/b', 'secret/delete/c', 'secret/d', 'kv1/x') +
      'path "secret/metadata/e" { capabilities = ["list", "update"] }\n' +
      'path "secret/data/f" { capabilities = ["deny"] }\n' +
      'path "secret/data/g" { capabilities = ["read"] min_wrapping_ttl = "1m" max_wrapping_ttl = "2m" }\n',
  )
  for (const path of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'a/b']) await put(t, path)
  await t.ask('write', 'kv1/x', { v: 1 })
  await t.ask('write', 'kv1/y', { v: 1 })
  await later(t)
  deepEqual(paths(seen), ['secret/a', 'secret/b', 'kv1/x'])
})

test('a move tells nobody where it went who may not read there', async () => {
  const t = await testCore()
  await put(t, 'a')
  const { seen } = await watcher(t, reads('secret/data/a'))
  await t.ask('write', 'sys/coffer/kv/move', { from: 'secret/a', to: 'secret/hidden' })
  await later(t)
  deepEqual(
    seen.events.map(({ type, path }) => `${type} ${path}`),
    ['kv.move secret/a'],
  )
  ok(!seen.text.includes('hidden'))
})

const NAMES = ['a', 'b', 'a/b', 'a/c', 'B', 'deep/er/x']
const PATTERNS = ['*', 'a', 'a*', 'a/*', '+', '+/b', 'deep/+/x', 'b', 'B']
const rule = fc.record({
  mount: fc.constantFrom('secret/data/', 'secret/metadata/', 'kv1/', 'secret/'),
  pattern: fc.constantFrom(...PATTERNS),
  can: fc.constantFrom('read', 'read', 'list', 'deny', 'read", "list'),
})
const writes = fc.array(fc.record({ kv1: fc.boolean(), name: fc.constantFrom(...NAMES) }), {
  minLength: 1,
  maxLength: 8,
})

test('a watch shows exactly what a read would be allowed, whatever the policies', async () => {
  const t = await testCore()
  const policy = (rules: { mount: string; pattern: string; can: string }[]) =>
    rules.map((r) => `path "${r.mount}${r.pattern}" { capabilities = ["${r.can}"] }\n`).join('')
  const rules = fc.array(rule, { maxLength: 5 })
  let shown = 0
  let hidden = 0
  await fc.assert(
    fc.asyncProperty(rules, rules, writes, async (before, after, done) => {
      const { seen, id } = await watcher(t, policy(before))
      for (const [phase, now] of [before, after].entries()) {
        await putPolicy(t, 'w', WATCH + policy(now))
        const wanted: string[] = []
        const from = seen.events.length
        for (const { kv1, name } of done) {
          if (kv1) await t.ask('write', `kv1/${name}`, { v: 1 })
          else await put(t, name)
          const asked = kv1 ? [`kv1/${name}`] : [`secret/data/${name}`, `secret/metadata/${name}`]
          const answers = await Promise.all(asked.map((p) => t.ask('read', p, {}, { token: id })))
          const may = answers.some(({ status }) => status !== 403)
          if (may) wanted.push(kv1 ? `kv1/${name}` : `secret/${name}`)
          if (may) shown++
          else hidden++
        }
        await later(t)
        deepEqual(paths(seen).slice(from), wanted, `phase ${phase}`)
      }
      seen.cut()
    }),
    { numRuns: 60 },
  )
  ok(shown > 25 && hidden > 25, `${shown} shown, ${hidden} hidden`)
})

test('what a policy loses is not told any more, and what it gains is', async () => {
  const t = await testCore()
  const { seen } = await watcher(t, reads('secret/data/a'))
  await put(t, 'a')
  await later(t)
  // Told by the same process before it has looked again.
  await putPolicy(t, 'w', WATCH + reads('secret/data/b'))
  await put(t, 'a')
  await put(t, 'b')
  await later(t)
  deepEqual(paths(seen), ['secret/a', 'secret/b'])
  await putPolicy(t, 'w', reads('secret/data/b'))
  await later(t)
  equal(seen.ended, true)
  match(seen.text, /: ended: the policies do not allow it any more\n\n$/)
})

const ENDINGS: [
  string,
  RegExp,
  (t: TestCore, token: { id: string; accessor: string }) => unknown,
][] = [
  [
    'is revoked',
    /the token has ended/,
    (t, { accessor }) => t.ask('write', 'auth/token/revoke-accessor', { accessor }),
  ],
  ['has come to its time', /the token has ended/, (t) => t.clock.advance(3_600_000)],
  ['is sealed away', /sealed/, (t) => t.ask('write', 'sys/seal')],
  [
    'watches a mount that moves',
    /reset[^]*the mount has moved/,
    async (t) => {
      await t.ask('write', 'sys/remount', { from: 'secret', to: 'moved' })
    },
  ],
  [
    'watches a mount that is disabled',
    /reset[^]*the mount has moved/,
    (t) => t.ask('delete', 'sys/mounts/secret'),
  ],
]
for (const [title, why, act] of ENDINGS) {
  test(`a watch ends when its token ${title}`, async () => {
    const t = await testCore()
    const { seen, ...token } = await watcher(t, reads('secret/*', 'moved/*'), 'secret/')
    await put(t, 'a')
    await later(t)
    equal(seen.ended, false)
    await act(t, token)
    await later(t, 1500)
    equal(seen.ended, true)
    match(seen.text, why)
    deepEqual(paths(seen).slice(0, 1), ['secret/a'])
    const { length } = seen.text
    await put(t, 'b')
    await t.ask('write', 'moved/data/b', { data: { v: 1 } })
    await later(t)
    equal(seen.text.length, length)
  })
}

test('a watch of everything follows a mount to its new place', async () => {
  const t = await testCore()
  const { seen } = await watcher(t, reads('moved/*'))
  await put(t, 'a')
  await t.ask('write', 'sys/remount', { from: 'secret', to: 'moved' })
  await later(t, 1500)
  await t.ask('write', 'moved/data/b', { data: { v: 1 } })
  await later(t)
  // By the name it has when it is told: the first was told after the move, or was not to be seen.
  deepEqual([seen.ended, paths(seen).at(-1)], [false, 'moved/b'])
})

test('a watch ends when another token has come to have the same id', async () => {
  const t = await testCore()
  const make = () => tokenWith(t, ['default'], { id: 'chosen' })
  const { accessor } = await make()
  const seen = await watch(t, { token: 'chosen' })
  await t.ask('write', 'auth/token/revoke-accessor', { accessor })
  await make()
  await later(t, 1500)
  deepEqual([seen.status, seen.ended], [200, true])
})

test('a watch ends when the entity of its token is disabled', async () => {
  const house = await identityHouse()
  const { token, entityId } = await house.logIn({ alias: 'alice' })
  const seen = await watch(house, { token })
  equal(seen.status, 200)
  await house.must('write', `identity/entity/id/${entityId}`, { disabled: true })
  await later(house, 1500)
  equal(seen.ended, true)
})

test('an event is of the namespace it was told in, whatever its mount is called', async () => {
  const t = await tenants()
  const seen = [await watch(t), await watch(t, { namespace: 'a' })]
  const tx = (await t.core.begin(false))!
  const mount = (await t.core.mounts.at(tx, 'kv1/'))!
  const home = { id: await t.idOf('a'), uuid: 'ffffffff-0000-4000-8000-000000000000' }
  const event = { type: 'kv.write', path: 'x' }
  emitEvent(tx, { mount: mount.entry, home, now: t.clock.now() }, event)
  await t.core.commit(tx)
  await later(t)
  deepEqual(seen.map(paths), [[], []])
})

test('a watch is of one namespace: none above, beside or below it', async () => {
  const t = await tenants()
  for (const namespace of ['', 'a', 'a/b', 'c']) {
    await t.ask('write', 'sys/mounts/kv', { type: 'kv' }, { namespace })
  }
  const { client_token: ofA } = await t.admin('a')
  const seen = {
    root: await watch(t),
    a: await watch(t, { namespace: 'a', token: ofA }),
    b: await watch(t, { namespace: 'a/b', token: ofA }),
  }
  equal((await watch(t, { namespace: 'c', token: ofA })).status, 403)
  equal((await watch(t, { token: ofA })).status, 403)
  for (const namespace of ['', 'a', 'a/b', 'c']) {
    await t.ask('write', `kv/in-${namespace.replace('/', '-')}`, { v: 1 }, { namespace })
  }
  await later(t)
  deepEqual(paths(seen.root), ['kv/in-'])
  deepEqual(paths(seen.a), ['kv/in-a'])
  deepEqual(paths(seen.b), ['kv/in-a-b'])
  // An id of one namespace is a place in the same log, and shows no more than that one's.
  const other = await watch(t, { namespace: 'a', token: ofA, after: seen.root.events[0]!.id })
  deepEqual(paths(other), ['kv/in-a'])
  await t.ask('write', 'sys/namespaces/api-lock/lock', {}, { namespace: 'a' })
  await later(t, 1500)
  deepEqual([seen.root.ended, seen.a.ended, seen.b.ended], [false, true, true])
})

test('what is written after a policy has changed is never told by the one before', async () => {
  const store = memoryStore()
  let meanwhile: (() => Promise<void>) | undefined
  const t = await testCore({
    store: {
      ...store,
      async log(after, limit) {
        // Between the question who may see something and the answer what there is, or the other way.
        const act = limit > 1 ? meanwhile : undefined
        if (act) meanwhile = undefined
        await act?.()
        return store.log(after, limit)
      },
    },
  })
  const { seen } = await watcher(t, reads('secret/data/a'))
  await put(t, 'a')
  await later(t)
  equal(seen.events.length, 1)
  meanwhile = async () => {
    await putPolicy(t, 'w', WATCH)
    await put(t, 'a')
  }
  await put(t, 'b')
  await later(t)
  await later(t)
  deepEqual([meanwhile, paths(seen)], [undefined, ['secret/a']])
})
