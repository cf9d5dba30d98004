/**
 * One role's life under one seed: rotations, apps that follow them, faults at every point, servers
 * that die, and after each moment the question whether anybody has been stranded.
 */
import { idOf, type RotationEntry } from '../../../src/core/rotation/record.ts'
import { memoryStore } from '../../../src/storage/memory.ts'
import { fakeClock } from '../../support/test-core.ts'
import { seeded } from '../../torture/seeded.ts'
import { faultyStore } from '../faulty-store.ts'
import { initialize, type Keys, startNode, unseal } from '../node.ts'
import { type App, type Asks, client, reader } from './apps.ts'
import { gate, HOWS, type Life, POINTS } from './gate.ts'
import { type MakeSubject } from './subject.ts'

export type RotationRun = {
  seed: number
  steps: number
  subject: MakeSubject
  /** Only what is served, and nobody who holds an older one. */
  servedOnly?: boolean
}

export type RotationResult = {
  /** What must never happen, and did. */
  wrong: string[]
  logins: number
  published: number
  kills: number
  struck: Map<string, number>
}

/** Longer than the duty of a server that has died. */
const TAKE_OVER_MS = 16_000
const READER_SECONDS = 50

export async function simulateRotation(run: RotationRun): Promise<RotationResult> {
  const random = seeded(run.seed)
  const clock = fakeClock()
  const disk = memoryStore()
  const subject = await run.subject(clock)
  const wrong: string[] = []
  const struck = new Map<string, number>()
  let [logins, published, kills] = [0, 0, 0]
  const faults = gate(clock)

  async function start(keys?: Keys) {
    const store = faultyStore(disk)
    const own: Life = {
      dead: false,
      kill() {
        own.dead = true
        store.breakAt(1, 'before', false)
      },
    }
    const engine = subject.engine(faults.of(own))
    const node = startNode({ store, clock, engines: [engine] })
    const opened = keys ?? (await initialize(node, [engine.type]))
    if (keys) await unseal(node, keys)
    node.core.expiry.stop()
    node.core.rotation.stop()
    return { store, node, keys: opened, mountPath: `${engine.type}/`, own }
  }

  let server = await start()
  const { root } = server.keys
  const asks: Asks = async (verb, path, data, options) => {
    const answer = await server.node.ask(verb, path, data, { token: root, ...options })
    return { ...answer, headers: answer.headers ?? {} }
  }
  const full = (path: string) => server.mountPath + path

  const tx = (await server.node.core.begin(false))!
  const mount = (await server.node.core.mounts.at(tx, server.mountPath))!.entry.uuid
  const entryNow = (): Promise<RotationEntry | undefined> =>
    server.node.core.rotation.ask.entry(undefined, idOf(mount, subject.readPath))

  async function newToken(): Promise<string> {
    const { body } = await asks(
      'write',
      'auth/token/create',
      { policies: ['sim'], ttl: '700h' },
      {},
    )
    return (body['auth'] as { client_token: string }).client_token
  }
  const policy = `path "${server.mountPath}*" { capabilities = ["read"] }
    path "sys/coffer/ack" { capabilities = ["update"] }`
  await asks('write', 'sys/policies/acl/sim', { policy }, {})
  const about = async () => ({ path: full(subject.readPath), token: await newToken(), random })
  // Asks at every moment: what is served must always work.
  const apps: App[] = [reader('served', await about(), 0)]
  const holders: App[] = [
    client('client-1', await about()),
    client('client-2', await about()),
    reader('reader-1', await about(), READER_SECONDS),
    reader('reader-2', await about(), READER_SECONDS),
  ]
  if (!run.servedOnly) apps.push(...holders)

  /** Lets what is due happen; the clock goes on when somebody waits for it. */
  async function work(): Promise<void> {
    const progress = { over: false }
    const passing = server.node.core.rotation
      .pass()
      .catch(() => {})
      .finally(() => (progress.over = true))
    for (let waited = 0; !progress.over && waited < 40; waited++) {
      if (subject.patienceMs > 0) {
        await Promise.race([passing, new Promise((go) => setTimeout(go, subject.patienceMs))])
      } else await settled(() => progress.over)
      if (!progress.over) clock.advance(5_000)
    }
  }

  async function restartIfDead(): Promise<void> {
    if (!server.own.dead && !server.store.broken) return
    server.own.kill()
    kills++
    server = await start(server.keys)
    clock.advance(TAKE_OVER_MS)
  }

  async function look(when: string): Promise<void> {
    for (const app of apps) {
      for (const { generation, credential } of app.holds) {
        logins++
        if (await subject.login(credential)) continue
        const entry = await entryNow()
        wrong.push(
          `${when}: ${app.name} cannot log in with generation ${generation} (${entry?.state})`,
        )
      }
    }
    const entry = await entryNow()
    if (entry?.candidate && entry.previous) wrong.push(`${when}: two generations in flight`)
    if (entry?.current) published = Math.max(published, entry.current.number)
  }

  /** Requests are not waited for: a server may die on the way to the answer. */
  const send = (path: string, data: Record<string, unknown> = {}) => {
    asks('write', path, data, {}).catch(() => {})
  }
  const rotate = (act: string, data = {}) =>
    send(`sys/coffer/rotate/${act}/${full(subject.readPath)}`, data)

  function anything(): void {
    switch (random.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return send(full(subject.rotatePath))
      case 4:
        return rotate('rollback')
      case 5:
        return rotate('hold', { because: 'sim' })
      case 6:
        return rotate('reconcile')
      case 7:
      case 8:
      case 9:
        return faults.arm(random.pick(POINTS), random.pick(HOWS))
      case 10:
        return server.store.breakAt(
          1 + random.below(8),
          random.pick(['before', 'after'] as const),
          false,
        )
      default:
    }
  }

  async function moment(step: number, lively: boolean): Promise<void> {
    if (lively && random.below(3) > 0) anything()
    await settled(() => false)
    await work()
    await restartIfDead()
    for (const app of apps) await app.act(asks, clock.now())
    await restartIfDead()
    // A hold is no end: somebody takes it away again.
    if ((await entryNow())?.held?.reason === 'operator' && random.below(4) === 0) {
      rotate('release', { because: 'sim' })
    }
    await work()
    await restartIfDead()
    await look(`step ${step}`)
    clock.advance(1_000 + random.below(14_000))
  }

  await asks('write', full(subject.declare.path), subject.declare.data, {})
  for (let step = 0; step < run.steps && wrong.length === 0; step++) await moment(step, true)

  faults.disarm()
  if (!server.store.broken) server.store.breakAt(Infinity, 'before', false)
  for (let step = run.steps; step < run.steps + 400 && wrong.length === 0; step++) {
    await moment(step, false)
    const entry = await entryNow()
    if (!entry || isSettled(entry)) break
    if (entry.held && !['drain', 'nack'].includes(entry.held.reason)) {
      rotate('release', { because: 'the end' })
    }
  }
  const last = await entryNow()
  if (last && wrong.length === 0) {
    if (!isSettled(last))
      wrong.push(
        `does not converge: ${last.state} ${last.held?.reason ?? ''} ${last.trouble ?? ''}`,
      )
    const known = last.current ? [last.current.credential] : []
    for (const stranger of await subject.strangers(known))
      wrong.push(`left on the target: ${stranger}`)
  }
  for (const [name, count] of faults.struck) struck.set(name, count)
  server.own.kill()
  await subject.close?.()
  return { wrong, logins, published, kills, struck }
}

const isSettled = (entry: RotationEntry): boolean =>
  entry.state === 'IDLE' &&
  entry.current !== undefined &&
  !entry.previous &&
  !entry.candidate &&
  !entry.held &&
  !Object.values(entry.orders).some(Boolean)

/** Lets what waits for nothing but its turn come to its end. */
async function settled(over: () => boolean): Promise<void> {
  for (let i = 0; i < 12 && !over(); i++) await new Promise((done) => setImmediate(done))
}
