/**
 * What makes an audit log hard to change unnoticed. Every line carries its chain and its number in it,
 * and the first of the lines that are written together the SHA-256 of those that were written
 * together before, newlines included. So a line that is changed, removed, added or moved breaks the
 * chain. A chain begins with a signed checkpoint, and more follow, each by itself: whoever can write
 * to the log can make hashes, but no signatures.
 *
 * One hash for all lines of a turn, because one for each line costs a read a tenth of its time. A
 * chain belongs to one process and one opening of one device; several processes that write to one
 * file have their chains mixed in it.
 */
import { hash } from 'node:crypto'
import { type Keyring } from '../barrier/keyring.ts'
import { ed25519Signer, type Signer } from '../crypto/ed25519.ts'
import { base62 } from '../lib/base62.ts'
import { rfc3339 } from '../lib/clock.ts'
import { type Random } from '../lib/random.ts'

/** A checkpoint as it is signed and kept by a witness. `prev` covers every line before it. */
export type Checkpoint = {
  readonly chain: string
  readonly seq: number
  readonly prev: string
  readonly time: string
  readonly signature: string
}

export const FIRST_PREV = '0'.repeat(64)
const ID_CHARS = 16

export const linesHash = (lines: string): string => hash('sha256', lines, 'hex')

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

  /**
   * The lines of entries that are written together, with newlines. An entry is a JSON object's text
   * without its last brace: to cut that off here would have all of it copied once more.
   */
  link(entries: readonly string[]): string {
    let lines = ''
    for (const entry of entries) {
      const prev = lines === '' ? `,"prev":"${this.#prev}"` : ''
      lines += `${this.#prefix}${entry},"chain":"${this.id}","seq":${++this.#seq}${prev}}\n`
    }
    this.#prev = linesHash(lines)
    return lines
  }

  /** A line of its own, which covers all that was written before. */
  checkpoint(now: number): { line: string; checkpoint: Checkpoint } {
    const time = rfc3339(now)
    const unsigned = { chain: this.id, seq: this.#seq + 1, prev: this.#prev, time }
    const signature = this.#signer.sign(signedText(unsigned)).toString('base64')
    const key = keyId(this.#signer.publicKey)
    const line = this.link([
      `{"time":"${time}","type":"checkpoint","key":"${key}","signature":"${signature}"`,
    ])
    this.#signedSeq = this.#seq
    return { line, checkpoint: { ...unsigned, signature } }
  }
}
