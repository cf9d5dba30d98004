/** Dev mode's folder: a key file that only its owner reads, and words for when something is off. */
import { equal, match, ok, rejects } from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { DevDataError, devDatabase, openDev } from './dev.ts'
import { openCore } from './server.ts'

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-dev-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function opened(dataDir: string, rootTokenId?: string) {
  const { core } = openCore({
    storage: { type: 'sqlite', path: devDatabase(dataDir) },
    listeners: [],
    log: () => {},
  })
  try {
    return await openDev(core, { dataDir, rootTokenId })
  } finally {
    await core.close()
  }
}

test('openDev() refuses a key file that is gone, open to others, or no key file', async (t) => {
  const dir = folder(t)
  const file = join(dir, 'dev-keys.json')
  const keys = await opened(dir)
  const text = readFileSync(file, 'utf8')
  chmodSync(file, 0o644)
  await rejects(opened(dir), /can be read by others; run: chmod 600/)
  chmodSync(file, 0o600)
  for (const bad of ['CANARY', '{"unseal_key":"CANARY"}', '[]', '{}', '']) {
    writeFileSync(file, bad)
    await rejects(opened(dir), (error) => {
      ok(error instanceof DevDataError)
      return !error.message.includes('CANARY')
    })
  }
  rmSync(file)
  await rejects(opened(dir), /its key file .* is missing/)
  writeFileSync(file, text, { mode: 0o600 })
  equal((await opened(dir)).rootToken, keys.rootToken)
})

test('openDev() comes back with the keys it had, in a file of its owner', async (t) => {
  const dir = folder(t)
  const first = await opened(dir, 'chosen')
  equal(first.rootToken, 'chosen')
  equal(statSync(join(dir, 'dev-keys.json')).mode & 0o777, 0o600)
  equal((await opened(dir)).unsealKey, first.unsealKey)
  match(first.unsealKey, /^[A-Za-z0-9+/]{43}=$/)
})

test('openDev() closes a key file that was there and open to others before it writes keys', async (t) => {
  const dir = folder(t)
  const file = join(dir, 'dev-keys.json')
  writeFileSync(file, '', { mode: 0o644 })
  chmodSync(file, 0o644)
  await opened(dir)
  equal(statSync(file).mode & 0o777, 0o600)
})
