/**
 * What is done now and then for keys that nobody uses: one past its period is rotated, so that its
 * JWKS does not grow old. No token depends on it: a key that signs is judged when it does.
 */
import { StoreConflict } from '../../../storage/store.ts'
import { type Core } from '../../core.ts'
import { type Namespace, namespacesOf, ROOT, scopeIn } from '../../namespaces.ts'
import { findKey, keyForUse, keyNames } from './key.ts'

export async function oidcUpkeep(core: Core): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  for (const namespace of [ROOT, ...((await namespacesOf(tx))?.byId.values() ?? [])]) {
    for (const name of await keyNames(scopeIn(tx, namespace))) {
      await rotateIfDue(core, namespace, name)
    }
  }
}

/** Each in a transaction of its own; one that meets another writer waits for the next time. */
async function rotateIfDue(core: Core, namespace: Namespace, name: string): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  const scope = scopeIn(tx, namespace)
  // The default key is not made before it is used.
  if (!(await findKey(scope, name))) return
  await keyForUse(scope, name, { now: core.clock.now(), random: core.random })
  if (!tx.dirty) return
  try {
    await core.commit(tx)
  } catch (error) {
    if (!(error instanceof StoreConflict)) throw error
  }
}
