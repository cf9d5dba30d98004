/**
 * What makes an audit log hard to change unnoticed. Every line carries its chain, its number in it
 * and the SHA-256 of the line before (as it stands in the log, without the newline), so that a line
 * that is changed, removed, added or moved breaks the chain. A chain begins with a signed
 * checkpoint, and more follow: whoever can write to the log can make hashes, but no signatures.
 *
 * A chain belongs to one process and one opening of one device; several processes that write to one
 * file have their chains mixed in it.
 */
import { hash } from 'node:crypto'
import { type Keyring } from '../barrier/keyring.ts'
import { ed25519Signer, type Signer } from '../crypto/ed25519.ts'
import { base62 } from '../lib/base62.ts'
import { rfc3339 } from '../lib/clock.ts'
import { type Random } from '../lib/random.ts'

/** What stands at the end of every line, and all that verification needs of it. */
export type Link = { readonly chain: string; readonly seq: number; readonly prev: string }

/** A checkpoint as it is signed and kept by a witness. `prev` covers every line before it. */
export type Checkpoint = Link & { readonly time: string; readonly signature: string }

export const FIRST_PREV = '0'.repeat(64)
const ID_CHARS = 16

export const lineHash = (line: string): string => hash('sha256', line, 'hex')

/** What a checkpoint's signature is of. */
export function signedText({ chain, seq, prev, time }: Omit<Checkpoint, 'signature'>): string {
  return `coffer audit checkpoint\n${chain}\n${seq}\n${prev}\n${time}\n`
}

/** Tells keys apart: the first 16 hex digits of the SHA-256 of the public key. */
export const keyId = (publicKey: Uint8Array): string =>
  hash('sha256', publicKey, 'hex').slice(0, 16)

const signers = new WeakMap<Keyring, Signer>()

/** The signer of a server: it follows from the barrier's fixed key, on every node the same. */
export function auditSigner(keyring: Keyring): Signer {
  let signer = signers.get(keyring)
  if (!signer) {
    signer = ed25519Signer(keyring.derive('audit/checkpoint/v1'))
    signers.set(keyring, signer)
  }
  return signer
}

export class AuditChain {
  readonly id: string
  readonly #signer: Signer
  readonly #prefix: string
  #seq = 0
  #prev = FIRST_PREV
  #signedSeq = 0

  constructor(signer: Signer, random: Random, prefix = '') {
    this.id = base62(ID_CHARS, random)
    this.#signer = signer
    this.#prefix = prefix
  }

  /** Lines that no checkpoint covers yet. */
  get unsigned(): number {
    return this.#seq - this.#signedSeq
  }

  /** The line of an entry: a JSON object's text. */
  link(entry: string): string {
    this.#seq++
    const line =
      `${this.#prefix}${entry.slice(0, -1)},"chain":"${this.id}"` +
      `,"seq":${this.#seq},"prev":"${this.#prev}"}`
    this.#prev = lineHash(line)
    return line
  }

  checkpoint(now: number): { line: string; checkpoint: Checkpoint } {
    const time = rfc3339(now)
    const unsigned = { chain: this.id, seq: this.#seq + 1, prev: this.#prev, time }
    const signature = this.#signer.sign(signedText(unsigned)).toString('base64')
    const key = keyId(this.#signer.publicKey)
    const entry = `{"time":"${time}","type":"checkpoint","key":"${key}","signature":"${signature}"}`
    const line = this.link(entry)
    this.#signedSeq = this.#seq
    return { line, checkpoint: { ...unsigned, signature } }
  }
}
