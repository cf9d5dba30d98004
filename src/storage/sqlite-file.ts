/** How a coffer database file is opened: the settings durability rests on, set and read back. */
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreUnusable } from './store.ts'

/** Another process may hold the write lock for one group commit, not longer. */
const BUSY_MS = 10_000
const RETRY_MS = 20
const SQLITE_BUSY = 5

/** Several processes of one server open the file at the same moment. */
export function openDatabase(path: string): DatabaseSync {
  for (const end = Date.now() + BUSY_MS; ;) {
    try {
      return openOnce(path)
    } catch (error) {
      // Switching to WAL takes a lock that SQLite does not wait for.
      if ((error as { errcode?: number }).errcode !== SQLITE_BUSY || Date.now() > end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

/** Opens it for the first time, with its folder, or says in plain words why that cannot be. */
export function openAtStart(path: string): DatabaseSync {
  makeFolder(dirname(path), path)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw unusable(path, `it is a folder; give a file in it, such as ${path}/coffer.db`)
  }
  try {
    return openDatabase(path)
  } catch (error) {
    if (error instanceof StoreUnusable) throw error
    throw unusable(path, (error as Error).message)
  }
}

const unusable = (path: string, why: string) =>
  new StoreUnusable(`storage "sqlite": ${path}: ${why}`)

/** One at a time: where none can be made, as in /proc, node's `recursive` tries for ever. */
function makeFolder(folder: string, path: string): void {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  if (found) throw unusable(path, `${folder} is no folder`)
  if (dirname(folder) !== folder) makeFolder(dirname(folder), path)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Another process of this server makes the same.
    if (code !== 'EEXIST') throw unusable(path, `the folder ${folder} cannot be made (${code})`)
  }
}

function openOnce(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  try {
    db.exec('PRAGMA journal_mode = WAL')
    // Without FULL an acknowledged write can be undone by a power cut (WAL + NORMAL).
    db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA trusted_schema = OFF')
    db.exec(
      'PRAGMA secure_delete = ON; PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 4000',
    )
    db.exec(SCHEMA)
    const mode = db.prepare('PRAGMA journal_mode').get() as { journal_mode: string }
    const sync = db.prepare('PRAGMA synchronous').get() as { synchronous: number }
    if (mode.journal_mode !== 'wal' || sync.synchronous !== 2) {
      throw new StoreUnusable(
        `storage "sqlite": ${path} cannot be made durable here (journal ${mode.journal_mode},` +
          ` synchronous ${sync.synchronous}); use a local disk`,
      )
    }
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Rows lie in the order they were made, so a commit of new entries touches few pages; keyed by
 * their (hidden, random) names each would dirty one of its own: measured, three times the time.
 * The log has no name and no index: its rows lie by revision, so one more goes to the last page.
 */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    value BLOB,
    due INTEGER
  );
  CREATE INDEX IF NOT EXISTS entry_due ON entry (due) WHERE due IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entry_revision ON entry (revision);
  CREATE TABLE IF NOT EXISTS log (revision INTEGER PRIMARY KEY, value BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT OR IGNORE INTO meta VALUES ('revision', 0), ('forgotten', 0);
`
