/**
 * Response wrapping: an answer put into the cubbyhole of a token that can be used once. Whoever
 * holds the token can see what request made it and how long it lives, without opening it.
 */
import { type Tx } from '../barrier/space.ts'
import { rfc3339 } from '../lib/clock.ts'
import { CUBBYHOLE_PREFIX } from './mounts.ts'
import { type Namespace, prefixOfHome } from './namespaces.ts'
import { type NewToken, type TokenEntry, type Tokens } from './tokens.ts'

export const WRAPPING_POLICY = 'response-wrapping'

/** The shape of a cubbyhole's entries: the legacy read of cubbyhole/response finds it there. */
type Wrapped = { data: string }
export type WrapRequest = {
  envelope: string
  creationPath: string
  ttlSeconds: number
  /** The namespace of the request: its token belongs there. */
  ns: Namespace
  now: number
  /** Accessor of a token or secret id inside, so that it can be revoked unopened. */
  wrappedAccessor?: string
}

const responsePath = ({ uid, namespace }: TokenEntry) =>
  `${prefixOfHome(namespace)}${CUBBYHOLE_PREFIX}${uid}/response`

/** Stores the envelope and returns `wrap_info`. */
export function wrap(
  tx: Tx,
  tokens: Tokens,
  request: WrapRequest,
): { info: Record<string, unknown>; entry: TokenEntry } {
  const { creationPath, ttlSeconds, now } = request
  const fresh: NewToken = {
    policies: [WRAPPING_POLICY],
    path: creationPath,
    meta: null,
    displayName: '',
    numUses: 1,
    createdAt: now,
    ttlSeconds,
    expiresAt: now + ttlSeconds * 1000,
    explicitMaxTtlSeconds: ttlSeconds,
    periodSeconds: 0,
    maxTtlSeconds: 0,
    renewable: false,
    orphan: true,
    type: 'service',
    entityId: '',
    boundCidrs: [],
    wrapping: { creationPath, ttlSeconds, createdAt: now },
  }
  const { id, entry } = tokens.create(tx, fresh, request.ns)
  tx.put(responsePath(entry), {
    data: JSON.stringify({ response: request.envelope }),
  } satisfies Wrapped)
  const info = {
    token: id,
    accessor: entry.accessor,
    ttl: ttlSeconds,
    creation_time: rfc3339(now),
    creation_path: creationPath,
    ...(request.wrappedAccessor && { wrapped_accessor: request.wrappedAccessor }),
  }
  return { info, entry }
}

/** The envelope inside a wrapping token, as text; undefined when it is not one. */
export async function wrappedEnvelope(tx: Tx, entry: TokenEntry): Promise<string | undefined> {
  if (!entry.wrapping) return undefined
  const stored = await tx.get<Wrapped>(responsePath(entry))
  return stored && (JSON.parse(stored.data) as { response: string }).response
}

/** The accessor of what is wrapped, a token or a secret id, so that it can be revoked unopened. */
export function wrappedAccessorOf(
  auth: Record<string, unknown> | undefined,
  data: Record<string, unknown> | undefined,
): string | undefined {
  const accessor = auth?.['accessor'] ?? data?.['secret_id_accessor']
  return typeof accessor === 'string' && accessor !== '' ? accessor : undefined
}
