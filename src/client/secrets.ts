/**
 * Secrets as a program asks for them while it runs: kept for a while, refreshed behind its back,
 * kept on disk for a start without the server, and read anew when a login is refused.
 */
import { type Secret } from '../lib/secret.ts'
import { isAuthFailure } from './auth-failure.ts'
import { type CacheTimes, createCache } from './cache.ts'
import { asyncDispose, type Client } from './connect.ts'
import { ConfigError } from './errors.ts'
import { type CallOptions } from './http.ts'
import { Credential, type FieldNames } from './rotating/credential.ts'
import { createReader, type Reader } from './rotating/reading.ts'
import { parseSourceReference, type SourceReference } from './rotating/source-reference.ts'
import { createSupply, type Supplied, type SupplyOptions } from './rotating/supply.ts'

export type SecretsOptions = SupplyOptions &
  CacheTimes & {
    fields?: FieldNames | undefined
    /** From 0 up to 1: spreads refreshes. */
    random?: (() => number) | undefined
  }

export type Secrets = {
  /** `vault://secret/db#password`. Throws MissingError, DeniedError, or what the network met. */
  get(ref: string, options?: CallOptions): Promise<Secret>
  /** `vault://database/static-creds/app`: all its fields, of one and the same reading. */
  credential(ref: string, options?: CallOptions): Promise<Credential>
  /**
   * Calls `fn` with the credential. When it fails because a login was refused, reads the credential
   * anew, and calls once more if it has changed: the same one again would only lock the account.
   */
  withFreshCredentials<T>(
    ref: string,
    fn: (credential: Credential) => T | Promise<T>,
    options?: CallOptions,
  ): Promise<T>
  /** Reads one secret now, or all that are cached. */
  refreshNow(ref?: string, options?: CallOptions): Promise<void>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

type Kept = Supplied & { serial: number }

/** Logs in when the first secret is asked for. Not for leases: see `rotatingCredential`. */
export function openSecrets(options: SecretsOptions = {}): Secrets {
  const { fields: names = {}, random = Math.random } = options
  const supply = createSupply(options)
  const readers = new WeakMap<Client, Map<string, Reader>>()
  let serial = 0

  const readerOf = (client: Client, path: string): Reader => {
    const own = readers.get(client) ?? new Map<string, Reader>()
    readers.set(client, own)
    const reader = own.get(path) ?? createReader(client, path)
    own.set(path, reader)
    return reader
  }
  const load = async (path: string, call: CallOptions): Promise<Kept> => {
    const supplied = await supply.read(path, (c, o) => readerOf(c, path).read(o), call)
    if (supplied.lease !== undefined) {
      const reason = 'is made anew at each read: use rotatingCredential or an adapter'
      throw new ConfigError([{ at: '', reference: `vault://${path}`, reason }])
    }
    return { ...supplied, serial: ++serial }
  }
  const cache = createCache<Kept>({ ...options, load, onError: supply.onError, random })
  const made = (reference: SourceReference, kept: Kept) =>
    new Credential(kept, { reference, names, serial: kept.serial })
  const credential = async (reference: SourceReference, call?: CallOptions) =>
    made(reference, await cache.get(reference.path, call))

  return {
    async get(ref, call) {
      const reference = parseSourceReference(ref)
      if (reference.field === undefined) {
        const reason = 'names no field: add #<field>, or ask for credential()'
        throw new ConfigError([{ at: '', reference: reference.text, reason }])
      }
      return (await credential(reference, call)).password
    },
    credential: (ref, call) =>
      Promise.resolve(ref)
        .then(parseSourceReference)
        .then((r) => credential(r, call)),
    async withFreshCredentials(ref, fn, call) {
      const reference = parseSourceReference(ref)
      const before = await cache.get(reference.path, call)
      try {
        return await fn(made(reference, before))
      } catch (error) {
        if (!isAuthFailure(error)) throw error
        const now = await cache.refreshNow(reference.path, call).catch(() => before)
        if (now.mark === before.mark) throw error
        return fn(made(reference, now))
      }
    },
    async refreshNow(ref, call) {
      const paths = ref === undefined ? cache.keys : [parseSourceReference(ref).path]
      await Promise.all(paths.map((path) => cache.refreshNow(path, call)))
    },
    close: () => supply.close(),
    [asyncDispose]: () => supply.close(),
  }
}
