/**
 * Authorization codes: good once, for five minutes, for what they were given out for. Stored under
 * their digest, so the store does not hold what could be redeemed.
 *
 *   identity-oidc/code/<digest>   the grant; removed when its time is over
 */
import { type Call } from '../../../kit/call.ts'
import { base62 } from '../../../lib/base62.ts'
import { type PassingEntry, putPassing } from '../../passing.ts'
import { scopeOf, turnOf, txOf } from '../../turn.ts'
import { sha256 } from './digest.ts'
import { type Challenge } from './pkce.ts'

export type Grant = {
  readonly provider: string
  readonly client_id: string
  readonly entity_id: string
  readonly redirect_uri: string
  readonly nonce: string
  readonly scopes: readonly string[]
  /** When the person logged in, in seconds since the epoch; if the client wanted to know. */
  readonly auth_time?: number
  readonly pkce?: Challenge
}

type Stored = PassingEntry & { readonly grant: Grant }

const CODE_MS = 5 * 60_000
const CODE_CHARS = 32

/** Of any code that a request says; the digest has no character that means something in a path. */
const entryOf = (code: string) => `identity-oidc/code/${sha256(code).toString('hex')}`

export function newCode(call: Call<never>, grant: Grant): string {
  const code = base62(CODE_CHARS, call.random)
  const path = turnOf(call).ns.prefix + entryOf(code)
  const entry: Stored = { kind: 'passing', path, expiresAt: call.now + CODE_MS, grant }
  putPassing(txOf(call), entry)
  return code
}

/** What a code stands for; after this it stands for nothing, whatever comes of the request. */
export async function spendCode(call: Call<never>, code: string): Promise<Grant | undefined> {
  const scope = scopeOf(call)
  const stored = await scope.get<Stored>(entryOf(code))
  if (!stored) return undefined
  scope.remove(entryOf(code))
  return stored.expiresAt > call.now ? stored.grant : undefined
}
