/**
 * The key ring: the keys that records are sealed with, newest last, and the secrets that never
 * change (names, derived keys). It lies in the store sealed under the root key.
 *
 *   record = 1 (version) ‖ term (4, big endian) ‖ sealed, bound to the store key it lies under
 */
import { deriveKey, KEY_BYTES, open, seal, TamperedError } from '../crypto/aead.ts'
import { type Random } from '../lib/random.ts'

type Term = { term: number; key: string; installed: number; retired?: number }
type StoredRing = { version: 1; terms: Term[]; fixed: string }

export const KEYRING_KEY = 'core/keyring'
const CONTEXT = 'coffer/keyring/v1'
const RECORD_VERSION = 1
const HEADER_BYTES = 5

export type Keyring = {
  readonly term: number
  readonly installed: number
  /** The secret all names and purposes derive from; the same for the life of the store. */
  readonly fixed: Buffer
  /** A new ring with one more key, which seals from now on. Old keys still open. */
  rotated(random: Random, now: number): Keyring
  /** The ring as it lies in the store. */
  store(rootKey: Uint8Array): Buffer
  sealRecord(storeKey: string, plain: Uint8Array | string): Buffer
  openRecord(storeKey: string, record: Uint8Array): Buffer
  /** A key of its own for one purpose. */
  derive(purpose: string): Buffer
}

export function newKeyring(random: Random, now: number): Keyring {
  return keyring({
    version: 1,
    terms: [{ term: 1, key: random(KEY_BYTES).toString('base64'), installed: now }],
    fixed: random(KEY_BYTES).toString('base64'),
  })
}

/** Throws TamperedError when the root key is not the one the ring was sealed with. */
export function openKeyring(rootKey: Uint8Array, stored: Uint8Array): Keyring {
  const plain = open(rootKey, stored, { context: CONTEXT })
  return keyring(JSON.parse(plain.toString('utf8')) as StoredRing)
}

function keyring(ring: StoredRing): Keyring {
  const keys = new Map(ring.terms.map(({ term, key }) => [term, Buffer.from(key, 'base64')]))
  const newest = ring.terms.at(-1)!
  const active = keys.get(newest.term)!
  const fixed = Buffer.from(ring.fixed, 'base64')
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt8(RECORD_VERSION, 0)
  header.writeUInt32BE(newest.term, 1)

  return {
    term: newest.term,
    installed: newest.installed,
    fixed,
    rotated(random, now) {
      const key = random(KEY_BYTES).toString('base64')
      return keyring({
        ...ring,
        terms: [...ring.terms, { term: newest.term + 1, key, installed: now }],
      })
    },
    store: (rootKey) => seal(rootKey, Buffer.from(JSON.stringify(ring)), { context: CONTEXT }),
    sealRecord: (storeKey, plain) => seal(active, plain, { context: storeKey, before: header }),
    openRecord(storeKey, record) {
      const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
      if (bytes.length < HEADER_BYTES || bytes[0] !== RECORD_VERSION) {
        throw new TamperedError(`the record at ${storeKey} has an unknown form`)
      }
      const key = keys.get(bytes.readUInt32BE(1))
      if (!key) throw new TamperedError(`the record at ${storeKey} names a key that is not there`)
      try {
        return open(key, bytes.subarray(HEADER_BYTES), { context: storeKey })
      } catch (error) {
        throw new TamperedError(`the record at ${storeKey} has been changed or moved`, {
          cause: error,
        })
      }
    },
    derive: (purpose) => deriveKey(fixed, purpose),
  }
}
