/** One step of one rotation: read, ask the target, and store what follows if nobody was faster. */
import { type Tx } from '../../barrier/space.ts'
import { type Probe, type RotationJob, type RotationKind } from '../../kit/rotation.ts'
import { type Duty } from '../duty.ts'
import { entriesNow } from '../entries-now.ts'
import { entriesUnder, type Mount } from '../mounts.ts'
import { type Home, scopeOfHome } from '../namespaces.ts'
import { passwordBy } from '../sys/password-policies.ts'
import {
  blocks,
  forgetGeneration,
  goneHolders,
  type HolderEntry,
  holdersOf,
  holdersPath,
  shownHolders,
} from './holders.ts'
import { checkChange } from './invariants.ts'
import { nextStep } from './machine.ts'
import { removeAll } from '../mounts.ts'
import {
  getRotation,
  idOfEntry,
  isTouching,
  type RotationEntry,
  ROTATIONS,
  saveRotation,
  storedAt,
} from './record.ts'
import { type RotationParts } from './runner.ts'
import { type Change, isPause, later, type Memo, moved, type Pause, type Work } from './work.ts'

/** What those who watch are told, where no request is behind it. */
export type RotationEvent = {
  readonly home: Home | undefined
  readonly mount: Mount
  readonly type: string
  /** Below the mount. */
  readonly path: string
  readonly generation: number
}

/** How long a target may take for one step. */
export const STEP_MS_MAX = 30_000
/** How much later what was sent may still be done there, at most: an engine sets its limits below. */
const SETTLE_MS = STEP_MS_MAX

class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** `stale` = changed by another one meanwhile: look again. `lost` = the duty is another's. */
export type Outcome = 'changed' | 'stale' | 'lost' | 'gone' | Pause

type Found = { entry: RotationEntry; mount: Mount; kind: RotationKind; home: Home | undefined }

export function advancer(parts: Omit<RotationParts, 'node'> & { duty: Duty }) {
  const { clock, random, mounts, tokens, duty, log } = parts
  const memos = new Map<string, Memo>()
  const begin = () => parts.space()?.begin()

  const memoOf = (at: string): Memo => {
    const known = memos.get(at) ?? {}
    memos.set(at, known)
    return known
  }

  async function find(tx: Tx, home: Home | undefined, id: string) {
    const scope = scopeOfHome(tx, home)
    const entry = await getRotation(scope, id)
    if (!entry) return undefined
    const mount = (await mounts.all(scope)).find(({ view }) => view.uuid === entry.mount)
    const live = (await mounts.table(scope)).mounts.some(({ uuid }) => uuid === entry.mount)
    return { entry, mount, kind: mount?.engine.rotations?.[entry.of], live }
  }

  /** Aborted and refused when it takes too long; what comes of it later a login will tell. */
  async function inTime<T>(found: Found, act: (job: RotationJob) => Promise<T>): Promise<T> {
    const { entry, mount, home } = found
    const abort = new AbortController()
    const { promise, reject } = Promise.withResolvers<never>()
    const cancel = clock.after(STEP_MS_MAX, () => {
      reject(new NoAnswer('the target has not answered in time'))
      abort.abort()
    })
    const job: RotationJob = {
      name: entry.name,
      mount: mount.view,
      store: entriesNow(begin, mount, home),
      settings: entry.settings,
      now: clock.now(),
      random,
      signal: abort.signal,
      async generatePassword(policy) {
        const tx = await begin()
        if (!tx) throw new Error('sealed meanwhile')
        return passwordBy(scopeOfHome(tx, home), policy, random)
      },
    }
    const working = (async () => act(job))()
    try {
      return await Promise.race([working, promise])
    } finally {
      cancel()
      working.catch(() => {})
    }
  }

  async function tried(found: Found, act: (job: RotationJob) => Promise<Probe>): Promise<Probe> {
    try {
      return await inTime(found, act)
    } catch (error) {
      return {
        outcome: 'unreachable',
        why: error instanceof Error ? error.message : 'unknown trouble',
      }
    }
  }

  async function holders({ entry, home }: Found) {
    const tx = await begin()
    if (!tx) return []
    const known = await holdersOf(scopeOfHome(tx, home), entry)
    return shownHolders(known, entry, { tx, tokens, now: clock.now() })
  }

  function workOf(found: Found, memo: Memo): Work {
    const { entry, kind } = found
    return {
      entry,
      kind,
      memo,
      random,
      now: clock.now(),
      standing: { current: entry.current, previous: entry.previous },
      ask: (act) => inTime(found, act),
      async change(act) {
        try {
          return await inTime(found, act)
        } catch (error) {
          if (error instanceof NoAnswer) memo.settlesAt = clock.now() + SETTLE_MS
          throw error
        }
      },
      tried: (act) => tried(found, act),
      holders: () => holders(found),
    }
  }

  /** Stores a change, or nothing. */
  async function store(found: Found, change: Change): Promise<Outcome> {
    const { entry, mount, kind, home } = found
    const id = idOfEntry(entry)
    const done = await duty.inTurn(async (tx): Promise<Outcome | RotationEntry> => {
      const scope = scopeOfHome(tx, home)
      const stored = await getRotation(scope, id)
      if (!stored) return 'gone'
      if (stored.step !== entry.step) return 'stale'
      if (change.whenLetGo && (await somebodyHolds(tx, found))) return { pause: 0 }
      if (change.forget !== undefined) await forgetGeneration(scope, entry, change.forget)
      if (change.remove) {
        scope.remove(ROTATIONS + id)
        await removeAll(scope, holdersPath(id))
        return 'gone'
      }
      checkChange(stored, change.to, { letGo: change.whenLetGo === true })
      if (change.publish) {
        const entries = entriesUnder(scope, mount.prefix)
        await kind.publish(entries, entry.name, change.publish, clock.now())
      }
      const told = { home, mount, path: entry.path }
      const generation = change.to.candidate?.number ?? change.to.current?.number ?? 0
      for (const event of change.events ?? []) await parts.emit(tx, { ...told, ...event })
      if (change.to.state !== entry.state) {
        await parts.emit(tx, { ...told, type: 'rotation.state', generation })
      }
      return saveRotation(scope, change.to)
    })
    if (done === undefined) return 'lost'
    if (typeof done !== 'string' && 'pause' in done) return done
    const kept = done !== 'gone' || change.remove
    if (change.log && kept && done !== 'stale') {
      log('warn', `rotation of ${mount.view.path}${entry.path}: ${change.log}`)
    }
    if (typeof done === 'string') return done
    if (change.prune) await prune(found)
    memoOf(storedAt(home, id)).fresh = change.fresh ? done.step : undefined
    return 'changed'
  }

  /** Found beside the transaction, which then depends on those few alone. */
  async function prune({ entry, home }: Found): Promise<void> {
    const now = clock.now()
    const aside = await begin()
    if (!aside) return
    const judge = { tx: aside, tokens, now }
    const gone = await goneHolders(scopeOfHome(aside, home), entry, judge)
    if (gone.length === 0) return
    await duty.inTurn(async (tx) => {
      const scope = scopeOfHome(tx, home)
      for (const path of gone) {
        const holder = await scope.get<HolderEntry>(path)
        // One that has come back meanwhile stays.
        if (holder && holder.at < now) scope.remove(path)
      }
    })
  }

  async function somebodyHolds(tx: Tx, { entry, home }: Found): Promise<boolean> {
    const now = clock.now()
    for (const holder of await holdersOf(scopeOfHome(tx, home), entry)) {
      if (await blocks(holder, entry, { tx, tokens, now })) return true
    }
    return false
  }

  /** A mount that is gone has no engine that could do anything for it. */
  async function forget(home: Home | undefined, id: string): Promise<Outcome> {
    const done = await duty.inTurn(async (tx) => {
      const scope = scopeOfHome(tx, home)
      scope.remove(ROTATIONS + id)
      await removeAll(scope, holdersPath(id))
      return true
    })
    return done ? 'gone' : 'lost'
  }

  async function advance(home: Home | undefined, id: string): Promise<Outcome> {
    const at = storedAt(home, id)
    const found = await duty.inTurn(async (tx) => (await find(tx, home, id)) ?? ('gone' as const))
    if (found === undefined) return 'lost'
    if (found === 'gone') {
      memos.delete(at)
      return 'gone'
    }
    const { entry, mount, kind, live } = found
    if (!mount || !kind) return forget(home, id)
    const all: Found = { entry, mount, kind, home }
    const memo = memoOf(at)
    // Another process may have sent something, and died before it could write that down.
    const inherited = memo.epoch !== duty.epoch && isTouching(entry)
    memo.epoch = duty.epoch
    if (inherited) memo.settlesAt = clock.now() + SETTLE_MS
    const work = workOf(all, memo)
    if (!live && entry.state !== 'RETIRING') {
      return store(all, { to: moved(work, 'RETIRING', 'its mount is disabled', { orders: {} }) })
    }
    const taken = await nextStep(work)
    if (isPause(taken)) return taken
    const step = { ...taken, to: { ...taken.to, settlesAt: memo.settlesAt } }
    try {
      return await store(all, step)
    } catch (error) {
      // The engine would not have it written: that is a trouble of this rotation, and no bug of ours.
      if (!step.publish) throw error
      return store(all, later(work, error))
    }
  }

  const ask = {
    /** The record as it is now. */
    async entry(home: Home | undefined, id: string): Promise<RotationEntry | undefined> {
      const tx = await begin()
      return tx && getRotation(scopeOfHome(tx, home), id)
    },
    holders: async (home: Home | undefined, id: string) => {
      const found = await whole(home, id)
      return found ? holders(found) : []
    },
    /** Throws what the engine throws; undefined = there is no such rotation. */
    async target<T>(
      home: Home | undefined,
      id: string,
      act: (kind: RotationKind, job: RotationJob, entry: RotationEntry) => Promise<T>,
    ): Promise<T | undefined> {
      const found = await whole(home, id)
      return found && inTime(found, (job) => act(found.kind, job, found.entry))
    },
  }

  async function whole(home: Home | undefined, id: string): Promise<Found | undefined> {
    const tx = await begin()
    const found = tx && (await find(tx, home, id))
    if (!found?.mount || !found.kind) return undefined
    return { entry: found.entry, mount: found.mount, kind: found.kind, home }
  }

  return { advance, ask }
}
