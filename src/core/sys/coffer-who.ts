/** Who may do something at a path, as far as it can be told: policies, and what carries them. */
import { type Scope, type Tx } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { Failure } from '../../kit/failure.ts'
import { compileAcl, type Operation } from '../acl.ts'
import { type Core } from '../core.ts'
import { entityById, entityIds } from '../identity/entities.ts'
import { groupById, groupIds } from '../identity/groups.ts'
import { scopeIn } from '../namespaces.ts'
import { getPolicy, rulesOf } from '../policy-store.ts'
import { turnOf } from '../turn.ts'
import { type TokenEntry } from '../tokens.ts'
import { policyNames } from './policies.ts'

export type WhoAsked = {
  path: string
  operation: Operation
  after: string | undefined
  limit: number
}

/** So many entities and groups are looked through; there is no more of an answer than that. */
const LOOKED_MAX = 10_000

/** Looked at beside the transaction: on a busy server a long look meets every login. */
export async function whoMay(call: Call<never>, core: Core, asked: WhoAsked) {
  const aside = await core.begin(false)
  if (!aside) return undefined
  const { ns } = turnOf(call)
  const scope = scopeIn(aside, ns)
  const granting = new Set(await grantingPolicies(scope, asked, call.now))
  const carries = (policies: readonly string[]) => policies.filter((name) => granting.has(name))
  const accessors = (await core.tokens.accessors(scope)).toSorted()
  const rest = asked.after ? accessors.filter((each) => each > asked.after!) : accessors
  const page = rest.slice(0, asked.limit)
  const tokens: object[] = []
  for (const accessor of page) {
    const token = await core.tokens.byAccessor(aside, accessor, call.now)
    if (!token || !(await may(core, aside, token, asked))) continue
    tokens.push({
      accessor: token.accessor,
      display_name: token.displayName,
      policies: token.policies,
      ...(token.entityId && { entity_id: token.entityId }),
    })
  }
  return {
    path: asked.path,
    operation: asked.operation,
    policies: [...granting],
    tokens,
    next: rest.length > page.length ? page.at(-1) : null,
    entities: await holders(scope, { ids: entityIds, get: entityById, carries }),
    groups: await holders(scope, { ids: groupIds, get: groupById, carries }),
  }
}

/** A token whose entity is disabled or gone may do nothing. */
async function may(
  core: Core,
  tx: Tx,
  token: TokenEntry,
  { path, operation }: WhoAsked,
): Promise<boolean> {
  try {
    return (await core.grantsOf(tx, token)).acl.check({ path, operation }).allowed
  } catch (error) {
    if (error instanceof Failure) return false
    throw error
  }
}

/** Each by itself: one that another policy of the same holder denies is still among them. */
async function grantingPolicies(
  scope: Scope,
  { path, operation }: WhoAsked,
  now: number,
): Promise<string[]> {
  const found: string[] = []
  for (const name of await policyNames(scope)) {
    if (name === 'root') found.push(name)
    const entry = name === 'root' ? undefined : await getPolicy(scope, name)
    if (!entry) continue
    const acl = compileAcl([{ name, policy: rulesOf(entry) }], { now: new Date(now) })
    if (acl.check({ path, operation }).allowed) found.push(name)
  }
  return found
}

type Holder = { readonly id: string; readonly name: string; readonly policies: readonly string[] }

async function holders<T extends Holder>(
  scope: Scope,
  from: {
    ids: (scope: Scope) => Promise<string[]>
    get: (scope: Scope, id: string) => Promise<T | undefined> | T | undefined
    carries: (policies: readonly string[]) => string[]
  },
) {
  const found: { id: string; name: string; policies: string[] }[] = []
  for (const id of (await from.ids(scope)).slice(0, LOOKED_MAX)) {
    const holder = await from.get(scope, id)
    const policies = from.carries(holder?.policies ?? [])
    if (holder && policies.length > 0) found.push({ id, name: holder.name, policies })
  }
  return found
}
