/**
 * Changes on foreign systems (`call.foreign`). What would undo one is stored in a transaction of its
 * own before the change is tried; the request's commit removes it. So whatever becomes of the
 * request or of this process, a change that no commit has made its own is taken back.
 *
 *   foreign/<uuid>    ForeignEntry, in its namespace; falls due after a grace
 *
 * Who takes it back marks it first. The commit of the request depends on that same entry, so of the
 * two only one can happen.
 */
import { Failure } from '../kit/failure.ts'
import { type Call } from '../kit/call.ts'
import { type Tx } from '../barrier/space.ts'
import { uuid } from '../lib/random.ts'
import { type Core } from './core.ts'
import {
  askEngine,
  ENGINE_MS_MAX,
  type EngineParts,
  type Lanes,
  NO_ANSWER,
  type Resting,
  retryAfterMs,
} from './lanes.ts'
import { type Home, homeOf } from './namespaces.ts'
import { type Request, type Turn } from './turn.ts'

export type ForeignEntry = {
  kind: 'foreign'
  /** Where it is stored. */
  path: string
  /** Absent = the root. */
  namespace?: Home
  /** Of the mount, by uuid. */
  mount: string
  /** Of the engine's `undo`. */
  undoKind: string
  record: Record<string, unknown>
  dueAt: number
  /** From now on the request may not have its change any more. */
  undoing?: true
  attempts?: number
  /** The change failed, and may still be on its way: it is undone once more after the grace. */
  again?: true
}

/** Longer than any request works; after that, its process has died. */
export const FOREIGN_GRACE_MS = 120_000

type Change = {
  readonly key: string
  readonly entry: ForeignEntry
  readonly result: Promise<unknown>
  failed: boolean
  /** Whose commit removes the entry. */
  claimedBy: Turn | undefined
  /** Somebody else has begun to undo it before it was done. */
  late: boolean
}

/** By request, because its handler may run several times. */
const changes = new WeakMap<Request, Change[]>()

const save = (tx: Tx, entry: ForeignEntry) => tx.put(entry.path, entry, entry.dueAt)

/** The `foreign` of a call. */
export function foreignFor(turn: Turn, core: Core): Call<unknown>['foreign'] {
  return async <T>(kind: string, record: Record<string, unknown>, work: () => Promise<T>) => {
    const { tx, mount } = turn
    if (!tx || !mount) throw new Failure('sealed')
    if (!mount.engine.undo?.[kind]) throw new TypeError(`the engine has no undo "${kind}"`)
    const change = changeFor(turn, core, { kind, record, work })
    const result = (await change.result) as T
    const entry = await tx.get<ForeignEntry>(change.entry.path)
    if (!entry || entry.undoing) {
      change.late = true
      throw new Failure('overloaded', 'the other system took too long; its change is undone')
    }
    tx.remove(entry.path)
    change.claimedBy = turn
    return result
  }
}

type Wanted = { kind: string; record: Record<string, unknown>; work: () => Promise<unknown> }

function changeFor(turn: Turn, core: Core, { kind, record, work }: Wanted): Change {
  const all = changes.get(turn.request) ?? []
  changes.set(turn.request, all)
  const key = JSON.stringify([kind, record])
  const found = all.find((one) => one.key === key)
  if (found) return found
  const home = homeOf(turn.ns)
  const entry: ForeignEntry = {
    kind: 'foreign',
    path: `${turn.ns.prefix}foreign/${uuid(core.random)}`,
    ...home,
    mount: turn.mount!.entry.uuid,
    undoKind: kind,
    record,
    dueAt: core.clock.now() + FOREIGN_GRACE_MS,
  }
  const result = storeThen(core, entry, work)
  const change: Change = { key, entry, result, failed: false, claimedBy: undefined, late: false }
  result.catch(() => (change.failed = true))
  all.push(change)
  return change
}

async function storeThen(
  core: Core,
  entry: ForeignEntry,
  work: () => Promise<unknown>,
): Promise<unknown> {
  const tx = await core.begin(false)
  if (!tx) throw new Failure('sealed')
  save(tx, entry)
  await core.commit(tx)
  return await work()
}

/**
 * When a request is at its end: undoes what its commit has not made its own. Rejects never; a promise
 * only when there is something to undo.
 */
export function settleForeign(turn: Turn, core: Core): Promise<void> | undefined {
  const made = changes.get(turn.request)
  const left = made?.filter((one) => one.claimedBy !== turn || turn.refusal !== undefined)
  if (left && left.length > 0) return undoAll(left, core)
  return undefined
}

async function undoAll(left: readonly Change[], core: Core): Promise<void> {
  for (const { entry, failed, late } of left) {
    await core.expiry.foreign.undo(entry, { again: failed, late })
  }
}

export type Undoer = {
  /** Undoes it now, unless it is gone from the store; later again, when that fails. */
  undo(entry: ForeignEntry, options: { again: boolean; late: boolean }): Promise<void>
  /** Takes a due entry into the lane of its mount; false when that is full. */
  take(key: string, entry: ForeignEntry): boolean
}

type UndoerParts = EngineParts & {
  lanes: Lanes
  resting: Resting
  report: (trouble: string) => void
}

export function undoer(parts: UndoerParts): Undoer {
  const { clock, transact, lanes, resting } = parts

  /** `change` makes what the entry becomes; undefined removes it. */
  const put = (path: string, change: (entry: ForeignEntry) => ForeignEntry | undefined) =>
    transact(async (tx) => {
      const entry = await tx.get<ForeignEntry>(path)
      const next = entry && change(entry)
      if (next) save(tx, next)
      else if (entry) tx.remove(path)
    })

  async function run(marked: ForeignEntry): Promise<void> {
    const { path, mount, undoKind, record } = marked
    const rests = resting.until(mount) > clock.now()
    if (rests) {
      await put(path, (now) => ({ ...now, dueAt: resting.until(mount) }))
      return
    }
    const trouble = await askEngine(parts, marked, ({ engine }) => {
      const undo = engine.undo?.[undoKind]
      return undo && ((engaged) => undo({ ...engaged, record }))
    })
    if (trouble === undefined) {
      resting.wake(mount)
      await put(path, ({ again, ...done }) =>
        again ? { ...done, attempts: 0, dueAt: clock.now() + FOREIGN_GRACE_MS } : undefined,
      )
      return
    }
    if (trouble === NO_ANSWER) resting.add(mount)
    parts.report(`a change of "${undoKind}" could not be undone yet: ${trouble}`)
    await put(path, (entry) => {
      const attempts = (entry.attempts ?? 0) + 1
      return { ...entry, attempts, dueAt: clock.now() + retryAfterMs(attempts) }
    })
  }

  /** Marks it, so that no commit can take it any more; undefined when there is nothing to do. */
  const mark = (
    path: string,
    change: (entry: ForeignEntry | undefined) => ForeignEntry | undefined,
  ) =>
    transact(async (tx) => {
      const entry = change(await tx.get<ForeignEntry>(path))
      const marked: ForeignEntry | undefined = entry && {
        ...entry,
        undoing: true,
        dueAt: clock.now() + ENGINE_MS_MAX,
      }
      if (marked) save(tx, marked)
      return marked
    })

  return {
    async undo(lost, { again, late }) {
      try {
        const marked = await mark(lost.path, (found) => {
          const entry = found ?? (late ? lost : undefined)
          return entry && again ? { ...entry, again: true } : entry
        })
        if (marked) await run(marked)
      } catch (error) {
        // It stays in the store, and falls due.
        const what = error instanceof Error ? error.message : 'unknown trouble'
        parts.report(`a change of "${lost.undoKind}" could not be undone yet: ${what}`)
      }
    },
    take: (key, { path, mount, undoKind }) =>
      lanes.take({
        key,
        mount,
        what: `a change of "${undoKind}" could not be undone`,
        async run() {
          const due = (entry: ForeignEntry | undefined) =>
            entry && entry.dueAt <= clock.now() ? entry : undefined
          const marked = await mark(path, due)
          if (marked) await run(marked)
        },
      }),
  }
}
