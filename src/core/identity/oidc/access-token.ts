/**
 * Access tokens: batch tokens that may ask one provider's `userinfo` and nothing else, whatever the
 * person they stand for may do.
 */
import { type Call } from '../../../kit/call.ts'
import { type Core } from '../../core.ts'
import { type NewToken, type TokenEntry } from '../../tokens.ts'
import { turnOf, txOf } from '../../turn.ts'
import { type Client } from './client.ts'
import { type Grant } from './code.ts'

/** What an access token knows of its making. */
export type AccessGrant = { client_id: string; scopes: readonly string[] }

export function newAccessToken(
  core: Core,
  call: Call<never>,
  { client, grant }: { client: Client; grant: Grant },
): string {
  const { client_id, provider, scopes, entity_id } = grant
  const { path, ns } = turnOf(call)
  const token: NewToken = {
    policies: [],
    // The name of a provider has no character that means something in a policy.
    inlinePolicy: `path "identity/oidc/provider/${provider}/userinfo" {
  capabilities = ["read", "update"]
}
`,
    path,
    meta: { oidc_token_type: 'access token' },
    displayName: '',
    numUses: 0,
    createdAt: call.now,
    ttlSeconds: client.access_token_ttl,
    expiresAt: call.now + client.access_token_ttl * 1000,
    explicitMaxTtlSeconds: 0,
    periodSeconds: 0,
    maxTtlSeconds: 0,
    renewable: false,
    orphan: true,
    type: 'batch',
    entityId: entity_id,
    boundCidrs: [],
    internal: { access: { client_id, scopes } satisfies AccessGrant },
  }
  return core.tokens.create(txOf(call), token, ns).id
}

/** Undefined for every other kind of token. */
export function accessGrantOf(token: TokenEntry | undefined): AccessGrant | undefined {
  if (token?.inlinePolicy === undefined) return undefined
  return token.internal?.['access'] as AccessGrant | undefined
}
