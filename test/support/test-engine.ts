/**
 * Runs one engine's handlers on an in-memory store, through the server's own path matching and
 * field parsing; no HTTP, no policies. Time stands still until `clock.advance`.
 */
import { parseFields, routesOf } from '../../src/core/endpoints.ts'
import { type Call, type EntryStore } from '../../src/kit/call.ts'
import { type Engine, type Verb } from '../../src/kit/engine.ts'
import { Failure } from '../../src/kit/failure.ts'
import { JsonText } from '../../src/kit/json-text.ts'
import { Reply } from '../../src/kit/reply.ts'
import { systemRandom } from '../../src/lib/random.ts'

export type TestEngineOptions = {
  now?: number
  mountOptions?: Record<string, string>
  defaultTtlSeconds?: number
  maxTtlSeconds?: number
  remoteAddress?: string
  headers?: Record<string, string>
  peerCertificates?: readonly Uint8Array[]
  tokenUid?: string
}

/** Entries under slash-separated keys, with the identity rule of the real one: no change, same object. */
export function memoryEntries(entries = new Map<string, object>()): EntryStore {
  return {
    get: async <T extends object>(key: string) => entries.get(key) as T | undefined,
    put: (key, value) => void entries.set(key, structuredCloneJson(value)),
    remove: (key) => void entries.delete(key),
    async list(prefix, page) {
      const names = new Set<string>()
      for (const key of entries.keys()) {
        if (!key.startsWith(prefix)) continue
        const rest = key.slice(prefix.length)
        const slash = rest.indexOf('/')
        names.add(slash < 0 ? rest : rest.slice(0, slash + 1))
      }
      const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      const from = page?.after === undefined ? sorted : sorted.filter((n) => n > page.after!)
      return page?.limit ? from.slice(0, page.limit) : from
    },
  }
}

/** What core makes of `after` and `limit`; without its checks. */
function pageIn(body: Record<string, unknown>) {
  const { after, limit } = body as { after?: string; limit?: number }
  return {
    ...(after !== undefined && { after }),
    ...(limit !== undefined && limit > 0 && { limit }),
  }
}

const structuredCloneJson = (value: object): object => JSON.parse(JSON.stringify(value)) as object

export function testEngine(engine: Engine, options: TestEngineOptions = {}) {
  const entries = new Map<string, object>()
  const events: Parameters<Call<unknown>['emit']>[0][] = []
  let now = options.now ?? Date.UTC(2026, 0, 1)

  async function call(verb: Verb, path: string, body: Record<string, unknown>) {
    const match = routesOf(engine).match(
      (verb === 'list' || verb === 'scan') && path !== '' && !path.endsWith('/')
        ? `${path}/`
        : path,
    )
    if (!match) throw new Failure('unsupported_path')
    const handler = match.endpoint[verb] as ((c: Call<unknown>) => unknown) | undefined
    if (!handler) throw new Failure('unsupported_operation')
    // Writes reach the entries only when the handler has succeeded, as in the server.
    const staged = new Map(entries)
    const warnings: string[] = []
    const {
      data,
      given,
      warnings: parsing,
    } = parseFields(match, body, { listing: verb === 'list' || verb === 'scan' })
    const context: Call<unknown> = {
      data,
      given,
      body,
      operation: verb === 'write' ? 'update' : verb,
      page: pageIn(body),
      path,
      mount: {
        path: `${engine.type}/`,
        type: engine.type,
        accessor: `${engine.type}_00000000`,
        uuid: '00000000-0000-4000-8000-000000000000',
        options: options.mountOptions ?? {},
        defaultTtlSeconds: options.defaultTtlSeconds ?? 2_764_800,
        maxTtlSeconds: options.maxTtlSeconds ?? 2_764_800,
      },
      store: memoryEntries(staged),
      now,
      random: systemRandom,
      caller: {
        tokenUid: options.tokenUid ?? 'test-token',
        accessor: 'test-accessor',
        displayName: 'test',
        policies: ['default'],
        metadata: {},
        entityId: '',
        root: false,
      },
      header: (name) => options.headers?.[name],
      peerCertificates: () => options.peerCertificates ?? [],
      once: (_key, work) => work(),
      foreign: (_kind, _record, work) => work(),
      emit: (event) => void events.push(event),
      generatePassword: async (policy) => `password by ${policy}`,
      remoteAddress: options.remoteAddress ?? '127.0.0.1',
      requestId: 'test-request',
      wrapTtlSeconds: 0,
      warn: (text) => void warnings.push(text),
    }
    if (verb === 'write' && match.endpoint.exists) {
      const there = await match.endpoint.exists(context as Call<never>)
      Object.assign(context, { operation: there ? 'update' : 'create' })
    }
    const answer = (await handler(context)) as Reply | Record<string, unknown> | undefined
    entries.clear()
    for (const [key, value] of staged) entries.set(key, value)
    if (answer === undefined && warnings.length === 0) return undefined
    const reply =
      answer instanceof Reply ? answer : Object.assign(new Reply(), answer && { data: answer })
    const all = [...(reply.warnings ?? []), ...warnings, ...parsing]
    if (all.length > 0) reply.warnings = all
    return reply
  }

  return {
    /** What was told to those who watch. */
    events,
    read: (path: string, query: Record<string, unknown> = {}) => call('read', path, query),
    write: (path: string, body: Record<string, unknown> = {}) => call('write', path, body),
    list: (path: string, query: Record<string, unknown> = {}) => call('list', path, query),
    scan: (path: string, query: Record<string, unknown> = {}) => call('scan', path, query),
    patch: (path: string, body: Record<string, unknown>) => call('patch', path, body),
    delete: (path: string, query: Record<string, unknown> = {}) => call('delete', path, query),
    entries: () => entries,
    clock: {
      advance: (ms: number) => void (now += ms),
      now: () => now,
    },
  }
}

/** The data of a reply as a plain object, whether the engine gave an object or JSON text. */
export function dataOf(reply: Reply | undefined): Record<string, unknown> {
  const data = reply?.data
  return data instanceof JsonText ? data.value : (data ?? {})
}
