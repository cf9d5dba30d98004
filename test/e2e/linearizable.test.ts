/**
 * What sixteen clients see of two processes could have happened one operation at a time. The checker
 * is shown three servers that are wrong, so that its silence about the right one means something.
 */
import { deepEqual, equal, notDeepEqual, ok } from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryStore } from '../../src/storage/memory.ts'
import { type Store } from '../../src/storage/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { initialize, startNode, unseal } from '../sim/node.ts'
import { type Client } from '../torture/client.ts'
import { type Coffer, endAll, newHome, open } from '../torture/process.ts'
import {
  type Ask,
  type Histories,
  recordHistories,
  violations,
  withStaleRead,
} from '../torture/registers.ts'
import { freshSeed, seeded } from '../torture/seeded.ts'

const CLIENTS = 16
const METHODS = { read: 'GET', write: 'POST', delete: 'DELETE' } as const

after(endAll)

const askOf =
  (client: Client): Ask =>
  (verb, path, body) =>
    client.ask(METHODS[verb], path, body)

/** Sixteen connections, handed to the workers in turn. */
function clientsOf(coffer: Coffer): Client[] {
  return Array.from({ length: CLIENTS }, () => coffer.client(1))
}

const countOf = (histories: Histories) =>
  [...histories.values()].reduce((sum, history) => sum + history.length, 0)

test('10,000 operations over two workers are linearizable', async (t) => {
  const random = seeded(freshSeed())
  t.diagnostic(`seed ${random.seed}`)
  const coffer = await open(newHome(), { workers: 2 })
  const clients = clientsOf(coffer)
  const load = { asks: clients.map(askOf), operations: 10_000, keys: 20, random }
  const histories = await recordHistories(load)
  for (const client of clients) client.close()
  await coffer.kill()
  ok(countOf(histories) > 9_500, `only ${countOf(histories)} of 10,000 were carried out`)
  deepEqual(violations(histories), [])

  // The same histories, each with one read answered from an old cache.
  let spoiled = 0
  for (const [key, history] of histories) {
    const stale = withStaleRead(history, random)
    if (!stale) continue
    spoiled++
    equal(violations(new Map([[key, stale]])).length, 1, `${key}: a stale read was overlooked`)
  }
  ok(spoiled >= 15, `only ${spoiled} keys could be given a stale read`)
})

/** As a network and a disk do it, so that no two events fall into one turn of the event loop. */
function slow(store: Store): Store {
  return {
    ...store,
    async write(batch, expect) {
      await new Promise((done) => setImmediate(done))
      return store.write(batch, expect)
    },
  }
}

/** Never tells that anything has changed: a cache above it never forgets. */
function frozen(store: Store): Store {
  let first: number | undefined
  return {
    ...store,
    async revision() {
      first ??= await store.revision()
      return first
    },
  }
}

/** Two nodes in this process, over one store that the second may see through something. */
async function twoNodes(through: (store: Store) => Store): Promise<Histories> {
  const store = slow(memoryStore())
  const nodes = [store, through(store)].map((each) =>
    startNode({ store: each, clock: systemClock }),
  )
  const keys = await initialize(nodes[0]!)
  await unseal(nodes[1]!, keys)
  const asks = Array.from({ length: CLIENTS }, (_, i): Ask => {
    return async (verb, path, body) => {
      await sleep(0)
      return nodes[i % 2]!.ask(verb, path, body, { token: keys.root })
    }
  })
  const load = { asks, operations: 1_500, keys: 5, random: seeded(freshSeed()) }
  const histories = await recordHistories(load)
  for (const { core } of nodes) core.expiry.stop()
  return histories
}

test('two nodes on one store are linearizable', async () => {
  deepEqual(violations(await twoNodes((store) => store)), [])
})

test('a node that is never told of changes is caught', async () => {
  notDeepEqual(violations(await twoNodes(frozen)), [])
})

/** Accepts a write on whatever condition: two that read the same both win. */
function careless(store: Store): Store {
  return { ...store, write: (batch) => store.write(batch, { keys: [], ranges: [] }) }
}

test('a node that loses updates is caught', async () => {
  notDeepEqual(violations(await twoNodes(careless)), [])
})
