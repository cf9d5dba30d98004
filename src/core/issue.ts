/**
 * Making tokens: what a login has proven becomes a token within the limits of role, mount and
 * system; and the `auth` block that tells the client about it.
 */
import { type Tx } from '../barrier/space.ts'
import { type LoginGrant } from '../kit/reply.ts'
import { formatShortDuration } from '../lib/duration.ts'
import { type Standing, union } from './identity/standing.ts'
import { type Mount } from './mounts.ts'
import { type Namespace } from './namespaces.ts'
import { type NewToken, type TokenEntry, type Tokens } from './tokens.ts'

export type Limits = {
  ttlSeconds: number
  maxTtlSeconds: number
  explicitMaxTtlSeconds: number
  periodSeconds: number
  mountDefaultSeconds: number
  mountMaxSeconds: number
}

/**
 * The lifetime a token gets now (vault-protocol.md, section 5). `issuedAt` bounds a renewal: no
 * token outlives its maximum, counted from its creation. Zero = nothing is left.
 */
export function lifetime(
  limits: Limits,
  at: { issuedAt: number; now: number; increment?: number },
): { seconds: number; warnings: string[] } {
  const warnings: string[] = []
  const { periodSeconds, explicitMaxTtlSeconds: explicitMax } = limits
  const ageSeconds = (at.now - at.issuedAt) / 1000
  const maxes = [limits.mountMaxSeconds, limits.maxTtlSeconds, explicitMax]
  const max = Math.min(...maxes.filter((seconds) => seconds > 0))
  let seconds = at.increment || limits.ttlSeconds || limits.mountDefaultSeconds
  // A periodic token may be renewed for ever, unless it was given an end explicitly.
  let end = max
  if (periodSeconds > 0) {
    seconds = Math.min(periodSeconds, max)
    end = explicitMax || Infinity
    if (seconds < periodSeconds) {
      warnings.push(
        `period of "${formatShortDuration(periodSeconds)}" exceeded the effective max_ttl of ` +
          `"${formatShortDuration(max)}"; period value is capped accordingly`,
      )
    }
  }
  const left = Math.floor(end - ageSeconds)
  if (left <= 0) return { seconds: 0, warnings }
  if (seconds > left) {
    warnings.push(
      `TTL of "${formatShortDuration(seconds)}" exceeded the effective max_ttl of ` +
        `"${formatShortDuration(left)}"; TTL value is capped accordingly`,
    )
    seconds = left
  }
  return { seconds, warnings }
}

/** The `auth` block of a reply. `identityPolicies` come from the entity and are no part of the token. */
export function authBlock(
  id: string,
  entry: TokenEntry,
  { seconds, identityPolicies }: { seconds: number; identityPolicies: readonly string[] },
): Record<string, unknown> {
  return {
    client_token: id,
    accessor: entry.accessor,
    policies: union(entry.policies, identityPolicies),
    token_policies: entry.policies,
    ...(identityPolicies.length > 0 && { identity_policies: identityPolicies }),
    metadata: entry.meta,
    lease_duration: seconds,
    renewable: entry.renewable,
    entity_id: entry.entityId,
    token_type: entry.type,
    orphan: entry.orphan,
    mfa_requirement: null,
    num_uses: entry.numUses,
  }
}

/** What a mount may have been told about the tokens it issues. */
function tokenTypeOf(grant: LoginGrant, mount: Mount): 'service' | 'batch' {
  const tuned = mount.entry.config.token_type ?? 'default-service'
  const wanted = grant.token.type === 'default' ? tuned : grant.token.type
  if (tuned === 'batch' || tuned === 'service') return tuned
  return wanted === 'batch' || wanted === 'default-batch' ? 'batch' : 'service'
}

type NewLogin = {
  grant: LoginGrant
  mount: Mount
  ns: Namespace
  /** Of the entity that has logged in; undefined where the login names none. */
  standing?: Standing | undefined
  path: string
  now: number
}

/** Issues the token of a login. The grant's policies are canonical already. */
export function issueLogin(
  tx: Tx,
  tokens: Tokens,
  login: NewLogin,
): { auth: Record<string, unknown>; entry: TokenEntry; warnings: string[] } {
  const { grant, mount, standing, now } = login
  const { token } = grant
  const type = tokenTypeOf(grant, mount)
  const batch = type === 'batch'
  const limits: Limits = {
    ttlSeconds: token.ttlSeconds,
    maxTtlSeconds: token.maxTtlSeconds,
    explicitMaxTtlSeconds: token.explicitMaxTtlSeconds,
    periodSeconds: batch ? 0 : token.periodSeconds,
    mountDefaultSeconds: mount.view.defaultTtlSeconds,
    mountMaxSeconds: mount.view.maxTtlSeconds,
  }
  const { seconds, warnings } = lifetime(limits, { issuedAt: now, now })
  const policies = token.noDefaultPolicy ? token.policies : ['default', ...token.policies]
  // The one place a login's policies become a token's: root never comes out of it.
  const clean = [...new Set(policies)].filter((name) => name !== 'root').sort()
  const fresh: NewToken = {
    policies: clean,
    path: login.path,
    meta: { ...grant.metadata },
    displayName: displayName(mount, grant.displayName),
    numUses: batch ? 0 : token.numUses,
    createdAt: now,
    ttlSeconds: seconds,
    expiresAt: now + seconds * 1000,
    explicitMaxTtlSeconds: batch ? 0 : limits.explicitMaxTtlSeconds,
    periodSeconds: limits.periodSeconds,
    maxTtlSeconds: token.maxTtlSeconds,
    renewable: !batch && (grant.renewable ?? true),
    orphan: true,
    type,
    entityId: standing?.entity.id ?? '',
    boundCidrs: [...token.boundCidrs],
    loginMount: mount.entry.uuid,
    ...(grant.internal && { internal: grant.internal }),
  }
  const { id, entry } = tokens.create(tx, fresh, login.ns)
  const auth = authBlock(id, entry, { seconds, identityPolicies: standing?.policies ?? [] })
  return { auth, entry, warnings }
}

/** `<mount path>-<alias>`, with the mount's slashes as dashes. */
function displayName(mount: Mount, alias: string): string {
  const base = mount.entry.path.replace(/^auth\//, '').replaceAll('/', '-')
  return alias ? `${base}${alias}` : base.replace(/-$/, '')
}
