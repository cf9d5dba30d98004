/** A running server: a store, a core with everything this build has, and its listeners. */
import { type StaticKey } from '../barrier/seal.ts'
import { type Core, createCore, type Settings } from '../core/core.ts'
import { InFlight } from '../core/in-flight.ts'
import { type Announcement } from '../core/keeper.ts'
import { countTurn, createMetrics, measuredStore } from '../core/metrics.ts'
import { type SystemTtl } from '../core/mounts.ts'
import { type LogLevel as LogLevelHandle } from '../core/sys/config.ts'
import { type Turn } from '../core/turn.ts'
import { helpBody } from '../derive/help.ts'
import { openapi } from '../derive/openapi.ts'
import { bare, type Reply } from '../kit/reply.ts'
import { VAULT_VERSION } from '../lib/version.ts'
import { memoryStore } from '../storage/memory.ts'
import { sqliteStore } from '../storage/sqlite.ts'
import { type Store } from '../storage/store.ts'
import { AUDIT_TYPES, ENGINES } from './builtin.ts'
import { type AuditBlock } from './config-audit.ts'
import { declareAudit } from './declared-audit.ts'
import { type Listener, listen, type ListenOptions } from './listen.ts'
import { type Log } from './log.ts'
import { tappedLog } from './log-tap.ts'
import { ownEngines } from '../core/own-engines.ts'

export type StorageOptions = { type: 'inmem' } | { type: 'sqlite'; path: string }

export type ServerOptions = {
  storage: StorageOptions
  listeners: readonly ListenOptions[]
  log: Log
  staticKeys?: readonly StaticKey[]
  ttl?: Partial<SystemTtl>
  settings?: Partial<Settings>
  /** Audit devices of the configuration file: there from the first unsealed moment. */
  audit?: readonly AuditBlock[]
  /** What sys/loggers reads and changes. */
  logLevel?: LogLevelHandle
  announce?: (message: Announcement) => Promise<void> | void
}

export type OpenCore = { core: Core; inFlight: InFlight }

export type RunningServer = {
  readonly core: Core
  readonly listeners: readonly Listener[]
  /** Log files were rotated, or certificates renewed. */
  reload(): void
  /** Finishes what is in flight, then closes the store. */
  close(): Promise<void>
}

const CLOSE_GRACE_MS = 10_000

function openStore(storage: StorageOptions): Store {
  return storage.type === 'inmem' ? memoryStore() : sqliteStore({ path: storage.path })
}

/** The core alone, before it listens: dev mode initializes it first. */
export function openCore(options: ServerOptions): OpenCore {
  const metrics = createMetrics()
  const inFlight = new InFlight()
  const { version } = { version: VAULT_VERSION, ...options.settings }
  const { log, tap } = tappedLog(options.log)
  const parts = {
    monitor: tap,
    metrics,
    inFlight,
    openapi,
    ...(options.logLevel && { logLevel: options.logLevel }),
  }
  const core = createCore({
    store: measuredStore(openStore(options.storage), metrics),
    help: (_core, turn) => helpOf(turn, version),
    observe: (turn, answer) => countTurn(metrics, turn, answer),
    engines: ENGINES,
    auditTypes: AUDIT_TYPES,
    ownEngines: (self) => ownEngines(self, parts),
    log,
    ...(options.staticKeys && { staticKeys: options.staticKeys }),
    ...(options.ttl && { ttl: options.ttl }),
    ...(options.settings && { settings: options.settings }),
    ...(options.announce && { announce: options.announce }),
    ...(options.audit?.length && {
      beforeOpen: (tx, self) => declareAudit(tx, self, options.audit!),
    }),
  })
  return { core, inFlight }
}

function helpOf(turn: Turn, version: string): Reply {
  const mount = turn.mount!
  const described = { path: mount.entry.path, engine: mount.engine }
  return bare(helpBody(described, { path: turn.path, endpoint: turn.match?.endpoint }, { version }))
}

/** Where clients reach a listener, when the configuration does not say; empty without one. */
function addressOf(listener: Listener | undefined): string {
  if (!listener) return ''
  const { address, family, port } = listener.address
  const anywhere = address === '0.0.0.0' || address === '::'
  const host = anywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address
  return `${listener.secure ? 'https' : 'http'}://${host}:${port}`
}

export async function serve(
  { core, inFlight }: OpenCore,
  options: ServerOptions,
): Promise<RunningServer> {
  const listeners: Listener[] = []
  try {
    for (const at of options.listeners) listeners.push(await listen(core, at, inFlight))
    core.settings.apiAddr ||= addressOf(listeners[0])
  } catch (error) {
    for (const listener of listeners) await listener.close(0)
    throw error
  }
  return {
    core,
    listeners,
    reload() {
      core.audit.reopen()
      for (const listener of listeners) listener.reload()
    },
    async close() {
      await core.watch.close()
      await Promise.all(listeners.map((listener) => listener.close(CLOSE_GRACE_MS)))
      await core.close()
    },
  }
}
