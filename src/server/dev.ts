/**
 * Dev mode: initialized with one unseal key, unsealed, KV at secret/. In memory, or with -dev-data
 * kept in a folder beside a key file, so that the next start opens it again.
 *
 *   <folder>/coffer.db        the data
 *   <folder>/dev-keys.json    {unseal_key, root_token}, mode 0600
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { firstEntries, newMountEntry } from '../core/bootstrap.ts'
import { type Core } from '../core/core.ts'
import { systemRandom } from '../lib/random.ts'

export type DevOptions = {
  rootTokenId?: string | undefined
  kvV1?: boolean
  dataDir?: string | undefined
}
export type DevKeys = { unsealKey: string; rootToken: string }

/** For operators who left the folder open to others; the text says how to close it. */
export class DevDataError extends Error {
  override readonly name = 'DevDataError'
}

export const devDatabase = (dataDir: string) => join(dataDir, 'coffer.db')
const keysFile = (dataDir: string) => join(dataDir, 'dev-keys.json')

/** Initializes on the first start, opens on every one. */
export async function openDev(core: Core, options: DevOptions): Promise<DevKeys> {
  const { keeper } = core
  if (!(await keeper.config())) {
    const kv = newMountEntry(
      {
        path: 'secret/',
        class: 'secret',
        type: 'kv',
        description: 'key/value secret storage',
        options: { version: options.kvV1 ? '1' : '2' },
      },
      systemRandom,
    )
    const made = await keeper.initialize({ shares: 1, threshold: 1 }, (tx) =>
      firstEntries(core, tx, {
        extra: [kv],
        ...(options.rootTokenId && { id: options.rootTokenId }),
      }),
    )
    const keys = {
      unsealKey: Buffer.from(made.keys[0]!).toString('base64'),
      rootToken: made.rootToken,
    }
    if (options.dataDir) writeKeys(options.dataDir, keys)
    await keeper.offer(made.keys[0]!)
    return keys
  }
  const keys = readKeys(options.dataDir)
  await keeper.offer(Buffer.from(keys.unsealKey, 'base64'))
  return keys
}

function writeKeys(dataDir: string, keys: DevKeys): void {
  const fd = openSync(keysFile(dataDir), 'w', 0o600)
  try {
    // The mode above is for a new file only.
    fchmodSync(fd, 0o600)
    writeSync(
      fd,
      `${JSON.stringify({ unseal_key: keys.unsealKey, root_token: keys.rootToken }, null, 2)}\n`,
    )
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function readKeys(dataDir: string | undefined): DevKeys {
  const file = keysFile(dataDir ?? '.')
  if (!dataDir || !existsSync(file)) {
    throw new DevDataError(
      `the data in ${dataDir ?? 'this store'} is sealed and its key file ${file} is missing;` +
        ' put the file back, or start with another -dev-data folder',
    )
  }
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new DevDataError(`${file} can be read by others; run: chmod 600 ${file}`)
  }
  try {
    const { unseal_key: unsealKey, root_token: rootToken } = JSON.parse(
      readFileSync(file, 'utf8'),
    ) as Record<string, string>
    if (unsealKey && rootToken) return { unsealKey, rootToken }
  } catch {
    // Told below, without what the parser would quote.
  }
  throw new DevDataError(`${file} is not a key file of coffer; put the right one back`)
}
