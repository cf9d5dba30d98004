/**
 * Events: what has happened to a path, told to those who watch. They say that something is there in
 * another version, and never what: no field of a secret can stand in one.
 *
 * An event lies in the log of the store, in the record of the transaction it tells of, so it is
 * there exactly if that was committed; and its place in the log is that of the commit.
 */
import { type Tx } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Home } from '../namespaces.ts'

/** As an engine tells it; the path is below the mount. */
export type Emitted = Parameters<Call<never>['emit']>[0]

/** As it lies in the log. A mount may be moved, so it is named by what stays. */
export type StoredEvent = Emitted & {
  readonly mount: string
  /** Uuid of the namespace; absent = the root. */
  readonly ns?: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export type EventSource = {
  readonly mount: { readonly uuid: string }
  readonly home?: Home | undefined
  readonly now: number
}

/** Tells those who watch, once `tx` is committed. */
export function emitEvent(tx: Tx, { mount, home, now }: EventSource, event: Emitted): void {
  const { type, path, version, generation } = event
  // Field by field: whatever else an engine may have put there does not go along.
  tx.tell({
    type,
    path,
    mount: mount.uuid,
    ...(home && { ns: home.uuid }),
    at: now,
    ...(version !== undefined && { version }),
    ...(generation !== undefined && { generation }),
  } satisfies StoredEvent)
}
