/**
 * The default store: one SQLite file in WAL mode with synchronous=FULL. Reads are answered on the
 * caller's thread (5 us each); writes go to a worker thread that commits all that waits as one
 * group, so that one fsync serves many requests. Any number of processes may share the file.
 *
 *   entry(key, revision, value, due)   value NULL = deleted at that revision (kept for `changes`)
 *   meta(name, value)                  revision: the newest; forgotten: deletions up to here are purged
 *   log(revision, value)               one record for each write that brought one
 */
import { chmodSync, existsSync } from 'node:fs'
import { type DatabaseSync, type StatementSync } from 'node:sqlite'
import { openAtStart, openDatabase } from './sqlite-file.ts'
import { sqliteWriter } from './sqlite-writer.ts'
import { type Changes, endOf, type Entry, type Page, type Store } from './store.ts'

export type SqliteOptions = {
  /** The database file; created with mode 0600 in a folder made with mode 0700. */
  path: string
}

export function sqliteStore({ path }: SqliteOptions): Store {
  const fresh = !existsSync(path)
  let db = openAtStart(path)
  if (fresh) chmodSync(path, 0o600)
  let read = statements(db)
  const writer = sqliteWriter(path)
  let dataVersion = -1
  let revision = 0

  /** A reader that failed is not asked again: the file is opened anew. */
  function reading<T>(ask: () => T): T {
    try {
      return ask()
    } catch (error) {
      try {
        db.close()
      } catch {
        // It is being thrown away.
      }
      db = openDatabase(path)
      read = statements(db)
      dataVersion = -1
      throw error
    }
  }

  return {
    type: 'sqlite',
    get: (key) =>
      reading(() => {
        return read.get.get(key) as Entry | undefined
      }),
    list: (prefix, page) => reading(() => list(read, prefix, page)),
    write: (batch, expect, log) => writer.write(batch, expect, log),
    revision: () =>
      reading(() => {
        // data_version moves when any other connection has committed; asking it costs 2 us.
        const { data_version: now } = read.dataVersion.get() as { data_version: number }
        if (now !== dataVersion) {
          revision = (read.revision.get() as { value: number }).value
          dataVersion = now
        }
        return revision
      }),
    changes: (since) => reading(() => changes(read, since)),
    due: (now, limit) =>
      reading(() => {
        const rows = read.due.all(limit + 1) as { key: string; due: number }[]
        const ripe = rows.filter(({ due }) => due <= now).slice(0, limit)
        return { keys: ripe.map(({ key }) => key), next: rows[ripe.length]?.due }
      }),
    log: (after, limit) => reading(() => read.log.all(after, limit) as unknown as readonly Entry[]),
    logFromEnd: (newer) =>
      reading(() => (read.logFromEnd.get(newer) as { revision: number } | undefined)?.revision),
    async close() {
      await writer.close()
      db.close()
    },
  }
}

type Statements = Record<
  | 'get'
  | 'next'
  | 'dataVersion'
  | 'revision'
  | 'forgotten'
  | 'changes'
  | 'due'
  | 'log'
  | 'logFromEnd',
  StatementSync
>

function statements(db: DatabaseSync): Statements {
  return {
    get: db.prepare('SELECT value, revision FROM entry WHERE key = ? AND value IS NOT NULL'),
    next: db.prepare(
      'SELECT key FROM entry WHERE key >= ? AND key < ? AND value IS NOT NULL ORDER BY key',
    ),
    dataVersion: db.prepare('PRAGMA data_version'),
    revision: db.prepare("SELECT value FROM meta WHERE name = 'revision'"),
    forgotten: db.prepare("SELECT value FROM meta WHERE name = 'forgotten'"),
    due: db.prepare('SELECT key, due FROM entry WHERE due IS NOT NULL ORDER BY due LIMIT ?'),
    changes: db.prepare('SELECT key, revision FROM entry WHERE revision > ?'),
    log: db.prepare('SELECT revision, value FROM log WHERE revision > ? ORDER BY revision LIMIT ?'),
    logFromEnd: db.prepare('SELECT revision FROM log ORDER BY revision DESC LIMIT 1 OFFSET ?'),
  }
}

/** Walks the keys, but leaps over what is below a folder once the folder is known. */
function list(read: Statements, prefix: string, page?: Page): string[] {
  const names: string[] = []
  const end = endOf(prefix)
  const limit = page?.limit ?? Infinity
  const { after } = page ?? {}
  let from = after === undefined ? prefix : prefix + (after.endsWith('/') ? endOf(after) : after)
  for (let leap = true; leap;) {
    leap = false
    for (const row of read.next.iterate(from, end)) {
      const key = row['key'] as string
      const slash = key.indexOf('/', prefix.length)
      const name = key.slice(prefix.length, slash < 0 ? undefined : slash + 1)
      if (after !== undefined && name <= after) continue
      if (names.length >= limit) return names
      names.push(name)
      if (slash >= 0) {
        from = endOf(key.slice(0, slash + 1))
        leap = true
        break
      }
    }
  }
  return names
}

function changes(read: Statements, since: number): Changes | undefined {
  if ((read.forgotten.get() as { value: number }).value > since) return undefined
  // Asked before the rows: a write that changed no key still took a number, and one that comes in
  // between is in the rows.
  const counter = (read.revision.get() as { value: number }).value
  const rows = read.changes.all(since) as { key: string; revision: number }[]
  const newest = rows.reduce((max, row) => Math.max(max, row.revision), counter)
  return { revision: newest, keys: new Map(rows.map((row) => [row.key, row.revision])) }
}
