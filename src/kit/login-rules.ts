/** What every login and every renewal must hold to, whatever the auth method. */
import { cidrContains, parseCidr } from '../lib/cidr.ts'
import { Failure } from './failure.ts'
import { canonicalPolicies, type TokenSettings } from './token-fields.ts'

/** 403 where a token would be given out that could not be used from here. */
export function checkTokenPeer(
  settings: Pick<TokenSettings, 'token_bound_cidrs'>,
  remoteAddress: string,
): void {
  const blocks = settings.token_bound_cidrs
  if (blocks.length === 0) return
  if (blocks.some((block) => cidrContains(parseCidr(block), remoteAddress))) return
  throw new Failure('permission_denied')
}

/** Renewal ends where the policies of the role are no longer those the token was made with. */
export function checkSamePolicies(now: readonly string[], then: readonly string[]): void {
  const own = (names: readonly string[]) =>
    canonicalPolicies(names).filter((name) => name !== 'default')
  if (own(now).join() === own(then).join()) return
  throw new Failure('bad_request', 'failed to renew entry: policies have changed, not renewing', {
    wrapped: true,
  })
}
