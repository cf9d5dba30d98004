/**
 * Authorization codes: good once, for five minutes, for what they were given out for. Stored under
 * their digest, so the store does not hold what could be redeemed.
 */
import { type Scope } from '../../../barrier/space.ts'
import { type Call, collection } from '../../../kit/call.ts'
import { base62 } from '../../../lib/base62.ts'
import { sha256 } from './digest.ts'
import { type Challenge } from './pkce.ts'

/** Entry `identity-oidc/code/<digest>`. */
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

type Stored = { readonly grant: Grant; readonly until: number }

const codes = collection<Stored>('identity-oidc/code/')
const CODE_MS = 5 * 60_000
const CODE_CHARS = 32

const keyOf = (code: string) => sha256(code).toString('hex')

export function newCode(
  scope: Scope,
  { now, random }: Pick<Call<unknown>, 'now' | 'random'>,
  grant: Grant,
): string {
  const code = base62(CODE_CHARS, random)
  codes.put(scope, keyOf(code), { grant, until: now + CODE_MS })
  return code
}

/** What a code stands for; after this it stands for nothing, whatever comes of the request. */
export async function spendCode(
  scope: Scope,
  code: string,
  now: number,
): Promise<Grant | undefined> {
  const stored = await codes.get(scope, keyOf(code))
  if (!stored) return undefined
  codes.remove(scope, keyOf(code))
  return stored.until > now ? stored.grant : undefined
}

/** The digests of all codes that have not been redeemed yet. */
export const pendingCodes = (scope: Scope): Promise<string[]> => codes.names(scope)

/** Forgets a code that nobody has redeemed in time. */
export async function forgetIfOld(scope: Scope, digest: string, now: number): Promise<void> {
  const stored = await codes.get(scope, digest)
  if (stored && stored.until <= now) codes.remove(scope, digest)
}
