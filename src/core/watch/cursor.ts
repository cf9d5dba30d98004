/** One watcher's place in the log: reads on from there, and gives what they may see of it. */
import { type LogRecord } from '../../barrier/log.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Core } from '../core.ts'
import { type Turn } from '../turn.ts'
import { idOf, type Position, positionOf, START } from './event-id.ts'
import { type StoredEvent } from './events.ts'
import { wasDropped } from './retention.ts'
import { type ToldEvent } from './sse.ts'
import { type Ending, seenPath, standingNow, type Watched } from './standing.ts'

export type Records = (after: number, limit: number) => Promise<readonly LogRecord[]>

export type Step =
  | { readonly ending: Ending }
  | {
      readonly events: readonly ToldEvent[]
      /** There may be more right now. */
      readonly more: boolean
    }

export type Cursor = {
  /** Where a client goes on after all that was given so far; '' = it got no place yet. */
  readonly id: string
  /** The next events; none when there is nothing new. */
  next(): Promise<Step>
}

/** Records that are looked at in one step. */
const PAGE = 100
/** In one step; a record is not split. */
const EVENTS_MAX = 1_000

export type CursorParts = {
  core: Core
  turn: Turn
  watched: Watched
  records: Records
  /** The id of the last event the client has; undefined = it wants what comes from now on. */
  after: string | undefined
}

export function cursor({ core, turn, watched, records, after }: CursorParts): Cursor {
  let at: Position | undefined
  const reset = (now: Position): ToldEvent => ({
    id: idOf(now),
    type: 'reset',
    path: watched.prefix,
    time: rfc3339(core.clock.now()),
  })

  /** The position to begin at, and whether what lies between is not known any more. */
  async function begin(): Promise<{ from: Position; lost: boolean }> {
    const wanted = after === undefined ? undefined : positionOf(after)
    if (wanted && (await isKept(wanted))) return { from: wanted, lost: false }
    return { from: await newest(), lost: after !== undefined }
  }

  async function isKept({ revision, index, mark }: Position): Promise<boolean> {
    if (revision === 0) return mark === START.mark && !(await wasDropped(core))
    const [record] = await records(revision - 1, 1)
    const same = record?.revision === revision && record.mark === mark
    return same && index < (record.told?.length ?? 0)
  }

  /** Whether what came right after this position is gone: a reader was slower than the retention. */
  async function hasGap(from: Position, page: readonly LogRecord[]): Promise<boolean> {
    if (from.revision === 0) return page.length > 0 && (await wasDropped(core))
    return page[0]?.revision !== from.revision
  }

  async function newest(): Promise<Position> {
    const revision = await core.store.logFromEnd(0)
    if (revision === undefined) return START
    const [record] = await records(revision - 1, 1)
    return record ? endOf(record) : START
  }

  async function next(): Promise<Step> {
    if (!at) {
      const { from, lost } = await begin()
      // Asked before anything is given, so that a token that has ended gets not even a reset.
      const standing = await standingNow(core, turn, watched)
      if (typeof standing === 'string') return { ending: standing }
      at = from
      if (lost) return { events: [reset(at)], more: true }
    }
    const from = at
    const page = await records(Math.max(from.revision - 1, 0), PAGE)
    // After the page: what is told was there when the policies were asked.
    const standing = await standingNow(core, turn, watched)
    if (typeof standing === 'string') return { ending: standing }
    if (await hasGap(from, page)) {
      at = await newest()
      return { events: [reset(at)], more: true }
    }
    const events: ToldEvent[] = []
    for (const record of page) {
      // It cannot be told what was in it.
      if (!record.told) events.push(reset(endOf(record)))
      for (const [index, event] of (record.told ?? []).entries()) {
        if (record.revision === from.revision && index <= from.index) continue
        const stored = event as StoredEvent
        const path = await seenPath(core, standing, stored, watched.prefix)
        if (path !== undefined) events.push(toldEvent(idAt(record, index), path, stored))
      }
      at = endOf(record)
      if (events.length >= EVENTS_MAX) return { events, more: true }
    }
    return { events, more: page.length === PAGE }
  }

  return {
    get id() {
      return at ? idOf(at) : (after ?? '')
    },
    next,
  }
}

const idAt = ({ revision, mark }: LogRecord, index: number) => idOf({ revision, index, mark })

const endOf = ({ revision, mark, told }: LogRecord): Position => ({
  revision,
  index: Math.max((told?.length ?? 0) - 1, 0),
  mark,
})

function toldEvent(id: string, path: string, event: StoredEvent): ToldEvent {
  const { type, version, generation, at } = event
  return {
    id,
    type,
    path,
    ...(version !== undefined && { version }),
    ...(generation !== undefined && { generation }),
    time: rfc3339(at),
  }
}
