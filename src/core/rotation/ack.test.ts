/** Who may say what about a generation, and what is kept of it. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { rotationHouse } from '../../../test/support/rotation-house.ts'

const PATH = 'fake/static-creds/app'

async function house() {
  const made = await rotationHouse()
  await made.declare('app')
  const policies = {
    app: `path "${PATH}" { capabilities = ["read"] } path "sys/coffer/ack" { capabilities = ["update"] }`,
    other: 'path "sys/coffer/*" { capabilities = ["read", "update", "list"] }',
  }
  for (const [name, policy] of Object.entries(policies)) {
    await made.ask('write', `sys/policies/acl/${name}`, { policy })
  }
  const token = async (policy: string) => {
    const data = { policies: [policy], no_default_policy: true }
    const { body } = await made.ask('write', 'auth/token/create', data)
    return (body['auth'] as { client_token: string }).client_token
  }
  const ack = (as: string, more: Record<string, unknown> = {}) =>
    made.ask(
      'write',
      'sys/coffer/ack',
      { path: PATH, generation: 1, state: 'seen', instance: 'web-1', ...more },
      { token: as },
    )
  const holders = async () => {
    const { body } = await made.ask('read', `sys/coffer/rotate/status/${PATH}`)
    return (body.data as { holders: Record<string, unknown>[] }).holders
  }
  return { ...made, token, ack, holders }
}

test('an ack takes the right to read what it is about', async () => {
  const { token, ack, holders } = await house()
  equal((await ack(await token('other'))).status, 403)
  equal((await ack(await token('other'), { path: 'fake/static-creds/none' })).status, 403)
  equal((await ack(await token('app'))).status, 204)
  deepEqual(
    (await holders()).map(({ instance, state }) => [instance, state]),
    [['web-1', 'seen']],
  )
})

test('nobody speaks for the client of another token while that lives', async () => {
  const { token, ack, ask } = await house()
  const [own, stranger] = [await token('app'), await token('app')]
  equal((await ack(own)).status, 204)
  const { status, body } = await ack(stranger, { state: 'drained' })
  deepEqual([status, body.errors], [403, ['this instance belongs to another token']])
  await ask('write', 'auth/token/revoke', { token: own })
  equal((await ack(stranger, { state: 'drained' })).status, 204)
})

test('an ack says what can be: a generation that was served, and a plain name', async () => {
  const { token, ack } = await house()
  const own = await token('app')
  equal((await ack(own, { generation: 2 })).status, 400)
  equal((await ack(own, { state: 'happy' })).status, 400)
  for (const instance of ['', 'a b', '\u001b[2J', 'x'.repeat(65), '../../x', 'a\nb']) {
    equal((await ack(own, { instance })).status, 400, JSON.stringify(instance))
  }
})

test('one that is gone holds nothing, whatever it had; that it could not use the new one stays', async () => {
  const { token, ack, holders, ask } = await house()
  const [own, stranger] = [await token('app'), await token('app')]
  await ack(own)
  equal((await ask('write', 'fake/rotate-role/app')).status, 204)
  const states = async () =>
    (await holders())
      .filter(({ kind }) => kind === 'client')
      .map(({ instance, state, blocks }) => [instance, state, blocks])
  deepEqual(await states(), [['web-1', 'seen', true]])
  equal((await ack(stranger, { state: 'gone' })).status, 403)
  deepEqual(await states(), [['web-1', 'seen', true]])
  equal((await ack(own, { state: 'gone' })).status, 204)
  deepEqual(await states(), [])
  equal((await ack(own, { state: 'gone' })).status, 204, 'again, or from one that was never known')
  deepEqual(await states(), [])

  await ack(own, { state: 'nack', generation: 2 })
  await ack(own, { state: 'gone', generation: 2 })
  deepEqual(await states(), [['web-1', 'nack', false]])
  await ack(own, { state: 'seen', generation: 2 })
  await ack(own, { state: 'gone', generation: 2 })
  deepEqual(await states(), [])
})

test('a client that never acknowledges is a reader once it has been silent; another one is not', async () => {
  const { token, ask, ack, holders, pass } = await house()
  const [own, other] = [await token('app'), await token('app')]
  const read = (as: string, instance: string) =>
    ask('read', PATH, {}, { token: as, headers: { 'X-Coffer-Instance': instance } })
  await read(own, 'web-1')
  await read(other, 'web-2')
  await ack(other, { instance: 'web-2' })
  equal((await ask('write', 'fake/rotate-role/app')).status, 204)
  await read(own, 'web-1')
  await read(other, 'web-2')
  const blocking = async () =>
    (await holders())
      .filter(({ blocks }) => blocks)
      .map(({ instance }) => String(instance))
      .toSorted((a, b) => a.localeCompare(b))
  deepEqual(await blocking(), ['web-1', 'web-2'], 'their word may yet come')
  await pass(91)
  deepEqual(await blocking(), ['web-2'])
  await ack(own, { state: 'seen', generation: 2 })
  deepEqual(await blocking(), ['web-1', 'web-2'], 'now it has one')
})

test('what a client calls itself cannot draw on a terminal', async () => {
  const { token, ack, holders } = await house()
  await ack(await token('app'), { app: '\u001b[2Jweb', state: 'nack', reason: 'red\u001b[31m' })
  const [shown] = await holders()
  deepEqual([shown?.['app'], shown?.['reason']], ['', 'no reason given'])
})

test('a heartbeat that says nothing new is not stored each time', async () => {
  const { token, ack, core, clock } = await house()
  const own = await token('app')
  await ack(own)
  const before = await core.store.revision()
  await ack(own)
  equal(await core.store.revision(), before)
  clock.advance(30_000)
  await ack(own)
  ok((await core.store.revision()) > before)
})

test('a reader is written once for a generation, and an SDK with its instance', async () => {
  const { core, ask, holders } = await house()
  const first = await ask('read', PATH)
  equal(first.headers['X-Coffer-Generation'], '1')
  const before = await core.store.revision()
  for (let i = 0; i < 5; i++) await ask('read', PATH)
  equal(await core.store.revision(), before)
  await ask('read', PATH, {}, { headers: { 'X-Coffer-Instance': 'web-1', 'X-Coffer-App': 'web' } })
  const kinds = (await holders()).map(({ kind, app }) => `${String(kind)} ${String(app)}`)
  deepEqual(kinds.sort(), ['client web', 'reader '])
  await ask('read', PATH, {}, { headers: { 'X-Coffer-Instance': 'a b; c' } })
  equal((await holders()).length, 2, 'a name that is none makes a reader')
})

test('what is read in a batch is held as well', async () => {
  const { ask, holders } = await house()
  equal((await ask('write', 'sys/coffer/read', { paths: [PATH] })).status, 200)
  equal((await holders()).length, 1)
})

test('no value stands in status, plan, list, events, log or refusals', async () => {
  const { ask, served, events, logs, target, pass, token, ack } = await house()
  const { password } = await served('app')
  await ack(await token('app'))
  await ask('write', 'fake/rotate-role/app')
  target.setPassword('app_b', 'changed')
  await pass(100)
  const texts = [...events, ...logs]
  for (const [verb, path] of [
    ['read', `sys/coffer/rotate/status/${PATH}`],
    ['read', `sys/coffer/rotate/plan/${PATH}`],
    ['read', 'sys/coffer/rotate/report'],
    ['list', 'sys/coffer/rotate'],
    ['write', `sys/coffer/rotate/now/${PATH}`],
    ['write', `sys/coffer/rotate/reconcile/${PATH}`],
  ] as const) {
    texts.push((await ask(verb, path)).text)
  }
  const now = (await served('app')).password
  ok(texts.length > 8)
  for (const text of texts) ok(!text.includes(password) && !text.includes(now), text)
})

test('names that a path can bring are found by their digest, or are nothing', async () => {
  const { ask, token } = await house()
  for (const name of [
    'fake/static-creds/a%00b',
    'fake/static-creds/..',
    'nowhere/at/all',
    'fake/',
    'fake',
  ]) {
    const { status } = await ask('read', `sys/coffer/rotate/status/${name}`)
    ok(status === 404 || status === 400, `${name}: ${status}`)
  }
  match(
    (await ask('read', 'sys/coffer/rotate/status/fake/static-creds/a\'b;"c')).text,
    /no rotation at/,
  )
  const other = await token('other')
  deepEqual(
    (await ask('list', 'sys/coffer/rotate', {}, { token: other })).status,
    404,
    'it may read none',
  )
})
