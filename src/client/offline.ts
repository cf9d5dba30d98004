/**
 * What was read, kept for a start without the server: one encrypted file, for one server and one
 * identity. Everything is sealed and bound, so whoever can write the folder can take the file away
 * or put an older one back, and nothing else.
 *
 *   "coffer-offline-1\n"  salt (16)  nonce (12)  AES-256-GCM( JSON of entries )  tag (16)
 *   key = HKDF-SHA-256(key file, salt, "coffer offline cache" + binding); the binding is the AAD
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { type Secret } from '../lib/secret.ts'
import { ConfigError } from './errors.ts'
import { parseJson, stringifyJson } from './json.ts'
import { createOwnFile, readOwnFile, writeOwnFile } from './own-file.ts'

export type OfflineOptions = {
  /** The encrypted file. Its folder must exist. */
  file: string
  /** Holds the key, 0600; made when it is not there. Default: the file's name and `.key`. */
  keyFile?: string | undefined
  /** In place of a key file: 32 bytes at least, from a keyring or the platform. */
  key?: Secret | Secret<Uint8Array> | undefined
  /** Older entries are not used. Default 14 days. */
  maxAgeMs?: number | undefined
  /** How long a start waits for the server when there is an entry. Default 3000. */
  waitMs?: number | undefined
}

/** The file is not what was written there: damaged, of another server, or of another identity. */
export class OfflineCacheError extends Error {
  override readonly name = 'OfflineCacheError'
  readonly code = 'offline_cache'
}

export type OfflineCache = {
  /** Undefined when there is none, or it is too old. Throws what is wrong with the file. */
  get(key: string): Promise<unknown>
  put(key: string, value: unknown): Promise<void>
  remove(key: string): Promise<void>
}

type Entry = { at: number; value: unknown }
type Entries = Map<string, Entry>

const MAGIC = Buffer.from('coffer-offline-1\n')
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES_MIN = 32
const MAX_AGE_MS = 14 * 24 * 3_600_000

/**
 * `binding` is the address, the namespace and the identity. `onError` is told when a file was of no
 * use and is replaced; writes come one after another.
 */
export function createOfflineCache(
  options: OfflineOptions,
  binding: string,
  onError: (error: unknown) => void,
): OfflineCache {
  const { file, maxAgeMs = MAX_AGE_MS } = options
  let work: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const done = work.then(run, run)
    work = done.catch(() => {})
    return done
  }
  const load = async (): Promise<Entries> => {
    const bytes = await readOwnFile(file)
    const key = bytes && (await keyOf(options))
    return bytes && key ? unseal(bytes, key, binding, file) : new Map<string, Entry>()
  }
  const change = (edit: (entries: Entries) => void) =>
    inTurn(async () => {
      let now: Entries
      try {
        now = await load()
      } catch (error) {
        if (!(error instanceof OfflineCacheError)) throw error
        // The server is up and has just told the value: what was damaged is made anew.
        onError(error)
        now = new Map<string, Entry>()
      }
      edit(now)
      for (const [name, { at }] of now) if (Date.now() - at > maxAgeMs) now.delete(name)
      await writeOwnFile(file, seal(now, await keyOf(options), binding))
    })

  return {
    get: (name) =>
      inTurn(async () => {
        const entry = (await load()).get(name)
        // A clock that was set back must not make an entry live for ever.
        const fresh = entry && Math.abs(Date.now() - entry.at) <= maxAgeMs
        return fresh ? entry.value : undefined
      }),
    put: (name, value) => change((now) => now.set(name, { at: Date.now(), value })),
    remove: (name) => change((now) => now.delete(name)),
  }
}

async function keyOf({ key, file, keyFile = `${file}.key` }: OfflineOptions): Promise<Buffer> {
  const given = key?.reveal()
  if (given !== undefined) {
    const bytes = typeof given === 'string' ? Buffer.from(given) : Buffer.from(given)
    if (bytes.length < KEY_BYTES_MIN) throw short('the key of the offline cache')
    return bytes
  }
  const stored = await readOwnFile(keyFile)
  if (stored === undefined) {
    try {
      await createOwnFile(keyFile, Buffer.from(`${randomBytes(32).toString('base64')}\n`))
    } catch (error) {
      // Another process of ours may have made it in between.
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error
    }
  }
  const text = (stored ?? (await readOwnFile(keyFile)))?.toString('utf8').trim() ?? ''
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length < KEY_BYTES_MIN) throw short(`the key in ${keyFile}`)
  return bytes
}

function short(what: string): ConfigError {
  const reason = 'is too short: it must have 32 random bytes'
  return new ConfigError([{ at: 'offline', reference: what, reason }])
}

function derive(key: Buffer, salt: Buffer, aad: Buffer): Buffer {
  const info = Buffer.concat([Buffer.from('coffer offline cache\n'), aad])
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32))
}

/** A digest: HKDF takes no more than 1024 bytes, and a role id need not be anywhere as it is. */
const aadOf = (binding: string) => createHash('sha256').update(binding).digest()

function seal(entries: Entries, key: Buffer, binding: string): Buffer {
  const aad = aadOf(binding)
  const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)]
  const cipher = createCipheriv('aes-256-gcm', derive(key, salt, aad), nonce)
  cipher.setAAD(Buffer.concat([MAGIC, aad]))
  const text = cipher.update(stringifyJson([...entries]), 'utf8')
  return Buffer.concat([MAGIC, salt, nonce, text, cipher.final(), cipher.getAuthTag()])
}

function unseal(bytes: Buffer, key: Buffer, binding: string, file: string): Entries {
  const aad = aadOf(binding)
  const textAt = MAGIC.length + SALT_BYTES + NONCE_BYTES
  const tagAt = bytes.length - TAG_BYTES
  if (tagAt < textAt || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw useless(file)
  const salt = bytes.subarray(MAGIC.length, MAGIC.length + SALT_BYTES)
  const nonce = bytes.subarray(MAGIC.length + SALT_BYTES, textAt)
  const options = { authTagLength: TAG_BYTES }
  const cipher = createDecipheriv('aes-256-gcm', derive(key, salt, aad), nonce, options)
  cipher.setAAD(Buffer.concat([MAGIC, aad]))
  cipher.setAuthTag(bytes.subarray(tagAt))
  try {
    const text = Buffer.concat([cipher.update(bytes.subarray(textAt, tagAt)), cipher.final()])
    return new Map(parseJson(text.toString('utf8')) as [string, Entry][])
  } catch {
    // The parser's error would quote what was decrypted.
    throw useless(file)
  }
}

function useless(file: string): OfflineCacheError {
  return new OfflineCacheError(
    `the offline cache ${file} cannot be used: it is damaged, or was written with another key, ` +
      'for another server or for another identity',
  )
}
