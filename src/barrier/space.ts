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
import { type Cached, mayCache, Written } from './cached.ts'
import { type DueSearch, findDue } from './due.ts'
import { type Keyring, KEYRING_KEY, openKeyring } from './keyring.ts'
import { type LogRecord, logWrite, openLog } from './log.ts'
import { type Names, names } from './names.ts'
import { pageOf } from './page.ts'
import { Tx } from './tx.ts'
import { keyUsage, type KeyUsage } from './usage.ts'

export { type Mark, type Scope, Tx } from './tx.ts'

/** Writes below the barrier that belong into the same batch, and keys that must not be there. */
export type Also = { writes?: readonly Write[]; absent?: readonly string[] }

/** An entry that wants attention, by its hidden name; without a value, it is damaged. */
export type Due = { readonly key: string; readonly value: object | undefined }

/** Entries per generation; two generations are kept. */
const CACHE_MAX = 20_000

export class Space {
  readonly store: Store
  /** Called when a commit of this process has added to the log. */
  onLogged: (() => void) | undefined
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
    // A commit that came in meanwhile may have gone on from there.
    this.#revision = Math.max(this.#revision, changes.revision)
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
    const asOf = this.#revision
    const found = this.store.get(key)
    const entry = found instanceof Promise ? await found : found
    // What a later process has written stays out: the cache is a picture of one revision. So does
    // what was asked for before the picture changed.
    const keep = asOf === this.#revision
    if (!entry) {
      const absent = { path, key, revision: 0, value: undefined }
      return keep ? this.#remember(absent) : absent
    }
    const plain = this.#keyring.openRecord(key, entry.value)
    const value = parseJson(plain.toString('utf8')) as object
    const cached = { path, key, revision: entry.revision, value }
    return keep && entry.revision <= asOf && mayCache(path, plain.length)
      ? this.#remember(cached)
      : cached
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
    const shown = hidden.map((name) => this.#names.show(prefix, name))
    return pageOf(shown, page)
  }

  /** Commits all or nothing; throws StoreConflict when what `tx` read has changed. */
  async commit(tx: Tx, also: Also = {}): Promise<void> {
    const writes = tx.pending()
    const seals = writes.length + (tx.told.length > 0 ? 1 : 0)
    if (!this.#usage.take(seals)) await this.#usage.refill(seals)
    const batch: Write[] = [...(also.writes ?? [])]
    const written: { path: string; key: string; text: string }[] = []
    const dropped: string[] = []
    for (const [path, value] of writes) {
      const key = this.#names.hide(path)
      if (value === undefined) {
        batch.push({ key, value })
        dropped.push(key)
        continue
      }
      const due = tx.dueOf(path)
      const text = JSON.stringify(value)
      const sealed = this.#keyring.sealRecord(key, text)
      if (mayCache(path, text.length)) written.push({ path, key, text })
      else dropped.push(key)
      batch.push(due === undefined ? { key, value: sealed } : { key, value: sealed, due })
    }
    const expect = tx.expectations()
    for (const key of also.absent ?? []) expect.keys.push({ key, revision: 0 })
    const log = logWrite(this.#keyring, tx)
    const revision = await this.store.write(batch, expect, log)
    // Once the refresh has gone past this revision, it may already know of a later writer; what was
    // written here is then no longer sure to be what stands there.
    if (this.#revision < revision) {
      for (const own of written) this.#remember(new Written(own, revision))
    }
    // Nobody else has written between: with this write the picture is that of its revision, and the
    // store need not be asked for what this process knows.
    if (revision === this.#revision + 1 && !also.writes) {
      for (const key of dropped) this.#forget(key, revision)
      this.#revision = revision
    }
    // Whoever comes after this must see it, even in the same turn.
    this.#asked = false
    if (tx.told.length > 0) this.onLogged?.()
  }

  /** What transactions have told after a revision, oldest first. */
  async records(after: number, limit: number): Promise<LogRecord[]> {
    const found = await this.store.log(after, limit)
    // A record may be sealed with a key that another process has just added.
    if (found.length > 0) await this.#refresh()
    return found.map((entry) => openLog(this.#keyring, entry))
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
