/**
 * What a token may do: its policies, those of its entity and of the groups that is in, as they are
 * now. Worked out anew when one of the entries it was read from has become another object, and only
 * then: a token that comes again costs a look at each of them, no listing and no promise.
 */
import { type Scope } from '../barrier/space.ts'
import { type Awaitable, whenReady } from '../lib/awaitable.ts'
import { type Acl, compileAcl, ROOT_ACL } from './acl.ts'
import { requireStanding, type Standing, standingOf, union } from './identity/standing.ts'
import { templateValues } from './identity/template-values.ts'
import { scopeOfHome } from './namespaces.ts'
import { parsePolicy, type Policy } from './policies.ts'
import { getPolicy, type PolicyEntry, rulesOf } from './policy-store.ts'
import { type TokenEntry } from './tokens.ts'

export type Grants = {
  readonly acl: Acl
  readonly identityPolicies: readonly string[]
  /** The entity now: another than the token's when that has been merged. Empty = none. */
  readonly entityId: string
}

/** What an ACL was made of: it is the same ACL as long as these are the same objects. */
type Compiled = { parts: readonly (object | undefined)[]; acl: Acl }
/** What a token was granted, with every entry that was read for it: what has to be looked at again. */
type Seen = { reads: readonly Read[]; grants: Grants }
type Read = { path: string; entry: object | undefined }

const COMPILED_MAX = 5_000
const NONE: readonly string[] = []
const ROOT_GRANTS: Grants = { acl: ROOT_ACL, identityPolicies: NONE, entityId: '' }

/**
 * The grants of a token, as its policies, its entity and its groups are in this transaction, in the
 * namespace it belongs to. Refuses a token whose entity is disabled or gone.
 */
export function grantsFinder(): (tx: Scope, token: TokenEntry, now: number) => Awaitable<Grants> {
  // By namespace and names, not by token: ten thousand tokens of one role share one ACL.
  const compiled = new Map<string, Compiled>()
  /** Of inline policies, which are few texts for many tokens. */
  const inline = new Map<string, Acl>()
  /** What a token's grants were when it came last. */
  const seen = new WeakMap<TokenEntry, Seen>()

  async function find(tx: Scope, token: TokenEntry, now: number): Promise<Grants> {
    const reads: Read[] = []
    const watched = watch(tx, reads)
    const scope = scopeOfHome(watched, token.namespace)
    const standing = await requireEntity(watched, token)
    const own = bringsPolicies(token) ? standing : undefined
    const identityPolicies = own?.policies ?? NONE
    const names = union(token.policies, identityPolicies)
    const acl = fixedAcl(token) ?? (await aclOf(scope, names, { token, standing: own, now }))
    const grants = { acl, identityPolicies, entityId: standing?.entity.id ?? '' }
    seen.set(token, { reads, grants })
    return grants
  }

  /** Of the tokens that may do the same whatever is stored. */
  function fixedAcl(token: TokenEntry): Acl | undefined {
    if (token.inlinePolicy !== undefined) return inlineAcl(token.inlinePolicy)
    return isRoot(token) ? ROOT_ACL : undefined
  }

  function inlineAcl(text: string): Acl {
    let acl = inline.get(text)
    if (!acl) {
      acl = compileAcl([{ name: 'inline', policy: parsePolicy(text) }])
      if (inline.size >= COMPILED_MAX) inline.clear()
      inline.set(text, acl)
    }
    return acl
  }

  async function aclOf(
    scope: Scope,
    names: readonly string[],
    { token, standing, now }: { token: TokenEntry; standing: Standing | undefined; now: number },
  ): Promise<Acl> {
    const entries: (PolicyEntry | undefined)[] = []
    for (const name of names) entries.push(await getPolicy(scope, name))
    // Where nothing is templated, the same names are the same ACL for everyone.
    const own = standing && entries.some((entry) => entry && isTemplated(rulesOf(entry)))
    const parts = own ? [...entries, standing.entity, ...standing.groups] : entries
    const key = JSON.stringify([token.namespace?.uuid, own ? standing.entity.id : '', ...names])
    let known = compiled.get(key)
    if (!known || !isSame(known.parts, parts) || !isFresh(known.acl, now)) {
      known = { parts, acl: compile(entries, own ? templateValues(standing) : undefined, now) }
      if (compiled.size >= COMPILED_MAX) compiled.clear()
      compiled.set(key, known)
    }
    return known.acl
  }

  return (tx, token, now) => {
    if (token.entityId === '' && isRoot(token)) return ROOT_GRANTS
    const last = seen.get(token)
    return last && isFresh(last.grants.acl, now) && isUnchanged(tx, last)
      ? last.grants
      : find(tx, token, now)
  }
}

/** Only the root namespace has root tokens: elsewhere the name grants nothing. */
const isRoot = ({ policies, namespace, inlinePolicy }: TokenEntry) =>
  policies.includes('root') && !namespace && inlinePolicy === undefined

/** An entity of another namespace must stand, but has no policies here. */
const bringsPolicies = ({ entityId, entityHome, inlinePolicy }: TokenEntry) =>
  entityId !== '' && entityHome === undefined && inlinePolicy === undefined

const entityScope = (tx: Scope, { entityHome, namespace }: TokenEntry): Scope =>
  scopeOfHome(tx, entityHome === 'root' ? undefined : (entityHome ?? namespace))

async function requireEntity(tx: Scope, token: TokenEntry): Promise<Standing | undefined> {
  const { entityId } = token
  return entityId === '' ? undefined : requireStanding(entityScope(tx, token), entityId)
}

/** What the entity of a token adds to its policies, to be told; whether it may act is not asked. */
export async function identityPoliciesOf(tx: Scope, token: TokenEntry): Promise<readonly string[]> {
  if (!bringsPolicies(token)) return NONE
  return (await standingOf(entityScope(tx, token), token.entityId))?.policies ?? NONE
}

/** A view of the scope that notes what is read through it. */
function watch(scope: Scope, reads: Read[]): Scope {
  const note = <T extends object>(path: string, entry: T | undefined) => {
    reads.push({ path, entry })
    return entry
  }
  return {
    get<T extends object>(path: string): Awaitable<T | undefined> {
      return whenReady(scope.get<T>(path), (found) => note(path, found))
    },
    put: refuseToWrite,
    remove: refuseToWrite,
    list: refuseToWrite,
    keyring: scope.keyring,
  }
}

function refuseToWrite(): never {
  throw new TypeError('what a token may do is read by key, and only read')
}

const isTemplated = (policy: Policy) => policy.rules.some(({ templated }) => templated)

const isFresh = (acl: Acl, now: number) => (acl.goodUntil ?? Infinity) > now

const isSame = (before: Compiled['parts'], after: Compiled['parts']) =>
  before.length === after.length && before.every((part, i) => part === after[i])

/** Whether each entry is still the same object; the transaction remembers that it was read. */
function isUnchanged(scope: Scope, { reads }: Seen): boolean {
  return reads.every(({ path, entry }) => {
    const now = scope.get(path)
    if (!(now instanceof Promise)) return now === entry
    // It has to be fetched, which the caller does again and minds its errors.
    now.catch(() => {})
    return false
  })
}

function compile(
  entries: readonly (PolicyEntry | undefined)[],
  resolve: ((expression: string) => string | undefined) | undefined,
  now: number,
): Acl {
  const found = entries.filter((entry) => entry !== undefined)
  return compileAcl(
    found.map((entry) => ({ name: entry.name, policy: rulesOf(entry) })),
    { now: new Date(now), ...(resolve && { resolve }) },
  )
}
