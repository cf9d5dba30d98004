/** Stored policies, and what a token's policies add up to. Both compiled once per stored object. */
import { type Tx } from '../barrier/space.ts'
import { type Acl, compileAcl, ROOT_ACL } from './acl.ts'
import { DEFAULT_POLICY, parsePolicy, type Policy, RESPONSE_WRAPPING_POLICY } from './policies.ts'
import { type TokenEntry } from './tokens.ts'

export type PolicyEntry = { name: string; text: string }

/** Not stored, not listed, not assignable. */
const HIDDEN = new Map<string, PolicyEntry>([
  ['response-wrapping', { name: 'response-wrapping', text: RESPONSE_WRAPPING_POLICY }],
])

const parsed = new WeakMap<PolicyEntry, Policy>()

export const policyPath = (name: string) => `policy/${name}`

export async function getPolicy(tx: Tx, name: string): Promise<PolicyEntry | undefined> {
  return HIDDEN.get(name) ?? (await tx.get<PolicyEntry>(policyPath(name)))
}

export function putDefaultPolicy(tx: Tx): void {
  tx.put(policyPath('default'), { name: 'default', text: DEFAULT_POLICY } satisfies PolicyEntry)
}

function rulesOf(entry: PolicyEntry): Policy {
  let policy = parsed.get(entry)
  if (!policy) parsed.set(entry, (policy = parsePolicy(entry.text)))
  return policy
}

type Compiled = { entries: readonly (PolicyEntry | undefined)[]; acl: Acl }

/** The ACL of a set of policy names, as those policies are in this transaction. */
export function aclFinder(): (tx: Tx, token: TokenEntry, now: number) => Promise<Acl> {
  // By the names, not by token: ten thousand tokens of one role share one ACL.
  const compiled = new Map<string, Compiled>()
  const COMPILED_MAX = 5_000

  return async (tx, token, now) => {
    const { policies } = token
    if (policies.includes('root')) return ROOT_ACL
    const entries: (PolicyEntry | undefined)[] = []
    for (const name of policies) entries.push(await getPolicy(tx, name))
    // Policy names have no control characters, so this key is as good as a tuple.
    const key = policies.join('\0')
    const known = compiled.get(key)
    const same =
      known !== undefined &&
      known.entries.every((entry, i) => entry === entries[i]) &&
      (known.acl.goodUntil ?? Infinity) > now
    if (same) return known.acl
    const found = entries.filter((entry) => entry !== undefined)
    const acl = compileAcl(
      found.map((entry) => ({ name: entry.name, policy: rulesOf(entry) })),
      { now: new Date(now) },
    )
    if (compiled.size >= COMPILED_MAX) compiled.clear()
    compiled.set(key, { entries, acl })
    return acl
  }
}
