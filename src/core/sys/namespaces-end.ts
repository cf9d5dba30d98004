/**
 * Ends namespaces: tokens, then leases, then all that is left, then the line in the table. Until the
 * last step the line says that it is being ended, so a crash on the way is continued after the next
 * unsealing, by whichever process comes first; each step bears being done twice.
 */
import { type Core } from '../core.ts'
import { leasesUnder } from '../leases.ts'
import { type Namespace, namespacesOf, saveNamespaces, scopeIn } from '../namespaces.ts'
import { removeUpTo, transact } from './mounts-disable.ts'
import { untilDone } from './until-done.ts'

/** How many entries one transaction removes at most. */
const BATCH = 2_000

/** Finishes what deleted namespaces have left, and again later what could not be. */
export const finishEndingNamespaces = untilDone(
  'a deleted namespace could not be cleaned up',
  finishAll,
)

async function finishAll(core: Core): Promise<boolean> {
  const tx = await core.begin(false)
  const all = tx && (await namespacesOf(tx))
  let done = true
  for (const namespace of all?.byPath.values() ?? []) {
    if (namespace.tainted && !(await finishOne(core, namespace))) done = false
  }
  return done
}

/** False when leases are left that could not be revoked, or the server is sealed meanwhile. */
async function finishOne(core: Core, namespace: Namespace): Promise<boolean> {
  if (!(await endTokens(core, namespace)) || !(await endLeases(core, namespace))) return false
  for (;;) {
    const gone = await transact(core, async (tx) => {
      const budget = { left: BATCH }
      await removeUpTo(tx, namespace.prefix, budget)
      return budget.left > 0
    })
    if (gone === undefined) return false
    if (gone) break
  }
  await transact(core, async (tx) => {
    const entries = (await namespacesOf(tx))?.entries ?? []
    saveNamespaces(
      tx,
      entries.filter(({ uuid }) => uuid !== namespace.uuid),
    )
  })
  core.log('info', `namespace ${namespace.path} is deleted`)
  return true
}

/** With their children, which may be of no other namespace: those below are gone already. */
async function endTokens(core: Core, namespace: Namespace): Promise<boolean> {
  const aside = await core.begin(false)
  if (!aside) return false
  for (const uid of await core.tokens.accessors(scopeIn(aside, namespace))) {
    const done = await transact(core, async (tx) => {
      const token = await core.tokens.stored(tx, uid)
      if (token) await core.tokens.revokeTree(tx, token)
      return true
    })
    if (!done) return false
  }
  return true
}

/**
 * A lease that its engine could not end is asked about again, as everywhere, until it counts as
 * irrevocable. Then nobody is left who could see it here: the log has its name.
 */
async function endLeases(core: Core, namespace: Namespace): Promise<boolean> {
  const aside = await core.begin(false)
  if (!aside) return false
  const left = await leasesUnder(scopeIn(aside, namespace), '')
  for (const { id } of left.filter(({ irrevocable }) => irrevocable)) {
    core.log('error', `lease ${id} was given up with its namespace ${namespace.path}`)
    await core.expiry.leases.end(id, { force: true })
  }
  const fresh = left.filter(({ irrevocable, attempts }) => !irrevocable && !attempts)
  await core.expiry.leases.endAll(fresh.map(({ id }) => id))
  const after = await core.begin(false)
  return !!after && (await leasesUnder(scopeIn(after, namespace), '')).length === 0
}
