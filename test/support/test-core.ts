/**
 * A whole core without sockets: real engines, real barrier, memory store, a clock that stands still
 * until it is advanced. Requests go through the real pipeline.
 */
import { createCore, type Core, type CoreOptions } from '../../src/core/core.ts'
import { canonicalNamespace, canonicalPath } from '../../src/core/canonical-path.ts'
import { newMountEntry, firstEntries } from '../../src/core/bootstrap.ts'
import { failureOf, failureResponse } from '../../src/core/envelope.ts'
import { fileAudit } from '../../src/audit/file.ts'
import { type Response } from '../../src/core/turn.ts'
import { type Verb } from '../../src/kit/engine.ts'
import { systemRandom, uuid } from '../../src/lib/random.ts'
import { type Clock } from '../../src/lib/clock.ts'
import { memoryStore } from '../../src/storage/memory.ts'
import { ENGINES } from '../../src/server/builtin.ts'
import { ownEngines } from '../../src/core/own-engines.ts'

export type FakeClock = Clock & { advance(ms: number): void }

/** Stands still; `advance` moves it and calls the timers that have come due, in order. */
export function fakeClock(start = Date.UTC(2026, 0, 1)): FakeClock {
  let now = start
  let timers: { at: number; run: () => void }[] = []
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.push(timer)
      return () => void (timers = timers.filter((other) => other !== timer))
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        timers = timers.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.run()
      }
      now = end
    },
  }
}

export type AskOptions = {
  token?: string | undefined
  /** As the header has it. */
  namespace?: string
  wrapTtlSeconds?: number
  wrapAsJwt?: boolean
  remoteAddress?: string
  help?: boolean
  headers?: Record<string, string>
  peerCertificates?: readonly Uint8Array[]
}
export type Answered = {
  status: number
  /** The body as JSON; null when there is none. */
  body: Record<string, unknown> & { data?: Record<string, unknown>; errors?: string[] }
  text: string
  headers: Record<string, string>
}

export type TestCore = {
  core: Core
  clock: FakeClock
  root: string
  unsealKeys: string[]
  logs: string[]
  /** Another process on the same store, unsealed; also what is there after a restart. */
  sibling: () => Promise<TestCore>
  /** Asks as root unless another token (or undefined for none) is given. */
  ask: (
    verb: Verb,
    path: string,
    data?: Record<string, unknown>,
    options?: AskOptions,
  ) => Promise<Answered>
}

export async function testCore({
  timer,
  ...options
}: Partial<CoreOptions> & { timer?: FakeClock } = {}): Promise<TestCore> {
  const clock = timer ?? fakeClock()
  const logs: string[] = []
  const shared: CoreOptions = {
    store: memoryStore(),
    engines: ENGINES,
    ownEngines,
    auditTypes: [fileAudit],
    clock,
    log: (level, text) => void logs.push(`${level}: ${text}`),
    ...options,
  }
  const core = createCore(shared)
  const extra = [
    { path: 'secret/', class: 'secret', type: 'kv', options: { version: '2' } },
    { path: 'kv1/', class: 'secret', type: 'kv', options: { version: '1' } },
    { path: 'auth/approle/', class: 'auth', type: 'approle' },
  ] as const
  const { keys, rootToken } = await core.keeper.initialize({ shares: 1, threshold: 1 }, (tx) =>
    firstEntries(core, tx, { extra: extra.map((mount) => newMountEntry(mount, systemRandom)) }),
  )
  await core.keeper.offer(keys[0]!)

  const test = (one: Core): TestCore => ({
    core: one,
    clock,
    root: rootToken,
    unsealKeys: keys.map((key) => Buffer.from(key).toString('hex')),
    logs,
    async sibling() {
      const other = createCore(shared)
      await other.keeper.offer(keys[0]!)
      return test(other)
    },
    ask: asker(one, clock, rootToken),
  })
  return test(core)
}

/** Asks a core through its pipeline, as root unless told otherwise. */
export function asker(core: Core, clock: FakeClock, rootToken: string): TestCore['ask'] {
  return async (verb, path, data = {}, ask = {}) => {
    const answer = await answerOf()
    const text = Buffer.from(answer.body).toString()
    return {
      status: answer.status,
      body: text === '' ? null : JSON.parse(text),
      text,
      headers: answer.headers ?? {},
    }

    async function answerOf(): Promise<Response> {
      try {
        const namespace = canonicalNamespace(ask.namespace)
        return await core.handle({
          id: uuid(),
          ...(namespace !== undefined && { namespace }),
          verb,
          path: canonicalPath(path),
          data,
          token: 'token' in ask ? ask.token : rootToken,
          wrapTtlSeconds: ask.wrapTtlSeconds ?? 0,
          ...(ask.wrapAsJwt && { wrapAsJwt: true }),
          ...(ask.help && { help: true }),
          remoteAddress: ask.remoteAddress ?? '127.0.0.1',
          remotePort: 4321,
          rawHeaders: Object.entries(ask.headers ?? {}).flat(),
          ...(ask.peerCertificates && { peerCertificates: () => ask.peerCertificates! }),
          receivedAt: clock.now(),
        })
      } catch (error) {
        return failureResponse(failureOf(error, 'test'))
      }
    }
  }
}
