/**
 * What is done now and then for keys and codes that nobody uses: a key past its period is rotated,
 * so that its JWKS does not grow old, and codes that were never redeemed are forgotten. Nothing
 * depends on it: what has ended is judged at use.
 */
import { type Scope, type Tx } from '../../../barrier/space.ts'
import { StoreConflict } from '../../../storage/store.ts'
import { type Core } from '../../core.ts'
import { forgetIfOld, pendingCodes } from './code.ts'
import { keyForUse, keyNames, findKey } from './key.ts'

type Act = (scope: Scope) => Promise<void>

export async function oidcUpkeep(core: Core): Promise<void> {
  const seen = await core.begin(false)
  if (!seen) return
  const call = { now: core.clock.now(), random: core.random }
  const acts: Act[] = [
    ...(await keyNames(seen)).map((name): Act => {
      // The default key is not made before it is used.
      return async (scope) => {
        if (await findKey(scope, name)) await keyForUse(scope, name, call)
      }
    }),
    ...(await pendingCodes(seen)).map((digest): Act => {
      return (scope) => forgetIfOld(scope, digest, call.now)
    }),
  ]
  for (const act of acts) await apart(core, act)
}

/** Each in a transaction of its own; one that meets another writer waits for the next time. */
async function apart(core: Core, act: (tx: Tx) => Promise<void>): Promise<void> {
  const tx = await core.begin(false)
  if (!tx) return
  await act(tx)
  if (!tx.dirty) return
  try {
    await core.commit(tx)
  } catch (error) {
    if (!(error instanceof StoreConflict)) throw error
  }
}
