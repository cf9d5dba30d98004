/**
 * Decides what a caller's policies let them do. Compiled once for a set of policies and then asked
 * on every request. One rule speaks for a path, the most specific; rules of other patterns add
 * nothing to it. What no rule allows is refused.
 */
import { type Conditioned, meets } from './acl-conditions.ts'
import {
  freeze,
  type Grant,
  mergeRules,
  type Operation,
  REFUSAL,
  type Verdict,
} from './acl-grant.ts'
import {
  compareRanks,
  type Entry,
  findWild,
  foldPath,
  type PatternTable,
  patternTable,
  reaches,
  wildMatches,
} from './acl-patterns.ts'
import { expandTemplate } from './policies-template.ts'
import { type Capability, type PathRule, type Policy } from './policies.ts'

export { type Operation, type Verdict } from './acl-grant.ts'

export type AclRequest = Conditioned & { readonly path: string; readonly operation: Operation }
type Told = readonly (Capability | 'root')[]
type ToldPaths = Record<string, { capabilities: Told }>

export type Explained = {
  readonly rule:
    | { readonly pattern: string; readonly grant: Grant; readonly how: string }
    | undefined
  readonly others: readonly { readonly pattern: string; readonly grant: Grant }[]
}

export type Acl = {
  readonly root: boolean
  /** When the next rule expires, in milliseconds: compile anew then. */
  readonly goodUntil: number | undefined
  readonly check: (request: AclRequest) => Verdict
  /** `['deny']` when nothing is granted, `['root']` for root. */
  readonly capabilities: (path: string) => Told
  /** Every pattern with what it grants, for user interfaces; prefixes without their star. */
  readonly resultant: () => { root: boolean; exact_paths: ToldPaths; glob_paths: ToldPaths }
  /** The rule that decided, and the others that are about the path but are less specific. */
  readonly explain: (request: AclRequest) => Explained
  /** Whether a rule denies what is listed here, or in a folder above it. */
  readonly deniesFolder: (folder: string) => boolean
  /** Whether there is any deny at all. */
  readonly denies: boolean
  /** Whether anything at or below the prefix (`secret/`) is granted. */
  readonly anyBelow: (prefix: string) => boolean
}

const TOLD_ROOT: Told = Object.freeze(['root'] as const)
const TOLD_DENY: Told = Object.freeze(['deny'] as const)
const ROOT_VERDICT = freeze({ allowed: true, sudo: true, grantingPolicies: ['root'] })

/** Everything, sudo included. */
export const ROOT_ACL: Acl = Object.freeze({
  root: true,
  goodUntil: undefined,
  check: () => ROOT_VERDICT,
  capabilities: () => TOLD_ROOT,
  resultant: () => ({ root: true, exact_paths: {}, glob_paths: {} }),
  explain: () => ({ rule: undefined, others: [] }),
  deniesFolder: () => false,
  denies: false,
  anyBelow: () => true,
})

export type AclOptions = {
  /** What a template expression stands for; undefined drops the rule. Absent drops all such rules. */
  resolve?: (expression: string) => string | undefined
  /** Rules that have expired by then count for nothing. */
  now?: Date
}

/** Names are canonical already (`policyName`). The policy `root` must stand alone. */
export function compileAcl(
  policies: readonly { name: string; policy: Policy }[],
  options: AclOptions = {},
): Acl {
  if (policies.some(({ name }) => name === 'root')) {
    if (policies.length > 1) throw new Error('other policies present along with root')
    return ROOT_ACL
  }
  const now = (options.now ?? new Date()).getTime()
  let goodUntil: number | undefined
  const byPattern = new Map<string, { policy: string; rule: PathRule }[]>()
  for (const { name, policy } of policies) {
    for (const rule of policy.rules) {
      const end = rule.expiration?.getTime() ?? Infinity
      if (end <= now) continue
      if (end < (goodUntil ?? Infinity)) goodUntil = end
      const resolve = options.resolve ?? (() => undefined)
      const pattern = rule.templated ? expandTemplate(rule.path, resolve) : rule.path
      if (pattern === undefined) continue
      const same = byPattern.get(pattern)
      if (same) same.push({ policy: name, rule })
      else byPattern.set(pattern, [{ policy: name, rule }])
    }
  }
  const grants = new Map<string, Grant>()
  for (const [pattern, rules] of byPattern) grants.set(pattern, mergeRules(rules))
  return aclOf(grants, goodUntil)
}

function aclOf(grants: ReadonlyMap<string, Grant>, goodUntil: number | undefined): Acl {
  const finder = finderOf(grants)
  const entries = [
    ...finder.rules.exact.values(),
    ...finder.rules.prefixes.values(),
    ...finder.rules.plus,
  ]
  const capabilities = (path: string) => told(find(finder, path, path.endsWith('/')))
  return {
    root: false,
    goodUntil,
    check(request) {
      const grant = findFor(finder, request)
      if (grant === undefined) return REFUSAL
      const verdict = grant.verdicts[request.operation]
      if (verdict === undefined) return grant.refusal
      return grant.conditions && !meets(grant.conditions, request) ? grant.refusal : verdict
    },
    capabilities,
    resultant() {
      const exact = entries.filter(isExact)
      const glob = entries.filter((entry) => !isExact(entry))
      return { root: false, exact_paths: toldPaths(exact), glob_paths: toldPaths(glob) }
    },
    explain: (request) => explain({ finder, entries }, request),
    denies: finder.denials !== undefined,
    deniesFolder(folder) {
      for (let end = folder.indexOf('/'); end >= 0; end = folder.indexOf('/', end + 1)) {
        if (find(finder, folder.slice(0, end + 1), true)?.denied) return true
      }
      return false
    },
    anyBelow(prefix) {
      if (capabilities(prefix) !== TOLD_DENY) return true
      return entries.some((e) => e.value.capabilities.length > 0 && reaches(e, prefix))
    },
  }
}

const isExact = (entry: Entry<Grant>) => !entry.rank.prefix && entry.segments === undefined

function told(grant: Grant | undefined): Told {
  return grant === undefined || grant.capabilities.length === 0 ? TOLD_DENY : grant.capabilities
}

function toldPaths(entries: readonly Entry<Grant>[]): ToldPaths {
  const paths = entries.map((entry): [string, { capabilities: Told }] => [
    entry.segments ? entry.pattern : entry.head,
    { capabilities: told(entry.value) },
  ])
  return Object.fromEntries(paths)
}

/** `denials` holds what `rules` denies once more, for all spellings of a path. */
type Finder = {
  readonly rules: PatternTable<Grant>
  readonly denials: PatternTable<Grant> | undefined
}

function finderOf(grants: ReadonlyMap<string, Grant>): Finder {
  const denied = new Map([...grants].filter(([, grant]) => grant.denied))
  return {
    rules: patternTable(grants),
    // `Secret/Prod` must not get around a deny on `secret/prod` where an engine folds case.
    denials: denied.size > 0 ? patternTable(denied, { fold: true }) : undefined,
  }
}

/** By the very grant that decided, so that it cannot say anything else than what was done. */
function explain(
  { finder, entries }: { finder: Finder; entries: readonly Entry<Grant>[] },
  request: AclRequest,
): Explained {
  const grant = findFor(finder, request)
  const listing = request.operation === 'list' || request.operation === 'scan'
  const path = listing && request.path !== '' ? `${request.path.replace(/\/$/, '')}/` : request.path
  const forms = listing ? [path, path.replace(/\/$/, '')] : [path]
  const about = (entry: Entry<Grant>, form: string) =>
    isExact(entry) ? entry.head === form : wildMatches(entry, form)
  const deciding = entries.find((entry) => entry.value === grant)
  const others = entries.filter((e) => e !== deciding && forms.some((form) => about(e, form)))
  if (!deciding) return { rule: undefined, others: others.map(named) }
  const spelled = forms.find((form) => about(deciding, form))
  const kind = isExact(deciding)
    ? 'it names exactly this path'
    : deciding.segments
      ? 'of all patterns that match it is the most specific'
      : 'it is the longest prefix that matches'
  const how =
    spelled === undefined
      ? 'it denies the path in every spelling'
      : spelled === path
        ? kind
        : `${kind}, without the slash at the end`
  return { rule: { ...named(deciding), how }, others: others.map(named) }
}

const named = ({ pattern, value }: Entry<Grant>) => ({ pattern, grant: value })

/** The one grant that speaks for the request, if any. */
function findFor(finder: Finder, { path, operation }: AclRequest): Grant | undefined {
  if (operation !== 'list' && operation !== 'scan') return find(finder, path, false)
  return find(finder, path === '' || path.endsWith('/') ? path : `${path}/`, true)
}

/**
 * For listings `path` ends in `/`, and rules written without it count too: people forget the slash.
 * An exact rule goes first, in either form. Yet a deny that covers only the form with the slash,
 * `a/*` beside an exact `a`, is about this listing and holds (CVE-2026-63131).
 */
function find(finder: Finder, path: string, listing: boolean): Grant | undefined {
  const exact = findExact(finder, path)
  if (exact || !listing) return exact ?? findBest(finder, path)?.value
  const bare = path.endsWith('/') ? path.slice(0, -1) : path
  const bareExact = findExact(finder, bare)
  const wild = findBest(finder, path)
  if (!bareExact) return (wild ?? findBest(finder, bare))?.value
  return wild?.value.denied && !wildMatches(wild, bare) ? wild.value : bareExact
}

function findExact({ rules, denials }: Finder, path: string): Grant | undefined {
  const denial = denials && denials.exact.get(foldPath(path))
  return (denial ?? rules.exact.get(path))?.value
}

function findBest({ rules, denials }: Finder, path: string): Entry<Grant> | undefined {
  const best = findWild(rules, path)
  const denial = denials && findWild(denials, foldPath(path))
  if (!best || !denial) return denial ?? best
  return compareRanks(best.foldedRank, denial.foldedRank) > 0 ? best : denial
}
