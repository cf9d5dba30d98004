/** A store in memory, for tests and throw-away servers. Nothing outlives the process. */
import {
  type Changes,
  endOf,
  type Entry,
  type Expect,
  type Page,
  type Store,
  StoreConflict,
  type Write,
} from './store.ts'

/** How many deletions are remembered, so that `changes` can name them. */
const TOMBSTONES_MAX = 10_000

export function memoryStore(): Store {
  const entries = new Map<string, Entry & { due?: number | undefined }>()
  /** Every key that ever changed, oldest change first: Map keeps insertion order. */
  const changed = new Map<string, number>()
  let revision = 0
  let forgotten = 0

  function holds(expect: Expect): boolean {
    if (expect.keys.some((k) => (entries.get(k.key)?.revision ?? 0) !== k.revision)) return false
    return expect.ranges.every(({ prefix, since }) => {
      if (since < forgotten) return false
      return ![...changesAfter(since).keys()].some((key) => key.startsWith(prefix))
    })
  }

  function changesAfter(since: number): Map<string, number> {
    if (since >= revision) return new Map()
    return new Map([...changed].filter(([, at]) => at > since))
  }

  function forget(): void {
    for (const [key, at] of changed) {
      if (changed.size <= entries.size + TOMBSTONES_MAX) return
      if (entries.has(key)) continue
      changed.delete(key)
      forgotten = at
    }
  }

  return {
    type: 'inmem',
    get: (key) => entries.get(key),
    list: (prefix, page) => childrenOf(prefix, [...entries.keys()].sort(byCodeUnit), page),
    async write(batch: readonly Write[], expect: Expect) {
      if (!holds(expect)) throw new StoreConflict()
      revision++
      for (const { key, value, due } of batch) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, { value: Uint8Array.from(value), revision, due })
        changed.delete(key)
        changed.set(key, revision)
      }
      forget()
      return revision
    },
    revision: () => revision,
    changes(since): Changes | undefined {
      return since < forgotten ? undefined : { revision, keys: changesAfter(since) }
    },
    due(now, limit) {
      const timed: [number, string][] = []
      for (const [key, { due }] of entries) if (due !== undefined) timed.push([due, key])
      timed.sort(([a], [b]) => a - b)
      const ripe = timed.filter(([due]) => due <= now).slice(0, limit)
      return { keys: ripe.map(([, key]) => key), next: timed[ripe.length]?.[0] }
    },
    close: async () => {},
  }
}

const byCodeUnit = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** The names directly under `prefix` among sorted keys. */
export function childrenOf(prefix: string, sortedKeys: Iterable<string>, page?: Page): string[] {
  const names: string[] = []
  const limit = page?.limit ?? Infinity
  const end = endOf(prefix)
  for (const key of sortedKeys) {
    if (key < prefix) continue
    if (key >= end) break
    const slash = key.indexOf('/', prefix.length)
    const name = slash < 0 ? key.slice(prefix.length) : key.slice(prefix.length, slash + 1)
    if (name === names.at(-1)) continue
    if (page?.after !== undefined && name <= page.after) continue
    if (names.length >= limit) break
    names.push(name)
  }
  return names
}
