/** Stored policies, each parsed once per stored object. */
import { type Scope } from '../barrier/space.ts'
import { DEFAULT_POLICY, parsePolicy, type Policy, RESPONSE_WRAPPING_POLICY } from './policies.ts'

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

/** Once for each stored object. Throws PolicyError only for a text that could not have been stored. */
export function rulesOf(entry: PolicyEntry): Policy {
  let policy = parsed.get(entry)
  if (!policy) parsed.set(entry, (policy = parsePolicy(entry.text)))
  return policy
}
