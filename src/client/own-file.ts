/**
 * Files that only we may read and that nobody else has written: mode 0600, our own uid, no link.
 * What is not so is refused, never put right: whoever made it may have read it already.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file that must not be used, and why. Never has what was in it. */
export class UnsafeFileError extends Error {
  override readonly name = 'UnsafeFileError'
  readonly code = 'unsafe_file'
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
const BYTES_MAX = 64 * 1024 * 1024

/** The bytes of a file of ours; undefined when there is none. */
export async function readOwnFile(path: string): Promise<Buffer | undefined> {
  const file = await openOwn(path)
  if (file === undefined) return undefined
  try {
    await checkOwn(file, path)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

async function openOwn(path: string): Promise<FileHandle | undefined> {
  try {
    // O_NOFOLLOW is not known to Windows, where it is undefined and counts as 0.
    return await open(path, O_RDONLY | (O_NOFOLLOW ?? 0))
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw new UnsafeFileError(`${path} is a link: name the file itself`)
    throw error
  }
}

/** Of the open file, not of its name: between two looks the name could come to mean another. */
async function checkOwn(file: FileHandle, path: string): Promise<void> {
  const about = await file.stat()
  if (!about.isFile()) throw new UnsafeFileError(`${path} is not a file`)
  if (about.size > BYTES_MAX) throw new UnsafeFileError(`${path} is larger than 64 MiB`)
  const uid = process.getuid?.()
  // Windows has neither owners by number nor modes.
  if (uid === undefined) return
  if (about.uid !== uid) {
    throw new UnsafeFileError(`${path} belongs to uid ${about.uid}, not to uid ${uid}`)
  }
  if ((about.mode & 0o077) !== 0) {
    const mode = (about.mode & 0o777).toString(8)
    throw new UnsafeFileError(`${path} may be used by others (mode ${mode}): it must have 600`)
  }
}

/**
 * Replaces the file as a whole: a crash leaves the old one or the new one. Refuses a place where
 * something stands that is not a file of ours.
 */
export async function writeOwnFile(path: string, bytes: Buffer): Promise<void> {
  const standing = await openOwn(path)
  if (standing !== undefined) {
    try {
      await checkOwn(standing, path)
    } finally {
      await standing.close()
    }
  }
  const draft = draftOf(path)
  try {
    await writeNew(draft, bytes)
    await rename(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(dirname(path))
}

/** Makes a file that was not there, complete from the first moment; EEXIST when it was. */
export async function createOwnFile(path: string, bytes: Buffer): Promise<void> {
  const draft = draftOf(path)
  try {
    await writeNew(draft, bytes)
    await link(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
}

const draftOf = (path: string) => `${path}.${randomBytes(6).toString('hex')}.tmp`

async function writeNew(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  // Not every system lets a folder be opened; the file itself is safe either way.
  const folder = await open(path, O_RDONLY).catch(() => undefined)
  if (folder === undefined) return
  await folder.sync().catch(() => {})
  await folder.close()
}
