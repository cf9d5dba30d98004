/**
 * What is done now and then for keys and codes that nobody uses: a key past its period is rotated,
 * so that its JWKS does not grow old, and codes that were never redeemed are forgotten. Nothing
 * depends on it: what has ended is judged at use.
 */
import { type Scope } from '../../../barrier/space.ts'
import { StoreConflict } from '../../../storage/store.ts'
import { type Core } from '../../core.ts'
import { type Namespace, namespacesOf, ROOT, scopeIn } from '../../namespaces.ts'
import { forgetIfOld, pendingCodes } from './code.ts'
import { findKey, keyForUse, keyNames } from './key.ts'

type Act = (scope: Scope) => Promise<void>

export async function oidcUpkeep(core: Core): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  for (const namespace of [ROOT, ...((await namespacesOf(tx))?.byId.values() ?? [])]) {
    for (const act of await actsFor(core, scopeIn(tx, namespace))) {
      await apart(core, namespace, act)
    }
  }
}

async function actsFor(core: Core, seen: Scope): Promise<Act[]> {
  const call = { now: core.clock.now(), random: core.random }
  const rotations = (await keyNames(seen)).map((name): Act => {
    // The default key is not made before it is used.
    return async (scope) => {
      if (await findKey(scope, name)) await keyForUse(scope, name, call)
    }
  })
  const endings = (await pendingCodes(seen)).map((digest): Act => {
    return (scope) => forgetIfOld(scope, digest, call.now)
  })
  return [...rotations, ...endings]
}

/** Each in a transaction of its own; one that meets another writer waits for the next time. */
async function apart(core: Core, namespace: Namespace, act: Act): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  await act(scopeIn(tx, namespace))
  if (!tx.dirty) return
  try {
    await core.commit(tx)
  } catch (error) {
    if (!(error instanceof StoreConflict)) throw error
  }
}
