/**
 * One request's view of the space: what it reads is remembered with its revision, what it writes waits
 * for the commit, which happens only if all that was read is still so.
 */
import { type Awaitable, type Page } from '../storage/store.ts'
import { type Cached } from './cached.ts'
import { type Keyring } from './keyring.ts'
import { pageOf } from './page.ts'
import { type Space } from './space.ts'

/** A transaction at some moment: its writes (undefined = none), and how much it has told. */
export type Mark = { writes: ReadonlyMap<string, object | undefined> | undefined; told: number }

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

const NOTHING: readonly object[] = []

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
  #told: object[] | undefined
  /** Of the log, all up to this revision goes. */
  dropTo: number | undefined

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
    return (this.#writes !== undefined && this.#writes.size > 0) || this.#told !== undefined
  }

  /** Puts an object into the log, in the order of the commits. It is no entry: nothing conflicts. */
  tell(of: object): void {
    this.#told ??= []
    this.#told.push(of)
  }

  get told(): readonly object[] {
    return this.#told ?? NOTHING
  }

  /** What it would do so far; `rollback` returns to it. */
  mark(): Mark {
    return { writes: this.#writes && new Map(this.#writes), told: this.#told?.length ?? 0 }
  }

  rollback(mark: Mark | undefined): void {
    this.#writes = mark?.writes && new Map(mark.writes)
    this.#told = mark?.told ? this.#told?.slice(0, mark.told) : undefined
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
