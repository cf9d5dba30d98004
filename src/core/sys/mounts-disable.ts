/**
 * Disables a mount. From the commit on it is gone for everyone; in the same transaction its tokens
 * end, its leases start to end and its data goes, as far as that is a moderate number of entries.
 * What is left keeps the mount on the list of ending ones, which `finishEnding` works off.
 *
 * Leases come before data: taking back what was handed out may need the engine and what it knows.
 */
import { type Scope, type Tx } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { StoreConflict } from '../../storage/store.ts'
import { type Core } from '../core.ts'
import { forgetMount } from '../identity/forget-mount.ts'
import { type LeaseEntry, leasesUnder, startRevoking } from '../leases.ts'
import { type MountEntry, prefixOf } from '../mounts.ts'
import { type Namespace, namespacesOf, ROOT, scopeIn } from '../namespaces.ts'
import { scopeOf, turnOf, txOf } from '../turn.ts'
import { isFixed, type MountClass, requirePlainPath, tablePath } from './mounts-path.ts'
import { untilDone } from './until-done.ts'

/** How many entries one transaction touches at most, of each kind. */
const BATCH = 2_000
const ATTEMPTS_MAX = 5

/** 204 even when there is no such mount. */
export async function disableMount(
  call: Call<{ path: string }>,
  core: Core,
  kind: MountClass,
): Promise<undefined> {
  const plain = call as never
  requirePlainPath(plain)
  const { ns } = turnOf(plain)
  const scope = scopeOf(plain)
  const { mounts } = await core.mounts.table(scope)
  const path = tablePath(call.data.path, kind)
  const entry = mounts.find((mount) => mount.path === path && mount.class === kind)
  if (!entry) return undefined
  if (isFixed(entry)) {
    refuse(
      kind === 'auth' ? 'token credential backend cannot be disabled' : `cannot unmount "${path}"`,
    )
  }
  core.mounts.save(
    scope,
    mounts.filter((mount) => mount !== entry),
  )
  if (await endAtOnce(core, txOf(plain), { entry, ns, now: call.now })) return undefined
  core.mounts.saveEnding(scope, [...(await core.mounts.ending(scope)), entry])
  // Not awaited: the answer need not wait for the clean-up.
  turnOf(plain).afterCommit.push(() => void setImmediate(() => void finishEnding(core)))
  return undefined
}

type Ending = { entry: MountEntry; ns: Namespace; now: number }

/** Ends what it can in this transaction; true when nothing is left. */
async function endAtOnce(core: Core, tx: Tx, ending: Ending): Promise<boolean> {
  const { entry, ns, now } = ending
  const scope = scopeIn(tx, ns)
  const tokensEnded = entry.class === 'secret' || (await endTokensAtOnce(core, tx, ending))
  const leases = await leasesOf(scope, entry)
  for (const lease of leases.slice(0, BATCH)) {
    if (!lease.revoking) startRevoking(tx, lease, now)
  }
  if (!tokensEnded || leases.length > 0) return false
  return removeSome(scope, entry, now)
}

/** All leases the mount has issued, wherever it was mounted then. */
async function leasesOf(scope: Scope, entry: MountEntry): Promise<LeaseEntry[]> {
  const found = new Map<string, LeaseEntry>()
  for (const path of [entry.path, ...(entry.former_paths ?? [])]) {
    for (const lease of await leasesUnder(scope, path)) {
      if (lease.mount === entry.uuid) found.set(lease.id, lease)
    }
  }
  return [...found.values()]
}

async function endTokensAtOnce(core: Core, tx: Tx, ending: Ending): Promise<boolean> {
  const { ns, now } = ending
  // Counted in a view of its own: on a busy server every login would be in conflict with a listing.
  const aside = await core.begin(false)
  if (!aside || (await core.tokens.accessors(scopeIn(aside, ns))).length > BATCH) return false
  for (const uid of await tokensOf(core, tx, ending)) await endToken(core, tx, { uid, now })
  return true
}

async function tokensOf(core: Core, tx: Tx, { entry, ns, now }: Ending): Promise<string[]> {
  const found: string[] = []
  for (const accessor of await core.tokens.accessors(scopeIn(tx, ns))) {
    const token = await core.tokens.byAccessor(tx, accessor, now)
    if (token?.loginMount === entry.uuid) found.push(accessor)
  }
  return found
}

async function endToken(core: Core, tx: Tx, { uid, now }: { uid: string; now: number }) {
  const token = await core.tokens.byAccessor(tx, uid, now)
  if (token) await core.tokens.revokeTree(tx, token)
}

/** Removes the next entries of the mount's data; true when there are no more. */
async function removeSome(scope: Scope, entry: MountEntry, now: number): Promise<boolean> {
  const budget = { left: BATCH }
  if (entry.class === 'auth') await forgetMount(scope, entry.accessor, { budget, now })
  await removeUpTo(scope, prefixOf(entry), budget)
  return budget.left > 0
}

export async function removeUpTo(
  scope: Scope,
  prefix: string,
  budget: { left: number },
): Promise<void> {
  for (const name of await scope.list(prefix)) {
    if (budget.left <= 0) return
    if (name.endsWith('/')) {
      await removeUpTo(scope, prefix + name, budget)
      continue
    }
    scope.remove(prefix + name)
    budget.left--
  }
}

/**
 * Finishes what disabled mounts have left behind, and again later what could not be finished. To be
 * called after each unsealing too: a crash may have come in between.
 */
export const finishEnding = untilDone('a disabled mount could not be cleaned up', finishAll)

async function finishAll(core: Core): Promise<boolean> {
  const tx = await core.begin(false)
  // Nothing is to be tried again while sealed: it is, after the unsealing.
  if (!tx) return true
  let done = true
  for (const ns of [ROOT, ...((await namespacesOf(tx))?.byPath.values() ?? [])]) {
    for (const entry of await core.mounts.ending(scopeIn(tx, ns))) {
      if (!(await finishOne(core, ns, entry))) done = false
    }
  }
  return done
}

/** False when leases are left that could not be revoked, or the server is sealed meanwhile. */
async function finishOne(core: Core, ns: Namespace, entry: MountEntry): Promise<boolean> {
  const now = core.clock.now()
  const aside = await core.begin(false)
  if (!aside) return false
  if (entry.class === 'auth') {
    for (const uid of await tokensOf(core, aside, { entry, ns, now })) {
      await transact(core, (tx) => endToken(core, tx, { uid, now }))
    }
  }
  // One that has failed already waits for its turn, which expiry gives it.
  const fresh = (await leasesOf(scopeIn(aside, ns), entry)).filter(
    (lease) => !lease.attempts && !lease.irrevocable,
  )
  await core.expiry.leases.endAll(fresh.map(({ id }) => id))
  const after = await core.begin(false)
  if (!after || (await leasesOf(scopeIn(after, ns), entry)).length > 0) return false
  for (;;) {
    const gone = await transact(core, (tx) => removeSome(scopeIn(tx, ns), entry, now))
    if (gone === undefined) return false
    if (gone) break
  }
  await transact(core, async (tx) => {
    const scope = scopeIn(tx, ns)
    const ending = await core.mounts.ending(scope)
    core.mounts.saveEnding(
      scope,
      ending.filter((other) => other.uuid !== entry.uuid),
    )
  })
  return true
}

/** A transaction of its own, again when it meets another writer; undefined while sealed. */
export async function transact<T>(core: Core, act: (tx: Tx) => Promise<T>): Promise<T | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const tx = await core.begin(false)
    if (!tx) return undefined
    const result = await act(tx)
    try {
      if (tx.dirty) await core.commit(tx)
      return result
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
  }
  throw new Failure('conflict')
}
