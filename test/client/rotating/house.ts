/**
 * What a coffer that rotates looks like from an app: a key-value secret with a login in it, and the
 * place where acks go. The target behind it is real; the test says what a rotation does to it.
 */
import { connect, token } from '../../../src/client/client.ts'
import { FakeServer } from '../fake-server.ts'

export type Login = { username?: string; password: string }
export type Ack = {
  path: string
  generation: number
  state: string
  instance: string
  app: string
  version?: string
  reason?: string
}

export const PATH = 'secret/app'
export const REF = `vault://${PATH}`

export class House implements AsyncDisposable {
  readonly acks: Ack[] = []
  readonly errors: unknown[] = []
  generation = 0
  readonly fake: FakeServer
  #waiting: (() => void)[] = []

  static async open(first: Login): Promise<House> {
    const house = new House(await FakeServer.start())
    house.fake.on((seen) => {
      if (seen.path !== 'sys/coffer/ack') return undefined
      house.acks.push(JSON.parse(seen.text) as Ack)
      for (const wake of house.#waiting.splice(0)) wake()
      return { status: 204 }
    })
    house.publish(first)
    return house
  }

  private constructor(fake: FakeServer) {
    this.fake = fake
  }

  /** Options for an adapter: quick looks, and every trouble kept. */
  options(intervalMs = 20) {
    return {
      app: 'shop',
      intervalMs,
      connect: { address: this.fake.address, auth: token('fake-root'), env: {} },
      onError: (error: unknown) => void this.errors.push(error),
    }
  }

  client() {
    return connect(this.options().connect)
  }

  publish(login: Login): number {
    this.fake.put(PATH, login)
    return ++this.generation
  }

  states(generation: number): string[] {
    return this.acks.filter((ack) => ack.generation === generation).map(({ state }) => state)
  }

  /** Fulfilled when an ack has come; rejected, with what has come, when it does not. */
  async acked(generation: number, state: string): Promise<void> {
    const end = performance.now() + 15_000
    while (!this.states(generation).includes(state)) {
      if (performance.now() > end) {
        const seen = this.acks.map((ack) => `${ack.generation} ${ack.state}`).join(', ')
        throw new Error(`no ack "${generation} ${state}"; there were: ${seen}`)
      }
      const next = new Promise<void>((resolve) => this.#waiting.push(resolve))
      await Promise.race([next, later(100)])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fake[Symbol.asyncDispose]()
  }
}

export const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error('did not come true within 15 s')
    await later(5)
  }
}

/** Workers that do `work` over and over until told to stop; gives how often, and what went wrong. */
export function startWorkers(count: number, work: (index: number) => Promise<void>) {
  const stop = new AbortController()
  const tally = { done: 0, errors: [] as unknown[] }
  const workers = Array.from({ length: count }, async (_, index) => {
    while (!stop.signal.aborted) {
      try {
        await work(index)
        tally.done++
      } catch (error) {
        tally.errors.push(error)
        await later(5)
      }
    }
  })
  return {
    tally,
    async stop() {
      stop.abort()
      await Promise.all(workers)
      return tally
    },
  }
}

/** What is wrong with the order of acks: each was seen, applied, drained, gone, and none applied backwards. */
export function disorder(acks: readonly Ack[]): string[] {
  const order = ['seen', 'applied', 'drained', 'gone']
  const wrong: string[] = []
  const told = new Map<number, string[]>()
  let newest = 0
  for (const { generation, state } of acks) {
    const before = told.get(generation) ?? []
    told.set(generation, [...before, state])
    // A sign of life says the last word again.
    if (before.at(-1) === state) continue
    const isBack = state === 'applied' && generation < newest
    if (order[before.length] !== state || isBack) wrong.push(`${generation} ${state}`)
    if (state === 'applied') newest = generation
  }
  return wrong
}
