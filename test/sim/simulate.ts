/**
 * A life of one server under one seed: random operations and random time, a store that breaks at a
 * random write, a new node on what is left (or the same one, when the store fails only once), and a
 * look at everything before it goes on.
 */
import { memoryStore } from '../../src/storage/memory.ts'
import { fakeClock } from '../support/test-core.ts'
import { type Findings } from '../torture/ledger.ts'
import { seeded } from '../torture/seeded.ts'
import { check, checkEnd } from './check.ts'
import { type Break, faultyStore } from './faulty-store.ts'
import { initialize, type Keys, startNode, unseal } from './node.ts'
import { anyOperation, POLICY, ROLE, type Site } from './operations.ts'
import { rental } from './rental.ts'
import { newWorld, type World } from './world.ts'

export type Simulation = {
  seed: number
  breaks: number
  ways: readonly Break[]
}

export type SimulationResult = Findings & World['counts']

/** Longer than the duty of a node that has died, so that the next one can take it. */
const TAKE_OVER_MS = 16_000
const WRITES_MAX = 20
const STEPS_MAX = 400
const DAY_MS = 86_400_000

export async function simulate({ seed, breaks, ways }: Simulation): Promise<SimulationResult> {
  const random = seeded(seed)
  const world = newWorld(random)
  const clock = fakeClock()
  const disk = memoryStore()
  const findings: Findings = { lost: [], half: [] }
  const engines = [rental(world.givenBack)]

  async function start(keys?: Keys) {
    const store = faultyStore(disk)
    const node = startNode({ store, clock, engines })
    const opened = keys ?? (await initialize(node, ['rental']))
    if (keys) await unseal(node, keys)
    const site: Site = { node, root: opened.root, world, now: () => clock.now() }
    return { store, node, site, keys: opened }
  }

  let life = await start()
  await prepare(life.site)
  for (let i = 0; i < breaks && findings.lost.length === 0; i++) {
    const mends = random.below(3) === 0
    life.store.breakAt(1 + random.below(WRITES_MAX), random.pick(ways), mends)
    for (let step = 0; !life.store.broken && step < STEPS_MAX; step++) {
      if (random.below(8) === 0) {
        clock.advance(random.below(120_000))
        await settled()
        await life.node.core.expiry.pass().catch(() => {})
      } else {
        await anyOperation(life.site)
      }
    }
    if (!mends) {
      life.node.core.expiry.stop()
      life = await start(life.keys)
    }
    world.counts.breaks++
    clock.advance(TAKE_OVER_MS)
    await tidy(life.site)
    await check(life.site, findings)
  }
  clock.advance(DAY_MS)
  await tidy(life.site)
  checkEnd(world, findings)
  life.node.core.expiry.stop()
  return { ...findings, ...world.counts }
}

/** The first pass ends tokens and with them their leases, the second gives back what was lent. */
async function tidy({ node }: Site): Promise<void> {
  await settled()
  await node.core.expiry.pass()
  await node.core.expiry.pass()
}

/** Lets what a timer has begun come to its end. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done))
}

/** A policy that may everything, and a role whose secret ids are good for one login. */
async function prepare({ node, root }: Site): Promise<void> {
  const role = { secret_id_num_uses: 1, token_ttl: '1h', token_policies: ['sim'] }
  const answers = [
    await node.ask('write', 'sys/policies/acl/sim', { policy: POLICY }, { token: root }),
    await node.ask('write', ROLE, role, { token: root }),
    await node.ask('write', `${ROLE}/role-id`, { role_id: 'sim-role-id' }, { token: root }),
  ]
  const wrong = answers.find(({ status }) => status !== 204)
  if (wrong) throw new Error(`the simulation could not be prepared: ${wrong.status}`)
}
