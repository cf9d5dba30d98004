/** A store in memory, for tests and throw-away servers. Nothing outlives the process. */
import {
  type Changes,
  endOf,
  type Entry,
  type Expect,
  type LogWrite,
  type Page,
  type Store,
  StoreConflict,
  type Write,
} from './store.ts'

/** How many changes are remembered; who asks for older ones is told that they are forgotten. */
const CHANGES_MAX = 20_000

export function memoryStore(): Store {
  const entries = new Map<string, Entry & { due?: number | undefined }>()
  /** Every change, oldest first. */
  let log: { revision: number; key: string }[] = []
  let revision = 0
  let forgotten = 0
  let records: Entry[] = []

  function holds(expect: Expect): boolean {
    if (expect.keys.some((k) => (entries.get(k.key)?.revision ?? 0) !== k.revision)) return false
    return expect.ranges.every(({ prefix, since }) => {
      if (since < forgotten) return false
      return ![...changesAfter(since).keys()].some((key) => key.startsWith(prefix))
    })
  }

  function changesAfter(since: number): Map<string, number> {
    let first = log.length
    while (first > 0 && log[first - 1]!.revision > since) first--
    return new Map(log.slice(first).map(({ key, revision: at }) => [key, at]))
  }

  /** Half of the log at once, so that a write does not pay for it each time. */
  function forget(): void {
    if (log.length <= 2 * CHANGES_MAX) return
    forgotten = log[CHANGES_MAX]!.revision
    log = log.slice(CHANGES_MAX + 1).filter((change) => change.revision > forgotten)
  }

  return {
    type: 'inmem',
    get: (key) => entries.get(key),
    list: (prefix, page) => childrenOf(prefix, [...entries.keys()].sort(byCodeUnit), page),
    async write(batch: readonly Write[], expect: Expect, { append, dropTo }: LogWrite = {}) {
      if (!holds(expect)) throw new StoreConflict()
      revision++
      if (append) records.push({ revision, value: Uint8Array.from(append) })
      if (dropTo !== undefined) records = records.filter((record) => record.revision > dropTo)
      for (const { key, value, due } of batch) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, { value: Uint8Array.from(value), revision, due })
        log.push({ revision, key })
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
    log(after, limit) {
      let from = records.length
      while (from > 0 && records[from - 1]!.revision > after) from--
      return records.slice(from, from + limit)
    },
    logFromEnd: (newer) => records.at(-1 - newer)?.revision,
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
