/**
 * The public keys of several named keys, and how long a copy of them is good: until one of them
 * rotates, and no longer than a pair can be verified with. The pair that will sign after the next
 * rotation is in it already.
 */
import { type Scope } from '../../../barrier/space.ts'
import { bare, type Reply } from '../../../kit/reply.ts'
import { findKey, type NamedKey, publicKeys } from './key.ts'
import { allRoles } from './role.ts'
import { type PublicJwk } from './signing.ts'

/** The keys of all roles, which is to say of all identity tokens. */
export async function roleKeys(scope: Scope): Promise<NamedKey[]> {
  return keysNamed(
    scope,
    (await allRoles(scope)).map(({ role }) => role.key),
  )
}

/** Those that exist, each once. */
export async function keysNamed(scope: Scope, names: readonly string[]): Promise<NamedKey[]> {
  const keys: NamedKey[] = []
  for (const name of [...new Set(names)].sort()) {
    const key = await findKey(scope, name)
    if (key) keys.push(key)
  }
  return keys
}

export function jwksOf(keys: readonly NamedKey[], now: number): PublicJwk[] {
  return keys.flatMap((key) => publicKeys(key, now))
}

/** Without keys there is nothing that could be kept. */
export function jwksReply(keys: readonly NamedKey[], now: number): Reply {
  const reply = bare({ keys: jwksOf(keys, now) })
  if (keys.length > 0) reply.headers = { 'Cache-Control': `max-age=${goodSeconds(keys, now)}` }
  return reply
}

function goodSeconds(keys: readonly NamedKey[], now: number): number {
  const seconds = keys.flatMap(({ next_rotation, verification_ttl }) => [
    Math.floor((next_rotation - now) / 1000),
    verification_ttl,
  ])
  return Math.max(0, Math.min(...seconds))
}

const DISCOVERY_SECONDS = 3600

/** A discovery document changes only with the configuration. */
export function discoveryReply(document: Record<string, unknown>): Reply {
  const reply = bare(document)
  reply.headers = { 'Cache-Control': `max-age=${DISCOVERY_SECONDS}` }
  return reply
}
