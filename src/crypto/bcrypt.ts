/**
 * Password hashes in bcrypt's modular form (`$2b$10$` + 22 characters of salt + 31 of hash), made
 * and checked in a thread of their own, one at a time: a hash takes a tenth of a second of pure
 * computing, and a server that hashes must go on answering. Both sides of the thread are here.
 */
import { timingSafeEqual } from 'node:crypto'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** Of the hashes made here: as many rounds (2^cost) as Vault's. */
export const BCRYPT_COST = 10
/** Bcrypt sees no more of a password than this. */
export const BCRYPT_BYTES_MAX = 72
export const BCRYPT_SALT_BYTES = 16
const WAITING_MAX = 32
const SALT_CHARACTERS = 29
const HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const OWN_KIND = 'bcrypt'

/** More passwords wait to be hashed than is sensible: try again later. */
export class BcryptBusyError extends Error {
  override readonly name = 'BcryptBusyError'
}

type Job = { id: number; password: string; salt: string | Uint8Array }
type Done = { id: number; hash?: string }
type Waiter = { done: (hash: string) => void; failed: (error: Error) => void }

/** The cost of a bcrypt hash; undefined when it is none. */
export function bcryptCost(hash: string): number | undefined {
  const cost = HASH.exec(hash)?.[1]
  return cost === undefined ? undefined : Number(cost)
}

/** A new hash. `salt` is BCRYPT_SALT_BYTES of randomness. Throws BcryptBusyError. */
export function bcryptHash(password: string, salt: Uint8Array): Promise<string> {
  return ask(password, salt)
}

/** Whether it is the password of the hash. Throws BcryptBusyError. */
export async function bcryptMatches(password: string, hash: string): Promise<boolean> {
  const made = Buffer.from(await ask(password, hash.slice(0, SALT_CHARACTERS)))
  const known = Buffer.from(hash)
  return made.length === known.length && timingSafeEqual(made, known)
}

let worker: Worker | undefined
const waiting = new Map<number, Waiter>()
let nextId = 0

function ask(password: string, salt: string | Uint8Array): Promise<string> {
  if (waiting.size >= WAITING_MAX) return Promise.reject(new BcryptBusyError('too many passwords'))
  worker ??= start()
  const running = worker
  return new Promise((done, failed) => {
    const id = nextId++
    if (waiting.size === 0) running.ref()
    waiting.set(id, { done, failed })
    // What bcrypt does not look at stays here, so that a long password costs no more than a short one.
    running.postMessage({
      id,
      password: password.slice(0, BCRYPT_BYTES_MAX + 1),
      salt,
    } satisfies Job)
  })
}

function start(): Worker {
  const thread = new Worker(`import(${JSON.stringify(import.meta.url)})`, {
    eval: true,
    workerData: { coffer: OWN_KIND },
    env: {},
  })
  thread.on('message', ({ id, hash }: Done) => {
    const waiter = waiting.get(id)
    waiting.delete(id)
    if (hash === undefined) waiter?.failed(new Error('bcrypt: the password could not be hashed'))
    else waiter?.done(hash)
    if (waiting.size === 0) thread.unref()
  })
  // The next password gets a new thread.
  const stop = (cause?: Error) => {
    if (worker === thread) worker = undefined
    for (const waiter of waiting.values()) {
      waiter.failed(new Error('bcrypt: the thread has stopped', { cause }))
    }
    waiting.clear()
  }
  thread.on('error', stop)
  thread.on('exit', () => stop())
  thread.unref()
  return thread
}

/** The thread. */
async function serve(port: NonNullable<typeof parentPort>): Promise<void> {
  const { encodeBase64, hashSync } = await import('bcryptjs')
  const saltText = (bytes: Uint8Array) =>
    `$2b$${String(BCRYPT_COST).padStart(2, '0')}$${encodeBase64([...bytes], bytes.length)}`
  port.on('message', ({ id, password, salt }: Job) => {
    let hash: string | undefined
    try {
      hash = hashSync(password, typeof salt === 'string' ? salt : saltText(salt))
    } catch {
      hash = undefined
    }
    port.postMessage({ id, ...(hash !== undefined && { hash }) } satisfies Done)
  })
}

if (!isMainThread && parentPort) {
  const kind = (workerData as { coffer?: unknown } | null)?.coffer
  if (kind === OWN_KIND) await serve(parentPort)
}
