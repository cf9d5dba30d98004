/** All rules for one pattern, from all policies of a caller, merged into one grant. */
import { type Conditions } from './acl-conditions.ts'
import { type KeysFilter } from './policies-keys-filter.ts'
import {
  CAPABILITIES,
  type Capability,
  type JsonValue,
  type ParameterRules,
  type PathRule,
} from './policies.ts'

export type Operation = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list' | 'scan'

/** Shared between requests, so frozen. */
export type Verdict = {
  readonly allowed: boolean
  /** Needed besides `allowed` where a path is protected; says nothing by itself. */
  readonly sudo: boolean
  /** The policies that allow it, in the order they were given; empty on a refusal. */
  readonly grantingPolicies: readonly string[]
  /** Set on list and scan: the longest page this caller may see. */
  readonly paginationLimit?: number
  /** Set on list and scan: only names whose path this caller may read (or list) are told. */
  readonly keysFilter?: KeysFilter
}

export type GrantRule = { readonly policy: string; readonly rule: PathRule }

export type Grant = {
  readonly denied: boolean
  /** In the order they are told; empty when denied. */
  readonly capabilities: readonly Capability[]
  /** One for each operation that is allowed when the conditions are met. */
  readonly verdicts: Readonly<Partial<Record<Operation, Verdict>>>
  readonly refusal: Verdict
  /** What it was made of, for who wants to know why. */
  readonly rules: readonly GrantRule[]
  readonly conditions: Conditions | undefined
}

const OPERATIONS: readonly Operation[] = [
  'create',
  'read',
  'update',
  'patch',
  'delete',
  'list',
  'scan',
]

export const REFUSAL: Verdict = freeze({ allowed: false, sudo: false, grantingPolicies: [] })
const DENIED: Omit<Grant, 'rules'> = Object.freeze({
  denied: true,
  capabilities: [],
  verdicts: {},
  refusal: REFUSAL,
  conditions: undefined,
})

/** `rules` all have the same pattern. A `deny` among them wins over everything. */
export function mergeRules(rules: readonly { policy: string; rule: PathRule }[]): Grant {
  // Approval by others and second factors are not offered, so what asks for them stays closed.
  const closed = ({ rule }: { rule: PathRule }) =>
    rule.capabilities.has('deny') || rule.controlGroup || (rule.mfaMethods ?? []).length > 0
  if (rules.some(closed)) return { ...DENIED, rules }
  const capabilities = CAPABILITIES.filter((each) => holders(rules, each).length > 0)
  const sudo = capabilities.includes('sudo')
  const conditions = mergeConditions(rules.map(({ rule }) => rule))
  const verdicts: Partial<Record<Operation, Verdict>> = {}
  for (const operation of OPERATIONS) {
    const grantingPolicies = holders(rules, operation)
    if (grantingPolicies.length === 0) continue
    const lists = operation === 'list' || operation === 'scan'
    const pages = lists ? conditions.paginationLimit : 0
    const keysFilter = lists ? filterOf(rules, operation) : undefined
    verdicts[operation] = freeze({
      allowed: true,
      sudo,
      grantingPolicies,
      ...(pages > 0 && { paginationLimit: pages }),
      ...(keysFilter && { keysFilter }),
    })
  }
  return {
    denied: false,
    rules,
    capabilities: Object.freeze(capabilities),
    verdicts,
    refusal: freeze({ ...REFUSAL, sudo }),
    conditions: isEmpty(conditions) ? undefined : conditions,
  }
}

/** The first of the policies that has one decides, as they were given. */
function filterOf(
  rules: readonly { rule: PathRule }[],
  operation: Capability,
): KeysFilter | undefined {
  const filtering = rules.filter(({ rule }) => rule.keysFilter && rule.capabilities.has(operation))
  return filtering[0]?.rule.keysFilter
}

function holders(
  rules: readonly { policy: string; rule: PathRule }[],
  capability: Capability,
): string[] {
  const holding = rules.filter(({ rule }) => rule.capabilities.has(capability))
  return [...new Set(holding.map(({ policy }) => policy))]
}

export function freeze(verdict: Verdict): Verdict {
  Object.freeze(verdict.grantingPolicies)
  return Object.freeze(verdict)
}

function mergeConditions(rules: readonly PathRule[]): Conditions {
  return {
    allowed: mergeParameters(rules.map((rule) => rule.allowedParameters)),
    denied: mergeParameters(rules.map((rule) => rule.deniedParameters)),
    required: [...new Set(rules.flatMap((rule) => rule.requiredParameters ?? []))],
    minWrappingTtlSeconds: lowest(rules.map((rule) => rule.minWrappingTtlSeconds)),
    maxWrappingTtlSeconds: lowest(rules.map((rule) => rule.maxWrappingTtlSeconds)),
    paginationLimit: lowest(rules.map((rule) => rule.paginationLimit)),
  }
}

/** Per key; a key that any side leaves open (no values listed) is open. */
function mergeParameters(all: readonly (ParameterRules | undefined)[]): ParameterRules {
  const merged = new Map<string, readonly JsonValue[]>()
  for (const [key, values] of all.flatMap((rules) => [...(rules ?? [])])) {
    const before = merged.get(key)
    const open = values.length === 0 || before?.length === 0
    merged.set(key, open ? [] : [...(before ?? []), ...values])
  }
  return merged
}

/** Of the bounds that are set; 0 when none is. */
function lowest(bounds: readonly (number | undefined)[]): number {
  const set = bounds.flatMap((bound = 0) => (bound > 0 ? [bound] : []))
  return set.length === 0 ? 0 : Math.min(...set)
}

function isEmpty(conditions: Conditions): boolean {
  return (
    conditions.allowed.size === 0 &&
    conditions.denied.size === 0 &&
    conditions.required.length === 0 &&
    conditions.minWrappingTtlSeconds === 0 &&
    conditions.maxWrappingTtlSeconds === 0 &&
    conditions.paginationLimit === 0
  )
}
