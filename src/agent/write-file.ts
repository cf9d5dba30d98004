/**
 * Files that others read while they are written: the new text is complete, on disk and has its mode
 * before it takes the name. A process that is killed leaves the old file or the new one.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export type WriteOptions = {
  readonly mode: number
  readonly makesFolders?: boolean
  /** Keeps what was there under the name with `.bak`. */
  readonly backup?: boolean
}

/** True when the file was written; false when it holds this text, with this mode, already. */
export async function writeWhole(
  path: string,
  text: string,
  { mode, makesFolders = false, backup = false }: WriteOptions,
): Promise<boolean> {
  if (await holds(path, text, mode)) return false
  const folder = dirname(path)
  if (makesFolders) await mkdir(folder, { recursive: true, mode: 0o755 })
  // In the same folder, since only within one file system does a name change hands in one step.
  const next = join(folder, `.${basename(path)}.${randomUUID()}`)
  try {
    const file = await open(next, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    if (backup) await keep(path, mode)
    await rename(next, path)
    return true
  } catch (error) {
    await rm(next, { force: true })
    throw error
  }
}

async function holds(path: string, text: string, mode: number): Promise<boolean> {
  try {
    const [now, { mode: bits }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
    return now === text && (bits & 0o777) === mode
  } catch {
    return false
  }
}

async function keep(path: string, mode: number): Promise<void> {
  try {
    await copyFile(path, `${path}.bak`)
    const file = await open(`${path}.bak`, 'r')
    await file.chmod(mode)
    await file.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

const LEFT_MS = 60_000
const UUID = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What a killed process had not given its name yet; not what another one is writing right now. */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(path)
  const start = `.${basename(path)}`
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    if (!name.startsWith(start) || !UUID.test(name.slice(start.length))) continue
    const file = join(folder, name)
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > LEFT_MS) await rm(file, { force: true })
  }
}
