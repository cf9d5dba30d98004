/** What a handler is given: its parsed data, its mount's private store, and who asks. */
import { type Random } from '../lib/random.ts'
import { type Awaitable, type Page } from '../storage/store.ts'

/** The operation as policies and audit name it. */
export type Operation = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list' | 'scan'

/**
 * A private, transactional view of entries. Reads see this request's own writes; writes reach the
 * disk together, after the handler, or not at all. Values are JSON objects; what `get` returns is
 * shared with other requests and must never be changed in place.
 */
export interface EntryStore {
  get<T extends object>(key: string): Awaitable<T | undefined>
  put(key: string, value: object): void
  remove(key: string): void
  /** Names directly under `prefix` ('' or ending in '/'), bytewise sorted; `x/` has children. */
  list(prefix: string, page?: Page): Promise<string[]>
}

export type MountView = {
  /** With its trailing slash, e.g. `secret/`, `auth/approle/`. */
  readonly path: string
  readonly type: string
  readonly accessor: string
  readonly uuid: string
  readonly options: Readonly<Record<string, string>>
  /** Effective values, in seconds. */
  readonly defaultTtlSeconds: number
  readonly maxTtlSeconds: number
}

/** Who asks; absent on public endpoints and logins. */
export type Caller = {
  /** Stands for the token in storage; not the token itself. */
  readonly tokenUid: string
  readonly accessor: string
  readonly displayName: string
  readonly policies: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  readonly entityId: string
  readonly root: boolean
}

export type Call<D> = {
  readonly data: D
  /** Names of the fields the request brought (path captures included). */
  readonly given: ReadonlySet<string>
  /** The request's body (or query) as it came, exact numbers included. */
  readonly body: Readonly<Record<string, unknown>>
  readonly operation: Operation
  /**
   * Of a list or scan: what part of it is wanted. Core cuts every answer to it; a handler that can
   * ask its store for no more than that saves the rest. Empty on everything else.
   */
  readonly page: Page
  /** Relative to the mount. */
  readonly path: string
  readonly mount: MountView
  readonly store: EntryStore
  /** Milliseconds since the epoch, the same all through the request. */
  readonly now: number
  readonly random: Random
  readonly caller: Caller | undefined
  readonly remoteAddress: string
  /**
   * A header of the request, by its lower-case name; the first, where it came twice. Undefined for
   * what carries a token of ours: no engine, and nothing an engine talks to, may see one.
   */
  header(name: string): string | undefined
  /** Of a TLS client: its certificate, then what it sent with it; DER, not verified. */
  peerCertificates(): readonly Uint8Array[]
  /**
   * Slow work, or a question to another server: done once for a request, however often its handler
   * runs. `key` is all that the answer depends on besides the request, compared item by item by
   * identity; with the same key comes the same answer, or the same failure.
   */
  once<T>(key: readonly unknown[], work: () => Promise<T>): Promise<T>
  /**
   * A change on a foreign system. What would undo it is stored first, durably, and taken back with
   * the request's own commit: when the request is refused, or the process dies, the engine's `undo`
   * of that kind is called with it until it succeeds. Like `once`, done once for a request, so there
   * is at most one for each kind and record.
   */
  foreign<T>(kind: string, record: Record<string, unknown>, work: () => Promise<T>): Promise<T>
  /** Tells those who watch, when the request has been committed. The path is below the mount. */
  emit(event: { type: string; path: string; version?: number; generation?: number }): void
  /** A password by the rules of a password policy; a Failure when there is none of that name. */
  generatePassword(policy: string): Promise<string>
  readonly requestId: string
  readonly wrapTtlSeconds: number
  warn(text: string): void
}

/** What a lease's revoker is given. */
export type LeaseJob = {
  readonly leaseId: string
  readonly secret: Readonly<Record<string, unknown>>
  readonly mount: MountView
  /** The mount's entries as they are now; a revoker has no transaction to write in. */
  readonly store: Pick<EntryStore, 'get' | 'list'>
  readonly now: number
}

/** What the undoing of a foreign change is given: what was stored before it was tried. */
export type UndoJob = {
  readonly record: Readonly<Record<string, unknown>>
  readonly mount: MountView
  readonly store: Pick<EntryStore, 'get' | 'list'>
  readonly now: number
}

/** Entries of one kind under one prefix: the usual shape of an engine's storage. */
export type Collection<T extends object> = {
  get(store: EntryStore, name: string): Awaitable<T | undefined>
  put(store: EntryStore, name: string, value: T): void
  remove(store: EntryStore, name: string): void
  names(store: EntryStore, page?: Page): Promise<string[]>
}

export function collection<T extends object>(prefix: string): Collection<T> {
  return {
    get: (store, name) => store.get<T>(prefix + name),
    put: (store, name, value) => store.put(prefix + name, value),
    remove: (store, name) => store.remove(prefix + name),
    names: (store, page) => store.list(prefix, page),
  }
}
