/** Stored policies, and what a token's policies add up to. Both compiled once per stored object. */
import { type Scope } from '../barrier/space.ts'
import { type Awaitable } from '../storage/store.ts'
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

export async function getPolicy(scope: Scope, name: string): Promise<PolicyEntry | undefined> {
  return HIDDEN.get(name) ?? (await scope.get<PolicyEntry>(policyPath(name)))
}

export function putDefaultPolicy(scope: Scope): void {
  scope.put(policyPath('default'), { name: 'default', text: DEFAULT_POLICY } satisfies PolicyEntry)
}

function rulesOf(entry: PolicyEntry): Policy {
  let policy = parsed.get(entry)
  if (!policy) parsed.set(entry, (policy = parsePolicy(entry.text)))
  return policy
}

type Compiled = { entries: readonly (PolicyEntry | undefined)[]; acl: Acl }
/** The same with the paths its entries were read from: what has to be looked at again. */
type Seen = Compiled & { paths: readonly (string | undefined)[] }

const COMPILED_MAX = 5_000

/** The ACL of a token, as its policies are in the scope, which is that of the token's namespace. */
export function aclFinder(): (scope: Scope, token: TokenEntry, now: number) => Awaitable<Acl> {
  // By namespace and names, not by token: ten thousand tokens of one role share one ACL.
  const compiled = new Map<string, Compiled>()
  /** What a token's ACL was when it came last. */
  const seen = new WeakMap<TokenEntry, Seen>()

  /** Of inline policies, which are few texts for many tokens. */
  const inline = new Map<string, Acl>()

  function inlineAcl(text: string): Acl {
    let acl = inline.get(text)
    if (!acl) {
      acl = compileAcl([{ name: 'inline', policy: parsePolicy(text) }])
      if (inline.size >= COMPILED_MAX) inline.clear()
      inline.set(text, acl)
    }
    return acl
  }

  async function find(scope: Scope, token: TokenEntry, now: number): Promise<Acl> {
    const { policies } = token
    const entries: (PolicyEntry | undefined)[] = []
    for (const name of policies) entries.push(await getPolicy(scope, name))
    const key = JSON.stringify([token.namespace?.uuid, ...policies])
    let known = compiled.get(key)
    if (!known?.entries.every((entry, i) => entry === entries[i]) || !isFresh(known.acl, now)) {
      known = { entries, acl: compile(entries, now) }
      if (compiled.size >= COMPILED_MAX) compiled.clear()
      compiled.set(key, known)
    }
    const paths = policies.map((name) => (HIDDEN.has(name) ? undefined : policyPath(name)))
    seen.set(token, { ...known, paths })
    return known.acl
  }

  return (scope, token, now) => {
    if (token.inlinePolicy !== undefined) return inlineAcl(token.inlinePolicy)
    // Only the root namespace has root tokens: elsewhere the name grants nothing.
    if (token.policies.includes('root') && !token.namespace) return ROOT_ACL
    const last = seen.get(token)
    return last && isFresh(last.acl, now) && isUnchanged(scope, last)
      ? last.acl
      : find(scope, token, now)
  }
}

const isFresh = (acl: Acl, now: number) => (acl.goodUntil ?? Infinity) > now

/** Whether each policy is still the same object; the transaction remembers that it was read. */
function isUnchanged(scope: Scope, { paths, entries }: Seen): boolean {
  return paths.every((path, i) => {
    if (path === undefined) return true
    const entry = scope.get<PolicyEntry>(path)
    if (!(entry instanceof Promise)) return entry === entries[i]
    // It has to be fetched, which the caller does again and minds its errors.
    entry.catch(() => {})
    return false
  })
}

function compile(entries: readonly (PolicyEntry | undefined)[], now: number): Acl {
  const found = entries.filter((entry) => entry !== undefined)
  return compileAcl(
    found.map((entry) => ({ name: entry.name, policy: rulesOf(entry) })),
    { now: new Date(now) },
  )
}
