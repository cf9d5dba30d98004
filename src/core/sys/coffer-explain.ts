/** `sys/coffer/explain`: why something was allowed or denied, and who may do it. For operators. */
import { type Scope } from '../../barrier/space.ts'
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { type Parsed, t } from '../../schema/field.ts'
import { type Acl, compileAcl, type Operation, ROOT_ACL } from '../acl.ts'
import { unmet } from '../acl-conditions.ts'
import { type GrantRule } from '../acl-grant.ts'
import { canonicalInput } from '../canonical-path.ts'
import { type Core } from '../core.ts'
import { identityPoliciesOf } from '../grants.ts'
import { standingOf, union } from '../identity/standing.ts'
import { templateValues } from '../identity/template-values.ts'
import { type Namespace, namespaceById } from '../namespaces.ts'
import { getPolicy, rulesOf } from '../policy-store.ts'
import { type Policy, ruleLines } from '../policies.ts'
import { tokenByAccessor } from '../token/subject.ts'
import { policyPathOf, scopeOf, turnOf, txOf } from '../turn.ts'
import { whoMay } from './coffer-who.ts'

export const OPERATIONS = ['create', 'read', 'update', 'patch', 'delete', 'list', 'scan'] as const

const path = t.string({ help: 'The path, as in a policy.', required: 'missing path', clear: true })
const operation = t.oneOf<Operation, { help: string; default: 'read'; clear: true }>(OPERATIONS, {
  help: `What is done there: ${OPERATIONS.join(', ')}.`,
  default: 'read',
  clear: true,
})

const explainFields = {
  path,
  operation,
  accessor: t.string({ help: 'Of the token it is about.' }),
  policies: t.list({ help: 'Or: what somebody with these policies may do.', clear: true }),
  entity: t.string({ help: 'Or: what this entity may do, by its id.', clear: true }),
  parameters: t.map({ help: 'What the request would bring, for rules about parameters.' }),
  wrap_ttl: t.duration({ help: 'How long the answer would be wrapped.', default: 0, clear: true }),
}
type Asked = Parsed<typeof explainFields>

const whoFields = {
  path,
  operation,
  after: t.string({ help: 'Only accessors behind this one: `next` of the answer before.' }),
  limit: t.int({ help: 'How many tokens to look at; up to 1000.', default: 1_000, clear: true }),
}

export function cofferExplainEndpoints(core: Core): Endpoint[] {
  return [
    endpoint('coffer/explain', {
      help: 'Why a token, or policies, may or may not do something at a path.',
      description:
        'Tells which rule of which policy decided and why that one, what else is about the path, ' +
        'and which parameters were missing. It asks the same code that decides.',
      access: 'sudo',
      fields: explainFields,
      write: (call) => explain(call, core),
      example: { path: 'secret/data/app', operation: 'read', policies: ['default'] },
    }),
    endpoint('coffer/who', {
      help: 'Who may do something at a path: policies, and tokens, entities and groups with them.',
      access: 'sudo',
      fields: whoFields,
      write(call) {
        const { data } = call
        if (data.limit < 1 || data.limit > 1_000) refuse('limit must be from 1 to 1000')
        return whoMay(call as never, core, { ...data, path: plain(data.path) })
      },
      example: { path: 'secret/data/app', operation: 'read' },
    }),
  ]
}

const plain = (given: string) => canonicalInput(given.replace(/^\//, ''))

type Subject = {
  acl: Acl
  policies: readonly string[]
  missing: readonly string[]
  /** Whose policies they are; absent = those of the request's namespace. */
  tokenNs?: Namespace
}

async function explain(call: Call<Asked>, core: Core) {
  const { data } = call
  const scope = scopeOf(call as never)
  const { acl, policies, missing, tokenNs } = await subjectOf(call, core, scope)
  const { ns } = turnOf(call as never)
  const request = {
    path: policyPathOf({ ns, tokenNs: tokenNs ?? ns }, plain(data.path)),
    operation: data.operation,
    data: data.parameters ?? {},
    wrapTtlSeconds: data.wrap_ttl,
  }
  const verdict = acl.check(request)
  const { rule, others } = acl.explain(request)
  const conditions = rule?.grant.conditions
  const unmetNow = conditions ? unmet(conditions, request) : []
  return {
    path: request.path,
    operation: data.operation,
    allowed: verdict.allowed,
    sudo: verdict.sudo,
    policies,
    missing_policies: missing,
    reason: reasonOf({ acl, operation: data.operation, allowed: verdict.allowed, rule, unmetNow }),
    unmet: unmetNow,
    rule: rule
      ? {
          pattern: rule.pattern,
          decided_because: rule.how,
          denies: rule.grant.denied,
          capabilities: rule.grant.capabilities,
          from: await sources(scope, rule.grant.rules),
        }
      : null,
    less_specific: await Promise.all(
      others.map(async ({ pattern, grant }) => ({
        pattern,
        denies: grant.denied,
        capabilities: grant.capabilities,
        from: await sources(scope, grant.rules),
      })),
    ),
  }
}

function reasonOf(of: {
  acl: Acl
  operation: Operation
  allowed: boolean
  rule: ReturnType<Acl['explain']>['rule']
  unmetNow: readonly string[]
}): string {
  const { acl, operation: wanted, allowed, rule, unmetNow } = of
  if (acl.root) return 'root may do everything'
  if (!rule) return 'no rule is about this path'
  if (allowed) return `the rule grants ${wanted}`
  if (rule.grant.denied) return 'the rule denies'
  if (unmetNow.length > 0) return `the rule grants ${wanted}, but not so: ${unmetNow.join('; ')}`
  return `the rule does not grant ${wanted}; other rules do not add to it`
}

/** One of three. */
async function subjectOf(call: Call<Asked>, core: Core, scope: Scope): Promise<Subject> {
  const { accessor, policies, entity } = call.data
  const ways = [accessor, policies?.length, entity].filter(Boolean)
  if (ways.length !== 1) refuse('say for whom: one of accessor, policies and entity')
  if (accessor) return ofToken(call, core, accessor)
  if (!entity) return ofPolicies(scope, policies ?? [], { now: call.now })
  const standing = (await standingOf(scope, entity)) ?? refuse('no such entity')
  const resolve = templateValues(standing)
  return ofPolicies(scope, standing.policies, { now: call.now, resolve })
}

async function ofToken(call: Call<Asked>, core: Core, accessor: string): Promise<Subject> {
  const tx = txOf(call as never)
  const token = (await tokenByAccessor(core, call, accessor)) ?? refuse('invalid accessor')
  const standing = await identityPoliciesOf(tx, token)
  const policies = union(token.policies, standing)
  const tokenNs = (await namespaceById(tx, token.namespace?.id)) ?? refuse('invalid accessor')
  try {
    return { acl: (await core.grantsOf(tx, token)).acl, policies, missing: [], tokenNs }
  } catch (error) {
    if (error instanceof Failure)
      refuse('the entity of this token is disabled or gone: it may do nothing')
    throw error
  }
}

async function ofPolicies(
  scope: Scope,
  names: readonly string[],
  { now, resolve }: { now: number; resolve?: (expression: string) => string | undefined },
): Promise<Subject> {
  if (names.includes('root')) return { acl: ROOT_ACL, policies: names, missing: [] }
  const found: { name: string; policy: Policy }[] = []
  const missing: string[] = []
  for (const name of names) {
    const entry = await getPolicy(scope, name)
    if (entry) found.push({ name, policy: rulesOf(entry) })
    else missing.push(name)
  }
  const options = { now: new Date(now), ...(resolve && { resolve }) }
  return { acl: compileAcl(found, options), policies: names, missing }
}

/** Where the rules stand: the policy and, if it can be told, the line. */
async function sources(scope: Scope, rules: readonly GrantRule[]) {
  return Promise.all(
    rules.map(async ({ policy, rule }) => {
      const entry = await getPolicy(scope, policy)
      const at = entry ? rulesOf(entry).rules.indexOf(rule) : -1
      const line = entry && at >= 0 ? ruleLines(entry.text)[at] : undefined
      return {
        policy,
        path: rule.path,
        ...(line !== undefined && { line }),
        capabilities: [...rule.capabilities],
      }
    }),
  )
}
