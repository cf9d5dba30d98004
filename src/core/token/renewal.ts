/**
 * Renewal: how much longer a token may live, by the rules as they are now. Whatever a role has
 * become since, no token outlives its explicit maximum, and none becomes one that never ends.
 */
import { type Call } from '../../kit/call.ts'
import { Failure, refuse } from '../../kit/failure.ts'
import { callAt } from '../call-of.ts'
import { type Core } from '../core.ts'
import { type Limits, lifetime } from '../issue.ts'
import { entriesUnder } from '../mounts.ts'
import { type TokenEntry } from '../tokens.ts'
import { homeOf, scopeOfHome } from '../namespaces.ts'
import { turnOf, txOf } from '../turn.ts'
import { roles } from './role.ts'

export type Renewed = { entry: TokenEntry; seconds: number; warnings: string[] }

/** The rules for this token now; throws when it cannot be renewed at all. */
export async function renewalLimits(
  core: Core,
  call: Call<unknown>,
  entry: TokenEntry,
): Promise<Limits> {
  if (entry.type === 'batch') refuse('batch tokens cannot be renewed')
  if (entry.expiresAt === 0) refuse('invalid lease ID')
  if (!entry.renewable) refuse('lease is not renewable')
  if (entry.loginMount !== undefined) return loginLimits(core, call, entry)
  const own = {
    ttlSeconds: entry.ttlSeconds,
    maxTtlSeconds: entry.maxTtlSeconds,
    explicitMaxTtlSeconds: entry.explicitMaxTtlSeconds,
    periodSeconds: entry.periodSeconds,
    ...mountLimits(call.mount),
  }
  if (entry.role === undefined) return own
  const role = await roles.get(await roleStore(core, call, entry), entry.role)
  if (!role) gone(`original token role "${entry.role}" could not be found`)
  return {
    ...own,
    periodSeconds: role.token_period,
    explicitMaxTtlSeconds: lesser(entry.askedMaxTtlSeconds ?? 0, role.token_explicit_max_ttl),
  }
}

/** Roles are those of the token's own namespace, from wherever it is renewed. */
async function roleStore(core: Core, call: Call<unknown>, { namespace }: TokenEntry) {
  if (namespace?.uuid === homeOf(turnOf(call as never).ns).namespace?.uuid) return call.store
  const scope = scopeOfHome(txOf(call as never), namespace)
  const mount = await core.mounts.at(scope, call.mount.path)
  return mount ? entriesUnder(scope, mount.prefix) : gone('its token mount could not be found')
}

/** `entry` with its new end. `increment` 0 = as long as the rules say. */
export function renewed(
  entry: TokenEntry,
  limits: Limits,
  at: { now: number; increment: number },
): Renewed {
  const { seconds, warnings } = lifetime(limits, { issuedAt: entry.createdAt, ...at })
  // Less than a second left is nothing left: zero is how a token that never ends is written down.
  if (seconds <= 0) {
    throw new Failure('bad_request', 'past the max TTL, cannot renew', { wrapped: true })
  }
  return {
    seconds,
    warnings,
    entry: {
      ...entry,
      expiresAt: at.now + seconds * 1000,
      lastRenewalAt: at.now,
      periodSeconds: limits.periodSeconds,
      maxTtlSeconds: limits.maxTtlSeconds,
      explicitMaxTtlSeconds: limits.explicitMaxTtlSeconds,
    },
  }
}

/** The engine that let the caller in says what its role is like today. */
async function loginLimits(core: Core, call: Call<unknown>, entry: TokenEntry): Promise<Limits> {
  const scope = scopeOfHome(txOf(call as never), entry.namespace)
  const mount = (await core.mounts.all(scope)).find(({ entry: m }) => m.uuid === entry.loginMount)
  if (!mount) gone('the auth mount that issued this token could not be found')
  const { renewLogin } = mount.engine
  if (!renewLogin) refuse('lease is not renewable')
  const params = await renewLogin(callAt(call, mount, entriesUnder(scope, mount.prefix)), {
    ...entry.internal,
  })
  if (!params) gone('the role that issued this token could not be found')
  return {
    ttlSeconds: params.ttlSeconds,
    maxTtlSeconds: params.maxTtlSeconds,
    explicitMaxTtlSeconds: lesser(entry.explicitMaxTtlSeconds, params.explicitMaxTtlSeconds),
    periodSeconds: params.periodSeconds,
    ...mountLimits(mount.view),
  }
}

const mountLimits = ({ defaultTtlSeconds, maxTtlSeconds }: Call<unknown>['mount']) => ({
  mountDefaultSeconds: defaultTtlSeconds,
  mountMaxSeconds: maxTtlSeconds,
})

/** Of two maxima, where 0 is none. */
export const lesser = (a: number, b: number): number => (a && b ? Math.min(a, b) : a || b)

function gone(what: string): never {
  throw new Failure('bad_request', `failed to renew entry: ${what}, not renewing`, {
    wrapped: true,
  })
}
