/**
 * The writing half of the SQLite store, on both sides of its thread. Requests of one turn travel in
 * one message; all that has arrived when the thread is free commits as one transaction, in which
 * each request is still refused or applied by itself.
 *
 * After any storage error nobody knows what the file holds, so the handle is thrown away and every
 * request of the group fails as "unknown"; the next group opens the file again.
 */
import { type DatabaseSync, type StatementSync } from 'node:sqlite'
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openDatabase } from './sqlite-file.ts'
import { type Job, packer, type PackedGroup, unpacker } from './sqlite-message.ts'
import { endOf, type Expect, type LogWrite, StoreConflict, type Write } from './store.ts'

/** A revision, 'conflict', or the text of a storage error (which names files, never values). */
type Outcome = { id: number; revision?: number; conflict?: true; trouble?: string }

export type Writer = {
  write(batch: readonly Write[], expect: Expect, log?: LogWrite): Promise<number>
  close(): Promise<void>
}

/** Deletions are remembered for this many revisions, then purged. */
const REMEMBERED = 20_000
const PURGE_EVERY = 5_000
const RECENT_MAX = 20_000
/** What waits for one commit is small and short-lived. */
const YOUNG_MB = 4

export function sqliteWriter(path: string): Writer {
  // Started through a line of JavaScript, so that the thread has the compile cache of the process
  // on before it meets a type: that is 15 MB less.
  // The folder it tells is the one of this version of node, inside the one that was given.
  const cache = getCompileCacheDir()
  const enable = `require('node:module').enableCompileCache(${JSON.stringify(dirname(cache ?? ''))});`
  const worker = new Worker(
    `${cache === undefined ? '' : enable}import(${JSON.stringify(import.meta.url)})`,
    {
      eval: true,
      workerData: { coffer: path },
      env: {},
      // With --input-type=module of the process the text above would be taken for a module.
      execArgv: ['--no-warnings'],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    },
  )
  const waiting = new Map<
    number,
    { done: (revision: number) => void; failed: (e: Error) => void }
  >()
  let queue: Job[] = []
  let nextId = 0
  let broken: Error | undefined

  worker.on('message', (outcomes: Outcome[]) => {
    for (const { id, revision, conflict, trouble } of outcomes) {
      const waiter = waiting.get(id)
      waiting.delete(id)
      if (revision !== undefined) waiter?.done(revision)
      else if (conflict) waiter?.failed(new StoreConflict())
      else waiter?.failed(new Error(`storage: ${trouble}`))
    }
    if (waiting.size === 0) worker.unref()
  })
  const fail = (error: Error) => {
    broken = error
    for (const waiter of waiting.values()) waiter.failed(error)
    waiting.clear()
  }
  worker.on('error', (error) =>
    fail(new Error('storage: the writer has stopped', { cause: error })),
  )
  worker.on('exit', () => fail(new Error('storage: the writer is closed')))
  // Last, for listening refs it again: a store that is only open must not keep a process alive.
  worker.unref()

  const pack = packer()
  const send = () => {
    const jobs = queue
    queue = []
    const group = pack(jobs)
    worker.postMessage(group, [group.bytes.buffer])
  }
  return {
    write(batch, expect, log) {
      if (broken) return Promise.reject(broken)
      return new Promise((done, failed) => {
        const id = nextId++
        if (waiting.size === 0) worker.ref()
        waiting.set(id, { done, failed })
        if (queue.push({ id, batch, expect, log }) === 1) setImmediate(send)
      })
    },
    async close() {
      if (broken) return
      const gone = new Promise((done) => worker.once('exit', done))
      worker.ref()
      worker.postMessage('close')
      await gone
    },
  }
}

/** The thread. */
function serve(path: string): void {
  let open: Committer | undefined
  let jobs: Job[] = []
  const port = parentPort!
  const unpack = unpacker()
  const commit = () => {
    const group = jobs
    jobs = []
    try {
      open ??= committer(openDatabase(path))
      port.postMessage(open.commit(group))
    } catch (error) {
      open?.discard()
      open = undefined
      const trouble = error instanceof Error ? error.message : 'unknown trouble'
      port.postMessage(group.map(({ id }): Outcome => ({ id, trouble })))
    }
  }
  port.on('message', (message: PackedGroup | 'close') => {
    if (message === 'close') {
      open?.discard()
      port.close()
      return
    }
    // Whatever else has arrived by the next turn joins the group.
    if (jobs.length === 0) setImmediate(commit)
    jobs.push(...unpack(message))
  })
}

type Committer = { commit(group: readonly Job[]): Outcome[]; discard(): void }

function committer(db: DatabaseSync): Committer {
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const getRevision = db.prepare("SELECT value FROM meta WHERE name = 'revision'")
  const setRevision = db.prepare("UPDATE meta SET value = ? WHERE name = 'revision'")
  const put = db.prepare(
    'INSERT INTO entry (key, revision, value, due) VALUES (?, ?, ?, ?) ON CONFLICT (key)' +
      ' DO UPDATE SET revision = excluded.revision, value = excluded.value, due = excluded.due',
  )
  const append = db.prepare('INSERT INTO log VALUES (?, ?)')
  const drop = db.prepare('DELETE FROM log WHERE revision <= ?')
  const recent = recentChanges()
  const holds = expectations(db, recent)
  let purgedAt = 0

  return {
    commit(group) {
      begin.run()
      let { value: revision } = getRevision.get() as { value: number }
      recent.startAt(revision)
      const outcomes = group.map(({ id, batch, expect, log }): Outcome => {
        if (!holds(expect)) return { id, conflict: true }
        revision++
        for (const { key, value, due } of batch) {
          put.run(key, revision, value ?? null, (value && due) ?? null)
          recent.note(key, value === undefined ? 0 : revision)
        }
        if (log?.append) append.run(revision, log.append)
        if (log?.dropTo !== undefined) drop.run(log.dropTo)
        return { id, revision }
      })
      setRevision.run(revision)
      if (revision > purgedAt + PURGE_EVERY) {
        purge(db, revision)
        purgedAt = revision
      }
      commit.run()
      recent.endAt(revision)
      return outcomes
    },
    discard() {
      try {
        db.close()
      } catch {
        // A broken handle may refuse even that.
      }
    },
  }
}

type Recent = ReturnType<typeof recentChanges>

/**
 * What this thread has written lately, so that most expectations cost a look into a table in memory
 * instead of a query. Complete from `floor` on: when another process has written in between, it
 * starts anew. A commit that fails throws the whole committer away, and this with it.
 */
function recentChanges() {
  let revisions = new Map<string, number>()
  let floor = 0
  let last = -1
  return {
    startAt(revision: number): void {
      if (revision === last && revisions.size < RECENT_MAX) return
      revisions = new Map()
      floor = revision
    },
    note: (key: string, revision: number) => void revisions.set(key, revision),
    endAt: (revision: number) => void (last = revision),
    /** The key's revision (0 = deleted); 'unchanged' since `since`; undefined = ask the file. */
    of(key: string, since: number | undefined): number | 'unchanged' | undefined {
      const known = revisions.get(key)
      if (known !== undefined) return known
      return since !== undefined && since >= floor ? 'unchanged' : undefined
    },
  }
}

function expectations(db: DatabaseSync, recent: Recent): (expect: Expect) => boolean {
  const revisionOf = db.prepare('SELECT revision FROM entry WHERE key = ? AND value IS NOT NULL')
  const forgotten = db.prepare("SELECT value FROM meta WHERE name = 'forgotten'")
  // The index on revision finds the few newest rows; the key range alone could be a whole mount.
  const newer: StatementSync = db.prepare(
    'SELECT 1 FROM entry INDEXED BY entry_revision WHERE revision > ? AND key >= ? AND key < ? LIMIT 1',
  )
  return ({ since: asOf, keys, ranges }) => {
    for (const { key, revision } of keys) {
      const known = recent.of(key, asOf)
      if (known === 'unchanged' || known === revision) continue
      if (known !== undefined) return false
      const row = revisionOf.get(key) as { revision: number } | undefined
      if ((row?.revision ?? 0) !== revision) return false
    }
    for (const { prefix, since } of ranges) {
      if ((forgotten.get() as { value: number }).value > since) return false
      if (newer.get(since, prefix, endOf(prefix))) return false
    }
    return true
  }
}

function purge(db: DatabaseSync, revision: number): void {
  const upTo = revision - REMEMBERED
  if (upTo <= 0) return
  db.prepare('DELETE FROM entry WHERE value IS NULL AND revision <= ?').run(upTo)
  db.prepare("UPDATE meta SET value = ? WHERE name = 'forgotten'").run(upTo)
}

if (!isMainThread && (workerData as { coffer?: string } | null)?.coffer) {
  serve((workerData as { coffer: string }).coffer)
}
