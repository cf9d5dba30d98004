/**
 * The unsealed store: JSON objects under plain paths. It seals and opens records, hides names, and
 * keeps decoded entries in a cache that is exact: before a transaction begins, the store is asked
 * for its revision (once for all requests of one turn) and whatever has changed is dropped.
 *
 * An entry that has not changed is the same object each time, so callers may key what they derive
 * from it (a compiled policy, a reply's text) on its identity.
 */
import { parseJson } from '../lib/json.ts'
import { type Awaitable, type Page, type Store, type Write } from '../storage/store.ts'
import { type DueSearch, findDue } from './due.ts'
import { type Keyring, KEYRING_KEY, openKeyring } from './keyring.ts'
import { type Names, names } from './names.ts'
import { pageOf } from './page.ts'
import { keyUsage, type KeyUsage } from './usage.ts'

export type Cached = {
  readonly path: string
  readonly key: string
  /** 0 = there is no such entry. */
  readonly revision: number
  readonly value: object | undefined
}

/** Writes below the barrier that belong into the same batch, and keys that must not be there. */
export type Also = { writes?: readonly Write[]; absent?: readonly string[] }

/** An entry that wants attention, by its hidden name; without a value, it is damaged. */
export type Due = { readonly key: string; readonly value: object | undefined }

/** Entries per generation; two generations are kept. */
const CACHE_MAX = 20_000
/** Larger entries are decoded anew at each read: the cache is for the many small ones. */
const CACHED_BYTES_MAX = 64 * 1024
/** Every request reads the tables of namespaces and of mounts, however long they are. */
const TABLE = /^(?:ns\/[^/]+\/)?sys\/(?:namespaces|mounts)$/
const mayCache = (path: string, bytes: number) => bytes <= CACHED_BYTES_MAX || TABLE.test(path)

export class Space {
  readonly store: Store
  #keyring: Keyring
  #names: Names
  #rootKey: Buffer
  #usage: KeyUsage
  #revision = -1
  #asked = false
  #young = new Map<string, Cached>()
  #old = new Map<string, Cached>()
  #pathOf = new Map<string, string>()

  constructor(store: Store, rootKey: Buffer, keyring: Keyring) {
    this.store = store
    this.#rootKey = rootKey
    this.#keyring = keyring
    this.#names = names(keyring.fixed)
    this.#usage = keyUsage(store, keyring.term)
  }

  get keyring(): Keyring {
    return this.#keyring
  }
  get revision(): number {
    return this.#revision
  }
  /** A transaction on the newest state. */
  begin(): Awaitable<Tx> {
    const refreshing = this.#refresh()
    return refreshing ? refreshing.then(() => new Tx(this)) : new Tx(this)
  }

  /**
   * As `begin`, sharing the question with all requests that arrive in this turn of the event loop.
   * Only for the poll phase: there, whatever was acknowledged before a request was sent is in.
   */
  beginShared(): Awaitable<Tx> {
    if (this.#asked) return new Tx(this)
    const refreshing = this.#refresh()
    return refreshing ? refreshing.then(() => this.#shared()) : this.#shared()
  }

  #shared(): Tx {
    this.#asked = true
    setImmediate(() => (this.#asked = false))
    return new Tx(this)
  }

  /** A promise only when the store has to be waited for: mostly nothing has changed. */
  #refresh(): Promise<void> | undefined {
    const newest = this.store.revision()
    if (newest === this.#revision) return undefined
    return this.#catchUp(newest)
  }

  async #catchUp(newest: Awaitable<number>): Promise<void> {
    const revision = await newest
    if (revision === this.#revision) return
    const changes = this.#revision < 0 ? undefined : await this.store.changes(this.#revision)
    if (!changes) {
      this.#forgetAll()
      this.#revision = revision
      if (revision > 0) await this.#reloadKeyring()
      return
    }
    for (const [key, at] of changes.keys) {
      if (key === KEYRING_KEY) await this.#reloadKeyring()
      this.#forget(key, at)
    }
    this.#revision = changes.revision
  }

  /** Drops what has changed, unless it is what this process itself has written then. */
  #forget(key: string, changedAt: number): void {
    const path = this.#pathOf.get(key)
    if (path === undefined) return
    const known = this.#young.get(path) ?? this.#old.get(path)
    if (known?.revision === changedAt) return
    this.#pathOf.delete(key)
    this.#young.delete(path)
    this.#old.delete(path)
  }

  #forgetAll(): void {
    this.#young.clear()
    this.#old.clear()
    this.#pathOf.clear()
  }

  async #reloadKeyring(): Promise<void> {
    const entry = await this.store.get(KEYRING_KEY)
    if (!entry) return
    const keyring = openKeyring(this.#rootKey, entry.value)
    if (keyring.term === this.#keyring.term) return
    this.#keyring = keyring
    this.#usage = keyUsage(this.store, keyring.term)
  }

  /** The cached entry, or undefined when it must be fetched. */
  peek(path: string): Cached | undefined {
    const hit = this.#young.get(path)
    if (hit) return hit
    const older = this.#old.get(path)
    if (older) this.#remember(older)
    return older
  }

  async fetch(path: string): Promise<Cached> {
    const key = this.#names.hide(path)
    const found = this.store.get(key)
    const entry = found instanceof Promise ? await found : found
    if (!entry) return this.#remember({ path, key, revision: 0, value: undefined })
    const plain = this.#keyring.openRecord(key, entry.value)
    const value = parseJson(plain.toString('utf8')) as object
    const cached = { path, key, revision: entry.revision, value }
    // What a later process has written stays out: the cache is a picture of one revision.
    const keep = mayCache(path, plain.length) && entry.revision <= this.#revision
    return keep ? this.#remember(cached) : cached
  }

  #remember(cached: Cached): Cached {
    if (this.#young.size >= CACHE_MAX) {
      for (const dropped of this.#old.values()) {
        if (!this.#young.has(dropped.path)) this.#pathOf.delete(dropped.key)
      }
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(cached.path, cached)
    this.#pathOf.set(cached.key, cached.path)
    return cached
  }

  keyOf(path: string): string {
    return this.#names.hide(path)
  }

  async list(prefix: string, page?: Page): Promise<string[]> {
    const hidden = await this.store.list(this.#names.hide(prefix))
    return pageOf(
      hidden.map((name) => this.#names.show(prefix, name)),
      page,
    )
  }

  /** Commits all or nothing; throws StoreConflict when what `tx` read has changed. */
  async commit(tx: Tx, also: Also = {}): Promise<void> {
    const writes = tx.pending()
    if (!this.#usage.take(writes.length)) await this.#usage.refill(writes.length)
    const batch: Write[] = [...(also.writes ?? [])]
    const written: { path: string; key: string; text: string }[] = []
    for (const [path, value] of writes) {
      const key = this.#names.hide(path)
      if (value === undefined) {
        batch.push({ key, value })
        continue
      }
      const due = tx.dueOf(path)
      const text = JSON.stringify(value)
      const sealed = this.#keyring.sealRecord(key, Buffer.from(text))
      if (mayCache(path, text.length)) written.push({ path, key, text })
      batch.push(due === undefined ? { key, value: sealed } : { key, value: sealed, due })
    }
    const expect = tx.expectations()
    for (const key of also.absent ?? []) expect.keys.push({ key, revision: 0 })
    const revision = await this.store.write(batch, expect)
    // Once the refresh has gone past this revision, it may already know of a later writer; what was
    // written here is then no longer sure to be what stands there.
    if (this.#revision < revision) {
      for (const own of written) this.#remember(writtenEntry({ ...own, revision }))
    }
    // Whoever comes after this must see it, even in the same turn.
    this.#asked = false
  }

  /** See `findDue`. One that cannot be opened comes without its value. */
  async due(now: number, of: DueSearch): Promise<Due[]> {
    const found: Due[] = []
    for (const key of await findDue(this.store, now, of)) {
      const entry = await this.store.get(key)
      if (entry) found.push({ key, value: this.#opened(key, entry.value) })
    }
    return found
  }

  #opened(key: string, sealed: Uint8Array): object | undefined {
    try {
      return parseJson(this.#keyring.openRecord(key, sealed).toString('utf8')) as object
    } catch {
      return undefined
    }
  }

  /** How many records the newest key has sealed, by the persisted count (never too low). */
  encryptions(): Promise<number> {
    return this.#usage.total()
  }
}

/**
 * What was just written, as it would be read: parsed from its text, so that a handler never gets an
 * object another one has made, but only when somebody asks.
 */
function writtenEntry(made: { path: string; key: string; text: string; revision: number }): Cached {
  let value: object | undefined
  return {
    path: made.path,
    key: made.key,
    revision: made.revision,
    get value() {
      value ??= parseJson(made.text) as object
      return value
    },
  }
}

/** The writes of a transaction at some moment; undefined = none. */
export type Mark = ReadonlyMap<string, object | undefined> | undefined

/**
 * The entries a piece of core may see, by plain paths: a whole transaction, or the part of it that
 * belongs to one namespace.
 */
export interface Scope {
  get<T extends object>(path: string): Awaitable<T | undefined>
  put(path: string, value: object, due?: number): void
  remove(path: string): void
  list(prefix: string, page?: Page): Promise<string[]>
  readonly keyring: Keyring
}

/** One request's view: reads are remembered, writes wait for the commit. */
export class Tx implements Scope {
  readonly #space: Space
  readonly #since: number
  #misses = 0
  /** In order, an entry read twice stands twice. */
  readonly #reads: Cached[] = []
  readonly #ranges: string[] = []
  // Made when needed: most requests write nothing.
  #writes: Map<string, object | undefined> | undefined
  #due: Map<string, number> | undefined

  constructor(space: Space) {
    this.#space = space
    this.#since = space.revision
  }

  /** What is cached comes at once, without a promise: most of what a request reads is. */
  get<T extends object>(path: string): Awaitable<T | undefined> {
    if (this.#writes?.has(path)) return this.#writes.get(path) as T | undefined
    const cached = this.#space.peek(path)
    if (!cached) return this.#fetch<T>(path)
    this.#reads.push(cached)
    return cached.value as T | undefined
  }

  async #fetch<T extends object>(path: string): Promise<T | undefined> {
    this.#misses++
    const cached = await this.#space.fetch(path)
    this.#reads.push(cached)
    return cached.value as T | undefined
  }

  /** `due`: when the entry wants attention, in ms since the epoch (see Space.due). */
  put(path: string, value: object, due?: number): void {
    this.#writes ??= new Map()
    this.#writes.set(path, value)
    if (due !== undefined) {
      this.#due ??= new Map()
      this.#due.set(path, due)
    } else this.#due?.delete(path)
  }

  dueOf(path: string): number | undefined {
    return this.#due?.get(path)
  }

  remove(path: string): void {
    this.#writes ??= new Map()
    this.#writes.set(path, undefined)
  }

  async list(prefix: string, page?: Page): Promise<string[]> {
    this.#misses++
    this.#ranges.push(prefix)
    const pending = this.pending().filter(([path]) => path.startsWith(prefix))
    const none = pending.length === 0
    return none ? this.#space.list(prefix, page) : this.#listWithPending(prefix, pending, page)
  }

  async #listWithPending(
    prefix: string,
    pending: [string, object | undefined][],
    page?: Page,
  ): Promise<string[]> {
    const names = new Set(await this.#space.list(prefix))
    for (const [path, value] of pending) {
      const rest = path.slice(prefix.length)
      const slash = rest.indexOf('/')
      const name = slash < 0 ? rest : rest.slice(0, slash + 1)
      if (value !== undefined) names.add(name)
      else if (slash < 0) names.delete(name)
    }
    return pageOf([...names], page)
  }

  get keyring(): Keyring {
    return this.#space.keyring
  }

  get dirty(): boolean {
    return this.#writes !== undefined && this.#writes.size > 0
  }

  /** A copy of the writes so far; `rollback` returns to it. */
  mark(): Mark {
    return this.#writes && new Map(this.#writes)
  }

  rollback(mark: Mark): void {
    this.#writes = mark && new Map(mark)
  }

  pending(): [string, object | undefined][] {
    return this.#writes ? [...this.#writes] : []
  }
  expectations() {
    return {
      since: this.#since,
      keys: this.#reads.map(({ key, revision }) => ({ key, revision })),
      ranges: this.#ranges.map((prefix) => ({
        prefix: this.#space.keyOf(prefix),
        since: this.#since,
      })),
    }
  }

  /**
   * Whether all that was read stood together at one moment. Writers need not ask: the commit does.
   * Costs nothing when all came from the cache and no time has passed.
   */
  consistent(): Awaitable<boolean> {
    return (this.#misses === 0 && this.#space.revision === this.#since) || this.#stoodTogether()
  }

  async #stoodTogether(): Promise<boolean> {
    if ((await this.#space.store.revision()) === this.#since) return true
    const changes = await this.#space.store.changes(this.#since)
    if (!changes) return false
    const read = new Set(this.#reads.map(({ key }) => key))
    const ranges = this.#ranges.map((prefix) => this.#space.keyOf(prefix))
    for (const key of changes.keys.keys()) {
      if (read.has(key) || ranges.some((prefix) => key.startsWith(prefix))) return false
    }
    return true
  }
}
