/**
 * How long events are kept: by age and by number, whichever is over first. The newest record always
 * stays, so that a place in a quiet log remains one. Run by the node that has the duty of expiry.
 */
import { type Space, type Tx } from '../../barrier/space.ts'
import { type Clock } from '../../lib/clock.ts'
import { type Core } from '../core.ts'
import { type StoredEvent } from './events.ts'

export type Retention = { readonly ageSeconds: number; readonly records: number }

export const RETENTION: Retention = { ageSeconds: 7 * 24 * 3600, records: 100_000 }

/** There once anything has been dropped: `{ to: revision }`. */
const DROPPED_PATH = 'sys/events-dropped'
const PAGE = 200
/** Records that are opened in one pass; what is left is for the next. */
const OPENED_MAX = 5_000

export async function wasDropped(core: Core): Promise<boolean> {
  const tx = await core.begin(false)
  return (await tx?.get(DROPPED_PATH)) !== undefined
}

export type Trimming = {
  space: Space | undefined
  clock: Clock
  keep: Retention
  /** A transaction that does nothing when the duty is another's by now. */
  inTurn: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>
}

export async function trimEvents({ space, clock, keep, inTurn }: Trimming): Promise<void> {
  const newest = await space?.store.logFromEnd(0)
  if (!space || newest === undefined) return
  const tooMany = (await space.store.logFromEnd(keep.records)) ?? 0
  const before = clock.now() - keep.ageSeconds * 1000
  const upTo = await lastBefore(space, { from: tooMany, before, newest })
  const [oldest] = await space.store.log(0, 1)
  if (!oldest || oldest.revision > upTo) return
  await inTurn(async (tx) => {
    tx.dropTo = upTo
    tx.put(DROPPED_PATH, { to: upTo })
  })
}

/** The last record after `from`, but not the newest, that is older than `before`; or `from`. */
async function lastBefore(
  space: Space,
  { from, before, newest }: { from: number; before: number; newest: number },
): Promise<number> {
  let upTo = from
  for (let opened = 0; opened < OPENED_MAX; opened += PAGE) {
    const page = await space.records(upTo, PAGE)
    for (const { revision, told } of page) {
      // What cannot be opened has no age; it is in nobody's way for longer than the others.
      const at = (told?.[0] as StoredEvent | undefined)?.at ?? 0
      if (at >= before || revision >= newest) return upTo
      upTo = revision
    }
    if (page.length < PAGE) break
  }
  return upTo
}
