/** A running server: a store, a core with everything this build has, and its listeners. */
import { type StaticKey } from '../barrier/seal.ts'
import { type Core, createCore, type Settings } from '../core/core.ts'
import { type Announcement } from '../core/keeper.ts'
import { type SystemTtl } from '../core/mounts.ts'
import { sysEngine } from '../core/sys/sys.ts'
import { tokenEngine } from '../core/token/engine.ts'
import { memoryStore } from '../storage/memory.ts'
import { sqliteStore } from '../storage/sqlite.ts'
import { type Store } from '../storage/store.ts'
import { AUDIT_TYPES, ENGINES } from './builtin.ts'
import { type AuditBlock, declareAudit } from './declared-audit.ts'
import { type Listener, listen, type ListenOptions } from './listen.ts'
import { type Log } from './log.ts'

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
  announce?: (message: Announcement) => Promise<void> | void
}

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
export function openCore(options: ServerOptions): Core {
  const core = createCore({
    store: openStore(options.storage),
    engines: ENGINES,
    auditTypes: AUDIT_TYPES,
    ownEngines: (self) => ({ sys: sysEngine(self), token: tokenEngine(self) }),
    log: options.log,
    ...(options.staticKeys && { staticKeys: options.staticKeys }),
    ...(options.ttl && { ttl: options.ttl }),
    ...(options.settings && { settings: options.settings }),
    ...(options.announce && { announce: options.announce }),
    ...(options.audit?.length && {
      beforeOpen: (tx, self) => declareAudit(tx, self, options.audit!),
    }),
  })
  return core
}

export async function serve(core: Core, options: ServerOptions): Promise<RunningServer> {
  const listeners: Listener[] = []
  try {
    for (const at of options.listeners) listeners.push(await listen(core, at))
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
      await Promise.all(listeners.map((listener) => listener.close(CLOSE_GRACE_MS)))
      await core.close()
    },
  }
}
