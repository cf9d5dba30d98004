/**
 * The control of the crash tests: the real server over a store that acknowledges a write 200 ms
 * before it is on disk. A test of durability that this server passes has no teeth.
 */
import { DatabaseSync } from 'node:sqlite'
import { loadConfig } from '../../src/server/config.ts'
import { openCore, serve } from '../../src/server/server.ts'
import { sqliteStore } from '../../src/storage/sqlite.ts'
import { NOTHING_EXPECTED, type Store } from '../../src/storage/store.ts'

const LATE_MS = 200

/** From now on memory answers, with what is in the file; the file follows. */
async function runAhead(memory: Store, path: string): Promise<void> {
  const disk = sqliteStore({ path })
  const db = new DatabaseSync(path, { readOnly: true })
  const rows = db.prepare('SELECT key, value FROM entry WHERE value IS NOT NULL').all()
  db.close()
  await memory.write(rows as { key: string; value: Uint8Array }[], NOTHING_EXPECTED)
  const write = memory.write.bind(memory)
  memory.write = async (batch, expect, log) => {
    const revision = await write(batch, expect, log)
    setTimeout(() => void disk.write(batch, NOTHING_EXPECTED, log), LATE_MS)
    return revision
  }
}

const file = process.argv[2]?.replace('-config=', '') ?? ''
const { storage, listeners } = loadConfig([file])
if (storage.type !== 'sqlite') throw new Error('the control needs a file')
const options = { storage: { type: 'inmem' }, listeners, log: () => {} } as const
const opened = openCore(options)
await runAhead(opened.core.store, storage.path)
const running = await serve(opened, options)
console.log(`addr: "127.0.0.1:${running.listeners[0]!.address.port}"`)
