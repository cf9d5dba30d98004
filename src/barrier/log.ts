/**
 * The log of the store, sealed and opened: what some transactions tell besides the entries they
 * write, in the order of their commits. All that one transaction tells is one record, so a record
 * has the revision of its commit and nothing has to be counted by us.
 *
 * A record is bound to the log, not to its place in it, which is not known before it is written: who
 * can write to the file could put records into another order, but neither make nor read one.
 */
import { parseJson } from '../lib/json.ts'
import { type Entry, type LogWrite } from '../storage/store.ts'
import { type Keyring } from './keyring.ts'

export type LogRecord = {
  readonly revision: number
  /** Tells this record from another that another life of the store had at this revision. */
  readonly mark: string
  /** In the order they were told; undefined = it cannot be opened. */
  readonly told: readonly object[] | undefined
}

const BOUND_TO = 'log'
const MARK_BYTES = 4

/** What a transaction does to the log. */
export function logWrite(
  keyring: Keyring,
  { told, dropTo }: { readonly told: readonly object[]; readonly dropTo: number | undefined },
): LogWrite {
  const text = told.length > 0 ? JSON.stringify(told) : undefined
  return {
    ...(text !== undefined && { append: keyring.sealRecord(BOUND_TO, Buffer.from(text)) }),
    ...(dropTo !== undefined && { dropTo }),
  }
}

export function openLog(keyring: Keyring, { revision, value }: Entry): LogRecord {
  // The end of a sealed record is its authentication tag: different for each, and no secret.
  const mark = Buffer.from(value.subarray(-MARK_BYTES)).toString('hex')
  try {
    const text = keyring.openRecord(BOUND_TO, value).toString('utf8')
    return { revision, mark, told: parseJson(text) as readonly object[] }
  } catch {
    return { revision, mark, told: undefined }
  }
}
