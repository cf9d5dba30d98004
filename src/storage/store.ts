/**
 * A store keeps bytes under slash-separated keys, each with the revision at which it was written.
 * It is never trusted: what reaches it has been sealed by the barrier above.
 *
 * A revision is a counter of the whole store: every write takes the next one. That one number is
 * what makes several nodes equal: a cache is exact when nothing it holds is in `changes(since)`,
 * and a write is safe when nothing its handler read has a newer revision.
 */

import { type Awaitable } from '../lib/awaitable.ts'

export { type Awaitable }

export type Entry = { readonly value: Uint8Array; readonly revision: number }

/** One change; an undefined value deletes. */
export type Write = {
  readonly key: string
  readonly value: Uint8Array | undefined
  /** When this entry wants attention (ms since the epoch); see `due`. */
  readonly due?: number
}

/** What the caller read: the write is refused unless all of it is still so. */
export type Expect = {
  /** All of `keys` were so at this revision or later; lets a store look only at what came after. */
  readonly since?: number
  /** Keys with the revision that was read; 0 = there was no such key. */
  readonly keys: readonly { readonly key: string; readonly revision: number }[]
  /** Prefixes that were listed, with the store's revision at that moment. */
  readonly ranges: readonly { readonly prefix: string; readonly since: number }[]
}

export const NOTHING_EXPECTED: Expect = { keys: [], ranges: [] }

/**
 * What a write does to the log of the store: one record at its end, which gets the revision of the
 * write, or all records up to a revision gone. Records are never changed, and reading them is no
 * part of what a write expects: writers that only add to the log do not meet.
 */
export type LogWrite = { readonly append?: Uint8Array; readonly dropTo?: number }

/** At most `limit` names that sort after `after`, which itself need not exist. */
export type Page = { after?: string; limit?: number }

export type Changes = {
  readonly revision: number
  /** Each with the revision of its last change. */
  readonly keys: ReadonlyMap<string, number>
}

export interface Store {
  /** The kind, as `storage_type` names it. */
  readonly type: string

  /** The entry under `key`, or undefined. Absence is an answer, not an error. */
  get(key: string): Awaitable<Entry | undefined>

  /** Names directly under `prefix` ('' or ending in '/'), sorted; `x/` has children. */
  list(prefix: string, page?: Page): Awaitable<string[]>

  /**
   * Applies every write or none, once a crash cannot undo it, and returns the revision they have.
   * Throws StoreConflict when `expect` does not hold any more: nothing was written. Any other
   * error leaves the outcome unknown until it is read again.
   */
  write(batch: readonly Write[], expect: Expect, log?: LogWrite): Promise<number>

  /** The newest revision that is committed, by any process. */
  revision(): Awaitable<number>

  /** Keys changed after `since`; undefined when that is too long ago to tell. */
  changes(since: number): Awaitable<Changes | undefined>

  /** Keys of entries whose time has come, most overdue first, and when the next one is due. */
  due(now: number, limit: number): Awaitable<{ keys: string[]; next: number | undefined }>

  /** Records of the log that are newer than a revision, oldest first. */
  log(after: number, limit: number): Awaitable<readonly Entry[]>

  /** The revision of the record that has so many newer ones; undefined when there are fewer. */
  logFromEnd(newer: number): Awaitable<number | undefined>

  close(): Promise<void>
}

/** What was read has changed meanwhile; nothing was written. Run the handler again. */
export class StoreConflict extends Error {
  override readonly name = 'StoreConflict'
  constructor() {
    super('changed since it was read')
  }
}

/** Where the store is to be, it cannot be. The message says why and is for the operator. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable'
}

/** The smallest string that sorts after everything that starts with `prefix` (keys are ASCII). */
export function endOf(prefix: string): string {
  if (prefix === '') return '\x7f'
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}
