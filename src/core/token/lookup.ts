/** `lookup`, `lookup-self`, `lookup-accessor`: what a token is. Never who its parent is. */
import { type Call } from '../../kit/call.ts'
import { type Endpoint, endpoint } from '../../kit/engine.ts'
import { Failure } from '../../kit/failure.ts'
import { rfc3339 } from '../../lib/clock.ts'
import { type Core } from '../core.ts'
import { identityPoliciesOf } from '../grants.ts'
import { namespaceById } from '../namespaces.ts'
import { type TokenEntry } from '../tokens.ts'
import { txOf } from '../turn.ts'
import {
  accessorField,
  invalidAccessor,
  ownToken,
  tokenByAccessor,
  tokenById,
  tokenField,
  unusedTokenField,
} from './subject.ts'

export function lookupEndpoints(core: Core): Endpoint[] {
  const lookUp = async (call: Call<{ token: string | undefined }>) => {
    const id = call.data.token || ownToken(call).id
    const entry = await tokenById(core, call, id)
    if (!entry) throw new Failure('permission_denied', 'bad token')
    return dataOf(call, entry, id)
  }
  const lookUpSelf = (call: Call<unknown>) => {
    const { id, entry } = ownToken(call)
    return dataOf(call, entry, id)
  }
  return [
    endpoint('lookup', {
      help: 'What a token is; without a token, the one that asks.',
      fields: { token: tokenField },
      read: lookUp,
      write: lookUp,
    }),
    endpoint('lookup-self', {
      help: 'What the token that asks is.',
      fields: { token: unusedTokenField },
      read: lookUpSelf,
      write: lookUpSelf,
    }),
    endpoint('lookup-accessor', {
      help: 'What the token of an accessor is, without the token itself.',
      fields: { accessor: accessorField },
      async write(call) {
        const entry = await tokenByAccessor(core, call, call.data.accessor)
        if (!entry) throw invalidAccessor()
        return dataOf(call, entry, '')
      },
    }),
  ]
}

async function dataOf(call: Call<unknown>, entry: TokenEntry, id: string) {
  const tx = txOf(call as never)
  const identityPolicies = await identityPoliciesOf(tx, entry)
  const data = {
    ...tokenData(entry, { id, now: call.now }),
    ...(identityPolicies.length > 0 && { identity_policies: identityPolicies }),
  }
  if (!entry.namespace) return data
  const namespace = await namespaceById(tx, entry.namespace.id)
  return { ...data, namespace_path: namespace?.path ?? '' }
}

function tokenData(entry: TokenEntry, shown: { id: string; now: number }): Record<string, unknown> {
  const { expiresAt, lastRenewalAt } = entry
  const ends = expiresAt !== 0
  return {
    accessor: entry.accessor,
    creation_time: Math.floor(entry.createdAt / 1000),
    creation_ttl: entry.ttlSeconds,
    display_name: entry.displayName,
    entity_id: entry.entityId,
    expire_time: ends ? rfc3339(expiresAt) : null,
    explicit_max_ttl: entry.explicitMaxTtlSeconds,
    id: shown.id,
    meta: entry.meta,
    num_uses: entry.numUses,
    orphan: entry.orphan,
    path: entry.path,
    policies: entry.policies,
    ttl: ends ? Math.max(Math.floor((expiresAt - shown.now) / 1000), 0) : 0,
    type: entry.type,
    ...(ends && { issue_time: rfc3339(entry.createdAt), renewable: entry.renewable }),
    ...(lastRenewalAt !== undefined && {
      last_renewal: rfc3339(lastRenewalAt),
      last_renewal_time: Math.floor(lastRenewalAt / 1000),
    }),
    ...(entry.role !== undefined && { role: entry.role }),
    ...(entry.periodSeconds > 0 && { period: entry.periodSeconds }),
    ...(entry.boundCidrs.length > 0 && { bound_cidrs: entry.boundCidrs }),
  }
}
