/**
 * One node over a store that is given: a whole core without sockets, as many on one store as a test
 * wants, each started sealed as a process would be.
 */
import { fileAudit } from '../../src/audit/file.ts'
import approle from '../../src/auth/approle/engine.ts'
import { firstEntries, newMountEntry } from '../../src/core/bootstrap.ts'
import { canonicalPath } from '../../src/core/canonical-path.ts'
import { type Core, createCore } from '../../src/core/core.ts'
import { failureOf, failureResponse } from '../../src/core/envelope.ts'
import { type Engine, type Verb } from '../../src/kit/engine.ts'
import { type Clock } from '../../src/lib/clock.ts'
import { systemRandom, uuid } from '../../src/lib/random.ts'
import { cubbyhole } from '../../src/secrets/cubbyhole/engine.ts'
import { kvV2 } from '../../src/secrets/kv/v2.ts'
import { type Store } from '../../src/storage/store.ts'
import { type Answer } from '../torture/client.ts'
import { ownEngines } from '../../src/core/own-engines.ts'

export type AskOptions = {
  token?: string | undefined
  wrapTtlSeconds?: number
  headers?: Record<string, string>
}

export type Node = {
  readonly core: Core
  ask(
    verb: Verb,
    path: string,
    data?: Record<string, unknown>,
    options?: AskOptions,
  ): Promise<Answer & { headers?: Record<string, string> }>
}

export type NodeOptions = { store: Store; clock: Clock; engines?: readonly Engine[] }

export function startNode({ store, clock, engines = [] }: NodeOptions): Node {
  const core = createCore({
    store,
    clock,
    engines: [cubbyhole, kvV2, approle, ...engines],
    ownEngines,
    auditTypes: [fileAudit],
  })
  const answer = async (verb: Verb, path: string, ask: AskOptions, data = {}) => {
    try {
      return await core.handle({
        id: uuid(),
        verb,
        path: canonicalPath(path),
        data,
        token: ask.token,
        wrapTtlSeconds: ask.wrapTtlSeconds ?? 0,
        remoteAddress: '127.0.0.1',
        remotePort: 4321,
        rawHeaders: Object.entries(ask.headers ?? {}).flat(),
        receivedAt: clock.now(),
      })
    } catch (error) {
      return failureResponse(failureOf(error, 'test'))
    }
  }
  return {
    core,
    async ask(verb, path, data = {}, options = {}) {
      const { status, body, headers = {} } = await answer(verb, path, options, data)
      const text = Buffer.from(body).toString()
      return {
        status,
        headers,
        body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
      }
    },
  }
}

export type Keys = { readonly share: Uint8Array; readonly root: string }

/** Initializes the store with kv version 2 at secret/ and an approle, and leaves the node open. */
export async function initialize({ core }: Node, extra: readonly string[] = []): Promise<Keys> {
  const mounts = [
    { path: 'secret/', class: 'secret', type: 'kv', options: { version: '2' } },
    { path: 'auth/approle/', class: 'auth', type: 'approle' },
    ...extra.map((type) => ({ path: `${type}/`, class: 'secret', type }) as const),
  ] as const
  const { keys, rootToken } = await core.keeper.initialize({ shares: 1, threshold: 1 }, (tx) =>
    firstEntries(core, tx, { extra: mounts.map((mount) => newMountEntry(mount, systemRandom)) }),
  )
  const share = keys[0]!
  await core.keeper.offer(Uint8Array.from(share))
  return { share, root: rootToken }
}

export const unseal = ({ core }: Node, { share }: Keys) => core.keeper.offer(Uint8Array.from(share))
