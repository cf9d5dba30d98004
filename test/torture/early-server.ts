/**
 * The control of the crash tests: the real server over a store that acknowledges a write 50 ms
 * before it is on disk. A test of durability that this server passes has no teeth.
 */
import { createCore } from '../../src/core/core.ts'
import { sysEngine } from '../../src/core/sys/sys.ts'
import { tokenEngine } from '../../src/core/token/engine.ts'
import { AUDIT_TYPES, ENGINES } from '../../src/server/builtin.ts'
import { loadConfig } from '../../src/server/config.ts'
import { serve } from '../../src/server/server.ts'
import { memoryStore } from '../../src/storage/memory.ts'
import { sqliteStore } from '../../src/storage/sqlite.ts'
import { NOTHING_EXPECTED, type Store } from '../../src/storage/store.ts'

const LATE_MS = 50

/** Memory answers; the file follows. */
async function earlyStore(path: string): Promise<Store> {
  const disk = sqliteStore({ path })
  const memory = memoryStore()
  const everything = await disk.changes(0)
  for (const key of everything?.keys ?? []) {
    const entry = await disk.get(key)
    if (entry) await memory.write([{ key, value: entry.value }], NOTHING_EXPECTED)
  }
  return {
    ...memory,
    async write(batch, expect) {
      const revision = await memory.write(batch, expect)
      setTimeout(() => void disk.write(batch, NOTHING_EXPECTED), LATE_MS)
      return revision
    },
  }
}

const file = process.argv[2]?.replace('-config=', '') ?? ''
const config = loadConfig([file])
if (config.storage.type !== 'sqlite') throw new Error('the control needs a file')
const log = () => {}
const core = createCore({
  store: await earlyStore(config.storage.path),
  engines: ENGINES,
  auditTypes: AUDIT_TYPES,
  ownEngines: (self) => ({ sys: sysEngine(self), token: tokenEngine(self) }),
  log,
})
const running = await serve(core, { storage: config.storage, listeners: config.listeners, log })
console.log(`addr: "127.0.0.1:${running.listeners[0]!.address.port}"`)
