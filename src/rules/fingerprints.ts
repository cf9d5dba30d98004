/**
 * An index of secrets that holds no secret: whoever has it can tell whether a text contains one of
 * them, and cannot tell what they are. Of each form of a value there are a hash of its first eight
 * bytes, cut to 24 bits, so that a text can be looked through by a rolling hash; its length; and an
 * HMAC of all of it, which decides. All are under a key that is in the index, and new in each. It is
 * called a salt there: whoever has the file has it, and a scanner would take a "key" for a secret.
 *
 * Who has the index can try guesses. So a value must be hard to guess even for one who knows the 24
 * bits: shorter and plainer ones are left out, and counted.
 *
 *   entry (19 bytes)   window hash 3 · length 3 · HMAC-SHA-256 10 · number of the reference 3
 */
import { createHmac, randomBytes } from 'node:crypto'
import { formsOf } from './encodings.ts'

/** Where a value is kept. Names and numbers, nothing secret. */
export type SecretRef = {
  /** As a reference names it: `secret/app/db`. */
  readonly path: string
  readonly field: string
  /** 0 = it has none. */
  readonly version: number
  /** Whether it is the one that is served now. */
  readonly live: boolean
  /** The lease it was issued with, for those who may know of it. */
  readonly lease?: string
}

/** `secret/app/db#password v7` */
export const nameOf = ({ path, field, version }: SecretRef): string =>
  `${path}#${field}${version > 0 ? ` v${version}` : ''}`

export type FingerprintIndex = {
  readonly format: typeof FORMAT
  /** RFC 3339. */
  readonly issued: string
  /** base64, 32 bytes. */
  readonly salt: string
  /** base64 of entries, by their window hash. */
  readonly entries: string
  readonly refs: readonly SecretRef[]
  /** Values that would be too easy to guess. */
  readonly left_out: number
}

export const FORMAT = 'coffer-fingerprints/1'

const WINDOW = 8
const HASH_BITS = 24
const MAC_BYTES = 10
const ENTRY_BYTES = 3 + 3 + MAC_BYTES + 3
/** What a guesser must still try when the window's bits have helped. */
const GUESS_BITS_MIN = 48 + HASH_BITS
const REFS_MAX = 2 ** 24

type Keys = { readonly base: number; readonly mix: number; readonly mac: Buffer }

function keysOf(key: Uint8Array): Keys {
  const part = (of: string) => createHmac('sha256', key).update(of).digest()
  const window = part('window')
  return { base: window.readUInt32LE(0) | 1, mix: window.readUInt32LE(4) | 1, mac: part('mac') }
}

const macOf = (keys: Keys, bytes: Uint8Array) =>
  createHmac('sha256', keys.mac).update(bytes).digest().subarray(0, MAC_BYTES)

/** The polynomial hash of a window, mixed so that its upper bits depend on all of it. */
const mixed = (hash: number, mix: number) =>
  Math.imul(hash ^ (hash >>> 15), mix) >>> (32 - HASH_BITS)

function windowHash(bytes: Uint8Array, at: number, { base, mix }: Keys): number {
  let hash = 0
  for (let i = 0; i < WINDOW; i++) hash = (Math.imul(hash, base) + bytes[at + i]!) | 0
  return mixed(hash, mix)
}

export type IndexedValue = SecretRef & { readonly value: string }

/** The newest value is the one to be told of, so where two are alike the later in the list counts. */
export function makeIndex(
  values: Iterable<IndexedValue>,
  { now, random = randomBytes }: { now: number; random?: (bytes: number) => Buffer },
): FingerprintIndex {
  const key = random(32)
  const keys = keysOf(key)
  const refs: SecretRef[] = []
  const byForm = new Map<string, { bytes: Buffer; ref: number }>()
  let leftOut = 0
  for (const { value, ...about } of values) {
    const text = value.trim()
    if (!isHard(text) || refs.length >= REFS_MAX) {
      leftOut++
      continue
    }
    const ref = refs.push(about) - 1
    // A line of a value may be plain although the whole is not.
    for (const bytes of formsOf(text, isHard)) {
      if (bytes.length >= WINDOW) byForm.set(bytes.toString('latin1'), { bytes, ref })
    }
  }
  const entries = [...byForm.values()].map(({ bytes, ref }) => {
    const entry = Buffer.alloc(ENTRY_BYTES)
    entry.writeUIntBE(windowHash(bytes, 0, keys), 0, 3)
    entry.writeUIntBE(bytes.length, 3, 3)
    macOf(keys, bytes).copy(entry, 6)
    entry.writeUIntBE(ref, 6 + MAC_BYTES, 3)
    return entry
  })
  return {
    format: FORMAT,
    issued: new Date(now).toISOString(),
    salt: key.toString('base64'),
    // Sorted, so that their order says nothing about which forms belong together.
    entries: Buffer.concat(entries.sort((a, b) => Buffer.compare(a, b))).toString('base64'),
    refs,
    left_out: leftOut,
  }
}

const isHard = (text: string) => guessBits(text) >= GUESS_BITS_MIN

export type KnownSecret = { readonly start: number; readonly end: number; readonly ref: SecretRef }

export type IndexMatcher = {
  /** Secrets of the index in the text, by bytes; those that begin first, and the longest of them. */
  find(text: Uint8Array): KnownSecret[]
  readonly refs: readonly SecretRef[]
}

/** By length, the longest first: what is written with the same beginning is digested once a length. */
type Alike = { readonly length: number; readonly refs: Map<string, SecretRef> }[]

/** Throws a TypeError that says what is wrong with the index. */
export function openIndex(index: FingerprintIndex): IndexMatcher {
  const { key, packed, refs } = partsOf(index)
  const keys = keysOf(key)
  const filter = new Uint32Array(2 ** (HASH_BITS - 5))
  const byHash = new Map<number, Alike>()
  for (let at = 0; at < packed.length; at += ENTRY_BYTES) {
    const hash = packed.readUIntBE(at, 3)
    const length = packed.readUIntBE(at + 3, 3)
    const ref = refs[packed.readUIntBE(at + 6 + MAC_BYTES, 3)]
    if (!ref) throw new TypeError('an entry of the index names a reference that is not there')
    if (length < WINDOW) throw new TypeError('an entry of the index is shorter than its window')
    const mac = packed.toString('latin1', at + 6, at + 6 + MAC_BYTES)
    filter[hash >>> 5]! |= 1 << (hash & 31)
    const alike = byHash.get(hash) ?? []
    if (alike.length === 0) byHash.set(hash, alike)
    // Entries are sorted, so those of one length follow one another.
    const last = alike.at(-1)
    if (last?.length === length) last.refs.set(mac, ref)
    else alike.push({ length, refs: new Map([[mac, ref]]) })
  }
  for (const alike of byHash.values()) alike.sort((a, b) => b.length - a.length)

  function confirm(text: Uint8Array, start: number, hash: number): KnownSecret | undefined {
    for (const { length, refs: of } of byHash.get(hash)!) {
      const end = start + length
      if (end > text.length) continue
      const ref = of.get(macOf(keys, text.subarray(start, end)).toString('latin1'))
      if (ref) return { start, end, ref }
    }
    return undefined
  }

  return {
    refs,
    find(text) {
      const found: KnownSecret[] = []
      if (byHash.size === 0 || text.length < WINDOW) return found
      const { base, mix } = keys
      let out = 1
      for (let i = 0; i < WINDOW; i++) out = Math.imul(out, base)
      let hash = 0
      let until = 0
      for (let at = 0; at < text.length; at++) {
        hash = (Math.imul(hash, base) + text[at]!) | 0
        if (at >= WINDOW) hash = (hash - Math.imul(text[at - WINDOW]!, out)) | 0
        const start = at - WINDOW + 1
        if (start < until) continue
        const short = mixed(hash, mix)
        if ((filter[short >>> 5]! & (1 << (short & 31))) === 0) continue
        const one = confirm(text, start, short)
        if (!one) continue
        found.push(one)
        until = one.end
      }
      return found
    },
  }
}

/** A file says what it likes: nothing of it is used before it is what it should be. */
function partsOf(index: FingerprintIndex): { key: Buffer; packed: Buffer; refs: SecretRef[] } {
  const given = Object(index) as Record<keyof FingerprintIndex, unknown>
  const { format, salt, entries, refs } = given
  if (format !== FORMAT) throw new TypeError(`the index is not of the form ${FORMAT}`)
  if (typeof salt !== 'string') throw new TypeError('the index has no salt: make it anew')
  if (typeof entries !== 'string' || !Array.isArray(refs)) {
    throw new TypeError('entries or refs of the index are missing')
  }
  const [key, packed] = [Buffer.from(salt, 'base64'), Buffer.from(entries, 'base64')]
  if (key.length !== 32) {
    throw new TypeError('the salt of the index has another length than 32 bytes')
  }
  // A decoder passes over what is no base64.
  if (packed.toString('base64') !== entries)
    throw new TypeError('entries of the index are not base64')
  if (packed.length % ENTRY_BYTES !== 0) throw new TypeError('the index ends within an entry')
  return { key, packed, refs: refs.map(refOf) }
}

function refOf(value: unknown): SecretRef {
  const { path, field, version, live, lease } = Object(value) as Record<string, unknown>
  const isIt =
    typeof path === 'string' &&
    typeof field === 'string' &&
    typeof version === 'number' &&
    typeof live === 'boolean' &&
    (lease === undefined || typeof lease === 'string')
  if (!isIt) throw new TypeError('a reference of the index does not say where a value is kept')
  return { path, field, version, live, ...(lease !== undefined && { lease }) }
}

/**
 * About how many guesses, as a power of two, it takes to find a value by its kind: letters in a row
 * are words, and digits in a row numbers, to somebody who guesses.
 */
export function guessBits(value: string): number {
  let bits = 0
  for (const [run] of value.matchAll(/[a-z]{4,}|[A-Z]{4,}|\d{4,}|[^]/g)) {
    if (run.length === 1) bits += /[a-z]/i.test(run) ? 4.7 : /\d/.test(run) ? 3.3 : 4.5
    else bits += /\d/.test(run) ? run.length * 3.3 : Math.min(run.length * 2.4, 14 + run.length)
  }
  // What is said again adds little.
  return bits * Math.min(1, new Set(value).size / 8)
}
