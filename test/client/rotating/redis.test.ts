/** Both Redis clients on a real Redis: sessions that stay, logged in anew where they stand. */
import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import Ioredis from 'ioredis'
import * as ioredis from 'ioredis'
import * as redis from 'redis'
import { rotatingRedis } from '../../../src/client/client.ts'
import { NO_REDIS, type Redis, startRedis } from '../../support/redis.ts'
import { disorder, House, later, type Login, REF, startWorkers, until } from './house.ts'

const skip = NO_REDIS
const FLIPS = 12
let target: Redis

before(async () => {
  if (!skip) target = await startRedis()
})
after(async () => {
  await target?.[Symbol.asyncDispose]()
})

let passwords = 0

/** Two users; with `name` one user with two passwords. */
async function give(username: string, keep: string[] = []): Promise<Login> {
  const password = `${username}-p@ss/${++passwords}`
  const words = ['on', 'resetpass', ...keep.map((old) => `>${old}`), `>${password}`]
  await target.command('ACL', 'SETUSER', username, ...words, '~*', '&*', '+@all')
  return { username, password }
}
const take = (username: string) => target.command('ACL', 'SETUSER', username, 'off', 'resetpass')

/** Of the sessions that name themselves ours: which users they are. */
async function users(): Promise<string[]> {
  const list = (await target.command('CLIENT', 'LIST')) as string
  const ours = list.split('\n').filter((line) => /name=coffer:shop:[0-9a-f]{8} /.test(line))
  return ours.map((line) => / user=(\S+)/.exec(line)?.[1] ?? '').sort()
}

type Open = { get(key: string): Promise<unknown>; close(): Promise<unknown> }
const clients: [name: string, open: (house: House, intervalMs?: number) => Promise<Open>][] = [
  [
    'redis',
    async (house, intervalMs) => {
      const url = `redis://nobody:wrong@127.0.0.1:${target.port}`
      const client = await rotatingRedis(redis, REF, {
        ...house.options(intervalMs),
        redis: { url },
      })
      return { get: (key) => client.get(key), close: () => client.close() }
    },
  ],
  [
    'ioredis',
    async (house, intervalMs) => {
      const client = await rotatingRedis(ioredis, REF, {
        ...house.options(intervalMs),
        redis: { host: '127.0.0.1', port: target.port },
      })
      return { get: (key) => client.get(key), close: () => client.quit() }
    },
  ],
]

for (const [name, open] of clients) {
  test(
    `rotatingRedis(${name}) lets no error through while users and passwords flip`,
    { skip },
    async () => {
      const first = await give('app_a')
      await using house = await House.open(first)
      const client = await open(house)
      const control = startWorkers(1, async () => {
        const other = await target.connect({ username: 'app_a', password: first.password })
        other.destroy()
      })
      const workers = startWorkers(8, async () => void (await client.get('key')))
      for (let flip = 1; flip <= FLIPS; flip++) {
        const [now, before] = flip % 2 === 1 ? ['app_b', 'app_a'] : ['app_a', 'app_b']
        const generation = house.publish(await give(now))
        await house.acked(generation, 'drained')
        deepEqual(
          (await users()).filter((user) => user === before),
          [],
        )
        // Ends the sessions of that user, if there were any.
        await target.command('ACL', 'DELUSER', before)
        await later(50)
      }
      const { done, errors } = await workers.stop()
      const missed = await control.stop()
      await client.close()
      deepEqual(errors, [])
      ok(done > FLIPS * 8)
      ok(missed.errors.length > 0)
      deepEqual(disorder(house.acks), [])
      deepEqual(house.errors, [])
    },
  )

  test(
    `rotatingRedis(${name}) comes back with the newest login after a cut`,
    { skip },
    async () => {
      await using house = await House.open(await give('app_a'))
      // No look will come in time: only the reconnect can find out.
      const client = await open(house, 600_000)
      await house.acked(1, 'applied')
      const login = await give('app_b')
      house.publish(login)
      await take('app_a')
      await target.command('CLIENT', 'KILL', 'USER', 'app_a')
      // What was cut off in the middle may fail; what comes after it may not.
      await client.get('key').catch(() => {})
      equal(await client.get('key'), null)
      deepEqual(await users(), ['app_b'])
      await client.close()
    },
  )
}

test('rotatingRedis() follows duplicates as well, subscribers among them', { skip }, async () => {
  await using house = await House.open(await give('app_a'))
  const place = { host: '127.0.0.1', port: target.port }
  const client = await rotatingRedis(redis, REF, {
    ...house.options(),
    redis: { socket: place },
  })
  const heard: string[] = []
  const copy = client.duplicate()
  await copy.connect()
  await copy.subscribe('news', (message) => void heard.push(message))
  throws(() => client.createPool(), TypeError)
  const other = await rotatingRedis(Ioredis, REF, {
    ...house.options(),
    redis: { ...place, protocol: 2 },
  })
  const second = other.duplicate()
  await second.subscribe('news')
  second.on('message', (_channel, message) => void heard.push(message))
  await until(async () => (await users()).length >= 4)
  const generation = house.publish(await give('app_b'))
  await until(() => house.states(generation).filter((state) => state === 'drained').length >= 2)
  await until(async () => (await users()).length >= 4)
  deepEqual(new Set(await users()), new Set(['app_b']))
  await client.publish('news', 'one')
  await until(() => heard.length >= 2)
  copy.destroy()
  second.disconnect()
  await client.close()
  await other.quit()
})

test('rotatingRedis() follows one user with two passwords', { skip }, async () => {
  const first = await give('app_c')
  await using house = await House.open(first)
  const [, open] = clients[0]!
  const client = await open(house)
  const generation = house.publish(await give('app_c', [first.password]))
  await house.acked(generation, 'drained')
  equal(await client.get('key'), null)
  await client.close()
})

test(
  'rotatingRedis() rejects a login that is refused from the start, and another module',
  { skip },
  async () => {
    await using house = await House.open({ username: 'app_a', password: 'canary' })
    await take('app_a')
    const socket = { port: target.port, reconnectStrategy: false as const }
    const one = rotatingRedis(redis, REF, { ...house.options(), redis: { socket } })
    await rejects(one, /WRONGPASS/)
    const place = { port: target.port, retryStrategy: null }
    await rejects(rotatingRedis(ioredis, REF, { ...house.options(), redis: place }), /WRONGPASS/)
    await rejects(rotatingRedis({} as typeof redis, REF, house.options()), TypeError)
  },
)
