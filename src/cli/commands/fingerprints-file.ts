/** Reading an index of fingerprints from a file: it counts only whole and signed. */
import { readFileSync } from 'node:fs'
import { ed25519Verifier } from '../../crypto/ed25519.ts'
import { isObject } from '../../lib/json.ts'
import { type FingerprintIndex, type IndexMatcher, openIndex } from '../../rules/fingerprints.ts'
import { CliError } from '../cli-error.ts'
import { whyUnreadable } from '../unreadable.ts'

/** Throws a CliError that says what is wrong with the file. */
export const indexFromFile = (file: string, signer?: string): IndexMatcher =>
  readIndex(textOf(file), file, signer)

/** As it is, for threads that open it themselves. */
export function fingerprintsIn(file: string, signer?: string): FingerprintIndex {
  const text = textOf(file)
  readIndex(text, file, signer)
  return JSON.parse((JSON.parse(text) as { index: string }).index) as FingerprintIndex
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new CliError(`the index ${file} cannot be read: ${whyUnreadable(error)}`, {
      hint: 'coffer fingerprints -out=FILE makes one',
    })
  }
}

export function readIndex(text: string, from: string, signer?: string): IndexMatcher {
  const bad = (why: string) =>
    new CliError(`${from} is no index of fingerprints: ${why}`, {
      hint: 'coffer fingerprints -out=FILE makes one',
    })
  const file = parsed(text)
  if (!file) throw bad('it is not JSON')
  const { index, signature, public_key: key } = file
  if (typeof index !== 'string' || typeof signature !== 'string' || typeof key !== 'string') {
    throw bad('index, signature or public_key is missing')
  }
  const bytes = Buffer.from(key, 'base64')
  if (bytes.length !== 32) throw bad('its public_key has another length than 32 bytes')
  if (signer !== undefined && !bytes.equals(Buffer.from(signer, 'base64'))) {
    throw bad('another key than that of -index-key has signed it')
  }
  if (!ed25519Verifier(bytes)(index, Buffer.from(signature, 'base64'))) {
    throw bad('its signature is not of what is in it')
  }
  try {
    return openIndex(JSON.parse(index) as FingerprintIndex)
  } catch (error) {
    throw bad(error instanceof TypeError ? error.message : 'it is not JSON')
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
