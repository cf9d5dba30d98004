/**
 * Gives a mount the next version of its engine. To callers that is one moment: the transaction that
 * changes the mount's options. What its store holds is converted later, a moderate number of entries
 * at a time, by the node that has the duty; an entry in the index of due ones keeps it going across
 * crashes. In between the engine itself answers as if all were done (see `Upgrade` in the kit).
 */
import { type Tx } from '../barrier/space.ts'
import { type Call, type EntryStore } from '../kit/call.ts'
import { type Upgrade } from '../kit/engine.ts'
import { type Random } from '../lib/random.ts'
import { type Core } from './core.ts'
import { entriesUnder, type MountEntry, type Mounts, prefixOf } from './mounts.ts'
import { type Home, homeOf, scopeOfHome } from './namespaces.ts'
import { scopeOf, turnOf } from './turn.ts'

/** `upgrade/<uuid of the mount>`: always due, until it is done. */
export type UpgradeEntry = {
  readonly kind: 'upgrade'
  readonly mount: string
  readonly namespace?: Home
}

const pathOf = (uuid: string) => `upgrade/${uuid}`
/** In one transaction, and in one go before the duty looks for something else. */
const BATCH = 100
const PASS = 2_000

export function startUpgrade(call: Call<never>, core: Core, mount: MountEntry): void {
  const scope = scopeOf(call)
  const engine = core.mounts.engines(mount)
  engine?.upgrade?.start(entriesUnder(scope, prefixOf(mount)), call.now)
  const entry: UpgradeEntry = { kind: 'upgrade', mount: mount.uuid, ...homeOf(turnOf(call).ns) }
  scope.put(pathOf(mount.uuid), entry, call.now)
}

export type Upgrading = {
  mounts: Mounts
  random: Random
  /** A transaction that does nothing when the duty is another's by now. */
  inTurn: <T>(act: (tx: Tx) => Promise<T>) => Promise<T | undefined>
}

/** Converts some more. What a crash or another writer undoes, the next pass does again. */
export async function continueUpgrade(entry: UpgradeEntry, parts: Upgrading): Promise<void> {
  const { inTurn, random } = parts
  // Listed by itself: a listing in the transaction would be in conflict with every write.
  const names = await inTurn((tx) => onMount(tx, entry, parts, left))
  if (!names) return
  for (let at = 0; at < names.length; at += BATCH) {
    const some = names.slice(at, at + BATCH)
    await inTurn((tx) =>
      onMount(tx, entry, parts, (upgrade, store) => upgrade.convert(store, some, random)),
    )
  }
  if (names.length < PASS) await inTurn((tx) => onMount(tx, entry, parts, finish(tx, entry)))
}

const left = (upgrade: Upgrade, store: EntryStore) => upgrade.left(store, PASS)

/** Only when nothing is left in the same transaction. */
const finish =
  (tx: Tx, entry: UpgradeEntry) =>
  async (upgrade: Upgrade, store: EntryStore): Promise<void> => {
    if ((await upgrade.left(store, 1)).length > 0) return
    upgrade.finish(store)
    scopeOfHome(tx, entry.namespace).remove(pathOf(entry.mount))
  }

/** A mount that is gone takes its upgrade along. */
async function onMount<T>(
  tx: Tx,
  entry: UpgradeEntry,
  { mounts }: Upgrading,
  act: (upgrade: Upgrade, store: EntryStore) => Promise<T>,
): Promise<T | undefined> {
  const scope = scopeOfHome(tx, entry.namespace)
  const { mounts: all } = await mounts.table(scope)
  const mount = all.find(({ uuid }) => uuid === entry.mount)
  const upgrade = mount && mounts.engines(mount)?.upgrade
  if (!mount || !upgrade) {
    scope.remove(pathOf(entry.mount))
    return undefined
  }
  return act(upgrade, entriesUnder(scope, prefixOf(mount)))
}
