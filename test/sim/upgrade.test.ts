/** Giving a kv mount its versions: seen at once by all, whatever crashes while it is converted. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { kvV1 } from '../../src/secrets/kv/v1.ts'
import { memoryStore } from '../../src/storage/memory.ts'
import { type Store } from '../../src/storage/store.ts'
import { fakeClock } from '../support/test-core.ts'
import { faultyStore } from './faulty-store.ts'
import { initialize, type Keys, type Node, startNode, unseal } from './node.ts'

const COUNT = 130
const names = Array.from({ length: COUNT }, (_, i) => `f${i % 3}/k${i}`)

type World = { node: Node; keys: Keys; token: { token: string } }
const clock = fakeClock()

async function filled(store: Store): Promise<World> {
  const node = startNode({ store, clock, engines: [kvV1] })
  const keys = await initialize(node)
  const token = { token: keys.root }
  await node.ask('write', 'sys/mounts/old', { type: 'kv' }, token)
  for (const [i, name] of names.entries()) {
    equal((await node.ask('write', `old/${name}`, { n: i }, token)).status, 204)
  }
  return { node, keys, token }
}

async function reopened(store: Store, { keys, token }: World): Promise<World> {
  const node = startNode({ store, clock, engines: [kvV1] })
  await unseal(node, keys)
  return { node, keys, token }
}

const tune = ({ node, token }: World) =>
  node.ask('write', 'sys/mounts/old/tune', { options: { version: '2' } }, token)

const version = async ({ node, token }: World) => {
  const { body } = await node.ask('read', 'sys/mounts/old', {}, token)
  return (body['data'] as { options?: { version?: string } | null }).options?.version ?? '1'
}

/** Requests of one turn share a look at the store, which is right for those that come by socket. */
const nextTurn = () => new Promise(setImmediate)

type Read = { data: { data: unknown; metadata: { version: number; created_time: string } } }

async function read({ node, token }: World, name: string, data = {}): Promise<Read['data']> {
  await nextTurn()
  const { status, body } = await node.ask('read', `old/data/${name}`, data, token)
  equal(status, 200, `${name} is there`)
  return (body as Read).data
}

/** All but `changed` as they were before; the lists whole. */
async function checkAll(world: World, changed: ReadonlySet<string>): Promise<void> {
  const { node, token } = world
  for (const [i, name] of names.entries()) {
    const { data, metadata } = await read(world, name, { version: 1 })
    deepEqual(data, { n: i })
    equal(metadata.version, 1)
    const { body } = await node.ask('read', `old/metadata/${name}`, {}, token)
    const about = body['data'] as { current_version: number }
    equal(about.current_version, changed.has(name) ? 2 : 1, name)
  }
  const { body } = await node.ask('scan', 'old/metadata', {}, token)
  deepEqual((body['data'] as { keys: string[] }).keys, names.toSorted())
}

/** The entries of the mount that are still of the old form, and the row that asks for more work. */
async function leftOf({ node }: World): Promise<number> {
  const tx = (await node.core.begin(false))!
  const { mounts } = await node.core.mounts.table(tx)
  const { uuid } = mounts.find(({ path }) => path === 'old/')!
  const rows = [...(await tx.list(`m/${uuid}/data/`)), ...(await tx.list('upgrade/'))]
  return rows.length + ((await tx.get(`m/${uuid}/upgrade`)) ? 1 : 0)
}

async function passes(world: World): Promise<void> {
  for (let n = 0; n < 5 && (await leftOf(world)) > 0; n++) {
    clock.advance(20_000)
    await world.node.core.expiry.pass()
  }
  equal(await leftOf(world), 0)
}

test('an upgraded mount reads the same before, while and after it is converted', async () => {
  const world = await filled(memoryStore())
  const { node, token } = world
  const tuned = await tune(world)
  equal(tuned.status, 200)
  deepEqual(tuned.body['warnings'], [
    'Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will resume service shortly.',
  ])
  equal((await tune(world)).status, 204)
  const down = await node.ask('write', 'sys/mounts/old/tune', { options: { version: '1' } }, token)
  deepEqual(down.body['errors'], ['cannot downgrade mount from version 2'])
  await checkAll(world, new Set())
  const before = await read(world, names[0]!)
  const [first = '', gone = '', noted = '', dead = ''] = names
  await node.ask('write', `old/data/${first}`, { data: { n: 'new' }, options: { cas: 1 } }, token)
  equal((await node.ask('delete', `old/metadata/${gone}`, {}, token)).status, 204)
  await node.ask('write', `old/data/${gone}`, { data: { n: 1 }, options: { cas: 0 } }, token)
  await node.ask('patch', `old/metadata/${noted}`, { custom_metadata: { a: 'b' } }, token)
  await node.ask('write', `old/destroy/${dead}`, { versions: [1] }, token)
  equal((await node.ask('read', `old/data/${dead}`, {}, token)).status, 404)
  await node.ask('write', 'sys/mounts/old/tune', { description: 'x' }, token)
  await passes(world)
  equal((await node.ask('read', `old/data/${dead}`, {}, token)).status, 404)
  const after = await read(world, first, { version: 1 })
  deepEqual(after, before)
  equal((await read(world, first)).metadata.version, 2)
  deepEqual((await read(world, noted)).data, { n: 2 })
  deepEqual((await node.ask('scan', 'old/metadata', {}, token)).body['data'], {
    keys: names.toSorted(),
  })
})

test('an upgrade comes to its end after a crash at each of its writes', async () => {
  for (const how of ['before', 'after'] as const) {
    for (let at = 1; ; at++) {
      const disk = memoryStore()
      const store = faultyStore(disk)
      const world = await filled(store)
      store.breakAt(at, how, false)
      const changed = names[7]!
      const change = (to: World) =>
        to.node.ask(
          'write',
          `old/data/${changed}`,
          { data: { n: 'x' }, options: { cas: 1 } },
          token,
        )
      const { token } = world
      const tuned = await tune(world)
      const written = tuned.status === 200 ? await change(world) : undefined
      for (let n = 0; n < 4; n++) {
        clock.advance(20_000)
        await world.node.core.expiry.pass().catch(() => {})
      }
      const crashed = store.broken
      const next = await reopened(disk, world)
      const isNew = (await version(next)) === '2'
      if (tuned.status === 200) ok(isNew, 'what was answered is there')
      if (!isNew) equal((await tune(next)).status, 200)
      const now = (await read(next, changed)).metadata.version
      if (written?.status === 200) equal(now, 2, 'a write that was answered is there')
      if (now === 1) equal((await change(next)).status, 200)
      await checkAll(next, new Set([changed]))
      await passes(next)
      await checkAll(next, new Set([changed]))
      if (!crashed) break
    }
  }
})

test('an upgrade loses no write and hides no key, whichever of two nodes asks', async () => {
  const store = memoryStore()
  const one = await filled(store)
  const two = await reopened(store, one)
  const worlds = [one, two] as const
  const answered = new Map<string, unknown>(names.map((name, i) => [name, { n: i }]))
  const work = names.map(async (name, i) => {
    const world = worlds[i % 2]!
    const { node, token } = world
    for (let n = 0; ; n++) {
      await nextTurn()
      const old = await node.ask('write', `old/${name}`, { n: `old ${n}` }, token)
      if (old.status !== 204) break
      answered.set(name, { n: `old ${n}` })
    }
    deepEqual((await read(worlds[(i + 1) % 2]!, name)).data, answered.get(name))
    if (i % 3 > 0) return
    const data = { n: `new ${i}` }
    const body = { data, options: { cas: 1 } }
    equal((await node.ask('write', `old/data/${name}`, body, token)).status, 200)
    answered.set(name, data)
  })
  const convert = async () => {
    await nextTurn()
    equal((await tune(one)).status, 200)
    for (let n = 0; n < 6; n++) {
      clock.advance(20_000)
      await Promise.all(worlds.map(({ node }) => node.core.expiry.pass()))
    }
  }
  await Promise.all([...work, convert()])
  await passes(two)
  for (const world of worlds) {
    for (const [name, data] of answered) deepEqual((await read(world, name)).data, data)
  }
})

test('a mount of a namespace is upgraded like one of the root', async () => {
  const store = memoryStore()
  const node = startNode({ store, clock, engines: [kvV1] })
  const keys = await initialize(node)
  const token = { token: keys.root }
  await node.ask('write', 'sys/namespaces/team', {}, token)
  await node.ask('write', 'team/sys/mounts/old', { type: 'kv' }, token)
  equal((await node.ask('write', 'team/old/a/b', { n: 1 }, token)).status, 204)
  const options = { version: '2' }
  equal((await node.ask('write', 'team/sys/mounts/old/tune', { options }, token)).status, 200)
  for (let n = 0; n < 3; n++) {
    const { body } = await node.ask('read', 'team/old/data/a/b', {}, token)
    deepEqual((body as Read).data.data, { n: 1 })
    clock.advance(20_000)
    await node.core.expiry.pass()
  }
  const tx = (await node.core.begin(false))!
  const [uuid = ''] = await tx.list('ns/')
  deepEqual(await tx.list(`ns/${uuid}upgrade/`), [])
  const [mount = ''] = (await tx.list(`ns/${uuid}m/`)).filter((each) => each !== 'cubbyhole/')
  const left = await Promise.all(
    (await tx.list(`ns/${uuid}m/`)).map((m) => tx.list(`ns/${uuid}m/${m}data/`)),
  )
  deepEqual(left.flat(), [], mount)
})
